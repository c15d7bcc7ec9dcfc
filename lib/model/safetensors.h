/*
 * safetensors.h - weights in files: name, type, shape, bytes
 *
 * Reading maps the file and checks the whole header first: sizes, offsets (inside the file, in
 * order, without gaps or overlaps), types, shapes. Nothing is copied: a ds_st_tensor's data is a view,
 * unaligned, that lives until ds_st_close. Writing goes beside and is renamed when whole.
 */
#ifndef DS_MODEL_SAFETENSORS_H
#define DS_MODEL_SAFETENSORS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/str.h"

typedef enum {
	DS_ST_F64,
	DS_ST_F32,
	DS_ST_BF16,
	DS_ST_F16,
	DS_ST_F8_E5M2,
	DS_ST_F8_E4M3,
	DS_ST_I64,
	DS_ST_U64,
	DS_ST_I32,
	DS_ST_U32,
	DS_ST_I16,
	DS_ST_U16,
	DS_ST_I8,
	DS_ST_U8,
	DS_ST_BOOL,
	DS_ST_N_TYPES,
} ds_st_type;

enum { DS_ST_MAX_RANK = 8, DS_ST_MAX_HEADER = 100000000 }; /* the format's own limit */

typedef struct {
	ds_str name;
	ds_st_type type;
	int rank;
	int64_t dims[DS_ST_MAX_RANK];
	const void *data; /* little-endian, unaligned */
	uint64_t bytes;
} ds_st_tensor;
int64_t ds_st_count(const ds_st_tensor *t); /* elements */

typedef struct ds_st ds_st;
/* DS_SHORT: cut. DS_BAD: a header that is wrong. DS_IO: cannot be read. */
DS_MUST ds_rc ds_st_open(ds_st **s, const char *path, ds_err *e);
/* The same of bytes that the caller keeps; for tests and fuzzing. */
DS_MUST ds_rc ds_st_view(ds_st **s, ds_str bytes, ds_err *e);
void ds_st_close(ds_st *s); /* NULL is fine */
DS_AUTO_WITH(ds_st, ds_st_close)
size_t ds_st_n(const ds_st *s);
const ds_st_tensor *ds_st_at(const ds_st *s, size_t i);      /* in the order of the data */
const ds_st_tensor *ds_st_find(const ds_st *s, ds_str name); /* NULL: there is none */
/* The values from element `from` on as f32; DS_BAD for types that are not floating point. */
DS_MUST ds_rc ds_st_floats(const ds_st_tensor *t, int64_t from, int64_t n, float *out, ds_err *e);
void ds_st_shape(const ds_st_tensor *t, char out[128]); /* "[50257, 768]" */

typedef struct { /* one tensor to be written */
	const char *name;
	int rank;
	int64_t dims[DS_ST_MAX_RANK];
	const float *data;
	int64_t ld; /* elements from a row to the next; 0: the last dimension */
} ds_st_item;
/*
 * f32 values stored as `type` (F32, BF16 or F16), sorted by name; metadata {"format":"pt"}. DS_BAD names a
 * tensor with a finite value that is over the type's range.
 */
DS_MUST ds_rc ds_st_write(
	const char *path, ds_st_item *items, size_t n, ds_st_type type, ds_err *e);
typedef struct {
	bool clamp;   /* such values become the type's largest */
	ds_h128 hash; /* got: of the file's bytes as they were meant, not as they were stored */
} ds_st_how;
DS_MUST ds_rc ds_st_write_how(
	const char *path, ds_st_item *items, size_t n, ds_st_type type, ds_st_how *how, ds_err *e);

#endif
