/*
 * route.c - which experts a row goes to; rows are few numbers, and all of it is little beside the experts' products
 */
#include "graph/cpu/cpu_impl.h"
#include "graph/op.h"

#include <math.h>
#include <string.h>

/* ---- scores ---- */

/* Returns the log of the sum of exponentials; s may not be x. */
static float scores(const ds_route_attr *a, const float *x, float *s)
{
	const ds_simd *v = ds_simd_now();
	float top = v->max(x, a->experts);
	memcpy(s, x, (size_t)a->experts * sizeof(*s));
	float sum = v->exp_sum(s, 1, top, a->experts);
	if (a->sigmoid)
		v->act(DS_ACT_SIGMOID, s, x, a->experts);
	else
		v->scale(s, s, 1 / sum, a->experts);
	return top + logf(sum);
}

static float sum_of(const float *s, int32_t n)
{
	float sum = 0;
	for (int32_t e = 0; e < n; e++)
		sum += s[e];
	return sum;
}

/* ---- the choice ---- */

/* The best that is not taken yet; some of [from, to) is free, and NaNs are never better. */
static int32_t best_of(const float *v, const uint8_t *taken, int32_t from, int32_t to)
{
	int32_t best = -1;
	for (int32_t e = from; e < to; e++)
		if (!taken[e] && (best < 0 || v[e] > v[best]))
			best = e;
	return best;
}

/* Scratch of a worker: scores, what is compared, sums of groups; then the marks. */
typedef struct {
	float *s, *v, *worth;
	uint8_t *taken, *open;
} workspace;

static size_t workspace_bytes(const ds_job *j)
{
	return (size_t)j->node->attr.route.experts * (3 * sizeof(float) + 2);
}

static workspace workspace_of(const ds_job *j, unsigned worker)
{
	int64_t n = j->node->attr.route.experts;
	float *s = ds_job_worker(j, worker);
	uint8_t *marks = (uint8_t *)(s + 3 * n);
	return (workspace){ s, s + n, s + 2 * n, marks, marks + n };
}

static void close_groups(const ds_route_attr *a, workspace *r)
{
	int32_t size = a->experts / a->groups;
	memset(r->open, 0, (size_t)a->groups);
	for (int32_t g = 0; g < a->groups; g++) {
		r->worth[g] = 0;
		for (int32_t i = 0; i < a->group_best && i < size; i++) {
			int32_t e = best_of(r->v, r->taken, g * size, (g + 1) * size);
			r->worth[g] += r->v[e];
			r->taken[e] = 1;
		}
		memset(r->taken + g * size, 0, (size_t)size);
	}
	for (int32_t i = 0; i < a->top_groups; i++)
		r->open[best_of(r->worth, r->open, 0, a->groups)] = 1;
	for (int32_t e = 0; e < a->experts; e++)
		r->taken[e] = !r->open[e / size];
}

static void route_row(const ds_job *j, int64_t i, workspace *r)
{
	const ds_route_attr *a = &j->node->attr.route;
	float *w = row_of(&j->out[0], i), sum = 0;
	int32_t *ids = (int32_t *)elem_of(&j->out[1], i, 0);
	scores(a, row_of(&j->in[0], i), r->s);
	memcpy(r->v, r->s, (size_t)a->experts * sizeof(float));
	if (j->in[1].data)
		ds_simd_now()->add(r->v, r->v, j->in[1].data, a->experts);
	memset(r->taken, 0, (size_t)a->experts);
	if (a->groups > 1)
		close_groups(a, r);
	for (int32_t k = 0; k < a->k; k++) {
		int32_t e = best_of(r->v, r->taken, 0, a->experts);
		r->taken[e] = 1;
		ids[k] = e;
		sum += w[k] = r->s[e];
	}
	float by = a->norm ? a->scale / (sum + (float)DS_ROUTE_EPS) : a->scale;
	for (int32_t k = 0; k < a->k; k++)
		w[k] *= by;
}

/* Rows are cut as those of the logits. */
static int64_t logit_tiles(const ds_job *j, int64_t stage)
{
	return ceil_div(j->out[0].rows, rows_a_tile(j->node->attr.route.experts));
}

static void logit_rows(const ds_job *j, int64_t tile, int64_t rows, int64_t *from, int64_t *to)
{
	int64_t step = rows_a_tile(j->node->attr.route.experts);
	*from = tile * step;
	*to = min_i64(*from + step, rows);
}

static void route(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	workspace r = workspace_of(j, worker);
	int64_t i, to;
	for (logit_rows(j, tile, j->out[0].rows, &i, &to); i < to; i++)
		route_row(j, i, &r);
}

/* dx from the scores' gradients */
static void back(const ds_route_attr *a, const float *s, const float *d, float *dx)
{
	float all = 0;
	for (int32_t e = 0; e < a->experts; e++)
		all += d[e] * s[e];
	for (int32_t e = 0; e < a->experts; e++)
		dx[e] = a->sigmoid ? d[e] * s[e] * (1 - s[e]) : s[e] * (d[e] - all);
}

