/*
 * linear.c - y = x W + b, with W as [out, in] (torch.nn.Linear) or [in, out] (Conv1D)
 *
 * in: x[rows, in], w, b[out] or 0. The gradient is three ops: linear_dx (which adds to the gradient
 * that x has so far, given as its third input), linear_dw and bias_grad (which add to the
 * parameter's gradient). x, w and dy may be bf16 or fp16 (pass/precision.c); what comes out is f32.
 */
#include "graph/op/op_impl.h"

/* [in, out] and [out, in] alike: element of W that leads from i to o */
static int64_t at_w(const ds_node *n, int64_t i, int64_t o, int64_t n_in, int64_t n_out)
{
	return n->attr.linear.in_out ? i * n_out + o : o * n_in + i;
}

ds_rc ds_sh_linear(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	bool in_out = n->attr.linear.in_out;
	DS_TRY(ds_need_shape(g, n, 1, in_out ? ds_t_cols(x) : -1, in_out ? -1 : ds_t_cols(x), e));
	int64_t n_out = in_of(g, n, 1)->dims[in_out ? 1 : 0];
	if (n->in[2])
		DS_TRY(ds_need_shape(g, n, 2, 0, n_out, e));
	out[0] = matrix(side_type(x->dtype), ds_t_rows(x), n_out);
	return DS_OK;
}

/* in: dy, w, what dx is added to or 0 */
ds_rc ds_sh_linear_dx(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *dy = in_of(g, n, 0);
	bool in_out = n->attr.linear.in_out;
	DS_TRY(ds_need_shape(g, n, 1, in_out ? -1 : ds_t_cols(dy), in_out ? ds_t_cols(dy) : -1, e));
	out[0] = matrix(side_type(dy->dtype), ds_t_rows(dy), in_of(g, n, 1)->dims[in_out ? 0 : 1]);
	if (n->in[2])
		DS_TRY(ds_need_shape(g, n, 2, out[0].dims[0], out[0].dims[1], e));
	return DS_OK;
}

/* in: x, dy; out: dW */
ds_rc ds_sh_linear_dw(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	DS_TRY(ds_need_shape(g, n, 1, ds_t_rows(x), -1, e));
	int64_t n_in = ds_t_cols(x), n_out = ds_t_cols(in_of(g, n, 1));
	bool in_out = n->attr.linear.in_out;
	out[0] = matrix(side_type(x->dtype), in_out ? n_in : n_out, in_out ? n_out : n_in);
	return DS_OK;
}

ds_rc ds_sh_bias_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	out[0] = vector(in_of(g, n, 0)->dtype, ds_t_cols(in_of(g, n, 0)));
	return DS_OK;
}

/* By rows; by what it gives; by what it takes, where one part of the bias is all of it. */
const char ds_sd_linear[] = "rRR>r Roc>c ciP>P";
const char ds_sd_linear_dx[] = "rRr>r Ric>c coP>P";
const char ds_sd_linear_dw[] = "rr>P Rc>o cR>i";
const char ds_sd_bias_grad[] = "r>P c>c";

void ds_pr_linear(const ds_node *n, ds_buf *out)
{
	ds_buf_add_c(out, n->attr.linear.in_out ? " [in,out]" : "");
}

void ds_gr_linear(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	ds_tid dy = ds_grad_of(c, n->out[0]), x = n->in[0];
	if (ds_grad_needed(c, x)) {
		ds_tid before = ds_grad_take(c, x);
		const ds_node *dx =
			ds_g_node(g, (ds_node){ .op = DS_OP_linear_dx,
					     .attr = n->attr,
					     .exact = n->exact,
					     .in = { dy, n->in[1], before },
					     .out = { before ? 0 : ds_grad_place(c, x) } });
		ds_grad_give(c, x, dx ? dx->out[0] : 0);
	}
	ds_tid dw = ds_grad_param(c, n->in[1]);
	if (dw)
		ds_g_node(g, (ds_node){ .op = DS_OP_linear_dw,
				     .attr = n->attr,
				     .exact = n->exact,
				     .in = { x, dy },
				     .out = { dw } });
	ds_tid db = ds_grad_param(c, n->in[2]);
	if (db)
		ds_g_node(g, (ds_node){ .op = DS_OP_bias_grad, .in = { dy }, .out = { db } });
}

