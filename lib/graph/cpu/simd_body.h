/*
 * simd_body.h - the loops of simd.h over vectors of W floats
 *
 * Included once by simd_plain.c, simd_avx2.c and simd_avx512.c, which define W (lanes), MR and NV
 * (rows and vectors of a block of the matrix product, chosen so that its sums fill the registers)
 * and TABLE. Written with the compilers' vector types: one text for all widths, and the same
 * operations in each lane. Ends of rows go through a padded copy.
 */
#include "graph/cpu/simd.h"

#include <float.h>
#if defined(__SSE__)
#include <immintrin.h>
#endif
#include <math.h>
#include <string.h>

typedef float vec __attribute__((vector_size(4 * W)));
typedef int32_t ivec __attribute__((vector_size(4 * W)));
typedef float uvec __attribute__((vector_size(4 * W), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE vec load(const float *p)
{
	return *(const uvec *)p;
}

INLINE void store(float *p, vec v)
{
	*(uvec *)p = v;
}

INLINE vec all(float x)
{
	return x -
	       (vec){ 0 }; /* x - 0 is x for every x, which x + 0 is not: no instruction is left */
}

/* The first n < W floats, fill elsewhere. */
INLINE vec load_part(const float *p, int64_t n, float fill)
{
	vec v = all(fill);
	for (int64_t i = 0; i < n; i++)
		v[i] = p[i];
	return v;
}

INLINE void store_part(float *p, vec v, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		p[i] = v[i];
}

INLINE vec pick(ivec mask, vec a, vec b) /* a where mask is all ones */
{
	return (vec)(((ivec)a & mask) | ((ivec)b & ~mask));
}

INLINE vec vmax(vec a, vec b)
{
	return pick(a > b, a, b);
}

INLINE vec vmin(vec a, vec b)
{
	return pick(a < b, a, b);
}

/* Always in the same order: halves are folded. */
INLINE float sum_of(vec v)
{
	float s[W];
	memcpy(s, &v, sizeof(s));
	for (int n = W / 2; n > 0; n /= 2)
		for (int i = 0; i < n; i++)
			s[i] += s[i + n];
	return s[0];
}

INLINE float max_of(vec v)
{
	float top = v[0];
	for (int i = 1; i < W; i++)
		top = v[i] > top ? v[i] : top;
	return top;
}

/* ---- functions ---- */

/* exp(x) = 2^n e^r, |r| <= ln 2 / 2, a polynomial for e^r; 1 ulp or so. Under -87.3: about 1e-38. */
INLINE vec vexp(vec x)
{
	x = vmin(vmax(x, all(-87.3f)), all(88.3f));
	vec shifted =
		x * 1.44269504f + 12582912.0f; /* 1.5 * 2^23: the low bits hold round(x / ln 2) */
	vec n = shifted - 12582912.0f;
	vec r = x - n * 0.693359375f;
	r = r + n * 2.12194440e-4f;
	vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * (r * r) + r + 1.0f;
	ivec e = ((ivec)shifted - 0x4b400000) << 23;
	return (vec)((ivec)p + e);
}

INLINE vec vsigmoid(vec x)
{
	return 1.0f / (1.0f + vexp(-x));
}

INLINE vec vtanh(vec x)
{
	return 1.0f - 2.0f / (vexp(2.0f * x) + 1.0f);
}

/* Abramowitz and Stegun 7.1.26: within 1.5e-7 */
INLINE vec verf(vec x)
{
	vec a = vmax(x, -x), t = 1.0f / (1.0f + 0.3275911f * a);
	vec p = t * 1.061405429f - 1.453152027f;
	p = p * t + 1.421413741f;
	p = p * t - 0.284496736f;
	p = p * t + 0.254829592f;
	vec y = 1.0f - p * t * vexp(-a * a);
	return pick(x < 0.0f, -y, y);
}

static const float gc0 = 0.7978845608f, gc1 = 0.044715f;

INLINE vec act_value(ds_act act, vec x)
{
	switch (act) {
	case DS_ACT_GELU_TANH: /* (1 + tanh u) / 2 = sigmoid(2 u) */
		return x * vsigmoid(2.0f * gc0 * (x + gc1 * x * x * x));
	case DS_ACT_GELU_ERF:
		return 0.5f * x * (1.0f + verf(x * 0.7071067812f));
	case DS_ACT_SILU:
		return x * vsigmoid(x);
	case DS_ACT_RELU:
		return vmax(x, all(0));
	case DS_ACT_TANH:
		return vtanh(x);
	default:
		return vsigmoid(x);
	}
}

INLINE vec act_slope(ds_act act, vec x)
{
	vec s;
	switch (act) {
	case DS_ACT_GELU_TANH:
		s = vsigmoid(2.0f * gc0 * (x + gc1 * x * x * x));
		return s + x * s * (1.0f - s) * 2.0f * gc0 * (1.0f + 3.0f * gc1 * x * x);
	case DS_ACT_GELU_ERF:
		return 0.5f * (1.0f + verf(x * 0.7071067812f)) +
		       x * vexp(-0.5f * x * x) * 0.3989422804f;
	case DS_ACT_SILU:
		s = vsigmoid(x);
		return s * (1.0f + x * (1.0f - s));
	case DS_ACT_RELU:
		return pick(x > 0.0f, all(1), all(0));
	case DS_ACT_TANH:
		s = vtanh(x);
		return 1.0f - s * s;
	default:
		s = vsigmoid(x);
		return s * (1.0f - s);
	}
}

/* ---- element by element ---- */

INLINE void act_loop(ds_act act, float *y, const float *x, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(y + i, act_value(act, load(x + i)));
	if (i < n)
		store_part(y + i, act_value(act, load_part(x + i, n - i, 0)), n - i);
}

INLINE void act_grad_loop(ds_act act, float *dx, const float *dy, const float *x, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(dx + i, load(dy + i) * act_slope(act, load(x + i)));
	if (i < n)
		store_part(dx + i,
			load_part(dy + i, n - i, 0) * act_slope(act, load_part(x + i, n - i, 0)),
			n - i);
}

INLINE void glu_loop(ds_act act, float *y, const float *gate, const float *up, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(y + i, act_value(act, load(gate + i)) * load(up + i));
	if (i < n)
		store_part(y + i,
			act_value(act, load_part(gate + i, n - i, 0)) * load_part(up + i, n - i, 0),
			n - i);
}

INLINE void glu_grad_loop(ds_act act, float *const out[2], const float *const in[3], int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W) {
		vec dy = load(in[0] + i), gate = load(in[1] + i), up = load(in[2] + i);
		store(out[0] + i, dy * up * act_slope(act, gate));
		store(out[1] + i, dy * act_value(act, gate));
	}
	if (i < n) {
		vec dy = load_part(in[0] + i, n - i, 0), gate = load_part(in[1] + i, n - i, 0);
		vec up = load_part(in[2] + i, n - i, 0);
		store_part(out[0] + i, dy * up * act_slope(act, gate), n - i);
		store_part(out[1] + i, dy * act_value(act, gate), n - i);
	}
}

/* The switch stands outside of the loops: each case is a loop of its own. */
#define BY_ACT(call) \
	switch (act) { \
	case DS_ACT_GELU_TANH: \
		call(DS_ACT_GELU_TANH); \
		break; \
	case DS_ACT_GELU_ERF: \
		call(DS_ACT_GELU_ERF); \
		break; \
	case DS_ACT_SILU: \
		call(DS_ACT_SILU); \
		break; \
	case DS_ACT_RELU: \
		call(DS_ACT_RELU); \
		break; \
	case DS_ACT_TANH: \
		call(DS_ACT_TANH); \
		break; \
	default: \
		call(DS_ACT_SIGMOID); \
	}

static void act_all(ds_act act, float *y, const float *x, int64_t n)
{
#define CALL(a) act_loop(a, y, x, n)
	BY_ACT(CALL)
#undef CALL
}

static void act_grad_all(ds_act act, float *dx, const float *dy, const float *x, int64_t n)
{
#define CALL(a) act_grad_loop(a, dx, dy, x, n)
	BY_ACT(CALL)
#undef CALL
}

static void glu_all(ds_act act, float *y, const float *gate, const float *up, int64_t n)
{
#define CALL(a) glu_loop(a, y, gate, up, n)
	BY_ACT(CALL)
#undef CALL
}

static void glu_grad_all(ds_act act, float *const out[2], const float *const in[3], int64_t n)
{
#define CALL(a) glu_grad_loop(a, out, in, n)
	BY_ACT(CALL)
#undef CALL
}

static void add_all(float *y, const float *a, const float *b, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(y + i, load(a + i) + load(b + i));
	for (; i < n; i++)
		y[i] = a[i] + b[i];
}

static void scale_all(float *y, const float *x, float by, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(y + i, load(x + i) * by);
	for (; i < n; i++)
		y[i] = x[i] * by;
}

static void add_scaled_all(float *y, const float *x, float by, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(y + i, load(y + i) + load(x + i) * by);
	for (; i < n; i++)
		y[i] += x[i] * by;
}

/* ---- sums ---- */

static float dot_all(const float *a, const float *b, int64_t n)
{
	vec s0 = all(0), s1 = all(0);
	int64_t i = 0;
	for (; i + 2 * W <= n; i += 2 * W) {
		s0 += load(a + i) * load(b + i);
		s1 += load(a + i + W) * load(b + i + W);
	}
	for (; i < n; i += W) {
		int64_t left = n - i < W ? n - i : W;
		s0 += load_part(a + i, left, 0) * load_part(b + i, left, 0);
	}
	return sum_of(s0 + s1);
}

/* In double from 4096 elements on, so that a norm over millions keeps its digits. */
static double squares_all(const float *x, int64_t n)
{
	double total = 0;
	for (int64_t from = 0; from < n; from += 4096) {
		int64_t left = n - from < 4096 ? n - from : 4096;
		total += dot_all(x + from, x + from, left);
	}
	return total;
}

static float max_all(const float *x, int64_t n)
{
	vec top = all(-FLT_MAX);
	int64_t i = 0;
	for (; i + W <= n; i += W)
		top = vmax(load(x + i), top);
	if (i < n)
		top = vmax(load_part(x + i, n - i, -FLT_MAX), top);
	return max_of(top);
}

static float exp_sum_all(float *x, float scale, float top, int64_t n)
{
	vec sum = all(0);
	int64_t i = 0;
	for (; i + W <= n; i += W) {
		vec v = vexp(load(x + i) * scale - top);
		sum += v;
		store(x + i, v);
	}
	float rest = 0;
	if (i < n) {
		vec v = vexp(load_part(x + i, n - i, 0) * scale - top);
		store_part(x + i, v, n - i);
		for (int64_t k = 0; k < n - i; k++)
			rest += v[k];
	}
	return sum_of(sum) + rest;
}

static void score_grad_all(float *dp, const float *p, float sum, float scale, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(dp + i, load(p + i) * (load(dp + i) - sum) * scale);
	for (; i < n; i++)
		dp[i] = p[i] * (dp[i] - sum) * scale;
}

/* ---- norms ---- */

/* s = x + add, or x itself; returns where s is */
static const float *norm_sum(const ds_simd_norm *r)
{
	if (!r->add)
		return r->x;
	add_all(r->sum, r->x, r->add, r->n);
	return r->sum;
}

static void norm_row(const ds_simd_norm *r)
{
	const float *s = norm_sum(r);
	int64_t n = r->n, i = 0;
	vec sum = all(0), squares = all(0);
	float mean = 0, rest = 0;
	if (!r->rms) {
		for (; i + W <= n; i += W)
			sum += load(s + i);
		for (; i < n; i++)
			rest += s[i];
		mean = (sum_of(sum) + rest) / (float)n;
	}
	rest = 0;
	for (i = 0; i + W <= n; i += W) {
		vec d = load(s + i) - mean;
		squares += d * d;
	}
	for (; i < n; i++)
		rest += (s[i] - mean) * (s[i] - mean);
	float rstd = 1 / sqrtf((sum_of(squares) + rest) / (float)n + r->eps);
	for (i = 0; i + W <= n; i += W) {
		vec y = (load(s + i) - mean) * rstd * load(r->w + i);
		store(r->y + i, r->b ? y + load(r->b + i) : y);
	}
	for (; i < n; i++)
		r->y[i] = (s[i] - mean) * rstd * r->w[i] + (r->b ? r->b[i] : 0);
	r->stats[0] = mean;
	r->stats[1] = rstd;
}

static void norm_grad_row(const ds_simd_norm_grad *r)
{
	float mean = r->stats[0], rstd = r->stats[1], rest0 = 0, rest1 = 0;
	int64_t n = r->n, i = 0;
	vec v0 = all(0), v1 = all(0);
	for (; i + W <= n; i += W) {
		vec dy = load(r->dy + i), hat = (load(r->s + i) - mean) * rstd;
		vec g = dy * load(r->w + i);
		v0 += g;
		v1 += g * hat;
		if (r->dw)
			store(r->dw + i, load(r->dw + i) + dy * hat);
		if (r->db)
			store(r->db + i, load(r->db + i) + dy);
	}
	for (; i < n; i++) {
		float hat = (r->s[i] - mean) * rstd, g = r->dy[i] * r->w[i];
		rest0 += g;
		rest1 += g * hat;
		if (r->dw)
			r->dw[i] += r->dy[i] * hat;
		if (r->db)
			r->db[i] += r->dy[i];
	}
	if (!r->ds)
		return;
	float g0 = r->rms ? 0 : (sum_of(v0) + rest0) / (float)n,
	      g1 = (sum_of(v1) + rest1) / (float)n;
	for (i = 0; i + W <= n; i += W) {
		vec hat = (load(r->s + i) - mean) * rstd;
		vec d = rstd * (load(r->dy + i) * load(r->w + i) - g0 - hat * g1);
		store(r->ds + i, r->add ? d + load(r->add + i) : d);
	}
	for (; i < n; i++) {
		float hat = (r->s[i] - mean) * rstd;
		r->ds[i] = (r->add ? r->add[i] : 0) + rstd * (r->dy[i] * r->w[i] - g0 - hat * g1);
	}
}

/* ---- optimizer ---- */

INLINE vec vsqrt(vec v)
{
#if W == 16 && defined(__AVX512F__)
	return (vec)_mm512_sqrt_ps((__m512)v);
#elif W == 8 && defined(__AVX__)
	return (vec)_mm256_sqrt_ps((__m256)v);
#elif W == 4 && defined(__SSE__)
	return (vec)_mm_sqrt_ps((__m128)v);
#else
	for (int i = 0; i < W; i++)
		v[i] = sqrtf(v[i]);
	return v;
#endif
}

static void adamw_all(
	const ds_simd_adamw *o, float *p, const float *g, float *m, float *v, int64_t n)
{
	float keep = 1 - o->lr * o->decay, lr1 = o->lr * o->fix1;
	for (int64_t i = 0; i < n; i += W) {
		int64_t left = n - i < W ? n - i : W;
		bool whole = left == W;
		vec gv = (whole ? load(g + i) : load_part(g + i, left, 0)) * o->factor;
		vec mv = whole ? load(m + i) : load_part(m + i, left, 0);
		vec vv = whole ? load(v + i) : load_part(v + i, left, 0);
		vec pv = whole ? load(p + i) : load_part(p + i, left, 0);
		mv = mv * o->beta1 + gv * (1 - o->beta1);
		vv = vv * o->beta2 + gv * gv * (1 - o->beta2);
		pv = pv * keep - lr1 * mv / (vsqrt(vv * o->fix2) + o->eps);
		if (whole) {
			store(m + i, mv);
			store(v + i, vv);
			store(p + i, pv);
		} else {
			store_part(m + i, mv, left);
			store_part(v + i, vv, left);
			store_part(p + i, pv, left);
		}
	}
}

/* ---- small matrix products, for attention: operands lie in the first-level caches ---- */

/* clang-format off: it takes UNROLL for a part of the loop */
INLINE void gemm_block(int mr, int nv, const ds_simd_gemm *g, int64_t i0, int64_t j0)
{
	vec sum[MR][NV];
	const float *a = g->a + i0 * g->am, *b = g->b + j0;
	UNROLL for (int i = 0; i < mr; i++) UNROLL for (int j = 0; j < nv; j++) sum[i][j] =
		g->add ? load(g->c + (i0 + i) * g->ldc + j0 + j * W) : all(0);
	for (int64_t k = 0; k < g->k; k++) {
		vec bv[NV];
		UNROLL for (int j = 0; j < nv; j++) bv[j] = load(b + k * g->ldb + j * W);
		UNROLL for (int i = 0; i < mr; i++)
		{
			vec av = all(a[i * g->am + k * g->ak]);
			UNROLL for (int j = 0; j < nv; j++) sum[i][j] += av * bv[j];
		}
	}
	UNROLL for (int i = 0; i < mr; i++) UNROLL for (int j = 0; j < nv; j++)
		store(g->c + (i0 + i) * g->ldc + j0 + j * W, sum[i][j]);
}
/* clang-format on */

static void gemm_tail(const ds_simd_gemm *g, int64_t j0)
{
	for (int64_t i = 0; i < g->m; i++)
		for (int64_t j = j0; j < g->n; j++) {
			float s = g->add ? g->c[i * g->ldc + j] : 0;
			for (int64_t k = 0; k < g->k; k++)
				s += g->a[i * g->am + k * g->ak] * g->b[k * g->ldb + j];
			g->c[i * g->ldc + j] = s;
		}
}

static void gemm_all(const ds_simd_gemm *g)
{
	int64_t j = 0;
	for (; j + NV * W <= g->n; j += NV * W) {
		int64_t i = 0;
		for (; i + MR <= g->m; i += MR)
			gemm_block(MR, NV, g, i, j);
		for (; i + 2 <= g->m; i += 2)
			gemm_block(2, NV, g, i, j);
		if (i < g->m)
			gemm_block(1, NV, g, i, j);
	}
	for (; j + W <= g->n; j += W) {
		int64_t i = 0;
		for (; i + MR <= g->m; i += MR)
			gemm_block(MR, 1, g, i, j);
		for (; i < g->m; i++)
			gemm_block(1, 1, g, i, j);
	}
	if (j < g->n)
		gemm_tail(g, j);
}

static void transpose_all(
	float *to, int64_t ld, const float *from, int64_t from_ld, int64_t rows, int64_t cols)
{
	int64_t i = 0;
	for (; i + 8 <= rows; i += 8) /* eight rows at once fill half a cache line of each column */
		for (int64_t k = 0; k < cols; k++) {
			const float *f = from + i * from_ld + k;
			float *t = to + k * ld + i;
			for (int x = 0; x < 8; x++)
				t[x] = f[x * from_ld];
		}
	for (; i < ld; i++)
		for (int64_t k = 0; k < cols; k++)
			to[k * ld + i] = i < rows ? from[i * from_ld + k] : 0;
}

static void multiply_all(float *y, const float *a, const float *b, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W)
		store(y + i, load(a + i) * load(b + i));
	for (; i < n; i++)
		y[i] = a[i] * b[i];
}

