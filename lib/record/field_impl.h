/*
 * field_impl.h - what the files of the field share
 */
#ifndef DS_RECORD_FIELD_IMPL_H
#define DS_RECORD_FIELD_IMPL_H

#include "record/field.h"
#include "json/scan.h"

typedef struct {
	enum { DS_STEP_KEY, DS_STEP_EACH, DS_STEP_INDEX } kind;
	ds_str key;
	size_t index;
} ds_step;

enum { DS_STEPS = 32 };

typedef struct {
	ds_str spelled;          /* the whole path */
	ds_step steps[DS_STEPS]; /* the first is a key: the column's name */
	size_t ends[DS_STEPS];   /* bytes of the spelling up to and with each step */
	size_t n;
} ds_path;

struct ds_field {
	ds_arena *mem;
	ds_path *paths;
	size_t n;
	const char *name;
	bool one_column;
};

typedef struct { /* texts that were found in one value */
	ds_arena *mem;
	const char *name; /* of the field, for messages */
	ds_text_part *at;
	size_t n, cap; /* cap: at first, how many are expected */
	bool there;    /* the path led somewhere */
} ds_found;

/* Adds the texts at the end of a path in a json value; DS_BAD where it ends at something else than text. */
DS_MUST ds_rc ds_field_walk(
	ds_found *to, ds_str json, const ds_step *steps, size_t n, uint32_t col, ds_err *e);
void ds_found_add(ds_found *f, ds_text_part part);
/* The column of a path and how many of its steps are in the name: the longest that is there, or NULL. */
ds_col *ds_field_start(const ds_block *b, const ds_path *p, size_t *steps);

#endif