double ds_fl_linear(const ds_graph *g, const ds_node *n)
{
	return 2.0 * (double)ds_t_rows(in_of(g, n, 0)) * (double)ds_t_count(in_of(g, n, 1));
}

double ds_fl_linear_dx(const ds_graph *g, const ds_node *n)
{
	return ds_fl_linear(g, n);
}

double ds_fl_linear_dw(const ds_graph *g, const ds_node *n)
{
	return 2.0 * (double)ds_t_count(in_of(g, n, 0)) * (double)ds_t_cols(in_of(g, n, 1));
}

void ds_ref_linear(const ds_ref *r)
{
	int64_t n_in = r->in[0].cols, n_out = r->out[0].cols;
	for (int64_t i = 0; i < r->out[0].rows; i++)
		for (int64_t o = 0; o < n_out; o++) {
			double sum = r->in[2].at ? r->in[2].at[o] : 0;
			for (int64_t k = 0; k < n_in; k++)
				sum += r->in[0].at[i * n_in + k] *
				       r->in[1].at[at_w(r->node, k, o, n_in, n_out)];
			r->out[0].at[i * n_out + o] = sum;
		}
}

void ds_ref_linear_dx(const ds_ref *r)
{
	int64_t n_in = r->out[0].cols, n_out = r->in[0].cols;
	for (int64_t i = 0; i < r->out[0].rows; i++)
		for (int64_t k = 0; k < n_in; k++) {
			double sum = r->in[2].at ? r->in[2].at[i * n_in + k] : 0;
			for (int64_t o = 0; o < n_out; o++)
				sum += r->in[0].at[i * n_out + o] *
				       r->in[1].at[at_w(r->node, k, o, n_in, n_out)];
			r->out[0].at[i * n_in + k] = sum;
		}
}

void ds_ref_linear_dw(const ds_ref *r)
{
	int64_t n_in = r->in[0].cols, n_out = r->in[1].cols;
	for (int64_t k = 0; k < n_in; k++)
		for (int64_t o = 0; o < n_out; o++) {
			double *dw = &r->out[0].at[at_w(r->node, k, o, n_in, n_out)], sum = 0;
			for (int64_t i = 0; i < r->in[0].rows; i++)
				sum += r->in[0].at[i * n_in + k] * r->in[1].at[i * n_out + o];
			*dw = r->beta[0] * *dw + sum;
		}
}

void ds_ref_bias_grad(const ds_ref *r)
{
	int64_t cols = r->in[0].cols;
	for (int64_t o = 0; o < cols; o++) {
		double sum = 0;
		for (int64_t i = 0; i < r->in[0].rows; i++)
			sum += r->in[0].at[i * cols + o];
		r->out[0].at[o] = r->beta[0] * r->out[0].at[o] + sum;
	}
}

void ds_sa_linear(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 70), n_in = ds_sample_int(s, 1, 50);
	int64_t n_out = ds_sample_int(s, 1, 50);
	bool in_out = ds_sample_int(s, 0, 1);
	ds_tid x = ds_sample_tensor(s, rows, n_in);
	ds_tid w = ds_sample_tensor(s, in_out ? n_in : n_out, in_out ? n_out : n_in);
	ds_tid b = ds_sample_int(s, 0, 1) ? ds_sample_tensor(s, 0, n_out) : 0;
	ds_sample_output(s, ds_g_linear(s->g, x, w, b, in_out));
	/* A second reader of x makes linear_dx add to a gradient that is there. */
	ds_tid w2 = ds_sample_tensor(s, ds_sample_int(s, 3, 4), n_in);
	ds_sample_output(s, ds_g_linear(s->g, ds_g_scale(s->g, x, 0.5f), w2, 0, false));
}
