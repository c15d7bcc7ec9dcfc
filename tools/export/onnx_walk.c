/*
 * onnx_walk.c - one function an op: linear, norm, activations and what moves data
 *
 * Only operators of opset 13 are used, but LayerNormalization where the opset has it (17); where a later
 * opset moved an attribute into an input (ReduceMean's axes, 18), both spellings are known.
 */
#include "onnx_walk.h"

#include <math.h>

const char *onnx_1(onnx_walk *w, const char *op, const char *a)
{
	return onnx_3(w, op, a, NULL, NULL);
}

const char *onnx_2(onnx_walk *w, const char *op, const char *a, const char *b)
{
	return onnx_3(w, op, a, b, NULL);
}

static const char *fresh(onnx_walk *w)
{
	return ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
}

const char *onnx_3(onnx_walk *w, const char *op, const char *a, const char *b, const char *c)
{
	const char *in[] = { a, b, c }, *out = fresh(w);
	onnx_add(w->f, op, in, c ? 3 : b ? 2 : 1, &out, 1);
	return out;
}

const char *onnx_const_f(onnx_walk *w, float v)
{
	const char *name = fresh(w);
	onnx_f32(w->f, name, v);
	return name;
}

const char *onnx_const_is(onnx_walk *w, const int64_t *v, size_t n)
{
	const char *name = fresh(w);
	onnx_i64s(w->f, name, v, n);
	return name;
}

/* A weight or constant: added to the file when first asked for (its ONNX name is its own). */
static const char *leaf(onnx_walk *w, const ds_tensor *t)
{
	const void *values = t->data;
	if (w->added[t->id])
		return t->name;
	w->added[t->id] = true;
	if (!values && w->rc == DS_OK)
		w->rc = ds_exec_view(w->x, t->id, w->mem, &values, &w->err);
	if (w->rc == DS_OK)
		onnx_weight(w->f, t->name, ONNX_FLOAT, t->dims, (size_t)t->rank, values);
	return t->name;
}

/* Where they are no input, zeros of the shape of the ids. */
static const char *segments(onnx_walk *w)
{
	if (!w->types)
		w->types = w->token_type_ids ? "token_type_ids"
					     : onnx_2(w, "Sub", "input_ids", "input_ids");
	return w->types;
}

const char *onnx_name(onnx_walk *w, ds_tid id)
{
	const ds_tensor *t = ds_g_tensor(w->g, id);
	if (t->memory == DS_CLASS_PARAM || t->memory == DS_CLASS_CONST)
		return leaf(w, t);
	if (id == w->b->ids)
		return "input_ids";
	if (id == w->b->positions)
		return onnx_positions(w);
	if (id == w->b->logits)
		return "logits";
	if (w->trunk && id == w->b->hidden)
		return "last_hidden_state";
	if (w->b->segments && id == w->b->segments)
		return segments(w);
	return ds_arena_fmt(w->mem, "t%d", id).at;
}

void onnx_is(onnx_walk *w, const char *value, ds_tid t)
{
	const char *out = onnx_name(w, t);
	onnx_add(w->f, "Identity", &value, 1, &out, 1);
}

static void embed(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, onnx_2(w, "Gather", onnx_name(w, n->in[0]), onnx_name(w, n->in[1])), n->out[0]);
}

static void linear(onnx_walk *w, const ds_node *n)
{
	const char *weight = onnx_name(w, n->in[1]), *y;
	if (!n->attr.linear.in_out) {
		const int64_t perm[] = { 1, 0 };
		const char *out = fresh(w);
		onnx_attr_is(onnx_add(w->f, "Transpose", &weight, 1, &out, 1), "perm", perm, 2);
		weight = out;
	}
	y = onnx_2(w, "MatMul", onnx_name(w, n->in[0]), weight);
	if (n->in[2])
		y = onnx_2(w, "Add", y, onnx_name(w, n->in[2]));
	onnx_is(w, y, n->out[0]);
}

static const char *mean(onnx_walk *w, const char *x)
{
	const int64_t last = -1;
	const char *in[] = { x, NULL }, *out;
	bool as_input = onnx_opset(w->f) >= 18;
	if (as_input)
		in[1] = onnx_const_is(w, &last, 1);
	out = fresh(w);
	onnx_node *node = onnx_add(w->f, "ReduceMean", in, as_input ? 2 : 1, &out, 1);
	if (!as_input)
		onnx_attr_is(node, "axes", &last, 1);
	onnx_attr_i(node, "keepdims", 1);
	return out;
}

static const char *normalised(onnx_walk *w, const ds_node *n, const char *x)
{
	bool rms = n->attr.norm.rms;
	const char *d = rms ? x : onnx_2(w, "Sub", x, mean(w, x));
	const char *v = mean(w, onnx_2(w, "Mul", d, d));
	v = onnx_1(w, "Sqrt", onnx_2(w, "Add", v, onnx_const_f(w, n->attr.norm.eps)));
	return onnx_2(w, "Div", d, v);
}

/* Parts of a row as wide as the weight are normalised on their own: an axis for them, and back. */
static const char *norm_parts(onnx_walk *w, const ds_node *n, const char *x, bool back)
{
	int64_t cols = ds_t_cols(ds_g_tensor(w->g, n->in[0]));
	int64_t width = ds_t_cols(ds_g_tensor(w->g, n->in[2]));
	const int64_t split[] = { 0, 0, cols / width, width }, whole[] = { 0, 0, cols };
	if (cols == width)
		return x;
	return onnx_2(w, "Reshape", x, onnx_const_is(w, back ? whole : split, back ? 3 : 4));
}

