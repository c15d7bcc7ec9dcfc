/*
 * batch.h - a record batch or dictionary: its buffers and the arrays they make
 *
 * Buffers are decompressed by all threads that need the batch together, then the arrays are made and read by
 * all. Lengths are checked when an array is made; offsets and indices when they are used.
 */
#ifndef DS_RECORD_ARROW_BATCH_H
#define DS_RECORD_ARROW_BATCH_H

#include "record/arrow/schema.h"

#include <pthread.h>

struct ds_ar_dictionary;

typedef struct ds_ar_array {
	const ds_ar_field *f;
	int64_t n;
	ds_str valid; /* a bit each; at NULL: all are there */
	ds_str b[2];  /* what the layout has behind it, in order */
	ds_str *more; /* views: the buffers they point into */
	size_t n_more;
	struct ds_ar_array *children;
	const struct ds_ar_dictionary *dictionary;
} ds_ar_array;

typedef struct ds_ar_dictionary { /* whole, or one that says more of an earlier one */
	int64_t id;
	uint32_t refs;
	unsigned depth;                  /* of dictionaries that its values use */
	struct ds_ar_dictionary *before; /* whose values come first; a reference */
	int64_t n_before;
	struct ds_ar_batch *batch;
	ds_ar_array *values; /* of the batch */
} ds_ar_dictionary;

typedef struct ds_ar_batch {
	ds_arena *mem;
	int64_t n_rows;
	ds_flat flat; /* the message */
	ds_flat_vector nodes, buffers, variadic;
	int codec; /* -1: none */
	ds_str body;
	void *owned[2]; /* message and body, ds_mem_free; NULL: mapped */
	ds_str *plain;
	void **own; /* memory of decompressed buffers */
	uint64_t counted, *live, limit;
	const ds_ar_field *fields;
	ds_ar_array *arrays;             /* one a field, once ready */
	ds_ar_dictionary **dictionaries; /* those that its arrays may use; references */
	size_t n_dictionaries;
	uint64_t left; /* rows that are not parsed; under the file's lock */
	struct ds_ar_batch *next;
	/* Below: how far it is. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t claimed, done;
	bool ready;
	ds_rc rc;
	ds_err err;
} ds_ar_batch;

/* t: the RecordBatch. Takes over what is owned. */
DS_MUST ds_rc ds_ar_batch_open(ds_ar_batch **out, const ds_ar_field *fields, ds_flat flat,
	ds_flat_table t, ds_str body, void *const owned[2], ds_err *e);
/* Until the arrays can be read. Any thread. */
DS_MUST ds_rc ds_ar_batch_ready(ds_ar_batch *b, ds_err *e);
void ds_ar_batch_free(ds_ar_batch *b);
void ds_ar_dictionary_drop(ds_ar_dictionary *d); /* a reference less; under the file's lock */
const ds_ar_dictionary *ds_ar_batch_dictionary(const ds_ar_batch *b, int64_t id);

#endif
