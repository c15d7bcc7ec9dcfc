/*
 * norm.c - LayerNorm and RMSNorm, with the residual sum in front
 *
 * in: x[rows, C], residual or 0, w[C], b[C] or 0. out: y, the sum x + residual (only where there is
 * a residual), stats[rows, 2] = mean and 1 / deviation of a row, kept for the gradient.
 * y = (s - mean) * rstd * w + b; RMSNorm has mean 0 (Zhang and Sennrich, 2019).
 */
#include "graph/op/op_impl.h"

#include <math.h>

ds_rc sh_norm(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	if (n->in[1])
		DS_TRY(need_shape(g, n, 1, ds_t_rows(x), ds_t_cols(x), e));
	DS_TRY(need_shape(g, n, 2, 0, ds_t_cols(x), e));
	if (n->in[3])
		DS_TRY(need_shape(g, n, 3, 0, ds_t_cols(x), e));
	out[0] = shape_of(x);
	if (n->in[1])
		out[1] = shape_of(x);
	out[2] = matrix(side_type(x->dtype), ds_t_rows(x), 2);
	return DS_OK;
}

/* in: dy, s, w, stats, the gradient of s so far or 0; out: ds, dw, db */
ds_rc sh_norm_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	DS_TRY(need_shape(g, n, 1, ds_t_rows(x), ds_t_cols(x), e));
	DS_TRY(need_shape(g, n, 2, 0, ds_t_cols(x), e));
	DS_TRY(need_shape(g, n, 3, ds_t_rows(x), 2, e));
	if (n->in[4])
		DS_TRY(need_shape(g, n, 4, ds_t_rows(x), ds_t_cols(x), e));
	out[0] = shape_of(x);
	out[1] = out[2] = vector(in_of(g, n, 2)->dtype, ds_t_cols(x));
	return DS_OK;
}

void gr_norm(ds_grad *c, const ds_node *n)
{
	ds_tid x = n->in[0], residual = n->in[1], sum = residual ? n->out[1] : x;
	ds_tid dy = ds_grad_of(c, n->out[0]);
	bool dx = ds_grad_needed(c, x) || ds_grad_needed(c, residual);
	ds_tid dw = ds_grad_param(c, n->in[2]), db = ds_grad_param(c, n->in[3]);
	ds_tid before = residual ? ds_grad_of(c, sum) : dx ? ds_grad_take(c, x) : 0;
	ds_tid ds = before; /* the sum alone was used */
	if (dy && (dx || dw || db)) {
		const ds_node *b = ds_g_node(ds_grad_graph(c),
			(ds_node){ .op = DS_OP_norm_grad,
				.attr = n->attr,
				.in = { dy, sum, n->in[2], n->out[2], dx ? before : 0 },
				.out = { dx ? 0 : DS_NOT_WANTED, dw ? dw : DS_NOT_WANTED,
					db ? db : DS_NOT_WANTED } });
		ds = b && dx ? b->out[0] : 0;
	}
	ds_grad_give(c, x, ds);
	ds_grad_give(c, residual, ds);
}

void ref_norm(const ds_ref *r)
{
	int64_t cols = r->in[0].cols;
	bool rms = r->node->attr.norm.rms;
	for (int64_t i = 0; i < r->in[0].rows; i++) {
		double mean = 0, var = 0;
		const double *x = r->in[0].at + i * cols;
		const double *add = r->in[1].at ? r->in[1].at + i * cols : NULL;
#define S(j) (x[j] + (add ? add[j] : 0))
		for (int64_t j = 0; j < cols && !rms; j++)
			mean += S(j) / (double)cols;
		for (int64_t j = 0; j < cols; j++)
			var += (S(j) - mean) * (S(j) - mean) / (double)cols;
		double rstd = 1 / sqrt(var + r->node->attr.norm.eps);
		for (int64_t j = 0; j < cols; j++) {
			double s = S(j);
			r->out[0].at[i * cols + j] = (s - mean) * rstd * r->in[2].at[j] +
						     (r->in[3].at ? r->in[3].at[j] : 0);
			if (r->out[1].at)
				r->out[1].at[i * cols + j] = s;
		}
#undef S
		r->out[2].at[2 * i] = mean;
		r->out[2].at[2 * i + 1] = rstd;
	}
}

static void grad_row(const ds_ref *r, int64_t i)
{
	int64_t cols = r->in[0].cols;
	const double *dy = r->in[0].at + i * cols, *s = r->in[1].at + i * cols, *w = r->in[2].at;
	double mean = r->in[3].at[2 * i], rstd = r->in[3].at[2 * i + 1], g0 = 0, g1 = 0;
	for (int64_t j = 0; j < cols; j++) {
		double hat = (s[j] - mean) * rstd;
		g0 += dy[j] * w[j] / (double)cols;
		g1 += dy[j] * w[j] * hat / (double)cols;
		if (r->out[1].at)
			r->out[1].at[j] += dy[j] * hat;
		if (r->out[2].at)
			r->out[2].at[j] += dy[j];
	}
	if (r->node->attr.norm.rms)
		g0 = 0;
	for (int64_t j = 0; j < cols && r->out[0].at; j++)
		r->out[0].at[i * cols + j] = (r->in[4].at ? r->in[4].at[i * cols + j] : 0) +
					     rstd * (dy[j] * w[j] - g0 - (s[j] - mean) * rstd * g1);
}

void ref_norm_grad(const ds_ref *r)
{
	for (int k = 1; k <= 2; k++)
		for (int64_t j = 0; j < r->out[k].cols && r->out[k].at; j++)
			r->out[k].at[j] *= r->beta[k];
	for (int64_t i = 0; i < r->in[0].rows; i++)
		grad_row(r, i);
}

void sa_norm(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 80), cols = ds_sample_int(s, 2, 70);
	bool rms = ds_sample_int(s, 0, 1), residual = ds_sample_int(s, 0, 1);
	ds_tid x = ds_sample_tensor(s, rows, cols);
	ds_tid add = residual ? ds_sample_tensor(s, rows, cols) : 0;
	ds_tid w = ds_sample_tensor(s, 0, cols), b = rms ? 0 : ds_sample_tensor(s, 0, cols),
	       sum = 0;
	ds_norm_attr a = { .rms = rms, .eps = 1e-5f };
	ds_sample_output(s, ds_g_norm(s->g, x, add, w, b, a, &sum));
	if (sum != x)
		ds_sample_output(s, sum);
}
