/*
 * tensors.c - reading and writing tensors
 */
#include "tensors.h"

#include "base/cur.h"
#include "base/mem.h"
#include "pb.h"

#include <stdio.h>

static const struct {
	const char *name;
	size_t bytes; /* 0: of different lengths */
} types[] = {
	{ "BYTES", 0 },
	{ "BOOL", 1 },
	{ "INT32", 4 },
	{ "UINT32", 4 },
	{ "INT64", 8 },
	{ "UINT64", 8 },
	{ "FP32", 4 },
	{ "FP64", 8 },
};
enum { BYTES, BOOL, INT32, UINT32, INT64, UINT64, FP32, FP64, TYPES };

static int type_of(const tensor *t)
{
	for (int i = 0; i < TYPES; i++)
		if (strcmp(t->type, types[i].name) == 0)
			return i;
	return -1;
}

static size_t n_contents(const tensor *t)
{
	const Inference__InferTensorContents *c = t->contents;
	switch (type_of(t)) {
	case BYTES:
		return c->n_bytes_contents;
	case BOOL:
		return c->n_bool_contents;
	case INT32:
		return c->n_int_contents;
	case UINT32:
		return c->n_uint_contents;
	case INT64:
		return c->n_int64_contents;
	case UINT64:
		return c->n_uint64_contents;
	case FP32:
		return c->n_fp32_contents;
	default:
		return c->n_fp64_contents;
	}
}

static size_t n_raw(const tensor *t)
{
	size_t n = 0, each = types[type_of(t)].bytes;
	if (each)
		return t->raw.n % each ? SIZE_MAX : t->raw.n / each;
	ds_cur c = ds_cur_of(t->raw.at, t->raw.n);
	for (; ds_cur_ok(&c) && ds_cur_left(&c); n++)
		ds_cur_bytes(&c, ds_cur_u32(&c));
	return ds_cur_ok(&c) ? n : SIZE_MAX;
}

static bool count_shape(tensor *t, refusal *r)
{
	t->n = 1;
	for (size_t i = 0; i < t->n_dims; i++)
		if (t->shape[i] < 0 || !ds_mul(t->n, (size_t)t->shape[i], &t->n))
			return refuse(r, 400, NULL, t->name, "input '%.60s': a dimension of %lld",
				t->name, (long long)t->shape[i]);
	return true;
}

bool tensor_read(const infer_request *q, size_t i, tensor *t, refusal *r)
{
	const Inference__ModelInferRequest__InferInputTensor *in = q->inputs[i];
	*t = (tensor){ .name = in->name,
		.type = in->datatype,
		.shape = in->shape,
		.n_dims = in->n_shape,
		.raw = { "", 0 } };
	if (type_of(t) < 0)
		return refuse(r, 400, NULL, in->name,
			"input '%.60s' is of type '%.20s', not known here", in->name, in->datatype);
	if (q->n_raw_input_contents && q->n_raw_input_contents != q->n_inputs)
		return refuse(r, 400, NULL, NULL, "%zu inputs, and raw contents of %zu",
			q->n_inputs, q->n_raw_input_contents);
	if (q->n_raw_input_contents)
		t->raw = (ds_str){ (const char *)q->raw_input_contents[i].data,
			q->raw_input_contents[i].len };
	else
		t->contents = in->contents;
	size_t n = t->contents ? n_contents(t) : n_raw(t);
	if (!count_shape(t, r))
		return false;
	return n == t->n || refuse(r, 400, NULL, in->name,
				    "input '%.60s': its shape has %zu elements, its contents %s",
				    in->name, t->n, n == SIZE_MAX ? "are cut short" : "others");
}

bool tensor_texts(const tensor *t, ds_arena *mem, ds_str *out, refusal *r)
{
	if (type_of(t) != BYTES)
		return refuse(r, 400, NULL, t->name, "input '%.60s' is not of type BYTES", t->name);
	ds_cur c = ds_cur_of(t->raw.at, t->raw.n);
	for (size_t i = 0; i < t->n; i++) {
		if (t->contents) {
			const ProtobufCBinaryData *b = &t->contents->bytes_contents[i];
			out[i] = (ds_str){ b->len ? (const char *)b->data : "", b->len };
		} else {
			out[i] = ds_cur_bytes(&c, ds_cur_u32(&c));
		}
	}
	return true;
}

