/*
 * fields.h - which columns of a Parquet file become fields, how, and their blocks
 */
#ifndef DS_RECORD_PARQUET_FIELDS_H
#define DS_RECORD_PARQUET_FIELDS_H

#include "base/inout.h"
#include "record/parquet/column.h"

typedef struct ds_pq_field ds_pq_field;
typedef struct {
	ds_pq_file *file;
	ds_pq_field *at;
	uint32_t n;
	uint32_t n_columns; /* those from here on are members of one more column (DS_MORE) */
	bool *wanted;       /* each leaf */
	uint64_t max_record;
} ds_pq_fields;

/* All columns, or those of --columns. Lives in the file's arena. */
DS_MUST ds_rc ds_pq_choose(ds_pq_fields *f, ds_pq_file *file, const ds_input_opts *c, ds_err *e);
/* Rows from..to of a row group, whose wanted leaves' chunks are given. */
DS_MUST ds_rc ds_pq_make_block(const ds_pq_fields *f, ds_pq_chunk *const *chunks, uint64_t from,
	uint64_t to, ds_arena *mem, ds_block **out, ds_err *e);

#endif
