/*
 * muon.c - Muon (Jordan et al., 2024), scaled as Liu et al. (2025) do: a momentum made orthogonal
 *
 * in: p[rows, cols], g, m, hyper (its first number is the rate), the clipping factor; out: p and m
 * themselves. With g times the factor:
 *
 *	m = momentum m + (1 - momentum) g        u = momentum m + (1 - momentum) g  (Nesterov)
 *	X = u / |u|, then `steps` times X = a X + (b X X^T + c (X X^T)^2) X  (Newton and Schulz)
 *	p = p - rate (decay p + 0.2 sqrt(max(rows, cols)) X)
 *
 * The last factor gives a step the size of AdamW's, so that one rate serves both. Of a tall matrix X^T X
 * is taken, which is smaller and gives the same. A factor of 0 changes nothing.
 */
#include "graph/op/op_impl.h"

#include "base/mem.h"

#include <math.h>

ds_rc ds_sh_muon(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *p = in_of(g, n, 0);
	for (int i = 1; i <= 2; i++)
		DS_TRY(ds_need_shape(g, n, i, ds_t_rows(p), ds_t_cols(p), e));
	DS_TRY(ds_need_shape(g, n, 3, 0, 4, e));
	DS_TRY(ds_need_shape(g, n, 4, 0, 1, e));
	out[0] = out[1] = shape_of(p);
	return DS_OK;
}

void ds_pr_muon(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " momentum=%g steps=%d %s", (double)n->attr.muon.momentum,
		n->attr.muon.steps, ds_dtype_name(n->attr.muon.type));
}

/* Three products a step, two of which are symmetric: half of those. */
double ds_fl_muon(const ds_graph *g, const ds_node *n)
{
	double rows = (double)ds_t_rows(in_of(g, n, 0)), cols = (double)ds_t_cols(in_of(g, n, 0));
	double low = fmin(rows, cols), high = fmax(rows, cols);
	return n->attr.muon.steps * (3 * low * low * high + low * low * low) + 8 * low * high;
}

typedef struct {
	int64_t low, high; /* the smaller extent, and the other */
	double *x, *gram, *poly, *next;
} iteration;

/* One step on x[low, high]. */
static void newton_schulz(const iteration *t)
{
	int64_t n = t->low, k = t->high;
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++) {
			double sum = 0;
			for (int64_t s = 0; s < k; s++)
				sum += t->x[i * k + s] * t->x[j * k + s];
			t->gram[i * n + j] = sum;
		}
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < n; j++) {
			double sum = 0;
			for (int64_t s = 0; s < n; s++)
				sum += t->gram[i * n + s] * t->gram[s * n + j];
			t->poly[i * n + j] = DS_MUON_B * t->gram[i * n + j] + DS_MUON_C * sum;
		}
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < k; j++) {
			double sum = DS_MUON_A * t->x[i * k + j];
			for (int64_t s = 0; s < n; s++)
				sum += t->poly[i * n + s] * t->x[s * k + j];
			t->next[i * k + j] = sum;
		}
	memcpy(t->x, t->next, (size_t)(n * k) * sizeof(double));
}

void ds_ref_muon(const ds_ref *r)
{
	const ds_muon_attr *a = &r->node->attr.muon;
	int64_t rows = r->in[0].rows, cols = r->in[0].cols, count = rows * cols;
	double factor = r->in[4].at[0], rate = r->in[3].at[0], norm = 0;
	bool tall = rows > cols;
	iteration t = { .low = tall ? cols : rows, .high = tall ? rows : cols };
	if (factor == 0) {
		memcpy(r->out[0].at, r->in[0].at, (size_t)count * sizeof(double));
		memcpy(r->out[1].at, r->in[2].at, (size_t)count * sizeof(double));
		return;
	}
	double *workspace = DS_NEW(double, (size_t)(2 * count + 2 * t.low * t.low));
	t.x = workspace;
	t.next = t.x + count;
	t.gram = t.next + count;
	t.poly = t.gram + t.low * t.low;
#define AT(i) \
	(tall ? (i) % cols * rows + (i) / cols : (i)) /* element i in x, which lies on its side */
	for (int64_t i = 0; i < count; i++) {
		double g = r->in[1].at[i] * factor;
		double m = a->momentum * r->in[2].at[i] + (1 - a->momentum) * g;
		r->out[1].at[i] = m;
		t.x[AT(i)] = a->momentum * m + (1 - a->momentum) * g;
		norm += t.x[AT(i)] * t.x[AT(i)];
	}
	norm = fmax(sqrt(norm), DS_MUON_EPS);
	for (int64_t i = 0; i < count; i++)
		t.x[i] /= norm;
	for (int s = 0; s < a->steps; s++)
		newton_schulz(&t);
	for (int64_t i = 0; i < count; i++)
		r->out[0].at[i] = r->in[0].at[i] -
				  rate * (a->decay * r->in[0].at[i] +
						 DS_MUON_SIZE * sqrt((double)t.high) * t.x[AT(i)]);
#undef AT
	ds_mem_free(workspace);
}
