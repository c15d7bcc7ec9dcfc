/*
 * schema.h - the fields of an Arrow schema
 */
#ifndef DS_RECORD_ARROW_SCHEMA_H
#define DS_RECORD_ARROW_SCHEMA_H

#include "base/arena.h"
#include "record/arrow/flat.h"
#include "record/scalar.h"

typedef enum { /* how an array lies; the type's ids are others */
	DS_AR_NULL,
	DS_AR_BITS,
	DS_AR_FIXED, /* width bytes each */
	DS_AR_BYTES, /* 32-bit offsets */
	DS_AR_LARGE_BYTES,
	DS_AR_VIEWS,
	DS_AR_LIST,
	DS_AR_LARGE_LIST,
	DS_AR_LIST_VIEW,
	DS_AR_LARGE_LIST_VIEW,
	DS_AR_FIXED_LIST, /* width elements each */
	DS_AR_STRUCT,
	DS_AR_SPARSE,
	DS_AR_DENSE,
	DS_AR_RUNS, /* the first child's values say where each of the second's ends */
} ds_ar_layout;

typedef struct ds_ar_field {
	ds_str name, label; /* label: "name": as JSON has it */
	ds_ar_layout layout;
	ds_scalar scalar; /* of leaves */
	uint32_t width;
	bool no_sign, is_map, days_of_ms; /* days_of_ms: a date that counts milliseconds */
	uint32_t n_children;
	struct ds_ar_field *first, *next;
	int8_t *type_ids;                 /* unions: each child's; NULL: 0, 1, 2 … */
	bool encoded;                     /* indices into a dictionary of `values` */
	const struct ds_ar_field *values; /* this one, not encoded */
	int64_t dictionary;
	uint32_t index_width;
	bool index_no_sign;
} ds_ar_field;

typedef struct {
	ds_ar_field *first;
	uint32_t n;
} ds_ar_schema;

#define DS_AR_CHAIN "dstools.chain"

/* From a message's header; all lives in mem. */
DS_MUST ds_rc ds_ar_read_schema(ds_ar_schema *s, ds_flat_table t, ds_arena *mem, ds_err *e);
/* The field with that dictionary, or NULL. */
const ds_ar_field *ds_ar_find_dictionary(const ds_ar_field *first, int64_t id);

#endif
