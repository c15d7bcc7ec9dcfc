/*
 * onnx_file.c - protobuf's wire format, as much of it as onnx.proto needs
 *
 * A message inside another one is preceded by its length. Everything but the weights is small and is
 * gathered in buffers; a weight's message is a head in a buffer and the values where they lie, so the
 * lengths are known and the file is written in one pass. (Wire format: protobuf.dev, "Encoding".)
 */
#include "onnx_file.h"
#include "values.h"

#include "base/args.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

enum { VARINT = 0, BYTES = 2, FIXED32 = 5 };

/* field numbers */
enum {
	MODEL_IR = 1,
	MODEL_PRODUCER = 2,
	MODEL_VERSION = 3,
	MODEL_GRAPH = 7,
	MODEL_OPSET = 8,
	MODEL_META = 14
};
enum { OPSET_VERSION = 2, META_KEY = 1, META_VALUE = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_WEIGHT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_IN = 1, NODE_OUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTR = 5 };
enum { ATTR_NAME = 1, ATTR_F = 2, ATTR_I = 3, ATTR_INTS = 8, ATTR_TYPE = 20 };
enum { ATTR_IS_F = 1, ATTR_IS_I = 2, ATTR_IS_INTS = 7 };
enum {
	TENSOR_DIMS = 1,
	TENSOR_TYPE = 2,
	TENSOR_NAME = 8,
	TENSOR_RAW = 9,
	TENSOR_EXTERNAL = 13,
	TENSOR_LOCATION = 14
};
enum { LOCATION_EXTERNAL = 1, PAIR_KEY = 1, PAIR_VALUE = 2 };
enum {
	VALUE_NAME = 1,
	VALUE_TYPE = 2,
	TYPE_TENSOR = 1,
	TENSOR_ELEM = 1,
	TENSOR_SHAPE = 2,
	SHAPE_DIM = 1,
	DIM_VALUE = 1,
	DIM_PARAM = 2
};

typedef struct {
	ds_buf head; /* the TensorProto up to where its values are */
	char *name;
	onnx_type type;
	const void *data; /* f32 for the types that are floating point */
	uint64_t n, bytes;
	void *own; /* where data is ours */
} weight;

struct onnx_node {
	ds_buf bytes;
};

struct onnx_file {
	int opset;
	ds_buf name, nodes, values, meta;
	onnx_node open;
	bool has_open;
	size_t n_nodes;
	weight *weights;
	size_t n_weights, cap;
};

static void put_varint(ds_buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		ds_buf_add_byte(b, (char)(v | 0x80));
	ds_buf_add_byte(b, (char)v);
}

static void put_key(ds_buf *b, unsigned field, unsigned kind)
{
	put_varint(b, field << 3 | kind);
}

static void put_int(ds_buf *b, unsigned field, int64_t v)
{
	put_key(b, field, VARINT);
	put_varint(b, (uint64_t)v);
}

static void put_bytes(ds_buf *b, unsigned field, const void *p, size_t n)
{
	put_key(b, field, BYTES);
	put_varint(b, n);
	ds_buf_add(b, p, n);
}

static void put_text(ds_buf *b, unsigned field, const char *s)
{
	put_bytes(b, field, s, strlen(s));
}

/* Adds a message that was gathered apart, and frees it. */
static void put_message(ds_buf *b, unsigned field, ds_buf *message)
{
	put_bytes(b, field, message->at, message->n);
	ds_buf_free(message);
	*message = (ds_buf){ 0 };
}

onnx_file *onnx_new(int opset, const char *graph_name)
{
	onnx_file *f = DS_NEW(onnx_file, 1);
	f->opset = opset;
	ds_buf_add_c(&f->name, graph_name);
	return f;
}

void onnx_free(onnx_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n_weights; i++) {
		ds_buf_free(&f->weights[i].head);
		ds_mem_free(f->weights[i].name);
		ds_mem_free(f->weights[i].own);
	}
	ds_mem_free(f->weights);
	ds_buf_free(&f->name);
	ds_buf_free(&f->nodes);
	ds_buf_free(&f->values);
	ds_buf_free(&f->meta);
	ds_buf_free(&f->open.bytes);
	ds_mem_free(f);
}

