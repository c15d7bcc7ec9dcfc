/*
 * muon.c - Muon's step of one matrix, in stages; bound by its matrix products
 *
 * The matrix stays as it lies: of a wide one X X^T is taken and multiplied from the left, of a tall one
 * X^T X from the right. Stage 0 makes the momentum and the tiles' sums of squares, stage 1 divides by
 * the norm, three stages each make a Newton-Schulz step, the last one changes the weights. Products
 * round their operands to bf16 where attr.type says so, as published; everything else is f32.
 */
#include "graph/cpu/cpu_impl.h"

#include <math.h>
#include <string.h>

enum { ELEMS = 1 << 16, FIRST_PRODUCT = 2, PRODUCTS = 3, ENOUGH = 6 /* tiles of a product */ };

typedef struct {      /* where things lie in the shared scratch */
	double *sums; /* a tile of stage 0 */
	float *x[2];  /* double-buffered: this iteration's and the next one's */
	float *gram, *poly;
	size_t bytes;
} layout;

static int64_t count(const ds_job *j)
{
	return j->in[0].rows * j->in[0].cols;
}

static bool is_tall(const ds_job *j)
{
	return j->in[0].rows > j->in[0].cols;
}

static int64_t low(const ds_job *j)
{
	return min_i64(j->in[0].rows, j->in[0].cols);
}

static void *take(const ds_job *j, layout *l, int64_t n, size_t element)
{
	char *at = j->shared ? j->shared + l->bytes : NULL;
	l->bytes += ((size_t)n * element + 63) / 64 * 64;
	return at;
}

static layout layout_of(const ds_job *j)
{
	layout l = { 0 };
	int64_t n = count(j), square = low(j) * low(j);
	l.sums = take(j, &l, ceil_div(n, ELEMS), sizeof(double));
	l.x[0] = take(j, &l, n, sizeof(float));
	l.x[1] = take(j, &l, n, sizeof(float));
	l.gram = take(j, &l, square, sizeof(float));
	l.poly = take(j, &l, square, sizeof(float));
	return l;
}

static size_t shared_bytes(const ds_job *j)
{
	ds_job bare = *j;
	bare.shared = NULL;
	return layout_of(&bare).bytes;
}

/* ---- the products of a Newton-Schulz step: 0: gram, 1: poly, 2: the next x ---- */

/* gram and poly are symmetric: square tiles of their lower half are made, and written twice. */
static int64_t side(const ds_job *j)
{
	int64_t s = 256;
	for (;; s /= 2) {
		int64_t n = ceil_div(low(j), s);
		if (s <= 64 || n * (n + 1) / 2 >= ENOUGH)
			return s;
	}
}

static ds_tiling tiling(const ds_job *j)
{
	return ds_cpu_tiling(j->in[0].rows, j->in[0].cols, ENOUGH, j->node->attr.muon.type);
}

static int64_t product_tiles(const ds_job *j, int which)
{
	int64_t n = ceil_div(low(j), side(j));
	ds_tiling t = tiling(j);
	return which == 2 ? t.n_m * t.n_n : n * (n + 1) / 2;
}

typedef struct {
	int64_t i, j, m, n;
} part;

static part part_of(const ds_job *j, int which, int64_t tile)
{
	if (which == 2) {
		ds_tiling t = tiling(j);
		part p = { .i = tile / t.n_n * t.tm, .j = tile % t.n_n * t.tn };
		p.m = min_i64(t.tm, j->in[0].rows - p.i);
		p.n = min_i64(t.tn, j->in[0].cols - p.j);
		return p;
	}
	int64_t s = side(j), row = 0;
	for (; tile > row; row++)
		tile -= row + 1;
	part p = { .i = row * s, .j = tile * s };
	p.m = min_i64(s, low(j) - p.i);
	p.n = min_i64(s, low(j) - p.j);
	return p;
}

static ds_gemm product(const ds_job *j, const layout *l, int64_t s, int which, const part *p)
{
	int64_t n = low(j), cols = j->in[0].cols;
	const float *x = l->x[s % 2];
	bool tall = is_tall(j);
	ds_gemm g = { .type = j->node->attr.muon.type,
		.a_type = DS_F32,
		.b_type = DS_F32,
		.m = p->m,
		.n = p->n,
		.k = n,
		.ldc = n };
	if (which == 0) { /* X X^T or X^T X */
		g.k = tall ? j->in[0].rows : cols;
		g.a_trans = tall;
		g.b_trans = !tall;
		g.lda = g.ldb = cols;
		g.a = x + (tall ? p->i : p->i * cols);
		g.b = x + (tall ? p->j : p->j * cols);
		g.c = l->gram + p->i * n + p->j;
	} else if (which == 1) {
		g.lda = g.ldb = n;
		g.a = l->gram + p->i * n;
		g.b = l->gram + p->j;
		g.c = l->poly + p->i * n + p->j;
	} else {
		g.lda = tall ? cols : n;
		g.ldb = tall ? n : cols;
		g.a = tall ? x + p->i * cols : l->poly + p->i * n;
		g.b = tall ? l->poly + p->j : x + p->j;
		g.c = l->x[(s + 1) % 2] + p->i * cols + p->j;
		g.ldc = cols;
	}
	return g;
}

