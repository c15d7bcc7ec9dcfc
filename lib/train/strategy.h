/*
 * strategy.h - from words to a layout: how ranks share data, layers and matrices
 */
#ifndef DS_TRAIN_STRATEGY_H
#define DS_TRAIN_STRATEGY_H

#include "graph/layout.h"
#include "model/config.h"

enum { DS_STRATEGY_RANKS = 1 << 16 }; /* so many can be planned; DS_MAX_RANKS can be had */

/*
 * NULL, "dp" or "auto": data parallelism alone; "tp=2,pp=2" (dp is what is left); "3d": the prime factors of ranks dealt
 * round-robin to tensor, pipeline and data parallelism. ranks 0: as many as the words name, else 1. *n: how many they are.
 * DS_USAGE: the words.
 */
DS_MUST ds_rc ds_strategy_parse(ds_layout *l, const char *words, int64_t ranks, ds_err *e);
/* Layouts of so many ranks in the order in which "auto" tries them, those that say least to one another first; false: there
 * are no more. i counts from 0. */
bool ds_strategy_candidate(ds_layout *l, int ranks, int i);
/* Can this model be cut so, and a step of so many rows? DS_USAGE names the dimension and the nearest that divide it. */
DS_MUST ds_rc ds_strategy_check(
	const ds_layout *l, const ds_config *c, int64_t step_rows, int64_t n_micro, ds_err *e);

#endif
