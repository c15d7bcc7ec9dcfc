/*
 * shape.h - the type of a field over many blocks, for formats whose columns have one type from end to end
 *
 * A shape is what all values seen so far have in common: a scalar, a list of something, a struct of fields.
 * Values that have nothing in common are JSON text. Parquet and Arrow are written by it.
 */
#ifndef DS_RECORD_SHAPE_H
#define DS_RECORD_SHAPE_H

#include "record/block.h"
#include "json/json.h"

typedef enum {
	DS_SHAPE_OPEN, /* nothing but nulls */
	DS_SHAPE_BOOL,
	DS_SHAPE_I64,
	DS_SHAPE_F64,
	DS_SHAPE_U32,
	DS_SHAPE_F32,
	DS_SHAPE_TEXT,
	DS_SHAPE_BYTES,
	DS_SHAPE_JSON,
	DS_SHAPE_LIST,
	DS_SHAPE_STRUCT,
} ds_value_shape_kind;

enum { DS_SHAPE_FIELDS = 100, DS_SHAPE_DEPTH = 32 }; /* beyond: JSON */

typedef struct ds_value_shape {
	ds_str name;
	ds_value_shape_kind kind;
	bool large; /* I64: some have no double */
	struct ds_value_shape *first,
		*next; /* LIST: its element; STRUCT: its fields; next: of the same struct */
	uint32_t n_fields;
	void *to; /* the format's own */
} ds_value_shape;

/* Takes a column's values into account. A column of nulls changes nothing. Decodes. */
DS_MUST ds_rc ds_value_shape_see(
	ds_value_shape *s, ds_block *b, ds_col *c, ds_arena *mem, ds_err *e);
/* What is open still within a list or struct becomes JSON, which takes any value; a shape without fields too. */
void ds_value_shape_close(ds_value_shape *s);
const char *ds_value_shape_name(const ds_value_shape *s); /* for messages */
/* A field of a struct, or NULL. */
ds_value_shape *ds_value_shape_find(const ds_value_shape *s, ds_str name);

#endif
