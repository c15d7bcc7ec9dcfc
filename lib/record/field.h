/*
 * field.h - the field that a program works on: a path to texts, or several
 *
 *     text                  a column
 *     metadata.text         a member of the objects in a json column
 *     messages[].content    a member of each element of an array; [0] is the first one's alone
 *
 * A column that bears the whole name comes first, whatever dots are in it; \. is a dot within a key. What a path
 * ends at is a text: a string, each string of an array, and the `text` of each object in it, as the parts of a
 * chat message are. null, and what is not there, is none; anything else is a record error. Several paths give
 * their texts in the order of the paths.
 *
 * A ds_field is made once and read by all threads. ds_texts is one thread's view of a block; its texts lie in the
 * block's arena or are views of its columns.
 */
#ifndef DS_RECORD_FIELD_H
#define DS_RECORD_FIELD_H

#include "base/inout.h"
#include "record/block.h"

typedef struct ds_field ds_field;

/* DS_USAGE: what is wrong with a path. */
DS_MUST ds_rc ds_field_new(ds_field **f, const char *const *paths, size_t n, ds_err *e);
/* What --field says, or text. */
DS_MUST ds_rc ds_field_of(ds_field **f, const ds_field_opts *o, ds_err *e);
void ds_field_free(ds_field *f);
const char *ds_field_name(
	const ds_field *f); /* for messages: the paths, with commas between them */
/* The column that text gets which comes without a name, "text" where the field is no single column. */
const char *ds_field_column(const ds_field *f);
bool ds_field_is_column(const ds_field *f); /* one path without a step into a value */
DS_AUTO_WITH(ds_field, ds_field_free)

/* What the first path of a field ends at in a row, of any kind; null is a value, what is not there is none. */
typedef struct {
	const struct ds_json **at;
	size_t n, cap;
} ds_field_found;
/* Views of the block, and in mem; lists of numbers have no value. DS_BAD: the column's JSON is broken. */
DS_MUST ds_rc ds_field_values(const ds_field *f, ds_block *b, uint32_t row, ds_arena *mem,
	ds_field_found *out, ds_err *e);

/* Names of fields, each once, in the order in which they came; a few dozen at most. */
typedef struct {
	ds_buf names; /* each with a NUL behind it */
	unsigned n;
} ds_field_names;
/* Those of a block: its columns, and the paths to the strings in the first of its json values. */
DS_MUST ds_rc ds_field_names_add(ds_field_names *to, ds_block *b, ds_err *e);
void ds_field_names_merge(ds_field_names *to, const ds_field_names *from);
void ds_field_names_print(const ds_field_names *n, ds_buf *out); /* "id, body", or "none" */
void ds_field_names_free(ds_field_names *n);
/* "no record has the field 'text'; there are: id, body (--field names one)", DS_BAD. option NULL: no hint. */
DS_MUST ds_rc ds_field_missing(
	const char *field, const ds_field_names *there, const char *option, ds_err *e);

typedef struct {            /* of records that were looked at */
	uint64_t n_with;    /* the field is there, null or not */
	uint64_t n_without; /* it has no text: lacking, null or empty of texts */
} ds_field_count;

typedef struct {
	ds_str text;
	ds_str now; /* set by who changes it, for ds_texts_put; at NULL: it stays */
	ds_str raw; /* its place in the json, quotes included; at NULL: it is the column's value */
	uint32_t col;
} ds_text_part;

typedef struct {
	ds_block *b;
	const ds_field *field;
	const ds_col *whole;     /* the field is one column without json: the fast way */
	ds_col *cols;            /* those that the paths begin with, as they were, each once */
	struct ds_place *places; /* of the paths */
	struct ds_colb **out;    /* what becomes of them; NULL: nothing has changed yet */
	uint32_t n_cols;
	ds_field_count *count;
	uint32_t counted; /* rows */
} ds_texts;

/* count may be NULL; it is added to as rows are read. Survives changes of the block, but not ds_block_select. */
DS_MUST ds_rc ds_texts_open(
	ds_texts *t, const ds_field *f, ds_block *b, ds_field_count *count, ds_err *e);
/* All texts of a row, each by itself, in the block's arena. */
DS_MUST ds_rc ds_texts_parts(ds_texts *t, uint32_t row, ds_text_part **parts, size_t *n, ds_err *e);
DS_MUST ds_rc ds_texts_joined(ds_texts *t, uint32_t row, ds_str *out, bool *has, ds_err *e);
/* A row's text, several joined by LF. DS_BAD: a record error, as ds_block_text says it. */
static inline ds_rc ds_texts_get(ds_texts *t, uint32_t row, ds_str *out, bool *has, ds_err *e)
{
	return t->whole ? ds_block_text(t->b, t->whole, row, out, has, e)
			: ds_texts_joined(t, row, out, has, e);
}
/*
 * What the texts of a row become, for each row of the block in order; n 0: the row stays as it is. A text in a
 * json value is replaced within it, and every other byte of the value stays.
 */
void ds_texts_put(ds_texts *t, uint32_t row, const ds_text_part *parts, size_t n);
/* Takes the columns of the field out of the block; values in which it is one of many stay. */
void ds_texts_remove(ds_texts *t);
/* The changed columns take the place of the old ones, once every row was put. */
DS_MUST ds_rc ds_texts_finish(ds_texts *t, ds_err *e);

#endif
