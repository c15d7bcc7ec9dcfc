/*
 * write.h - a Parquet file: row groups of bounded size, zstd, and the footer
 *
 * Types are found in the blocks that are held back at first; see ds_pq_writer_add. One thread calls;
 * pages are made on as many as were asked for.
 */
#ifndef DS_RECORD_PARQUET_WRITE_H
#define DS_RECORD_PARQUET_WRITE_H

#include "base/io.h"
#include "record/block.h"

typedef struct ds_pq_writer ds_pq_writer;
ds_pq_writer *ds_pq_writer_new(ds_out *out, unsigned threads, int level); /* out is the caller's */
void ds_pq_writer_free(ds_pq_writer *w);
/*
 * Blocks up to 32 MiB are held back, and what their values have in common is their columns' type. After
 * that a value of another type is DS_BAD; a field that is new gets a column, with null in rows before.
 */
DS_MUST ds_rc ds_pq_writer_add(ds_pq_writer *w, ds_block *b, ds_err *e);
DS_MUST ds_rc ds_pq_writer_finish(ds_pq_writer *w, ds_str chain, ds_err *e);
uint64_t ds_pq_writer_replaced(const ds_pq_writer *w); /* invalid UTF-8 in text so far */

#endif
