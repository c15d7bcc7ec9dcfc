/*
 * gguf_file.h - a GGUF file, version 3: keys and values, then tensors, written without a copy of the weights
 *
 * Keys and names are copied; weights are borrowed until gguf_write, which transposes and converts one after the
 * other. One thread.
 */
#ifndef DS_EXPORT_GGUF_FILE_H
#define DS_EXPORT_GGUF_FILE_H

#include "values.h"

typedef struct gguf_file gguf_file;
gguf_file *gguf_new(void);
void gguf_free(gguf_file *f);
DS_AUTO_WITH(gguf_file, gguf_free)

void gguf_text(gguf_file *f, const char *key, ds_str value);
void gguf_u32(gguf_file *f, const char *key, uint32_t value);
void gguf_f32(gguf_file *f, const char *key, float value);
void gguf_bool(gguf_file *f, const char *key, bool value);
void gguf_f32s(gguf_file *f, const char *key, const float *values, size_t n);
void gguf_i32s(gguf_file *f, const char *key, const int32_t *values, size_t n);
/* A list of n texts: gguf_add_text n times. */
void gguf_texts(gguf_file *f, const char *key, size_t n);
void gguf_add_text(gguf_file *f, ds_str text);

typedef enum {
	GGUF_AS_IT_IS,
	GGUF_TRANSPOSED, /* a matrix [in, out] as [out, in] */
	GGUF_PAIRS, /* heads whose pairs (i, i + D/2) of rows become neighbours, (2i, 2i + 1) */
} gguf_order;
typedef struct {
	const char *name;
	value_type type;
	gguf_order order;
	int64_t heads; /* of GGUF_PAIRS */
	int rank;      /* 1 or 2 */
	int64_t dims[2];
	const float *data; /* row-major, borrowed */
} gguf_tensor;
void gguf_add(gguf_file *f, const gguf_tensor *t);
DS_MUST ds_rc gguf_write(gguf_file *f, ds_out *out, bool clamp, ds_err *e);

#endif
