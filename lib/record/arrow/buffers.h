/*
 * buffers.h - gathered rows as the buffers of a record batch
 */
#ifndef DS_RECORD_ARROW_BUFFERS_H
#define DS_RECORD_ARROW_BUFFERS_H

#include "base/codec.h"
#include "record/parquet/shred.h"

typedef struct {
	ds_buf body;
	ds_buf nodes, buffers;     /* pairs of int64_t */
	ds_compressor *compressor; /* NULL: as they are */
} ds_ar_body;

/* All columns of what the shredder holds. */
DS_MUST ds_rc ds_ar_make_body(ds_ar_body *b, const ds_pq_shredder *s, ds_err *e);
void ds_ar_body_free(ds_ar_body *b);

#endif