int onnx_opset(const onnx_file *f)
{
	return f->opset;
}

void onnx_meta(onnx_file *f, const char *key, const char *value)
{
	ds_buf m = { 0 };
	put_text(&m, META_KEY, key);
	put_text(&m, META_VALUE, value);
	put_message(&f->meta, MODEL_META, &m);
}

static void put_value(onnx_file *f, unsigned field, const char *name, onnx_type t,
	const onnx_dim *dims, size_t rank)
{
	ds_buf shape = { 0 }, tensor = { 0 }, type = { 0 }, value = { 0 };
	for (size_t i = 0; i < rank; i++) {
		ds_buf d = { 0 };
		if (dims[i].name)
			put_text(&d, DIM_PARAM, dims[i].name);
		else
			put_int(&d, DIM_VALUE, dims[i].n);
		put_message(&shape, SHAPE_DIM, &d);
	}
	put_int(&tensor, TENSOR_ELEM, t);
	put_message(&tensor, TENSOR_SHAPE, &shape);
	put_message(&type, TYPE_TENSOR, &tensor);
	put_text(&value, VALUE_NAME, name);
	put_message(&value, VALUE_TYPE, &type);
	put_message(&f->values, field, &value);
}

void onnx_input(onnx_file *f, const char *name, onnx_type t, const onnx_dim *dims, size_t rank)
{
	put_value(f, GRAPH_INPUT, name, t, dims, rank);
}

void onnx_output(onnx_file *f, const char *name, onnx_type t, const onnx_dim *dims, size_t rank)
{
	put_value(f, GRAPH_OUTPUT, name, t, dims, rank);
}

static weight *add_weight(
	onnx_file *f, const char *name, onnx_type t, const int64_t *dims, size_t rank)
{
	static const uint8_t sizes[ONNX_N_TYPES] = { [ONNX_FLOAT] = 4,
		[ONNX_INT8] = 1,
		[ONNX_INT64] = 8,
		[ONNX_FLOAT16] = 2,
		[ONNX_BFLOAT16] = 2 };
	if (f->n_weights == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		f->weights = ds_mem_grow(f->weights, f->cap * sizeof(weight), cap * sizeof(weight));
		f->cap = cap;
	}
	weight *w = &f->weights[f->n_weights++];
	*w = (weight){ .type = t, .n = 1, .name = ds_mem_text(name) };
	for (size_t i = 0; i < rank; i++) {
		put_int(&w->head, TENSOR_DIMS, dims[i]);
		w->n *= (uint64_t)dims[i];
	}
	w->bytes = w->n * sizes[t];
	put_int(&w->head, TENSOR_TYPE, t);
	put_text(&w->head, TENSOR_NAME, name);
	return w;
}

void onnx_weight(onnx_file *f, const char *name, onnx_type t, const int64_t *dims, size_t rank,
	const float *data)
{
	add_weight(f, name, t, dims, rank)->data = data;
}

void onnx_take_i8(onnx_file *f, const char *name, const int64_t *dims, size_t rank, int8_t *data)
{
	weight *w = add_weight(f, name, ONNX_INT8, dims, rank);
	w->data = w->own = data;
}

static void add_copy(weight *w, const void *data, size_t bytes)
{
	w->own = ds_mem_get(bytes + 1);
	memcpy(w->own, data, bytes);
	w->data = w->own;
}

void onnx_i64s(onnx_file *f, const char *name, const int64_t *v, size_t n)
{
	int64_t dims[] = { (int64_t)n };
	add_copy(add_weight(f, name, ONNX_INT64, dims, 1), v, n * sizeof(*v));
}

void onnx_scalar(onnx_file *f, const char *name, onnx_type t, float v)
{
	int8_t byte = (int8_t)v;
	if (t == ONNX_INT8)
		add_copy(add_weight(f, name, t, NULL, 0), &byte, 1);
	else
		add_copy(add_weight(f, name, t, NULL, 0), &v, sizeof(v));
}

void onnx_f32s(onnx_file *f, const char *name, const float *v, size_t n)
{
	int64_t dims[] = { (int64_t)n };
	add_copy(add_weight(f, name, ONNX_FLOAT, dims, 1), v, n * sizeof(*v));
}

