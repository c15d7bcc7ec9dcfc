/*
 * route.c - which experts a row goes to, and the losses that spread rows evenly
 *
 * Scores s are the softmax of all logits (Shazeer et al. 2017 and after them Mixtral, Qwen) or a sigmoid each
 * (DeepSeek-V3). The k experts with the largest s, plus a bias where there is one, are chosen; with groups (DeepSeek-V2)
 * from the top groups alone. A weight is s of a chosen expert, over their sum where the weights are normalised, times
 * scale. The choice has no gradient: route_grad takes that of the weights back to all logits.
 *
 * dispatch sorts the choices by expert, stably, so the order of sums does not depend on anything but the ids.
 *
 * A bias that follows loads has for its gradient the rows that each expert got, which add up over micro-batches and
 * ranks as gradients do; nudge moves it by the rate towards experts that got fewer than the mean.
 */
#include "base/mem.h"
#include "graph/op/op_impl.h"

#include <math.h>

/* How rows are cut. Logits of a cut of the experts are no choice. */
const char ds_sd_route[] = "rR>rr";
const char ds_sd_route_grad[] = "rrr>r";
const char ds_sd_route_loads[] = "r>P";

static ds_rc check_attr(const ds_graph *g, const ds_node *n, const ds_tensor *logits, ds_err *e)
{
	const ds_route_attr *a = &n->attr.route;
	if (ds_t_cols(logits) != a->experts || a->k < 1 || a->k > a->experts)
		return ds_fail(e, DS_BAD, "%s: %d of %d experts, logits for %lld",
			ds_op_of(n->op)->name, a->k, a->experts, (long long)ds_t_cols(logits));
	if (a->groups < 1 || a->experts % a->groups || a->top_groups < 1 ||
		a->top_groups > a->groups || a->k > a->experts / a->groups * a->top_groups)
		return ds_fail(e, DS_BAD, "%s: %d experts in %d groups, %d of %d groups",
			ds_op_of(n->op)->name, a->k, a->experts, a->top_groups, a->groups);
	return DS_OK;
}

ds_rc ds_sh_route(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	DS_TRY(check_attr(g, n, x, e));
	if (n->in[1])
		DS_TRY(ds_need_shape(g, n, 1, 0, ds_t_cols(x), e));
	out[0] = matrix(side_type(x->dtype), ds_t_rows(x), n->attr.route.k);
	out[1] = matrix(DS_I32, ds_t_rows(x), n->attr.route.k);
	return DS_OK;
}

/* in: the weights' gradient, logits, ids */
ds_rc ds_sh_route_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 1, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 1);
	DS_TRY(ds_need_shape(g, n, 0, ds_t_rows(x), n->attr.route.k, e));
	DS_TRY(ds_need_shape(g, n, 2, ds_t_rows(x), n->attr.route.k, e));
	out[0] = shape_of(x);
	return DS_OK;
}

ds_rc ds_sh_route_loads(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_type(g, n, 0, DS_I32, e));
	out[0] = vector(DS_F32, n->attr.route.experts);
	/* The gradient of a parameter in double, where all is computed so. */
	if (n->out[0] > 0)
		out[0].dtype = side_type(g->tensors[n->out[0]].dtype);
	return DS_OK;
}

ds_rc ds_sh_dispatch(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_type(g, n, 0, DS_I32, e));
	const ds_tensor *ids = in_of(g, n, 0);
	out[0] = shape_of(ids);
	out[1] = vector(DS_I32, ds_t_count(ids));
	out[2] = vector(DS_I32, n->attr.route.experts + 1);
	return DS_OK;
}

ds_rc ds_sh_route_stats(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	DS_TRY(check_attr(g, n, x, e));
	DS_TRY(ds_need_shape(g, n, 1, ds_t_rows(x), n->attr.route.k, e));
	out[0] = out[1] = vector(side_type(x->dtype), ds_t_cols(x));
	out[2] = vector(side_type(x->dtype), 1);
	return DS_OK;
}

