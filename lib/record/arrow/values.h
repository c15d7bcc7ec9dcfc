/*
 * values.h - elements of arrays as values of records
 */
#ifndef DS_RECORD_ARROW_VALUES_H
#define DS_RECORD_ARROW_VALUES_H

#include "base/inout.h"
#include "record/arrow/batch.h"

typedef struct ds_ar_column ds_ar_column;
typedef struct {
	const ds_ar_schema *schema;
	ds_ar_column *at;
	uint32_t n;
	uint32_t n_columns; /* those from here on are members of one more column (DS_MORE) */
	uint64_t max_record;
} ds_ar_columns;

/* All fields, or those of --columns. */
DS_MUST ds_rc ds_ar_choose(ds_ar_columns *c, const ds_ar_schema *s, const ds_input_opts *how,
	ds_arena *mem, ds_err *e);
/* Rows from..to of a batch that is ready. */
DS_MUST ds_rc ds_ar_make_block(const ds_ar_columns *c, const ds_ar_batch *b, int64_t from,
	int64_t to, ds_arena *mem, ds_block **out, ds_err *e);

#endif