static size_t worker_bytes(const ds_job *j)
{
	layout l = layout_of(j);
	size_t most = 0;
	for (int which = 0; which < PRODUCTS; which++) {
		for (int64_t tile = 0; tile < product_tiles(j, which); tile++) {
			part p = part_of(j, which, tile);
			ds_gemm g = product(j, &l, 0, which, &p);
			g.a = g.b = NULL;
			g.c = NULL;
			size_t n = ds_cpu_gemm_bytes(&g);
			most = n > most ? n : most;
		}
	}
	return most;
}

/* The product times by, and what lies in the same place of `from` times plus. */
static void combine(const ds_gemm *g, float by, const float *from, float plus)
{
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t k = 0; k < g->n; k++)
			g->c[i * g->ldc + k] =
				by * g->c[i * g->ldc + k] + plus * from[i * g->ldc + k];
}

/* The tile of a symmetric matrix on the other side of its diagonal. */
static void mirror(const ds_gemm *g, const part *p, float *matrix)
{
	for (int64_t i = 0; p->i != p->j && i < g->m; i++)
		for (int64_t k = 0; k < g->n; k++)
			matrix[(p->j + k) * g->ldc + p->i + i] = g->c[i * g->ldc + k];
}

static void multiply(const ds_job *j, int64_t s, int which, int64_t tile, unsigned worker)
{
	layout l = layout_of(j);
	part p = part_of(j, which, tile);
	ds_gemm g = product(j, &l, s, which, &p);
	g.workspace = ds_job_worker(j, worker);
	ds_cpu_gemm(&g);
	int64_t at = p.i * g.ldc + p.j;
	if (which == 1)
		combine(&g, (float)DS_MUON_C, l.gram + at, (float)DS_MUON_B);
	else if (which == 2)
		combine(&g, 1, l.x[s % 2] + at, (float)DS_MUON_A);
	if (which < 2)
		mirror(&g, &p, which == 0 ? l.gram : l.poly);
}

/* ---- element by element ---- */

/* The momentum, and what it gives, with its squares. */
static void begin(const ds_job *j, const layout *l, int64_t tile, float factor)
{
	float keep = j->node->attr.muon.momentum;
	int64_t from = tile * ELEMS, n = min_i64(ELEMS, count(j) - from);
	const float *g = (const float *)j->in[1].data + from;
	float *m = (float *)j->out[1].data + from, *x = l->x[0] + from;
	for (int64_t i = 0; i < n; i++) {
		float d = (1 - keep) * (g[i] * factor);
		m[i] = keep * m[i] + d;
		x[i] = keep * m[i] + d;
	}
	l->sums[tile] = ds_simd_now()->squares(x, n);
}

static void normalise(const ds_job *j, const layout *l, int64_t tile)
{
	int64_t from = tile * ELEMS, n = min_i64(ELEMS, count(j) - from);
	double sum = 0;
	for (int64_t t = 0; t < ceil_div(count(j), ELEMS); t++)
		sum += l->sums[t];
	float by = (float)(1 / fmax(sqrt(sum), DS_MUON_EPS));
	ds_simd_now()->scale(l->x[0] + from, l->x[0] + from, by, n);
}

static void apply(const ds_job *j, const layout *l, int64_t tile)
{
	const ds_muon_attr *a = &j->node->attr.muon;
	int64_t from = tile * ELEMS, n = min_i64(ELEMS, count(j) - from);
	double high = (double)(is_tall(j) ? j->in[0].rows : j->in[0].cols);
	float rate = *(const float *)j->in[3].data, keep = 1 - rate * a->decay;
	float by = (float)((double)rate * DS_MUON_SIZE * sqrt(high));
	float *p = (float *)j->out[0].data + from;
	const float *x = l->x[a->steps % 2] + from;
	for (int64_t i = 0; i < n; i++)
		p[i] = keep * p[i] - by * x[i];
}

/* ---- stages ---- */

static int64_t stages(const ds_job *j)
{
	return FIRST_PRODUCT + PRODUCTS * j->node->attr.muon.steps + 1;
}

static int64_t tiles(const ds_job *j, int64_t stage)
{
	if (stage < FIRST_PRODUCT || stage == stages(j) - 1)
		return ceil_div(count(j), ELEMS);
	return product_tiles(j, (int)((stage - FIRST_PRODUCT) % PRODUCTS));
}

static void muon(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	float factor = *(const float *)j->in[4].data;
	layout l = layout_of(j);
	int64_t product = stage - FIRST_PRODUCT;
	if (factor == 0)
		return;
	if (stage == 0)
		begin(j, &l, tile, factor);
	else if (stage == 1)
		normalise(j, &l, tile);
	else if (stage == stages(j) - 1)
		apply(j, &l, tile);
	else
		multiply(j, product / PRODUCTS, (int)(product % PRODUCTS), tile, worker);
}

const ds_kernel ds_cpu_muon = { .stages = stages,
	.tiles = tiles,
	.shared_bytes = shared_bytes,
	.worker_bytes = worker_bytes,
	.tile = muon };