/* in: the gradients of probs and z, either may be absent; logits */
ds_rc ds_sh_route_stats_grad(
	const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 2, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 2);
	if (n->in[0])
		DS_TRY(ds_need_shape(g, n, 0, 0, ds_t_cols(x), e));
	if (n->in[1])
		DS_TRY(ds_need_shape(g, n, 1, 0, 1, e));
	out[0] = shape_of(x);
	return DS_OK;
}

ds_rc ds_sh_balance(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, 0, -1, e));
	const ds_tensor *share = in_of(g, n, 0);
	DS_TRY(ds_need_shape(g, n, 1, 0, ds_t_cols(share), e));
	out[0] = vector(share->dtype, 1);
	return DS_OK;
}

/* in: the loss's gradient, share */
ds_rc ds_sh_balance_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, 0, 1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, -1, e));
	out[0] = shape_of(in_of(g, n, 1));
	return DS_OK;
}

ds_rc ds_sh_per_target(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, 0, 1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, -1, e));
	DS_TRY(ds_need_type(g, n, 1, DS_I32, e));
	DS_TRY(ds_need_shape(g, n, 2, 0, 1, e));
	out[0] = shape_of(in_of(g, n, 0));
	return DS_OK;
}

/* in: the parameter, the loads; out: the parameter */
ds_rc ds_sh_nudge(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, 0, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, ds_t_cols(in_of(g, n, 0)), e));
	out[0] = shape_of(in_of(g, n, 0));
	return DS_OK;
}

void ds_pr_route(const ds_node *n, ds_buf *out)
{
	const ds_route_attr *a = &n->attr.route;
	ds_buf_fmt(out, " k=%d %s%s", a->k, a->sigmoid ? "sigmoid" : "softmax",
		a->norm ? " norm" : "");
	if (a->groups > 1)
		ds_buf_fmt(out, " groups=%d/%d", a->top_groups, a->groups);
	if (a->scale != 1)
		ds_buf_fmt(out, " scale=%g", (double)a->scale);
}

void ds_pr_nudge(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " rate=%g", (double)n->attr.rate);
}

/* ---- gradients ---- */

void ds_gr_route(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	ds_tid dw = ds_grad_of(c, n->out[0]);
	if (dw && ds_grad_needed(c, n->in[0])) {
		const ds_node *dx = ds_g_node(g, (ds_node){ .op = DS_OP_route_grad,
							 .attr = n->attr,
							 .in = { dw, n->in[0], n->out[1] } });
		ds_grad_give(c, n->in[0], dx ? dx->out[0] : 0);
	}
	ds_tid loads = ds_grad_param(c, n->in[1]);
	if (loads)
		ds_g_node(g, (ds_node){ .op = DS_OP_route_loads,
				     .attr = n->attr,
				     .in = { n->out[1] },
				     .out = { loads } });
}

void ds_gr_route_stats(ds_grad *c, const ds_node *n)
{
	ds_tid dp = ds_grad_of(c, n->out[1]), dz = ds_grad_of(c, n->out[2]);
	if (!dp && !dz)
		return; /* shares are counts */
	const ds_node *dx = ds_g_node(ds_grad_graph(c), (ds_node){ .op = DS_OP_route_stats_grad,
								.attr = n->attr,
								.in = { dp, dz, n->in[0] } });
	ds_grad_give(c, n->in[0], dx ? dx->out[0] : 0);
}

void ds_gr_balance(ds_grad *c, const ds_node *n)
{
	const ds_node *d =
		ds_g_node(ds_grad_graph(c), (ds_node){ .op = DS_OP_balance_grad,
						    .in = { ds_grad_of(c, n->out[0]), n->in[0] } });
	ds_grad_give(c, n->in[1], d ? d->out[0] : 0);
}

void ds_gr_per_target(ds_grad *c, const ds_node *n)
{
	const ds_node *d = ds_g_node(
		ds_grad_graph(c), (ds_node){ .op = DS_OP_per_target,
					  .in = { ds_grad_of(c, n->out[0]), n->in[1], n->in[2] } });
	ds_grad_give(c, n->in[0], d ? d->out[0] : 0);
}

