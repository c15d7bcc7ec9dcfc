/*
 * overlap.h - n-grams that a text shares with its references
 *
 * Counts are clipped as Papineni et al. do ("BLEU: a Method for Automatic Evaluation of Machine
 * Translation", ACL 2002): an n-gram counts as often as the one reference that has most of it allows.
 * Units are any 64-bit numbers: hashes of tokens, code points.
 */
#ifndef DS_TEXT_OVERLAP_H
#define DS_TEXT_OVERLAP_H

#include "base/arena.h"

#include <stdint.h>

typedef struct {
	const uint64_t *at;
	size_t n;
} ds_units;

/* n-grams of an order in n units */
static inline size_t ds_n_grams(size_t n, size_t order)
{
	return n >= order ? n - order + 1 : 0;
}
/*
 * matches[k - 1] = clipped n-grams of order k = 1 … orders that text shares with the references. Scratch
 * memory comes from mem; time grows with the number of units times the orders.
 */
void ds_overlap(ds_units text, const ds_units *refs, size_t n_refs, unsigned orders,
	uint64_t *matches, ds_arena *mem);

#endif
