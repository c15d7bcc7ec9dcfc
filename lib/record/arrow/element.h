/*
 * element.h - one element of an array, wherever its value lies
 */
#ifndef DS_RECORD_ARROW_ELEMENT_H
#define DS_RECORD_ARROW_ELEMENT_H

#include "record/arrow/batch.h"

typedef enum { DS_AR_IS_NULL, DS_AR_IS_THERE, DS_AR_IS_WRONG } ds_ar_state;

typedef struct {
	int64_t i;
	double f;
	ds_str s;
} ds_ar_value;

/* Through dictionaries, runs and unions to the array and the place where the value is. */
ds_ar_state ds_ar_settle(const ds_ar_array **a, int64_t *i);
/* A leaf's value in its scalar's form; false: it lies outside. */
bool ds_ar_get(const ds_ar_array *a, int64_t i, ds_ar_value *v);
/* Elements of a list; false: they lie outside. */
bool ds_ar_range(const ds_ar_array *a, int64_t i, int64_t *from, int64_t *to);
/* The leaf of a field through runs, or NULL where it is nested. */
const ds_ar_field *ds_ar_leaf(const ds_ar_field *f);
/*
 * The element as JSON behind t, which may have `limit` bytes. wrong: what, once something is; NULL and
 * false: over the limit.
 */
bool ds_ar_json(ds_text *t, const ds_ar_array *a, int64_t i, size_t limit, const char **wrong);

#endif