static void close_node(onnx_file *f)
{
	if (f->has_open)
		put_message(&f->nodes, GRAPH_NODE, &f->open.bytes);
	f->has_open = false;
}

onnx_node *onnx_add(onnx_file *f, const char *op, const char *const *in, size_t n_in,
	const char *const *out, size_t n_out)
{
	char name[64];
	close_node(f);
	f->has_open = true;
	snprintf(name, sizeof(name), "%s_%zu", op, f->n_nodes++);
	for (size_t i = 0; i < n_in; i++)
		put_text(&f->open.bytes, NODE_IN, in[i]);
	for (size_t i = 0; i < n_out; i++)
		put_text(&f->open.bytes, NODE_OUT, out[i]);
	put_text(&f->open.bytes, NODE_NAME, name);
	put_text(&f->open.bytes, NODE_OP, op);
	return &f->open;
}

void onnx_attr_i(onnx_node *n, const char *name, int64_t v)
{
	ds_buf a = { 0 };
	put_text(&a, ATTR_NAME, name);
	put_int(&a, ATTR_I, v);
	put_int(&a, ATTR_TYPE, ATTR_IS_I);
	put_message(&n->bytes, NODE_ATTR, &a);
}

void onnx_attr_f(onnx_node *n, const char *name, float v)
{
	ds_buf a = { 0 };
	put_text(&a, ATTR_NAME, name);
	put_key(&a, ATTR_F, FIXED32);
	ds_buf_add(&a, &v, sizeof(v));
	put_int(&a, ATTR_TYPE, ATTR_IS_F);
	put_message(&n->bytes, NODE_ATTR, &a);
}

void onnx_attr_is(onnx_node *n, const char *name, const int64_t *v, size_t count)
{
	ds_buf a = { 0 };
	put_text(&a, ATTR_NAME, name);
	for (size_t i = 0; i < count; i++)
		put_int(&a, ATTR_INTS, v[i]);
	put_int(&a, ATTR_TYPE, ATTR_IS_INTS);
	put_message(&n->bytes, NODE_ATTR, &a);
}

/* The oldest that knows the opset: runtimes refuse what is newer than they are. */
static int ir_version(int opset)
{
	return opset < 15   ? 7
	       : opset < 19 ? 8
	       : opset < 21 ? 9
	       : opset < 23 ? 10
	       : opset < 24 ? 11
	       : opset < 25 ? 12
			    : 13;
}

/* The model's fields before the graph's, and the graph's key and length. */
static void put_head(onnx_file *f, uint64_t graph_bytes, ds_buf *head)
{
	ds_buf set = { 0 };
	put_int(head, MODEL_IR, ir_version(f->opset));
	put_text(head, MODEL_PRODUCER, "dstools");
	put_text(head, MODEL_VERSION, DS_VERSION);
	put_int(&set, OPSET_VERSION, f->opset);
	put_message(head, MODEL_OPSET, &set);
	ds_buf_add(head, f->meta.at, f->meta.n);
	put_key(head, MODEL_GRAPH, BYTES);
	put_varint(head, graph_bytes);
}

static void put_pair(ds_buf *b, const char *key, const char *value)
{
	ds_buf pair = { 0 };
	put_text(&pair, PAIR_KEY, key);
	put_text(&pair, PAIR_VALUE, value);
	put_message(b, TENSOR_EXTERNAL, &pair);
}

/* Which weights lie apart, and where: their messages are whole then, the others' lack the values. */
typedef struct {
	uint64_t graph, apart; /* bytes */
	bool *is_apart;
	uint64_t *at;
} layout;

static uint64_t weight_bytes(const weight *w, const layout *l, size_t i)
{
	ds_buf key = { 0 };
	uint64_t inside = l->is_apart[i] ? 0 : w->bytes;
	put_key(&key, GRAPH_WEIGHT, BYTES);
	put_varint(&key, w->head.n + inside);
	inside += w->head.n + key.n;
	ds_buf_free(&key);
	return inside;
}

