/*
 * write.h - Arrow IPC, as a stream or a file: schema, record batches, the footer
 *
 * Types are found as for Parquet; but the schema goes out first, so a field that comes after the first
 * 32 MiB is an error.
 */
#ifndef DS_RECORD_ARROW_WRITE_H
#define DS_RECORD_ARROW_WRITE_H

#include "base/io.h"
#include "record/block.h"

typedef struct ds_ar_writer ds_ar_writer;
/* level 0: buffers as they are, else zstd. out is the caller's. */
ds_ar_writer *ds_ar_writer_new(ds_out *out, bool as_file, int level);
void ds_ar_writer_free(ds_ar_writer *w);
DS_MUST ds_rc ds_ar_writer_add(ds_ar_writer *w, ds_block *b, ds_err *e);
DS_MUST ds_rc ds_ar_writer_finish(ds_ar_writer *w, ds_str chain, ds_err *e);
uint64_t ds_ar_writer_replaced(const ds_ar_writer *w); /* invalid UTF-8 in text so far */

#endif
