/*
 * onnx_file.h - an ONNX model file, built node by node and written without a copy of the weights
 *
 * The messages and field numbers are those of onnx.proto (ONNX 1.x, IR version 7 and later). Names are
 * copied; initializers are borrowed until onnx_write. One thread.
 */
#ifndef DS_EXPORT_ONNX_FILE_H
#define DS_EXPORT_ONNX_FILE_H

#include "base/io.h"

typedef enum { ONNX_FLOAT = 1, ONNX_INT64 = 7, ONNX_BOOL = 9 } onnx_type;

typedef struct {
	int64_t n;        /* a fixed size, or */
	const char *name; /* a named axis ("batch"); NULL: n */
} onnx_dim;

typedef struct onnx_file onnx_file;
typedef struct onnx_node onnx_node;

onnx_file *onnx_new(int opset, const char *graph_name);
void onnx_free(onnx_file *f);
int onnx_opset(const onnx_file *f);
void onnx_meta(onnx_file *f, const char *key, const char *value);
void onnx_input(onnx_file *f, const char *name, onnx_type t, const onnx_dim *dims, size_t rank);
void onnx_output(onnx_file *f, const char *name, onnx_type t, const onnx_dim *dims, size_t rank);
/* Row-major data of the product of dims elements; borrowed. */
void onnx_weight(onnx_file *f, const char *name, onnx_type t, const int64_t *dims, size_t rank,
	const void *data);
/* Small constants, copied. */
void onnx_i64s(onnx_file *f, const char *name, const int64_t *v, size_t n); /* a vector of n */
void onnx_f32(onnx_file *f, const char *name, float v);                     /* a scalar */

/* A node is open until the next call for another one. */
onnx_node *onnx_add(onnx_file *f, const char *op, const char *const *in, size_t n_in,
	const char *const *out, size_t n_out);
void onnx_attr_i(onnx_node *n, const char *name, int64_t v);
void onnx_attr_f(onnx_node *n, const char *name, float v);
void onnx_attr_is(onnx_node *n, const char *name, const int64_t *v, size_t count);

/* DS_BAD where the file would pass protobuf's limit of 2 GiB. */
DS_MUST ds_rc onnx_write(onnx_file *f, ds_out *out, ds_err *e);
DS_AUTO_WITH(onnx_file, onnx_free)

#endif