static void norm(onnx_walk *w, const ds_node *n)
{
	const char *x = onnx_name(w, n->in[0]), *y;
	if (n->in[1]) {
		const char *in[] = { x, onnx_name(w, n->in[1]) }, *sum = onnx_name(w, n->out[1]);
		onnx_add(w->f, "Add", in, 2, &sum, 1);
		x = sum;
	}
	x = norm_parts(w, n, x, false);
	const char *weight = onnx_name(w, n->in[2]),
		   *bias = n->in[3] ? onnx_name(w, n->in[3]) : NULL;
	if (!n->attr.norm.rms && onnx_opset(w->f) >= 17) {
		const char *in[] = { x, weight, bias };
		y = fresh(w);
		onnx_node *node = onnx_add(w->f, "LayerNormalization", in, bias ? 3 : 2, &y, 1);
		onnx_attr_i(node, "axis", -1);
		onnx_attr_f(node, "epsilon", n->attr.norm.eps);
	} else {
		y = onnx_2(w, "Mul", normalised(w, n, x), weight);
		if (bias)
			y = onnx_2(w, "Add", y, bias);
	}
	onnx_is(w, norm_parts(w, n, y, true), n->out[0]);
}

static const char *times(onnx_walk *w, const char *x, double by)
{
	return onnx_2(w, "Mul", x, onnx_const_f(w, (float)by));
}

static const char *plus(onnx_walk *w, const char *x, double v)
{
	return onnx_2(w, "Add", x, onnx_const_f(w, (float)v));
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
static const char *gelu_tanh(onnx_walk *w, const char *x)
{
	const char *cube = onnx_2(w, "Mul", onnx_2(w, "Mul", x, x), x);
	const char *inner = onnx_2(w, "Add", x, times(w, cube, 0.044715));
	const char *t = onnx_1(w, "Tanh", times(w, inner, sqrt(2 / M_PI)));
	return onnx_2(w, "Mul", times(w, x, 0.5), plus(w, t, 1));
}

static const char *activated(onnx_walk *w, ds_act act, const char *x)
{
	switch (act) {
	case DS_ACT_GELU_TANH:
		return gelu_tanh(w, x);
	case DS_ACT_GELU_ERF:
		return onnx_2(w, "Mul", times(w, x, 0.5),
			plus(w, onnx_1(w, "Erf", times(w, x, M_SQRT1_2)), 1));
	case DS_ACT_SILU:
		return onnx_2(w, "Mul", x, onnx_1(w, "Sigmoid", x));
	case DS_ACT_RELU:
		return onnx_1(w, "Relu", x);
	case DS_ACT_TANH:
		return onnx_1(w, "Tanh", x);
	case DS_ACT_SIGMOID:
		return onnx_1(w, "Sigmoid", x);
	case DS_N_ACTS:
		break;
	}
	return NULL;
}

static void unary(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, activated(w, n->attr.act, onnx_name(w, n->in[0])), n->out[0]);
}

static void glu(onnx_walk *w, const ds_node *n)
{
	const char *gate = activated(w, n->attr.act, onnx_name(w, n->in[0]));
	onnx_is(w, onnx_2(w, "Mul", gate, onnx_name(w, n->in[1])), n->out[0]);
}

static void add(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, onnx_2(w, "Add", onnx_name(w, n->in[0]), onnx_name(w, n->in[1])), n->out[0]);
}

static void scale(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, times(w, onnx_name(w, n->in[0]), n->attr.scale), n->out[0]);
}

/* The first token's state of every sequence: [batch, seq, C] -> [batch, C]. */
static void rows(onnx_walk *w, const ds_node *n)
{
	const int64_t first = 0, axis = 1;
	const char *in[] = { onnx_name(w, n->in[0]), onnx_const_is(w, &first, 1) };
	const char *at = fresh(w);
	onnx_attr_i(onnx_add(w->f, "Gather", in, 2, &at, 1), "axis", axis);
	onnx_is(w, onnx_2(w, "Squeeze", at, onnx_const_is(w, &axis, 1)), n->out[0]);
}

static void slice(onnx_walk *w, const ds_node *n)
{
	const int64_t from = n->attr.slice.from, to = from + n->attr.slice.n, axis = -1;
	const char *in[] = { onnx_name(w, n->in[0]), onnx_const_is(w, &from, 1),
		onnx_const_is(w, &to, 1), onnx_const_is(w, &axis, 1) };
	const char *out = onnx_name(w, n->out[0]);
	onnx_add(w->f, "Slice", in, 4, &out, 1);
}

static void (*const emit[DS_N_OPS])(onnx_walk *w, const ds_node *n) = {
	[DS_OP_embed] = embed,
	[DS_OP_linear] = linear,
	[DS_OP_norm] = norm,
	[DS_OP_attention] = onnx_attention,
	[DS_OP_rope] = onnx_rope,
	[DS_OP_unary] = unary,
	[DS_OP_glu] = glu,
	[DS_OP_add] = add,
	[DS_OP_scale] = scale,
	[DS_OP_slice] = slice,
	[DS_OP_rows] = rows,
};

ds_rc onnx_walk_run(onnx_walk *w, ds_err *e)
{
	w->added = ds_arena_zero(w->mem, (size_t)w->g->n_tensors * sizeof(*w->added));
	for (int32_t i = 0; i < w->g->n_nodes; i++) {
		const ds_node *n = &w->g->nodes[i];
		if (!emit[n->op])
			return ds_fail(e, DS_BAD, "%s: this op has no ONNX form",
				n->origin ? n->origin : "graph");
		emit[n->op](w, n);
	}
	return w->rc == DS_OK ? DS_OK : ds_fail(e, w->rc, "%s", w->err.msg);
}
