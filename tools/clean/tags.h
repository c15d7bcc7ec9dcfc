/*
 * tags.h - fields that rules write beside the text, column by column
 */
#ifndef DS_CLEAN_TAGS_H
#define DS_CLEAN_TAGS_H

#include "record/block.h"
#include "rule.h"

typedef struct { /* of one block; zeroed but for b */
	ds_block *b;
	struct {
		const char *name;
		ds_colb *column;
		uint32_t rows; /* that it has so far */
		int kind;
	} at[RULE_TAGS_MAX];
	unsigned n;
} tags;

/* Rows come in order; those that are left out have no such field. */
void tags_put(tags *t, uint32_t row, const rule_tag *all, unsigned n);
DS_MUST ds_rc tags_finish(tags *t, ds_err *e);

#endif
