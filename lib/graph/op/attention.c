/*
 * attention.c - o = softmax(scale q k^T + mask) v, by head, and a cache of keys or values
 *
 * in: q[rows, H*D], k and v[kv rows, K*D], and optionally first, last [rows], past, slots [batch]: which
 * keys a query sees is said at ds_g_attention. Head h reads keys of head h / (H / K). out: o, and
 * lse[rows, H] = log of the sum of exp of a row's scores, from which the gradient makes the row
 * again instead of keeping it (Dao et al., 2022). A row that sees nothing has o = 0, lse = 0.
 */
#include "graph/op/op_impl.h"

#include <math.h>

static ds_rc check(const ds_graph *g, const ds_node *n, ds_err *e)
{
	const ds_attention_attr *a = &n->attr.attention;
	if (a->heads < 1 || a->kv_heads < 1 || a->head_dim < 1 || a->heads % a->kv_heads != 0 ||
		a->seq < 1 || a->kv_seq < 1)
		return ds_fail(e, DS_BAD,
			"attention: %d heads over %d key heads of %d columns, sequences of %d and "
			"%d",
			a->heads, a->kv_heads, a->head_dim, a->seq, a->kv_seq);
	DS_TRY(ds_need_shape(g, n, 0, -1, (int64_t)a->heads * a->head_dim, e));
	int64_t rows = ds_t_rows(in_of(g, n, 0));
	if (rows % a->seq != 0)
		return ds_fail(e, DS_BAD, "attention: %lld rows are no multiple of the sequence %d",
			(long long)rows, a->seq);
	bool slots = n->op == DS_OP_attention && n->in[6];
	for (int i = 1; i <= 2; i++) {
		DS_TRY(ds_need_shape(g, n, i, slots ? -1 : rows / a->seq * a->kv_seq,
			(int64_t)a->kv_heads * a->head_dim, e));
		if (ds_t_rows(in_of(g, n, i)) % a->kv_seq != 0)
			return ds_fail(e, DS_BAD,
				"attention: %lld rows of keys are no multiple of %d",
				(long long)ds_t_rows(in_of(g, n, i)), a->kv_seq);
	}
	return DS_OK;
}

ds_rc ds_sh_attention(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(check(g, n, e));
	const ds_tensor *q = in_of(g, n, 0);
	int64_t rows = ds_t_rows(q);
	for (int i = 3; i <= 6; i++)
		if (n->in[i]) {
			int64_t want = i >= 5 ? rows / n->attr.attention.seq : rows;
			DS_TRY(ds_need_shape(g, n, i, 0, want, e));
			DS_TRY(ds_need_type(g, n, i, DS_I32, e));
		}
	out[0] = matrix(q->dtype, rows, ds_t_cols(q));
	out[1] = matrix(side_type(q->dtype), rows, n->attr.attention.heads);
	return DS_OK;
}

/* in: q k v o lse do first last; out: dq dk dv */
ds_rc ds_sh_attention_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(check(g, n, e));
	const ds_tensor *q = in_of(g, n, 0), *k = in_of(g, n, 1);
	DS_TRY(ds_need_shape(g, n, 3, ds_t_rows(q), ds_t_cols(q), e));
	DS_TRY(ds_need_shape(g, n, 4, ds_t_rows(q), n->attr.attention.heads, e));
	DS_TRY(ds_need_shape(g, n, 5, ds_t_rows(q), ds_t_cols(q), e));
	out[0] = matrix(q->dtype, ds_t_rows(q), ds_t_cols(q));
	out[1] = out[2] = matrix(k->dtype, ds_t_rows(k), ds_t_cols(k));
	return DS_OK;
}

const char ds_sd_attention[] = "ssssss.>ss hhhRRRR>hh";
const char ds_sd_attention_grad[] = "ssssssss>sss hhhhhhRR>hhh";

void ds_pr_attention(const ds_node *n, ds_buf *out)
{
	const ds_attention_attr *a = &n->attr.attention;
	ds_buf_fmt(out, " heads=%d/%d dim=%d seq=%d/%d%s scale=%g", a->heads, a->kv_heads,
		a->head_dim, a->seq, a->kv_seq, a->causal ? " causal" : "", (double)a->scale);
	if (a->window)
		ds_buf_fmt(out, " window=%d", a->window);
	if (a->drop.p > 0)
		ds_buf_fmt(out, " dropout=%g", (double)a->drop.p);
}

