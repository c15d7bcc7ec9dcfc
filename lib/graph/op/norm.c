/*
 * norm.c - LayerNorm and RMSNorm, with the residual sum in front
 *
 * in: x[rows, C], residual or 0, w[D], b[D] or 0. out: y, the sum x + residual (only where there is
 * a residual), stats[rows, 2 C / D] = mean and 1 / deviation, kept for the gradient. D is C, or a part
 * of it: then every D columns (a head of q or k) are normalised on their own.
 * y = (s - mean) * rstd * w + b; RMSNorm has mean 0 (Zhang and Sennrich, 2019).
 */
#include "graph/op/op_impl.h"

#include <math.h>

/* w is as wide as x, or as a part of it. */
static ds_rc need_width(const ds_graph *g, const ds_node *n, int64_t cols, ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 2, 0, -1, e));
	int64_t width = ds_t_cols(in_of(g, n, 2));
	return cols % width ? ds_need_shape(g, n, 2, 0, cols, e) : DS_OK;
}

ds_rc ds_sh_norm(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	if (n->in[1])
		DS_TRY(ds_need_shape(g, n, 1, ds_t_rows(x), ds_t_cols(x), e));
	DS_TRY(need_width(g, n, ds_t_cols(x), e));
	int64_t width = ds_t_cols(in_of(g, n, 2));
	if (n->in[3])
		DS_TRY(ds_need_shape(g, n, 3, 0, width, e));
	out[0] = shape_of(x);
	if (n->in[1])
		out[1] = shape_of(x);
	out[2] = matrix(side_type(x->dtype), ds_t_rows(x), 2 * ds_t_cols(x) / width);
	return DS_OK;
}

/* in: dy, s, w, stats, the gradient of s so far or 0; out: ds, dw, db */
ds_rc ds_sh_norm_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	DS_TRY(ds_need_shape(g, n, 1, ds_t_rows(x), ds_t_cols(x), e));
	DS_TRY(need_width(g, n, ds_t_cols(x), e));
	int64_t width = ds_t_cols(in_of(g, n, 2));
	DS_TRY(ds_need_shape(g, n, 3, ds_t_rows(x), 2 * ds_t_cols(x) / width, e));
	if (n->in[4])
		DS_TRY(ds_need_shape(g, n, 4, ds_t_rows(x), ds_t_cols(x), e));
	out[0] = shape_of(x);
	out[1] = out[2] = vector(in_of(g, n, 2)->dtype, width);
	return DS_OK;
}

const char ds_sd_norm[] = "rrRR>rrr hhRR>hhh";
const char ds_sd_norm_grad[] = "rrRrr>rPP hhRhh>hPP";

void ds_pr_norm(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " %s eps=%g", n->attr.norm.rms ? "rms" : "layer", (double)n->attr.norm.eps);
}

void ds_gr_norm(ds_grad *c, const ds_node *n)
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

/* Columns of row i: the part of this number that is as wide as w. */
static void norm_part(const ds_ref *r, int64_t i, int64_t part)
{
	int64_t n = r->in[2].cols, cols = r->in[0].cols, at = i * cols + part * n;
	bool rms = r->node->attr.norm.rms;
	double mean = 0, var = 0, *stats = r->out[2].at + 2 * (i * (cols / n) + part);
	const double *x = r->in[0].at + at, *add = r->in[1].at ? r->in[1].at + at : NULL;
#define S(j) (x[j] + (add ? add[j] : 0))
	for (int64_t j = 0; j < n && !rms; j++)
		mean += S(j) / (double)n;
	for (int64_t j = 0; j < n; j++)
		var += (S(j) - mean) * (S(j) - mean) / (double)n;
	double rstd = 1 / sqrt(var + r->node->attr.norm.eps);
	for (int64_t j = 0; j < n; j++) {
		double s = S(j);
		r->out[0].at[at + j] =
			(s - mean) * rstd * r->in[2].at[j] + (r->in[3].at ? r->in[3].at[j] : 0);
		if (r->out[1].at)
			r->out[1].at[at + j] = s;
	}
#undef S
	stats[0] = mean;
	stats[1] = rstd;
}

void ds_ref_norm(const ds_ref *r)
{
	for (int64_t i = 0; i < r->in[0].rows; i++)
		for (int64_t part = 0; part < r->in[0].cols / r->in[2].cols; part++)
			norm_part(r, i, part);
}

static void grad_part(const ds_ref *r, int64_t i, int64_t part)
{
	int64_t n = r->in[2].cols, cols = r->in[0].cols, at = i * cols + part * n;
	const double *dy = r->in[0].at + at, *s = r->in[1].at + at, *w = r->in[2].at;
	const double *stats = r->in[3].at + 2 * (i * (cols / n) + part);
	double mean = stats[0], rstd = stats[1], g0 = 0, g1 = 0;
	for (int64_t j = 0; j < n; j++) {
		double hat = (s[j] - mean) * rstd;
		g0 += dy[j] * w[j] / (double)n;
		g1 += dy[j] * w[j] * hat / (double)n;
		if (r->out[1].at)
			r->out[1].at[j] += dy[j] * hat;
		if (r->out[2].at)
			r->out[2].at[j] += dy[j];
	}
	if (r->node->attr.norm.rms)
		g0 = 0;
	for (int64_t j = 0; j < n && r->out[0].at; j++)
		r->out[0].at[at + j] = (r->in[4].at ? r->in[4].at[at + j] : 0) +
				       rstd * (dy[j] * w[j] - g0 - (s[j] - mean) * rstd * g1);
}

void ds_ref_norm_grad(const ds_ref *r)
{
	for (int k = 1; k <= 2; k++)
		for (int64_t j = 0; j < r->out[k].cols && r->out[k].at; j++)
			r->out[k].at[j] *= r->beta[k];
	for (int64_t i = 0; i < r->in[0].rows; i++)
		for (int64_t part = 0; part < r->in[0].cols / r->in[2].cols; part++)
			grad_part(r, i, part);
}

void ds_sa_norm(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 80), width = ds_sample_int(s, 2, 70);
	int64_t cols = width * ds_sample_int(s, 1, 3);
	bool rms = ds_sample_int(s, 0, 1), residual = ds_sample_int(s, 0, 1);
	ds_tid x = ds_sample_tensor(s, rows, cols);
	ds_tid add = residual ? ds_sample_tensor(s, rows, cols) : 0;
	ds_tid w = ds_sample_tensor(s, 0, width), b = rms ? 0 : ds_sample_tensor(s, 0, width),
	       sum = 0;
	ds_norm_attr a = { .rms = rms, .eps = 1e-5f };
	ds_sample_output(s, ds_g_norm(s->g, x, add, w, b, a, &sum));
	if (sum != x)
		ds_sample_output(s, sum);
}
