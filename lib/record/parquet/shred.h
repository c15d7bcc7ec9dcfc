/*
 * shred.h - records become the leaves of Parquet columns: levels and values, a row group at a time
 */
#ifndef DS_RECORD_PARQUET_SHRED_H
#define DS_RECORD_PARQUET_SHRED_H

#include "record/shape.h"

typedef struct { /* one column of the file; its buffers hold the row group that is being gathered */
	ds_value_shape_kind kind;
	unsigned max_def, max_rep;
	ds_str *path; /* from the root on */
	size_t n_path;
	ds_buf def, rep; /* a byte an entry; rep only where values repeat */
	ds_buf data; /* BOOL: a byte; U32, F32: four; I64, F64: eight; others as long as sizes says */
	ds_buf sizes; /* uint32_t */
	size_t n_values;
	size_t first_group; /* the file's row groups before this one do not have it */
} ds_pq_sink_leaf;

typedef struct {
	ds_arena *mem; /* lives as the file */
	ds_value_shape *fields, **last;
	size_t n_fields;
	ds_pq_sink_leaf **leaves; /* in the schema's order */
	size_t n_leaves, cap_leaves;
	uint32_t rows;        /* in the group so far */
	size_t group;         /* its number, from 0 */
	uint64_t replaced;    /* invalid UTF-8 in text */
	ds_value_shape *open; /* names of fields that had nothing but null when they were met */
} ds_pq_shredder;

/* A field's columns; rows that are there already have null in it. The field is closed first. */
ds_value_shape *ds_pq_add_field(ds_pq_shredder *s, ds_str name, const ds_value_shape *shape);
/* A field that is null wherever it was seen; add_open makes columns of those that stayed so. */
void ds_pq_note_open(ds_pq_shredder *s, ds_str name);
void ds_pq_add_open(ds_pq_shredder *s);
/* All rows of a block; fields that it lacks are null, fields that are not known yet are looked at and added. */
DS_MUST ds_rc ds_pq_shred(ds_pq_shredder *s, ds_block *b, ds_err *e);
size_t ds_pq_gathered_bytes(const ds_pq_shredder *s);
void ds_pq_next_group(ds_pq_shredder *s); /* empties the buffers */
void ds_pq_shredder_free(ds_pq_shredder *s);

/* A picture is struct<bytes, path>, as Hugging Face has it. */
bool ds_pq_is_picture(const ds_value_shape *s);

#endif
