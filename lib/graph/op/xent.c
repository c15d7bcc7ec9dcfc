/*
 * xent.c - linear layer and cross-entropy in one op
 *
 * in: x[rows, C], w[V, C], b[V] or 0, targets[rows] (-1: none), inv[1]. out: loss[1] = inv times the
 * sum of the rows' losses, nll[rows]. With gradients (linear_xent_grad) also dx, dw, db, all times
 * inv: they are made in the forward pass, where the logits of a chunk of rows are at hand, because
 * keeping or making again [rows, V] numbers costs more than anything else in a small model.
 */
#include "graph/op/op_impl.h"

#include <math.h>

ds_rc ds_sh_linear_xent(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	DS_TRY(ds_need_shape(g, n, 1, -1, ds_t_cols(x), e));
	if (n->in[2])
		DS_TRY(ds_need_shape(g, n, 2, 0, ds_t_rows(in_of(g, n, 1)), e));
	DS_TRY(ds_need_shape(g, n, 3, 0, ds_t_rows(x), e));
	DS_TRY(ds_need_type(g, n, 3, DS_I32, e));
	DS_TRY(ds_need_shape(g, n, 4, 0, 1, e));
	out[0] = vector(side_type(x->dtype), 1);
	out[1] = vector(side_type(x->dtype), ds_t_rows(x));
	return DS_OK;
}

ds_rc ds_sh_linear_xent_grad(
	const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_linear_xent(g, n, out, e));
	out[2] = shape_of(in_of(g, n, 0));
	out[3] = shape_of(in_of(g, n, 1));
	out[4] = vector(side_type(in_of(g, n, 1)->dtype), ds_t_rows(in_of(g, n, 1)));
	for (int i = 2; i < 4; i++)
		out[i].dtype = side_type(out[i].dtype);
	return DS_OK;
}

/* The vocabulary cannot be cut: a row's sum goes over all of it. */
const char ds_sd_linear_xent[] = "rRRrR>Pr";
const char ds_sd_linear_xent_grad[] = "rRRrR>PrrPP";

/* Where the gradient of an input goes: a parameter's own, or an activation's. */
static ds_tid grad_tensor(ds_grad *c, ds_tid in)
{
	ds_tid param = ds_grad_param(c, in);
	if (param || !ds_grad_needed(c, in))
		return param ? param : DS_NOT_WANTED;
	ds_shape s = shape_of(ds_g_tensor(ds_grad_graph(c), in));
	return ds_g_new(ds_grad_graph(c), DS_CLASS_ACT, &s, NULL);
}

void ds_gr_linear_xent(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	if (!ds_grad_is_one(c, n->out[0])) {
		ds_g_fail(g, "linear_xent: only the loss, or a term of it, has a gradient");
		return;
	}
	ds_node by = *n;
	by.op = DS_OP_linear_xent_grad;
	for (int i = 0; i < 3; i++)
		by.out[2 + i] = grad_tensor(c, n->in[i]);
	ds_grad_replace(c, n, &by);
	for (int i = 0; i < 3; i++)
		if (by.out[2 + i] > 0 && ds_g_tensor(g, by.out[2 + i])->memory == DS_CLASS_ACT)
			ds_grad_give(c, n->in[i], by.out[2 + i]);
}

double ds_fl_linear_xent(const ds_graph *g, const ds_node *n)
{
	double rows = (double)ds_t_rows(in_of(g, n, 0)), vocab = (double)ds_t_rows(in_of(g, n, 1));
	return rows * vocab * (2.0 * (double)ds_t_cols(in_of(g, n, 0)) + 8);
}

double ds_fl_xent_grad(const ds_graph *g, const ds_node *n)
{
	double gemm = 2.0 * (double)ds_t_rows(in_of(g, n, 0)) * (double)ds_t_count(in_of(g, n, 1));
	return ds_fl_linear_xent(g, n) + (n->out[2] > 0 ? gemm : 0) + (n->out[3] > 0 ? gemm : 0);
}

static double logit(const ds_ref *r, int64_t i, int64_t v)
{
	int64_t cols = r->in[0].cols;
	double sum = r->in[2].at ? r->in[2].at[v] : 0;
	for (int64_t k = 0; k < cols; k++)
		sum += r->in[0].at[i * cols + k] * r->in[1].at[v * cols + k];
	return sum;
}

static void add_grad(const ds_ref *r, int64_t i, int64_t v, double d)
{
	int64_t cols = r->in[0].cols;
	for (int64_t k = 0; k < cols; k++) {
		if (r->out[2].at)
			r->out[2].at[i * cols + k] += d * r->in[1].at[v * cols + k];
		if (r->out[3].at)
			r->out[3].at[v * cols + k] += d * r->in[0].at[i * cols + k];
	}
	if (r->out[4].at)
		r->out[4].at[v] += d;
}

void ds_ref_linear_xent(const ds_ref *r)
{
	double total = 0, inv = r->in[4].at[0];
	int64_t vocab = r->in[1].rows;
	for (int o = 2; o <= 4; o++)
		for (int64_t i = 0; r->out[o].at && i < r->out[o].rows * r->out[o].cols; i++)
			r->out[o].at[i] = o == 2 || r->beta[o] == 0 ? 0 : r->out[o].at[i];
	for (int64_t i = 0; i < r->in[0].rows; i++) {
		int64_t target = (int64_t)r->in[3].at[i];
		double top = -INFINITY, sum = 0;
		r->out[1].at[i] = 0;
		if (target < 0 || target >= vocab)
			continue;
		for (int64_t v = 0; v < vocab; v++)
			top = fmax(top, logit(r, i, v));
		for (int64_t v = 0; v < vocab; v++)
			sum += exp(logit(r, i, v) - top);
		r->out[1].at[i] = log(sum) + top - logit(r, i, target);
		total += r->out[1].at[i];
		if (r->node->op != DS_OP_linear_xent_grad)
			continue;
		for (int64_t v = 0; v < vocab; v++)
			add_grad(r, i, v, inv * (exp(logit(r, i, v) - top) / sum - (v == target)));
	}
	r->out[0].at[0] = inv * total;
}

void ds_ref_linear_xent_grad(const ds_ref *r)
{
	ds_ref_linear_xent(r);
}

void ds_sa_linear_xent(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 60), cols = ds_sample_int(s, 1, 24);
	int64_t vocab = ds_sample_int(s, 1, 90), one = 1;
	ds_tid x = ds_g_scale(s->g, ds_sample_tensor(s, rows, cols), 0.5f);
	ds_tid w = ds_sample_tensor(s, vocab, cols);
	if (ds_sample_int(s, 0, 2) == 0)
		w = ds_g_scale(s->g, w, 0.5f);
	ds_tid b = ds_sample_int(s, 0, 1) ? ds_sample_tensor(s, 0, vocab) : 0;
	ds_tid targets = ds_sample_ids(s, rows, -1, vocab - 1);
	float inv = 0.125f;
	ds_g_linear_xent(
		s->g, x, w, b, targets, ds_g_const(s->g, "inv", DS_F32, 1, &one, &inv), NULL);
}