static void route_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_route_attr *a = &j->node->attr.route;
	workspace r = workspace_of(j, worker);
	int64_t i, to;
	for (logit_rows(j, tile, j->out[0].rows, &i, &to); i < to; i++) {
		const float *dw = row_of(&j->in[0], i);
		const int32_t *ids = (const int32_t *)elem_of(&j->in[2], i, 0);
		float sum = (float)DS_ROUTE_EPS, dot = 0;
		scores(a, row_of(&j->in[1], i), r.s);
		memset(r.v, 0, (size_t)a->experts * sizeof(float));
		for (int32_t k = 0; k < a->k; k++) {
			sum += r.s[ids[k]];
			dot += dw[k] * r.s[ids[k]];
		}
		for (int32_t k = 0; k < a->k; k++)
			r.v[ids[k]] = a->scale * (a->norm ? (dw[k] - dot / sum) / sum : dw[k]);
		back(a, r.s, r.v, row_of(&j->out[0], i));
	}
}

const ds_kernel ds_cpu_route = {
	.tiles = logit_tiles, .worker_bytes = workspace_bytes, .tile = route, .any_type = true
};
const ds_kernel ds_cpu_route_grad = {
	.tiles = logit_tiles, .worker_bytes = workspace_bytes, .tile = route_grad
};

/* ---- sorting, counting: one pass over small numbers, on one thread ---- */

static void dispatch(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	int32_t *slots = j->out[0].data, *source = j->out[1].data, *offsets = j->out[2].data;
	int32_t experts = j->node->attr.route.experts, k = (int32_t)j->in[0].cols;
	int32_t *next = (int32_t *)j->shared, n = 0;
	memset(next, 0, (size_t)experts * sizeof(*next));
	for (int64_t i = 0; i < j->in[0].rows; i++)
		for (int32_t c = 0; c < k; c++)
			next[*(const int32_t *)elem_of(&j->in[0], i, c)]++;
	for (int32_t e = 0; e < experts; e++) {
		int32_t count = next[e];
		next[e] = offsets[e] = n;
		n += count;
	}
	offsets[experts] = n;
	for (int64_t i = 0; i < j->in[0].rows; i++)
		for (int32_t c = 0; c < k; c++) {
			int32_t slot = next[*(const int32_t *)elem_of(&j->in[0], i, c)]++;
			slots[i * j->out[0].ld + c] = slot;
			source[slot] = (int32_t)i * k + c;
		}
}

static size_t counts_bytes(const ds_job *j)
{
	return (size_t)j->node->attr.route.experts * sizeof(int32_t);
}

static void route_loads(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	float *loads = j->out[0].data;
	for (int64_t e = 0; e < j->out[0].cols && j->beta[0] == 0; e++)
		loads[e] = 0;
	for (int64_t i = 0; i < j->in[0].rows; i++)
		for (int64_t c = 0; c < j->in[0].cols; c++)
			loads[*(const int32_t *)elem_of(&j->in[0], i, c)] += 1;
}

const ds_kernel ds_cpu_dispatch = {
	.shared_bytes = counts_bytes, .tile = dispatch, .any_type = true
};
const ds_kernel ds_cpu_route_loads = { .tile = route_loads };

/* ---- statistics: in double, in the rows' order ---- */

static size_t stats_bytes(const ds_job *j)
{
	return (size_t)j->node->attr.route.experts * (sizeof(double) + sizeof(float));
}

static void route_stats(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_route_attr *a = &j->node->attr.route;
	float *share = j->out[0].data, *probs = j->out[1].data, *z = j->out[2].data;
	double *sum = (double *)j->shared, squares = 0, rows = (double)j->in[0].rows;
	float *s = (float *)(sum + a->experts);
	for (int32_t e = 0; e < a->experts; e++)
		sum[e] = share[e] = 0;
	for (int64_t i = 0; i < j->in[0].rows; i++) {
		double log_sum = (double)scores(a, row_of(&j->in[0], i), s);
		double all = a->sigmoid ? (double)sum_of(s, a->experts) : 1;
		for (int32_t k = 0; k < a->k; k++)
			share[*(const int32_t *)elem_of(&j->in[1], i, k)] += 1;
		for (int32_t e = 0; e < a->experts; e++)
			sum[e] += (double)s[e] / all;
		squares += log_sum * log_sum;
	}
	for (int32_t e = 0; e < a->experts; e++) {
		share[e] = (float)((double)share[e] / rows);
		probs[e] = (float)(sum[e] / rows);
	}
	*z = (float)(squares / rows);
}

static void route_stats_grad(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	const ds_route_attr *a = &j->node->attr.route;
	const ds_simd *v = ds_simd_now();
	const float *dp = j->in[0].data, *dz = j->in[1].data;
	ds_route_attr soft = *a;
	workspace r = workspace_of(j, worker);
	float rows = (float)j->out[0].rows;
	int64_t i, to;
	soft.sigmoid = false;
	for (logit_rows(j, tile, j->out[0].rows, &i, &to); i < to; i++) {
		float *dx = row_of(&j->out[0], i), *x = row_of(&j->in[2], i), dot = 0;
		scores(a, x, r.s);
		float all = a->sigmoid ? sum_of(r.s, a->experts) : 1;
		for (int32_t e = 0; e < a->experts && dp; e++)
			dot += dp[e] * r.s[e] / all;
		for (int32_t e = 0; e < a->experts; e++)
			r.v[e] = dp ? (dp[e] - dot) / all / rows : 0;
		back(a, r.s, r.v, dx);
		if (dz) {
			float log_sum = scores(&soft, x, r.s);
			v->add_scaled(dx, r.s, *dz * 2 * log_sum / rows, a->experts);
		}
	}
}

const ds_kernel ds_cpu_route_stats = { .shared_bytes = stats_bytes, .tile = route_stats };
const ds_kernel ds_cpu_route_stats_grad = {
	.tiles = logit_tiles, .worker_bytes = workspace_bytes, .tile = route_stats_grad
};
