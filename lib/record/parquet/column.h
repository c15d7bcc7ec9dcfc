/*
 * column.h - a column chunk of a row group, read by several threads, each its own stretch of rows
 *
 * Stretches follow one another without a gap, and each is asked for once; in which order the threads come
 * is open. A page is loaded by the first that needs it and let go by the last.
 */
#ifndef DS_RECORD_PARQUET_COLUMN_H
#define DS_RECORD_PARQUET_COLUMN_H

#include "record/parquet/page.h"

#include <pthread.h>

typedef struct { /* one file, all threads */
	ds_pq_meta meta;
	ds_arena *mem;
	ds_pq_budget budget;
	uint64_t most_entries; /* of a stretch */
	pthread_mutex_t lock;
	ds_compressor *compressors[64]; /* lent out one at a time */
	size_t n_compressors;
} ds_pq_file;

typedef struct ds_pq_chunk ds_pq_chunk;

typedef struct {            /* a stretch of rows of one leaf */
	size_t n;           /* entries: values and what stands for their absence */
	uint8_t *rep, *def; /* NULL: all are 0, all are max_def */
	ds_scalars values;
	/* What must live until ds_pq_stretch_done: strings are views into pages. */
	struct ds_pq_part *parts;
	size_t n_parts;
} ds_pq_stretch;

/* Reads a dictionary, if there is one. */
DS_MUST ds_rc ds_pq_chunk_open(ds_pq_chunk **c, ds_pq_file *f, const ds_pq_node *leaf,
	const ds_pq_column *column, uint64_t n_rows, ds_err *e);
void ds_pq_chunk_close(ds_pq_chunk *c);
const ds_pq_dictionary *ds_pq_chunk_dictionary(const ds_pq_chunk *c); /* n 0: none */
/* Rows from..to; what is returned is in mem. */
DS_MUST ds_rc ds_pq_chunk_read(
	ds_pq_chunk *c, uint64_t from, uint64_t to, ds_arena *mem, ds_pq_stretch *out, ds_err *e);
void ds_pq_stretch_done(ds_pq_chunk *c, ds_pq_stretch *s);

#endif
