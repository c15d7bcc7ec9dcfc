/*
 * flat.h - FlatBuffers, read with every step checked, and built from the back as its builders do
 *
 * A table is known by its place; a field that is not there reads as what the schema says otherwise. What
 * points outside fails the whole for good: reads then give zeros and nothing.
 */
#ifndef DS_RECORD_ARROW_FLAT_H
#define DS_RECORD_ARROW_FLAT_H

#include "base/str.h"

typedef struct {
	const uint8_t *at;
	size_t n;
	bool failed;
} ds_flat;

typedef struct {
	ds_flat *f;
	size_t at; /* 0: there is none */
} ds_flat_table;

typedef struct {
	ds_flat *f;
	size_t at, n; /* the first element */
} ds_flat_vector;

ds_flat ds_flat_of(ds_str bytes);
ds_flat_table ds_flat_root(ds_flat *f);
int64_t ds_flat_int(ds_flat_table t, unsigned field, unsigned width, int64_t otherwise);
ds_flat_table ds_flat_child(ds_flat_table t, unsigned field);
ds_str ds_flat_text(ds_flat_table t, unsigned field);
ds_flat_vector ds_flat_list(
	ds_flat_table t, unsigned field, unsigned width);     /* of width bytes each */
ds_flat_table ds_flat_list_table(ds_flat_vector v, size_t i); /* of a list of tables */
int64_t ds_flat_list_int(ds_flat_vector v, size_t i, unsigned width, unsigned offset, unsigned n);

/* Building. What is made first lies last; a place is counted from the end. */
typedef struct {
	char *at; /* ds_mem_free */
	size_t n, cap;
	uint32_t fields[16]; /* of the table being made, 0: none */
	size_t start;        /* its */
} ds_flatb;

uint32_t ds_flatb_text(ds_flatb *b, ds_str s);
uint32_t ds_flatb_refs(ds_flatb *b, const uint32_t *refs, size_t n); /* a vector of tables */
/* A vector of structs of `width` bytes, a multiple of eight. */
uint32_t ds_flatb_bytes(ds_flatb *b, ds_str structs, unsigned width);
void ds_flatb_begin(ds_flatb *b);
void ds_flatb_int(ds_flatb *b, unsigned field, unsigned width, int64_t v);
void ds_flatb_ref(ds_flatb *b, unsigned field, uint32_t ref);
uint32_t ds_flatb_end(ds_flatb *b);
ds_str ds_flatb_finish(ds_flatb *b, uint32_t root); /* a multiple of 8 bytes */
void ds_flatb_free(ds_flatb *b);

#endif
