/*
 * runs.h - Parquet's mix of runs and bit-packed groups, with an index for reading at any place
 *
 * Levels, dictionary indices and booleans are written so. A page is read by several threads, each its own
 * rows, so the runs are found once and then any stretch of values can be had. Packed stretches are cut
 * into pieces of DS_PQ_PIECE values; of each piece is known how many values before it equal `match`.
 */
#ifndef DS_RECORD_PARQUET_RUNS_H
#define DS_RECORD_PARQUET_RUNS_H

#include "base/str.h"

enum { DS_PQ_PIECE = 512, DS_PQ_MOST_RUNS = 1 << 24 };

typedef struct {
	const uint8_t *packed; /* NULL: all are value */
	uint32_t value, start, before;
} ds_pq_run;

typedef struct {
	ds_pq_run *runs; /* ds_mem_free */
	size_t n_runs, cap;
	const uint8_t *end; /* of the bytes */
	uint32_t n;         /* values */
	uint32_t n_match;
	unsigned bits;
	bool from_top; /* bits from the highest on: the old BIT_PACKED */
} ds_pq_runs;

/* n values of some bits each; bytes are followed by 8 that may be read. false: they are damaged. */
bool ds_pq_runs_read(ds_pq_runs *r, ds_str bytes, unsigned bits, uint32_t n, uint32_t match);
/* The same for the old BIT_PACKED. */
bool ds_pq_runs_read_old(ds_pq_runs *r, ds_str bytes, unsigned bits, uint32_t n, uint32_t match);
void ds_pq_runs_free(ds_pq_runs *r);
/* Values from..from + n. */
void ds_pq_runs_u32(const ds_pq_runs *r, uint32_t from, uint32_t n, uint32_t *out);
void ds_pq_runs_u8(const ds_pq_runs *r, uint32_t from, uint32_t n, uint8_t *out);
/* How many of the values before `at` are `match`. */
uint32_t ds_pq_runs_rank(const ds_pq_runs *r, uint32_t at, uint32_t match);
/* The place of the k-th (from 0) that is; r->n where there are no so many. */
uint32_t ds_pq_runs_find(const ds_pq_runs *r, uint32_t k, uint32_t match);

/* n numbers of bits each (at most 64), from the lowest on; 8 bytes behind the last may be read. */
void ds_pq_unpack64(const uint8_t *p, unsigned bits, size_t from, size_t n, uint64_t *out);

#endif
