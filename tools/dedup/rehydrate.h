/*
 * rehydrate.h - copies by the size of a cluster
 */
#ifndef DSDEDUP_REHYDRATE_H
#define DSDEDUP_REHYDRATE_H

#include "dedup.h"

enum { REHYDRATE_STEPS = 32, REHYDRATE_MOST = 1000 };

typedef struct { /* from which size of a cluster how many copies; below the first, one */
	struct {
		uint32_t size, copies;
	} step[REHYDRATE_STEPS];
	unsigned n;
} rehydrate_rule;
DS_MUST ds_rc rehydrate_read(rehydrate_rule *r, const char *text, ds_err *e);
uint32_t rehydrate_copies(const rehydrate_rule *r, uint32_t size);
/* In order, after what repeats was dropped: writes the copies instead of the block. */
DS_MUST ds_rc rehydrate_block(const rehydrate_rule *r, ds_work *w, ds_block *b,
	const signed_block *s, uint64_t *n_added, ds_err *e);

#endif