static int64_t integer(const tensor *t, int type, size_t i)
{
	const Inference__InferTensorContents *c = t->contents;
	if (!c) {
		uint64_t v = 0;
		memcpy(&v, t->raw.at + i * types[type].bytes, types[type].bytes);
		return type == INT32 ? (int32_t)v : (int64_t)v;
	}
	return type == BOOL     ? c->bool_contents[i]
	       : type == INT32  ? c->int_contents[i]
	       : type == UINT32 ? c->uint_contents[i]
	       : type == INT64  ? c->int64_contents[i]
				: (int64_t)c->uint64_contents[i];
}

static double real(const tensor *t, int type, size_t i)
{
	const Inference__InferTensorContents *c = t->contents;
	float f;
	double d;
	if (c)
		return type == FP32 ? (double)c->fp32_contents[i] : c->fp64_contents[i];
	memcpy(&f, t->raw.at + i * sizeof(f), type == FP32 ? sizeof(f) : 0);
	memcpy(&d, t->raw.at + i * sizeof(d), type == FP32 ? 0 : sizeof(d));
	return type == FP32 ? (double)f : d;
}

bool tensor_ids(const tensor *t, int64_t *out, refusal *r)
{
	int type = type_of(t);
	if (type < INT32 || type > UINT64)
		return refuse(r, 400, NULL, t->name, "input '%.60s' is not of integers", t->name);
	for (size_t i = 0; i < t->n; i++)
		out[i] = integer(t, type, i);
	return true;
}

/* ---- JSON ---- */

ds_json *json_node(ds_json_kind kind, const char *key, ds_arena *mem)
{
	ds_json *v = ds_arena_zero(mem, sizeof(*v));
	v->kind = kind;
	v->s = (ds_str){ "", 0 };
	v->key = ds_str_of(key ? key : "");
	return v;
}

void json_append(ds_json *parent, ds_json *child)
{
	const ds_json **at = &parent->first;
	while (*at)
		at = (const ds_json **)(uintptr_t) & (*at)->next;
	*at = child;
	parent->n++;
}

static ds_json *json_int(int64_t i, const char *key, ds_arena *mem)
{
	ds_json *v = json_node(DS_J_I64, key, mem);
	v->i = i;
	v->f = (double)i;
	return v;
}

static ds_json *json_real(double f, const char *key, ds_arena *mem)
{
	ds_json *v = json_node(DS_J_F64, key, mem);
	v->f = f;
	return v;
}

ds_json *parameter_json(const Inference__InferParameter *p, ds_arena *mem)
{
	ds_json *v = NULL;
	switch (p ? p->parameter_choice_case
		  : INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE__NOT_SET) {
	case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_BOOL_PARAM:
		v = json_node(DS_J_BOOL, NULL, mem);
		v->b = p->bool_param;
		return v;
	case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_INT64_PARAM:
		return json_int(p->int64_param, NULL, mem);
	case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_UINT64_PARAM:
		return json_int((int64_t)p->uint64_param, NULL, mem);
	case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_DOUBLE_PARAM:
		return json_real(p->double_param, NULL, mem);
	case INFERENCE__INFER_PARAMETER__PARAMETER_CHOICE_STRING_PARAM:
		v = json_node(DS_J_STR, NULL, mem);
		v->s = ds_str_of(p->string_param);
		return v;
	default:
		return NULL;
	}
}

static const ds_json *json_texts(const tensor *t, const char *key, ds_arena *mem, refusal *r)
{
	ds_json *all = json_node(DS_J_ARR, key, mem), *last = NULL;
	ds_str *texts = ds_arena_get(mem, (t->n + 1) * sizeof(*texts));
	if (!tensor_texts(t, mem, texts, r))
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		ds_json *v = json_node(DS_J_STR, NULL, mem);
		v->s = texts[i];
		*(last ? &last->next : &all->first) = v;
		last = v;
	}
	all->n = t->n;
	return all;
}

