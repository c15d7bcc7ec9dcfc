/*
 * held.h - the first blocks, held back until the types of their fields are known
 */
#ifndef DS_RECORD_PARQUET_HELD_H
#define DS_RECORD_PARQUET_HELD_H

#include "record/parquet/shred.h"

typedef struct {
	ds_arena *mem; /* NULL: nothing is held any more */
	ds_block **at;
	size_t n, cap;
	uint64_t bytes;
} ds_pq_held;

void ds_pq_held_open(ds_pq_held *h);
/* A copy of b; *enough: they are 32 MiB, the types may be told by them. */
DS_MUST ds_rc ds_pq_hold(ds_pq_held *h, ds_block *b, bool *enough, ds_err *e);
/* Their fields become columns of s; a field of nothing but nulls is noted as open. */
DS_MUST ds_rc ds_pq_learn(ds_pq_held *h, ds_pq_shredder *s, ds_err *e);
void ds_pq_held_close(ds_pq_held *h); /* may be called twice */

#endif