/* ---- references ---- */

/* A row's scores; returns the log of the sum of exponentials. */
static double scores(const ds_route_attr *a, const double *x, double *s)
{
	double top = x[0], sum = 0;
	for (int e = 1; e < a->experts; e++)
		top = fmax(top, x[e]);
	for (int e = 0; e < a->experts; e++)
		sum += s[e] = exp(x[e] - top);
	for (int e = 0; e < a->experts; e++)
		s[e] = a->sigmoid ? 1 / (1 + exp(-x[e])) : s[e] / sum;
	return top + log(sum);
}

/* The best that is not taken yet; some of [from, to) is free. */
static int best_of(const double *v, const bool *taken, int from, int to)
{
	int best = -1;
	for (int e = from; e < to; e++)
		if (!taken[e] && (best < 0 || v[e] > v[best]))
			best = e;
	return best;
}

/* Experts outside the best groups count as taken. */
static void close_groups(const ds_route_attr *a, const double *v, bool *taken)
{
	int size = a->experts / a->groups;
	double *worth = ds_mem_zero((size_t)a->groups * sizeof(*worth));
	bool *open = ds_mem_zero((size_t)a->groups);
	for (int g = 0; g < a->groups; g++) {
		for (int i = 0; i < a->group_best && i < size; i++) {
			int e = best_of(v, taken, g * size, (g + 1) * size);
			worth[g] += v[e];
			taken[e] = true;
		}
		memset(taken + g * size, 0, (size_t)size);
	}
	for (int i = 0; i < a->top_groups; i++)
		open[best_of(worth, open, 0, a->groups)] = true;
	for (int e = 0; e < a->experts; e++)
		taken[e] = !open[e / size];
	ds_mem_free(worth);
	ds_mem_free(open);
}

void ds_ref_route(const ds_ref *r)
{
	const ds_route_attr *a = &r->node->attr.route;
	size_t n = (size_t)a->experts;
	double *s = ds_mem_get(n * sizeof(*s)), *v = ds_mem_get(n * sizeof(*v));
	bool *taken = ds_mem_get(n);
	for (int64_t i = 0; i < r->in[0].rows; i++) {
		double *w = &r->out[0].at[i * a->k], sum = 0;
		scores(a, &r->in[0].at[i * a->experts], s);
		memset(taken, 0, n);
		for (int e = 0; e < a->experts; e++)
			v[e] = s[e] + (r->in[1].at ? r->in[1].at[e] : 0);
		if (a->groups > 1)
			close_groups(a, v, taken);
		for (int j = 0; j < a->k; j++) {
			int e = best_of(v, taken, 0, a->experts);
			taken[e] = true;
			r->out[1].at[i * a->k + j] = e;
			sum += w[j] = s[e];
		}
		for (int j = 0; j < a->k; j++)
			w[j] *= a->norm ? (double)a->scale / (sum + DS_ROUTE_EPS)
					: (double)a->scale;
	}
	ds_mem_free(taken);
	ds_mem_free(v);
	ds_mem_free(s);
}

/* dx from the scores' gradients d, which it takes over. */
static void back(const ds_route_attr *a, const double *s, double *d, double *dx)
{
	double all = 0;
	for (int e = 0; e < a->experts; e++)
		all += d[e] * s[e];
	for (int e = 0; e < a->experts; e++)
		dx[e] += a->sigmoid ? d[e] * s[e] * (1 - s[e]) : s[e] * (d[e] - all);
}