/* ---- dropout: base/rng.c's Philox, W counters at once ---- */

typedef uint32_t wvec __attribute__((vector_size(4 * W)));
typedef uint64_t dvec __attribute__((vector_size(8 * W)));

/* The upper and lower halves of a times m. */
INLINE wvec mul_parts(wvec a, uint32_t m, wvec *low)
{
	dvec p = __builtin_convertvector(a, dvec) * m;
	*low = a * m;
	return __builtin_convertvector(p >> 32, wvec);
}

INLINE void philox(ds_rng r, uint64_t first, wvec c[4])
{
	dvec counter = first - (dvec){ 0 };
	for (int i = 0; i < W; i++)
		counter[i] += (uint64_t)i;
	c[0] = __builtin_convertvector(counter, wvec);
	c[1] = __builtin_convertvector(counter >> 32, wvec);
	c[2] = (uint32_t)r.high - (wvec){ 0 };
	c[3] = (uint32_t)(r.high >> 32) - (wvec){ 0 };
	uint32_t k0 = (uint32_t)r.key, k1 = (uint32_t)(r.key >> 32);
	for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
		wvec a_low, b_low, a = mul_parts(c[0], 0xD2511F53u, &a_low);
		wvec b = mul_parts(c[2], 0xCD9E8D57u, &b_low);
		c[0] = b ^ c[1] ^ k0;
		c[2] = a ^ c[3] ^ k1;
		c[1] = b_low;
		c[3] = a_low;
	}
}