void ds_gr_attention(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	if (n->in[5]) {
		ds_g_fail(g, "attention over a cache has no gradient");
		return;
	}
	const ds_node *b = ds_g_node(
		g, (ds_node){ .op = DS_OP_attention_grad,
			   .attr = n->attr,
			   .in = { n->in[0], n->in[1], n->in[2], n->out[0], n->out[1],
				   ds_grad_of(c, n->out[0]), n->in[3], n->in[4] },
			   .out = { ds_grad_place(c, n->in[0]), ds_grad_place(c, n->in[1]),
				   ds_grad_place(c, n->in[2]) } });
	if (!b)
		return;
	ds_tid d[3] = { b->out[0], b->out[1], b->out[2] };
	for (int i = 0; i < 3; i++)
		ds_grad_give(c, n->in[i], d[i]);
}

/* 4 D flops a visible pair; causal halves the pairs, a window bounds them. */
static double pairs(const ds_graph *g, const ds_node *n)
{
	const ds_attention_attr *a = &n->attr.attention;
	double rows = (double)ds_t_rows(in_of(g, n, 0)), keys = a->kv_seq;
	if (a->causal && a->seq == a->kv_seq)
		keys = (keys + 1) / 2;
	if (a->window > 0 && keys > a->window)
		keys = a->window;
	return rows * keys * a->heads;
}

double ds_fl_attention(const ds_graph *g, const ds_node *n)
{
	return 4 * pairs(g, n) * n->attr.attention.head_dim;
}

double ds_fl_attention_grad(const ds_graph *g, const ds_node *n)
{
	return 10 * pairs(g, n) * n->attr.attention.head_dim;
}

/* Whose cache sequence b has. */
static int64_t slot_of(const ds_ref_arg *slots, int64_t b)
{
	return slots->at ? (int64_t)slots->at[b] : b;
}

/* The keys [lo, hi) that query row i sees. */
static void visible(const ds_ref *r, const ds_ref_arg opt[3], int64_t i, int64_t *lo, int64_t *hi)
{
	const ds_attention_attr *a = &r->node->attr.attention;
	int64_t past = opt[2].at ? (int64_t)opt[2].at[i / a->seq] : 0, at = past + i % a->seq;
	*lo = opt[0].at ? (int64_t)opt[0].at[i] : 0;
	*hi = opt[1].at ? (int64_t)opt[1].at[i] : a->kv_seq;
	if (a->window > 0 && *lo < at - a->window + 1)
		*lo = at - a->window + 1;
	if (a->causal && *hi > at + 1)
		*hi = at + 1;
	*lo = *lo < 0 ? 0 : *lo;
	*hi = *hi > a->kv_seq ? a->kv_seq : *hi;
}

/* What the probability of key j is multiplied by: 0 or 1 / (1 - dropout), or 1 without. */
static double kept(const ds_ref *r, int64_t i, int64_t h, int64_t j)
{
	const ds_attention_attr *a = &r->node->attr.attention;
	uint32_t four[4];
	if (a->drop.p == 0)
		return 1;
	uint64_t at = ds_dropout_first(r->run, a, i, h) + (uint64_t)j;
	ds_rng_block(ds_dropout_rng(r->run, a->drop.stream), at / 4, four);
	return four[at % 4] < ds_dropout_limit(a->drop.p) ? 0 : 1 / (1 - (double)a->drop.p);
}