void ds_ref_route_grad(const ds_ref *r)
{
	const ds_route_attr *a = &r->node->attr.route;
	size_t n = (size_t)a->experts;
	double *s = ds_mem_get(n * sizeof(*s)), *d = ds_mem_get(n * sizeof(*d));
	for (int64_t i = 0; i < r->out[0].rows; i++) {
		const double *dw = &r->in[0].at[i * a->k], *ids = &r->in[2].at[i * a->k];
		double sum = DS_ROUTE_EPS, dot = 0, *dx = &r->out[0].at[i * a->experts];
		scores(a, &r->in[1].at[i * a->experts], s);
		memset(d, 0, n * sizeof(*d));
		memset(dx, 0, n * sizeof(*dx));
		for (int j = 0; j < a->k; j++) {
			sum += s[(int)ids[j]];
			dot += dw[j] * s[(int)ids[j]];
		}
		for (int j = 0; j < a->k; j++)
			d[(int)ids[j]] =
				(double)a->scale * (a->norm ? (dw[j] - dot / sum) / sum : dw[j]);
		back(a, s, d, dx);
	}
	ds_mem_free(d);
	ds_mem_free(s);
}

void ds_ref_route_loads(const ds_ref *r)
{
	for (int64_t e = 0; e < r->out[0].cols; e++)
		r->out[0].at[e] *= r->beta[0];
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		r->out[0].at[(int)r->in[0].at[i]] += 1;
}

void ds_ref_dispatch(const ds_ref *r)
{
	int64_t n = r->in[0].rows * r->in[0].cols, slot = 0;
	for (int e = 0; e < r->node->attr.route.experts; e++) {
		r->out[2].at[e] = (double)slot;
		for (int64_t i = 0; i < n; i++)
			if ((int)r->in[0].at[i] == e) {
				r->out[0].at[i] = (double)slot;
				r->out[1].at[slot++] = (double)i;
			}
	}
	r->out[2].at[r->node->attr.route.experts] = (double)slot;
}

static double sum_of(const double *v, int n)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += v[i];
	return sum;
}

void ds_ref_route_stats(const ds_ref *r)
{
	const ds_route_attr *a = &r->node->attr.route;
	double *s = ds_mem_get((size_t)a->experts * sizeof(*s)), rows = (double)r->in[0].rows;
	for (int k = 0; k < 3; k++)
		for (int64_t e = 0; e < r->out[k].cols; e++)
			r->out[k].at[e] = 0;
	for (int64_t i = 0; i < r->in[0].rows; i++) {
		double z = scores(a, &r->in[0].at[i * a->experts], s), all = sum_of(s, a->experts);
		for (int j = 0; j < a->k; j++)
			r->out[0].at[(int)r->in[1].at[i * a->k + j]] += 1 / rows;
		for (int e = 0; e < a->experts; e++)
			r->out[1].at[e] += s[e] / all / rows;
		r->out[2].at[0] += z * z / rows;
	}
	ds_mem_free(s);
}

void ds_ref_route_stats_grad(const ds_ref *r)
{
	const ds_route_attr *a = &r->node->attr.route;
	ds_route_attr soft = *a;
	size_t n = (size_t)a->experts;
	double *s = ds_mem_get(n * sizeof(*s)), *d = ds_mem_get(n * sizeof(*d));
	double rows = (double)r->out[0].rows, dz = r->in[1].at ? r->in[1].at[0] : 0;
	soft.sigmoid = false;
	for (int64_t i = 0; i < r->out[0].rows; i++) {
		const double *x = &r->in[2].at[i * a->experts];
		double *dx = &r->out[0].at[i * a->experts], dot = 0;
		memset(dx, 0, n * sizeof(*dx));
		scores(a, x, s);
		double all = sum_of(s, a->experts);
		for (int e = 0; r->in[0].at && e < a->experts; e++)
			dot += r->in[0].at[e] * s[e] / all;
		for (int e = 0; e < a->experts; e++)
			d[e] = r->in[0].at ? (r->in[0].at[e] - dot) / all / rows : 0;
		back(a, s, d, dx);
		double z = scores(&soft, x, s);
		for (int e = 0; e < a->experts; e++)
			dx[e] += dz * 2 * z * s[e] / rows;
	}
	ds_mem_free(d);
	ds_mem_free(s);
}

