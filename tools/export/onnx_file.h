/*
 * onnx_file.h - an ONNX model file, built node by node and written without a copy of the weights
 *
 * The messages and field numbers are those of onnx.proto (ONNX 1.x, IR version 7 and later). Names are
 * copied; initializers are borrowed until onnx_write, which converts them on the way out. One thread.
 */
#ifndef DS_EXPORT_ONNX_FILE_H
#define DS_EXPORT_ONNX_FILE_H

#include "base/io.h"

typedef enum {
	ONNX_FLOAT = 1,
	ONNX_UINT8 = 2,
	ONNX_INT8 = 3,
	ONNX_INT32 = 6,
	ONNX_INT64 = 7,
	ONNX_BOOL = 9,
	ONNX_FLOAT16 = 10,
	ONNX_BFLOAT16 = 16,
	ONNX_N_TYPES
} onnx_type;

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
/* f32 values, row-major, stored as f32, f16 or bf16; borrowed. */
void onnx_weight(onnx_file *f, const char *name, onnx_type t, const int64_t *dims, size_t rank,
	const float *data);
/* The same of bytes; taken over (ds_mem_get). */
void onnx_take_i8(onnx_file *f, const char *name, const int64_t *dims, size_t rank, int8_t *data);
/* Small constants, copied. */
void onnx_i64s(onnx_file *f, const char *name, const int64_t *v, size_t n); /* a vector of n */
void onnx_scalar(onnx_file *f, const char *name, onnx_type t, float v);     /* f32, f16, bf16, i8 */
void onnx_f32s(onnx_file *f, const char *name, const float *v, size_t n);   /* a vector of n */

/* A node is open until the next call for another one. */
onnx_node *onnx_add(onnx_file *f, const char *op, const char *const *in, size_t n_in,
	const char *const *out, size_t n_out);
void onnx_attr_i(onnx_node *n, const char *name, int64_t v);
void onnx_attr_f(onnx_node *n, const char *name, float v);
void onnx_attr_is(onnx_node *n, const char *name, const int64_t *v, size_t count);

enum { ONNX_LIMIT = INT32_MAX };   /* bytes of a file, protobuf's */
uint64_t onnx_bytes(onnx_file *f); /* of the file with all weights inside */
/*
 * data NULL: the weights go into the file. Else those of ONNX_APART bytes and more go there, each at a multiple
 * of ONNX_ALIGN, and the file names it as `location`. DS_BAD where out would pass ONNX_LIMIT, and where a
 * finite value is over the range of its type and clamp is false.
 */
enum { ONNX_APART = 1024, ONNX_ALIGN = 4096 };
typedef struct {
	ds_out *data;
	const char *location;
	bool clamp;
} onnx_how;
DS_MUST ds_rc onnx_write(onnx_file *f, ds_out *out, onnx_how how, ds_err *e);
DS_AUTO_WITH(onnx_file, onnx_free)

#endif
