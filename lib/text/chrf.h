/*
 * chrf.h - how alike two texts are by their character n-grams (Popović, WMT 2015)
 *
 * chrF2 of one sentence as sacrebleu computes it: n-grams of 1 to 6 characters, white space left out,
 * recall counts twice as much as precision, the mean over the orders that both texts have.
 */
#ifndef DS_TEXT_CHRF_H
#define DS_TEXT_CHRF_H

#include "base/arena.h"

/* 0 to 100. Scratch memory comes from mem. */
double ds_chrf(ds_str text, ds_str reference, ds_arena *mem);

#endif