static void keep_all(float *out, ds_rng rng, uint64_t first, int64_t n, uint32_t limit, float by)
{
	for (int64_t i = 0; i < n; i += 4 * W, first += W) {
		wvec c[4];
		float v[4][W];
		philox(rng, first, c);
		for (int k = 0; k < 4; k++) {
			vec kept = pick((ivec)(c[k] < limit), all(0), all(by));
			memcpy(v[k], &kept, sizeof(kept));
		}
		int64_t left = n - i < 4 * W ? n - i : 4 * W;
		for (int64_t k = 0; k < left; k++)
			out[i + k] = v[k % 4][k / 4];
	}
}

/* ---- rotary positions ---- */

/* sin and cos of r in [-pi/4, pi/4], polynomials of Cephes, then by quadrants q. */
INLINE void vturn(vec r, ivec q, vec *cosine, vec *sine)
{
	vec z = r * r;
	vec s = ((z * -1.9515295891e-4f + 8.3321608736e-3f) * z - 1.6666654611e-1f) * z * r + r;
	vec c = ((z * 2.443315711809948e-5f - 1.388731625493765e-3f) * z + 4.166664568298827e-2f) *
			z * z -
		0.5f * z + 1.0f;
	ivec odd = (q & 1) != 0, two = (q & 2) != 0;
	vec cs = pick(odd, s, c), sn = pick(odd, c, s);
	*cosine = pick(odd ^ two, -cs, cs);
	*sine = pick(two, -sn, sn);
}

