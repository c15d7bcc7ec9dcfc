/*
 * perm.h - a shuffled order of n rows, without a table
 *
 * A Feistel network over the next power of four, walked until it falls below n, is a permutation of
 * 0 … n-1 that depends on the key alone and needs no memory: position i of any epoch of any number of
 * rows is found at once, so resuming costs nothing.
 */
#ifndef DS_MODEL_PERM_H
#define DS_MODEL_PERM_H

#include <stdint.h>

/* Row number i (< n) of the order that seed and epoch give; n > 0. */
uint64_t ds_perm_at(uint64_t seed, uint64_t epoch, uint64_t n, uint64_t i);

#endif
