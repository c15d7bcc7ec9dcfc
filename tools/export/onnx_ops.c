/*
 * onnx_ops.c - norms, activations and what moves data
 */
#include "onnx_walk.h"

#include <math.h>

void onnx_op_embed(onnx_walk *w, const ds_node *n)
{
	const char *y = onnx_constant_rows(w, n->in[0], n->in[1]);
	onnx_is(w, y ? y : onnx_rows_of(w, n->in[0], onnx_name(w, n->in[1])), n->out[0]);
}

static const char *mean(onnx_walk *w, const char *x)
{
	const int64_t last = -1;
	const char *in[] = { x, NULL }, *out;
	bool as_input = onnx_opset(w->f) >= 18;
	if (as_input)
		in[1] = onnx_const_is(w, &last, 1);
	out = onnx_fresh(w);
	onnx_node *node = onnx_add(w->f, "ReduceMean", in, as_input ? 2 : 1, &out, 1);
	if (!as_input)
		onnx_attr_is(node, "axes", &last, 1);
	onnx_attr_i(node, "keepdims", 1);
	return out;
}

/* In f32 whatever w->type is: squares of halves are soon over their range. */
static const char *normalised(onnx_walk *w, const ds_node *n, const char *x)
{
	bool rms = n->attr.norm.rms, whole = w->type == ONNX_FLOAT;
	x = whole ? x : onnx_cast(w, x, ONNX_FLOAT);
	const char *d = rms ? x : onnx_2(w, "Sub", x, mean(w, x));
	const char *v = mean(w, onnx_2(w, "Mul", d, d));
	v = onnx_2(w, "Add", v, onnx_const(w, ONNX_FLOAT, n->attr.norm.eps));
	v = onnx_2(w, "Div", d, onnx_1(w, "Sqrt", v));
	return whole ? v : onnx_cast(w, v, w->type);
}

/* Parts of a row as wide as the weight are normalised on their own: an axis for them, and back. */
static const char *norm_parts(onnx_walk *w, const ds_node *n, const char *x, bool back)
{
	int64_t cols = ds_t_cols(ds_g_tensor(w->g, n->in[0]));
	int64_t width = ds_t_cols(ds_g_tensor(w->g, n->in[2]));
	const int64_t split[] = { 0, 0, cols / width, width }, whole[] = { 0, 0, cols };
	if (cols == width)
		return x;
	return onnx_reshape(w, x, back ? whole : split, back ? 3 : 4);
}

/* Constants are f32. */
static const char *norm_weight(onnx_walk *w, ds_tid t)
{
	bool wide = ds_g_tensor(w->g, t)->memory == DS_CLASS_CONST && w->type != ONNX_FLOAT;
	return wide ? onnx_cast(w, onnx_name(w, t), w->type) : onnx_name(w, t);
}

/* The operator that the opset has for it, or NULL. */
static const char *norm_operator(const onnx_walk *w, const ds_node *n)
{
	if (n->attr.norm.rms)
		return onnx_opset(w->f) >= 23 ? "RMSNormalization" : NULL;
	return onnx_opset(w->f) >= 17 ? "LayerNormalization" : NULL;
}

void onnx_op_norm(onnx_walk *w, const ds_node *n)
{
	const char *x = onnx_name(w, n->in[0]), *y, *op = norm_operator(w, n);
	if (n->in[1]) {
		const char *in[] = { x, onnx_name(w, n->in[1]) }, *sum = onnx_name(w, n->out[1]);
		onnx_add(w->f, "Add", in, 2, &sum, 1);
		x = sum;
	}
	x = norm_parts(w, n, x, false);
	const char *weight = norm_weight(w, n->in[2]),
		   *bias = n->in[3] ? onnx_name(w, n->in[3]) : NULL;
	if (op) {
		const char *in[] = { x, weight, bias };
		y = onnx_fresh(w);
		onnx_node *node = onnx_add(w->f, op, in, bias ? 3 : 2, &y, 1);
		onnx_attr_i(node, "axis", -1);
		onnx_attr_f(node, "epsilon", n->attr.norm.eps);
	} else {
		y = onnx_2(w, "Mul", normalised(w, n, x), weight);
		if (bias)
			y = onnx_2(w, "Add", y, bias);
	}
	onnx_is(w, norm_parts(w, n, y, true), n->out[0]);
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
static const char *gelu_tanh(onnx_walk *w, const char *x)
{
	const char *cube = onnx_2(w, "Mul", onnx_2(w, "Mul", x, x), x);
	const char *inner = onnx_2(w, "Add", x, onnx_times(w, cube, 0.044715));
	const char *t = onnx_1(w, "Tanh", onnx_times(w, inner, sqrt(2 / M_PI)));
	return onnx_2(w, "Mul", onnx_times(w, x, 0.5), onnx_plus(w, t, 1));
}

static const char *activated(onnx_walk *w, ds_act act, const char *x)
{
	switch (act) {
	case DS_ACT_GELU_TANH:
		return gelu_tanh(w, x);
	case DS_ACT_GELU_ERF:
		return onnx_2(w, "Mul", onnx_times(w, x, 0.5),
			onnx_plus(w, onnx_1(w, "Erf", onnx_times(w, x, M_SQRT1_2)), 1));
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

void onnx_op_unary(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, activated(w, n->attr.act, onnx_name(w, n->in[0])), n->out[0]);
}

void onnx_op_glu(onnx_walk *w, const ds_node *n)
{
	const char *gate = activated(w, n->attr.act, onnx_name(w, n->in[0]));
	onnx_is(w, onnx_2(w, "Mul", gate, onnx_name(w, n->in[1])), n->out[0]);
}

void onnx_op_add(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, onnx_2(w, "Add", onnx_name(w, n->in[0]), onnx_name(w, n->in[1])), n->out[0]);
}

void onnx_op_scale(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, onnx_times(w, onnx_name(w, n->in[0]), n->attr.scale), n->out[0]);
}

void onnx_op_gain(onnx_walk *w, const ds_node *n)
{
	const char *by = onnx_1(w, "Exp", onnx_name(w, n->in[1]));
	onnx_is(w, onnx_2(w, "Mul", onnx_name(w, n->in[0]), by), n->out[0]);
}

void onnx_op_slice(onnx_walk *w, const ds_node *n)
{
	const int64_t from = n->attr.slice.from, to = from + n->attr.slice.n, axis = -1;
	const char *in[] = { onnx_name(w, n->in[0]), onnx_const_is(w, &from, 1),
		onnx_const_is(w, &to, 1), onnx_const_is(w, &axis, 1) };
	const char *out = onnx_name(w, n->out[0]);
	onnx_add(w->f, "Slice", in, 4, &out, 1);
}