const ds_json *tensor_json(const tensor *t, const char *key, ds_arena *mem, refusal *r)
{
	int type = type_of(t);
	if (type == BYTES)
		return json_texts(t, key, mem, r);
	if (t->n != 1) {
		refuse(r, 400, NULL, t->name, "input '%.60s' has %zu elements, not one", t->name,
			t->n);
		return NULL;
	}
	if (type == FP32 || type == FP64)
		return json_real(real(t, type, 0), key, mem);
	if (type != BOOL)
		return json_int(integer(t, type, 0), key, mem);
	ds_json *v = json_node(DS_J_BOOL, key, mem);
	v->b = integer(t, type, 0);
	return v;
}

/* ---- outputs ---- */

typedef struct {
	const char *name, *type;
	const int64_t *shape;
	size_t n_dims;
} form;

static size_t elements(const int64_t *shape, size_t n_dims)
{
	size_t n = 1;
	for (size_t i = 0; i < n_dims; i++)
		n *= (size_t)shape[i];
	return n;
}

static void add_output(infer_response *a, form f, ds_str raw, ds_arena *mem)
{
	Inference__ModelInferResponse__InferOutputTensor *t =
		pb_new(&inference__model_infer_response__infer_output_tensor__descriptor, mem);
	size_t n = a->n_outputs;
	void *outputs = ds_arena_get(mem, (n + 1) * sizeof(*a->outputs));
	void *contents = ds_arena_get(mem, (n + 1) * sizeof(*a->raw_output_contents));
	if (n) {
		memcpy(outputs, a->outputs, n * sizeof(*a->outputs));
		memcpy(contents, a->raw_output_contents, n * sizeof(*a->raw_output_contents));
	}
	a->outputs = outputs;
	a->raw_output_contents = contents;
	t->name = pb_text(mem, f.name);
	t->datatype = pb_text(mem, f.type);
	t->n_shape = f.n_dims;
	t->shape = ds_arena_get(mem, f.n_dims * sizeof(*t->shape));
	memcpy(t->shape, f.shape, f.n_dims * sizeof(*t->shape));
	a->outputs[n] = t;
	a->raw_output_contents[n] = (ProtobufCBinaryData){ raw.n, (uint8_t *)(uintptr_t)raw.at };
	a->n_outputs = a->n_raw_output_contents = n + 1;
}

void tensor_add_f32(infer_response *a, const char *name, const float *x, int64_t rows, int64_t cols,
	ds_arena *mem)
{
	tensor_add_floats(a, name, x, (int64_t[]){ rows, cols }, 2, mem);
}

void tensor_add_floats(infer_response *a, const char *name, const float *x, const int64_t *shape,
	size_t n_dims, ds_arena *mem)
{
	add_output(a, (form){ name, "FP32", shape, n_dims },
		(ds_str){ (const char *)x, elements(shape, n_dims) * sizeof(*x) }, mem);
}

void tensor_add_i64(infer_response *a, const char *name, const int64_t *x, const int64_t *shape,
	size_t n_dims, ds_arena *mem)
{
	add_output(a, (form){ name, "INT64", shape, n_dims },
		(ds_str){ (const char *)x, elements(shape, n_dims) * sizeof(*x) }, mem);
}

void tensor_add_texts(
	infer_response *a, const char *name, const ds_str *texts, size_t n, ds_arena *mem)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += 4 + texts[i].n;
	char *raw = ds_arena_get(mem, bytes + 1), *at = raw;
	for (size_t i = 0; i < n; i++) {
		uint32_t k = (uint32_t)texts[i].n;
		memcpy(at, &k, sizeof(k));
		memcpy(at + sizeof(k), texts[i].at, k);
		at += sizeof(k) + k;
	}
	int64_t shape = (int64_t)n;
	add_output(a, (form){ name, "BYTES", &shape, 1 }, (ds_str){ raw, bytes }, mem);
}
