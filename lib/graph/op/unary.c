/*
 * unary.c - functions of one number, and the gated pair act(gate) * up (Shazeer, 2020)
 */
#include "graph/op/op_impl.h"

#include <math.h>

static const double c0 = 0.79788456080286535588, c1 = 0.044715; /* sqrt(2/pi) */

static double value(ds_act act, double x)
{
	switch (act) {
	case DS_ACT_GELU_TANH:
		return 0.5 * x * (1 + tanh(c0 * (x + c1 * x * x * x)));
	case DS_ACT_GELU_ERF:
		return 0.5 * x * (1 + erf(x * M_SQRT1_2));
	case DS_ACT_SILU:
		return x / (1 + exp(-x));
	case DS_ACT_RELU:
		return x > 0 ? x : 0;
	case DS_ACT_TANH:
		return tanh(x);
	case DS_ACT_SIGMOID:
		return 1 / (1 + exp(-x));
	case DS_N_ACTS:
		break;
	}
	return 0;
}

static double slope(ds_act act, double x)
{
	double t;
	switch (act) {
	case DS_ACT_GELU_TANH:
		t = tanh(c0 * (x + c1 * x * x * x));
		return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c0 * (1 + 3 * c1 * x * x);
	case DS_ACT_GELU_ERF:
		return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) * c0 / 2;
	case DS_ACT_SILU:
		t = 1 / (1 + exp(-x));
		return t * (1 + x * (1 - t));
	case DS_ACT_RELU:
		return x > 0;
	case DS_ACT_TANH:
		t = tanh(x);
		return 1 - t * t;
	case DS_ACT_SIGMOID:
		t = 1 / (1 + exp(-x));
		return t * (1 - t);
	case DS_N_ACTS:
		break;
	}
	return 0;
}

/* in: dy, x; out: dx */
void ds_gr_unary(ds_grad *c, const ds_node *n)
{
	const ds_node *b =
		ds_g_node(ds_grad_graph(c), (ds_node){ .op = DS_OP_unary_grad,
						    .attr = n->attr,
						    .in = { ds_grad_of(c, n->out[0]), n->in[0] } });
	ds_grad_give(c, n->in[0], b ? b->out[0] : 0);
}

void ds_ref_unary(const ds_ref *r)
{
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		r->out[0].at[i] = value(r->node->attr.act, r->in[0].at[i]);
}

void ds_ref_unary_grad(const ds_ref *r)
{
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		r->out[0].at[i] = r->in[0].at[i] * slope(r->node->attr.act, r->in[1].at[i]);
}

void ds_sa_unary(ds_sample *s)
{
	ds_act act = (ds_act)ds_sample_int(s, 0, DS_N_ACTS - 1);
	ds_tid x = ds_sample_tensor(s, ds_sample_int(s, 1, 40), ds_sample_int(s, 1, 90));
	/* 2 x + x: two readers, so the gradient is a sum. */
	ds_sample_output(s, ds_g_unary(s->g, ds_g_scale(s->g, x, 2), act));
	ds_sample_output(s, ds_g_unary(s->g, x, act));
}

/* ---- glu ---- */

/* in: dy, gate, up; out: dgate, dup */
ds_rc ds_sh_glu_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_same2(g, n, out, e));
	DS_TRY(ds_need_shape(g, n, 2, ds_t_rows(in_of(g, n, 0)), ds_t_cols(in_of(g, n, 0)), e));
	out[1] = out[0];
	return DS_OK;
}

void ds_gr_glu(ds_grad *c, const ds_node *n)
{
	const ds_node *b = ds_g_node(ds_grad_graph(c),
		(ds_node){ .op = DS_OP_glu_grad,
			.attr = n->attr,
			.in = { ds_grad_of(c, n->out[0]), n->in[0], n->in[1] },
			.out = { ds_grad_place(c, n->in[0]), ds_grad_place(c, n->in[1]) } });
	if (!b)
		return;
	ds_tid gate = b->out[0], up = b->out[1];
	ds_grad_give(c, n->in[0], gate);
	ds_grad_give(c, n->in[1], up);
}

void ds_ref_glu(const ds_ref *r)
{
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		r->out[0].at[i] = value(r->node->attr.act, r->in[0].at[i]) * r->in[1].at[i];
}

void ds_ref_glu_grad(const ds_ref *r)
{
	ds_act act = r->node->attr.act;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++) {
		double dy = r->in[0].at[i], gate = r->in[1].at[i];
		r->out[0].at[i] = dy * r->in[2].at[i] * slope(act, gate);
		r->out[1].at[i] = dy * value(act, gate);
	}
}

void ds_sa_glu(ds_sample *s)
{
	ds_act act = (ds_act)ds_sample_int(s, 0, DS_N_ACTS - 1);
	int64_t rows = ds_sample_int(s, 1, 40), cols = ds_sample_int(s, 1, 90);
	ds_tid both = ds_g_scale(s->g, ds_sample_tensor(s, rows, 2 * cols), 1.5f);
	ds_tid gate = ds_g_slice(s->g, both, 0, cols), up = ds_g_slice(s->g, both, cols, cols);
	ds_sample_output(s, ds_g_glu(s->g, gate, up, act));
}
