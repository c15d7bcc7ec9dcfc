/*
 * explain.h - --explain: a record before and after, side by side, for people
 */
#ifndef DS_CLEAN_EXPLAIN_H
#define DS_CLEAN_EXPLAIN_H

#include "record/block.h"

typedef struct {
	ds_str before, after;
	const char *dropped_by;     /* NULL: it stays */
	ds_str label_before, label; /* label_before.at NULL: not changed */
} explained;

/* Adds what is to be shown of a record that rules changed or dropped. */
DS_MUST ds_rc explain_record(ds_buf *out, ds_block *b, uint32_t row, const explained *x, ds_err *e);
/* Its first line alone: which record, and what became of it. */
DS_MUST ds_rc explain_head(ds_buf *out, ds_block *b, uint32_t row, const explained *x, ds_err *e);
/* Adds what one rule made of a text; colour: for a terminal. */
void explain_step(ds_buf *out, const char *rule, ds_str before, ds_str after, bool colour);

#endif