void ds_ref_balance(const ds_ref *r)
{
	double sum = 0;
	for (int64_t e = 0; e < r->in[0].cols; e++)
		sum += r->in[0].at[e] * r->in[1].at[e];
	r->out[0].at[0] = (double)r->in[0].cols * sum;
}

void ds_ref_balance_grad(const ds_ref *r)
{
	for (int64_t e = 0; e < r->out[0].cols; e++)
		r->out[0].at[e] = (double)r->out[0].cols * r->in[1].at[e] * r->in[0].at[0];
}

void ds_ref_per_target(const ds_ref *r)
{
	double n = 0;
	for (int64_t i = 0; i < r->in[1].cols; i++)
		n += r->in[1].at[i] >= 0;
	r->out[0].at[0] = r->in[0].at[0] * n * r->in[2].at[0];
}

void ds_ref_nudge(const ds_ref *r)
{
	int64_t n = r->out[0].cols;
	double all = sum_of(r->in[1].at, (int)n);
	for (int64_t e = 0; e < n; e++) {
		double lack = all - (double)n * r->in[1].at[e];
		r->out[0].at[e] = r->in[0].at[e] +
				  (double)r->node->attr.rate * (double)((lack > 0) - (lack < 0));
	}
}

/* ---- samples ---- */

static ds_route_attr sample_attr(ds_sample *s, int32_t experts)
{
	ds_route_attr a = { .experts = experts, .groups = 1, .top_groups = 1, .group_best = 1 };
	a.k = (int32_t)ds_sample_int(s, 1, experts < 5 ? experts : 5);
	a.sigmoid = ds_sample_int(s, 0, 1);
	a.norm = ds_sample_int(s, 0, 1) && a.k > 1; /* one weight would always be 1 */
	a.scale = ds_sample_int(s, 0, 1) ? 1 : 2.5f;
	if (experts % 4 == 0 && experts / 2 >= a.k && ds_sample_int(s, 0, 1)) {
		a.groups = 4;
		a.top_groups = 2;
		a.group_best = (int32_t)ds_sample_int(s, 1, 2);
	}
	return a;
}

void ds_sa_route(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40);
	int32_t experts = (int32_t)(ds_sample_int(s, 0, 1) ? 8 : ds_sample_int(s, 1, 70));
	ds_tid x = ds_sample_tensor(s, rows, experts);
	ds_tid bias = ds_sample_int(s, 0, 1) ? ds_sample_tensor(s, 0, experts) : 0;
	ds_g_follow_loads(s->g, bias, 0.001f);
	ds_sample_output(s, ds_g_route(s->g, x, bias, sample_attr(s, experts)).weights);
}

void ds_sa_route_stats(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40);
	int32_t experts = (int32_t)ds_sample_int(s, 1, 40);
	ds_route_attr a = sample_attr(s, experts);
	ds_tid x = ds_sample_tensor(s, rows, experts);
	ds_routed r = ds_g_route(s->g, x, 0, a);
	ds_route_stats t = ds_g_route_stats(s->g, x, r.ids, a);
	ds_g_keep(s->g, t.share, NULL);
	ds_sample_output(s, t.probs);
	ds_sample_output(s, t.z);
}

void ds_sa_balance(ds_sample *s)
{
	int64_t experts = ds_sample_int(s, 1, 40);
	float share[40];
	for (int64_t e = 0; e < experts; e++)
		share[e] = (float)ds_sample_int(s, 0, 9) / 8;
	ds_tid f = ds_g_const(s->g, "share", DS_F32, 1, &experts, share);
	ds_sample_output(s, ds_g_balance(s->g, f, ds_sample_tensor(s, 0, experts)));
}

void ds_sa_per_target(ds_sample *s)
{
	ds_tid x = ds_sample_tensor(s, 0, 1);
	ds_tid targets = ds_sample_ids(s, ds_sample_int(s, 1, 40), -1, 3);
	ds_tid inv = ds_g_const(s->g, "inv", DS_F32, DS_DIMS(1), &(float){ 0.125f });
	ds_sample_output(s, ds_g_per_target(s->g, x, targets, inv));
}