typedef double rvec __attribute__((vector_size(8 * W)));

/* An angle of thousands of radians keeps its digits: it is made and reduced in double. */
static void turns_all(float *cosine, float *sine, double at, const float *freq, float by, int64_t n)
{
	for (int64_t i = 0; i < n; i += W) {
		int64_t left = n - i < W ? n - i : W;
		vec f = left == W ? load(freq + i) : load_part(freq + i, left, 0), c, s;
		rvec t = at * __builtin_convertvector(f, rvec);
		/* 1.5 * 2^52: the low bits of the sum hold the nearest integer */
		rvec shifted = t * 0.63661977236758134 + 6755399441055744.0;
		rvec r = t - (shifted - 6755399441055744.0) * 1.5707963267948966;
		dvec bits = (dvec)shifted;
		vturn(__builtin_convertvector(r, vec), (ivec) __builtin_convertvector(bits, wvec),
			&c, &s);
		if (left == W) {
			store(cosine + i, c * by);
			store(sine + i, s * by);
		} else {
			store_part(cosine + i, c * by, left);
			store_part(sine + i, s * by, left);
		}
	}
}

static void turn_all(
	float *const out[2], const float *const in[2], const float *c, const float *s, int64_t n)
{
	int64_t i = 0;
	for (; i + W <= n; i += W) {
		vec x = load(in[0] + i), y = load(in[1] + i), cv = load(c + i), sv = load(s + i);
		store(out[0] + i, x * cv - y * sv);
		store(out[1] + i, y * cv + x * sv);
	}
	for (; i < n; i++) {
		float x = in[0][i], y = in[1][i];
		out[0][i] = x * c[i] - y * s[i];
		out[1][i] = y * c[i] + x * s[i];
	}
}

const ds_simd TABLE = { .name = NAME,
	.act = act_all,
	.act_grad = act_grad_all,
	.glu = glu_all,
	.glu_grad = glu_grad_all,
	.add = add_all,
	.scale = scale_all,
	.dot = dot_all,
	.add_scaled = add_scaled_all,
	.squares = squares_all,
	.norm = norm_row,
	.norm_grad = norm_grad_row,
	.adamw = adamw_all,
	.max = max_all,
	.exp_sum = exp_sum_all,
	.score_grad = score_grad_all,
	.gemm = gemm_all,
	.transpose = transpose_all,
	.keep = keep_all,
	.multiply = multiply_all,
	.turns = turns_all,
	.turn = turn_all };
