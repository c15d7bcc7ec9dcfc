/*
 * tensors.h - tensors of KServe's requests and answers
 *
 * A tensor's elements are in its contents, by type, or raw: little-endian, row after row; BYTES as lengths of 32
 * bits with that many bytes behind each.
 */
#ifndef SERVE_TENSORS_H
#define SERVE_TENSORS_H

#include "inference.pb-c.h"
#include "json/json.h"
#include "refuse.h"

typedef Inference__ModelInferRequest infer_request;
typedef Inference__ModelInferResponse infer_response;

typedef struct {
	const char *name, *type;
	const int64_t *shape;
	size_t n_dims;
	size_t n;                                       /* elements */
	const Inference__InferTensorContents *contents; /* NULL: raw */
	ds_str raw;
} tensor;

/* The i-th input, its shape checked against its elements. */
bool tensor_read(const infer_request *q, size_t i, tensor *t, refusal *r);
/* Its elements as texts, in mem. */
bool tensor_texts(const tensor *t, ds_arena *mem, ds_str *out, refusal *r);
/* Its elements as integers. */
bool tensor_ids(const tensor *t, int64_t *out, refusal *r);
/* As JSON: one element alone, or an array of texts. */
const ds_json *tensor_json(const tensor *t, const char *key, ds_arena *mem, refusal *r);
/* A parameter as JSON; NULL: it holds nothing. */
ds_json *parameter_json(const Inference__InferParameter *p, ds_arena *mem);
ds_json *json_node(ds_json_kind kind, const char *key, ds_arena *mem);
void json_append(ds_json *parent, ds_json *child); /* n and the links; not items */

/* An output is added with its elements, which are borrowed; those of texts are spelled in mem. */
void tensor_add_f32(infer_response *a, const char *name, const float *x, int64_t rows, int64_t cols,
	ds_arena *mem);
/* The same of any shape. */
void tensor_add_floats(infer_response *a, const char *name, const float *x, const int64_t *shape,
	size_t n_dims, ds_arena *mem);
void tensor_add_i64(infer_response *a, const char *name, const int64_t *x, const int64_t *shape,
	size_t n_dims, ds_arena *mem);
void tensor_add_texts(
	infer_response *a, const char *name, const ds_str *texts, size_t n, ds_arena *mem);

#endif