static double dot(const double *a, const double *b, int64_t n)
{
	double sum = 0;
	for (int64_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

void ds_ref_attention(const ds_ref *r)
{
	const ds_attention_attr *a = &r->node->attr.attention;
	int64_t d = a->head_dim, group = a->heads / a->kv_heads, wide = r->in[1].cols;
	for (int64_t i = 0; i < r->in[0].rows; i++)
		for (int64_t h = 0; h < a->heads; h++) {
			const double *q = r->in[0].at + i * r->in[0].cols + h * d;
			double *o = r->out[0].at + i * r->in[0].cols + h * d, top = -INFINITY,
			       sum = 0;
			int64_t slot = slot_of(&r->in[6], i / a->seq);
			int64_t lo, hi, kv = slot * a->kv_seq * wide + h / group * d;
			visible(r, &r->in[3], i, &lo, &hi);
			for (int64_t j = lo; j < hi; j++)
				top = fmax(top, a->scale * dot(q, r->in[1].at + kv + j * wide, d));
			for (int64_t k = 0; k < d; k++)
				o[k] = 0;
			for (int64_t j = lo; j < hi; j++) {
				double p = exp(
					a->scale * dot(q, r->in[1].at + kv + j * wide, d) - top);
				sum += p;
				p *= kept(r, i, h, j);
				for (int64_t k = 0; k < d; k++)
					o[k] += p * r->in[2].at[kv + j * wide + k];
			}
			for (int64_t k = 0; k < d && sum > 0; k++)
				o[k] /= sum;
			r->out[1].at[i * a->heads + h] = sum > 0 ? top + log(sum) : 0;
		}
}

/* Adds what query row i, head h gives to dq, dk, dv. */
static void grad_row(const ds_ref *r, int64_t i, int64_t h)
{
	const ds_attention_attr *a = &r->node->attr.attention;
	int64_t d = a->head_dim, wide = r->in[1].cols, row = i * r->in[0].cols + h * d, lo, hi;
	int64_t kv = i / a->seq * a->kv_seq * wide + h / (a->heads / a->kv_heads) * d;
	const double *q = r->in[0].at + row, *go = r->in[5].at + row;
	double all = dot(go, r->in[3].at + row, d), lse = r->in[4].at[i * a->heads + h];
	ds_ref_arg opt[3] = { r->in[6], r->in[7] };
	visible(r, opt, i, &lo, &hi);
	for (int64_t j = lo; j < hi; j++) {
		int64_t at = kv + j * wide;
		const double *k = r->in[1].at + at, *v = r->in[2].at + at;
		double p = exp(a->scale * dot(q, k, d) - lse);
		double keep = kept(r, i, h, j), s = a->scale * p * (keep * dot(go, v, d) - all);
		for (int64_t x = 0; x < d; x++) {
			r->out[0].at[row + x] += s * k[x];
			r->out[1].at[at + x] += s * q[x];
			r->out[2].at[at + x] += keep * p * go[x];
		}
	}
}

void ds_ref_attention_grad(const ds_ref *r)
{
	for (int o = 0; o < 3; o++)
		for (int64_t i = 0; i < r->out[o].rows * r->out[o].cols; i++)
			r->out[o].at[i] = 0;
	for (int64_t i = 0; i < r->in[0].rows; i++)
		for (int64_t h = 0; h < r->node->attr.attention.heads; h++)
			grad_row(r, i, h);
}

/* A document may begin at any row; first never lies behind the query. */
static ds_tid sample_first(ds_sample *s, int64_t batch, int64_t seq)
{
	int64_t n = batch * seq;
	int32_t *v = ds_arena_get(s->g->mem, (size_t)n * sizeof(*v)), start = 0;
	for (int64_t i = 0; i < n; i++) {
		if (i % seq == 0)
			start = 0;
		else if (ds_sample_int(s, 0, 9) == 0)
			start = (int32_t)(i % seq);
		v[i] = start;
	}
	return ds_g_const(s->g, "first", DS_I32, 1, &n, v);
}

void ds_sa_attention(ds_sample *s)
{
	int64_t batch = ds_sample_int(s, 1, 2), seq = ds_sample_int(s, 1, 150),
		kv = ds_sample_int(s, 1, 3);
	int64_t group = ds_sample_int(s, 1, 2), d = 4 * ds_sample_int(s, 1, 9);
	bool causal = ds_sample_int(s, 0, 1);
	ds_attention_attr a = { .heads = (int32_t)(kv * group),
		.kv_heads = (int32_t)kv,
		.head_dim = (int32_t)d,
		.seq = (int32_t)seq,
		.kv_seq = (int32_t)seq,
		.causal = causal,
		.window = ds_sample_int(s, 0, 3) ? 0 : (int32_t)ds_sample_int(s, 1, seq) };
	if (ds_sample_int(s, 0, 2) == 0)
		a.drop.p = 0.3f;
	ds_attention_in opt = { 0 };
	if (ds_sample_int(s, 0, 1))
		opt.first = sample_first(s, batch, seq);
	if (!causal && ds_sample_int(s, 0, 1))
		opt.last = ds_sample_ids(s, batch * seq, 0, seq);
	/* One tensor of q, k and v side by side, as GPT-2 has it, also tries slices. */
	int64_t wq = kv * group * d, wk = kv * d;
	ds_tid all = ds_g_scale(s->g, ds_sample_tensor(s, batch * seq, wq + 2 * wk), 0.7f);
	ds_tid q = ds_g_slice(s->g, all, 0, wq), k = ds_g_slice(s->g, all, wq, wk);
	ds_tid v = ds_g_slice(s->g, all, wq + wk, wk);
	ds_sample_output(s, ds_g_attention(s->g, q, k, v, opt, a));
}

/* ---- cache_put: in: cache[slots*kv_seq, C], x[batch*seq, C], past, slots [batch]; out: the cache ---- */

ds_rc ds_sh_cache_put(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	const ds_attention_attr *a = &n->attr.attention;
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *cache = in_of(g, n, 0);
	if (a->seq < 1 || a->kv_seq < 1 || ds_t_rows(cache) % a->kv_seq != 0)
		return ds_fail(e, DS_BAD, "cache_put: %lld rows are no multiple of %d",
			(long long)ds_t_rows(cache), a->kv_seq);
	DS_TRY(ds_need_shape(g, n, 1, -1, ds_t_cols(cache), e));
	int64_t batch = ds_t_rows(in_of(g, n, 1)) / a->seq;
	if (batch * a->seq != ds_t_rows(in_of(g, n, 1)) ||
		(!n->in[3] && batch != ds_t_rows(cache) / a->kv_seq))
		return ds_fail(e, DS_BAD,
			"cache_put: %lld rows in sequences of %d, for %lld caches",
			(long long)ds_t_rows(in_of(g, n, 1)), a->seq,
			(long long)ds_t_rows(cache) / a->kv_seq);
	for (int i = 2; i <= 3; i++)
		if (n->in[i]) {
			DS_TRY(ds_need_shape(g, n, i, 0, batch, e));
			DS_TRY(ds_need_type(g, n, i, DS_I32, e));
		}
	out[0] = shape_of(cache);
	return DS_OK;
}

const char ds_sd_cache_put[] = "sss.>s ccRR>c";

/* The rows that are new. */
double ds_by_put(const ds_graph *g, const ds_node *n)
{
	return 2 * (double)ds_t_bytes(in_of(g, n, 1));
}

/* out[0] is the cache itself. Rows that would fall outside are left out. */
void ds_ref_cache_put(const ds_ref *r)
{
	const ds_attention_attr *a = &r->node->attr.attention;
	int64_t cols = r->in[1].cols;
	for (int64_t i = 0; i < r->in[1].rows; i++) {
		int64_t b = i / a->seq, to = (int64_t)r->in[2].at[b] + i % a->seq;
		if (to < 0 || to >= a->kv_seq)
			continue;
		for (int64_t j = 0; j < cols; j++)
			r->out[0].at[(slot_of(&r->in[3], b) * a->kv_seq + to) * cols + j] =
				r->in[1].at[i * cols + j];
	}
}

void ds_sa_cache_put(ds_sample *s)
{
	int64_t batch = ds_sample_int(s, 1, 3), seq = ds_sample_int(s, 1, 5), cap = seq + 4;
	bool slots = ds_sample_int(s, 0, 2);
	ds_tid cache =
		ds_g_state(s->g, "cache", DS_F32, DS_DIMS((slots ? batch + 2 : batch) * cap, 8));
	ds_tid x = ds_sample_tensor(s, batch * seq, 8);
	ds_attention_in in = { .past = ds_sample_ids(s, batch, 0, 4) };
	if (slots) {
		/* No two sequences write the same rows: which comes last is open. */
		int32_t reversed[3] = { (int32_t)batch + 1, 1, 0 };
		in.slots = ds_g_const(s->g, "slots", DS_I32, DS_DIMS(batch), reversed);
	}
	ds_tid k = ds_g_cache_put(s->g, cache, x, in, (int32_t)seq, (int32_t)cap);
	ds_attention_attr a = { .heads = 2,
		.kv_heads = 1,
		.head_dim = 8,
		.seq = (int32_t)seq,
		.kv_seq = (int32_t)cap,
		.causal = true };
	ds_tid q = ds_sample_tensor(s, batch * seq, 16);
	ds_g_keep(s->g, ds_g_attention(s->g, q, k, k, in, a), "o");
}
