/*
 * stage_pairs.h - who met whom, from the sorted files of bands
 */
#ifndef DSDEDUP_STAGE_PAIRS_H
#define DSDEDUP_STAGE_PAIRS_H

#include "stage.h"

#include <stdatomic.h>

typedef struct {
	const int64_t *number; /* ascending */
	size_t n;
} bucket;

typedef struct pairs pairs;
/* Opens the bands' files: DS_BAD by name for one that is missing, unsorted or of other signatures. */
DS_MUST ds_rc pairs_open(pairs **out, const signs *s, unsigned jobs, uint64_t memory, ds_err *e);
void pairs_close(pairs *p);
/* Buckets of exact keys, one after the other. */
DS_MUST ds_rc pairs_exact(
	pairs *p, void (*take)(void *context, const bucket *b), void *context, ds_err *e);
/*
 * For every record that met any of the first 64 of a bucket, in no order and on any thread: the numbers of
 * those, ascending, each once (the lower 32 bits). *full: buckets that reached 64.
 */
DS_MUST ds_rc pairs_near(pairs *p,
	void (*met)(void *context, uint32_t me, const uint64_t *others, size_t n), void *context,
	uint64_t *full, ds_err *e);

#endif