static void place(onnx_file *f, const char *location, layout *l)
{
	for (size_t i = 0; i < f->n_weights; i++) {
		weight *w = &f->weights[i];
		l->is_apart[i] = location && w->bytes >= ONNX_APART;
		if (!l->is_apart[i]) {
			put_key(&w->head, TENSOR_RAW, BYTES);
			put_varint(&w->head, w->bytes);
		} else {
			char number[24];
			l->apart = (l->apart + ONNX_ALIGN - 1) / ONNX_ALIGN * ONNX_ALIGN;
			l->at[i] = l->apart;
			put_pair(&w->head, "location", location);
			snprintf(number, sizeof(number), "%" PRIu64, l->at[i]);
			put_pair(&w->head, "offset", number);
			snprintf(number, sizeof(number), "%" PRIu64, w->bytes);
			put_pair(&w->head, "length", number);
			put_int(&w->head, TENSOR_LOCATION, LOCATION_EXTERNAL);
			l->apart += w->bytes;
		}
		l->graph += weight_bytes(w, l, i);
	}
}

static ds_rc write_values(const weight *w, bool clamp, ds_out *out, ds_err *e)
{
	value_type t = w->type == ONNX_FLOAT16    ? VALUE_F16
		       : w->type == ONNX_BFLOAT16 ? VALUE_BF16
						  : VALUE_F32;
	if (t == VALUE_F32)
		return ds_out_write(out, w->data, w->bytes, e);
	return values_write(out, w->name, w->data, (int64_t)w->n, (values_how){ t, clamp }, e);
}

static ds_rc write_weight(
	const weight *w, const layout *l, size_t i, ds_out *out, onnx_how how, ds_err *e)
{
	static const char zeros[ONNX_ALIGN];
	ds_buf key = { 0 };
	put_key(&key, GRAPH_WEIGHT, BYTES);
	put_varint(&key, w->head.n + (l->is_apart[i] ? 0 : w->bytes));
	ds_buf_add(&key, w->head.at, w->head.n);
	ds_rc rc = ds_out_write(out, key.at, key.n, e);
	ds_buf_free(&key);
	DS_TRY(rc);
	if (!l->is_apart[i])
		return write_values(w, how.clamp, out, e);
	DS_TRY(ds_out_write(how.data, zeros, l->at[i] - ds_out_offset(how.data), e));
	return write_values(w, how.clamp, how.data, e);
}

uint64_t onnx_bytes(onnx_file *f)
{
	uint64_t bytes = f->nodes.n + f->open.bytes.n + f->values.n + f->meta.n;
	for (size_t i = 0; i < f->n_weights; i++)
		bytes += f->weights[i].head.n + f->weights[i].bytes + 24;
	return bytes;
}

static ds_rc write_all(onnx_file *f, const layout *l, ds_out *out, onnx_how how, ds_err *e)
{
	ds_buf head = { 0 }, graph = { 0 };
	put_text(&graph, GRAPH_NAME, ds_buf_text(&f->name));
	ds_buf_add(&graph, f->nodes.at, f->nodes.n);
	ds_buf_add(&graph, f->values.at, f->values.n);
	put_head(f, graph.n + l->graph, &head);
	uint64_t bytes = head.n + graph.n + l->graph;
	ds_rc rc = DS_OK;
	if (bytes > ONNX_LIMIT)
		rc = ds_fail(e, DS_BAD, "the graph takes %" PRIu64 " bytes, the limit is %d", bytes,
			ONNX_LIMIT);
	if (rc == DS_OK)
		rc = ds_out_write(out, head.at, head.n, e);
	if (rc == DS_OK)
		rc = ds_out_write(out, graph.at, graph.n, e);
	ds_buf_free(&head);
	ds_buf_free(&graph);
	for (size_t i = 0; i < f->n_weights && rc == DS_OK; i++)
		rc = write_weight(&f->weights[i], l, i, out, how, e);
	return rc;
}

ds_rc onnx_write(onnx_file *f, ds_out *out, onnx_how how, ds_err *e)
{
	layout l = { .is_apart = DS_NEW(bool, f->n_weights + 1),
		.at = DS_NEW(uint64_t, f->n_weights + 1) };
	close_node(f);
	place(f, how.data ? how.location : NULL, &l);
	ds_rc rc = write_all(f, &l, out, how, e);
	ds_mem_free(l.is_apart);
	ds_mem_free(l.at);
	return rc;
}
