/*
 * simd.h - loops over numbers, in three widths
 *
 * One source (simd_body.inc) is compiled for plain x86-64 or any other CPU, AVX2 and AVX-512;
 * ds_simd_now gives the widest that this CPU and DS_CPU allow. Sums go by lanes, so the widths differ
 * in the last bits (relative to the largest value of a row at most 1e-6); one width always gives the
 * same bits. Spans may overlap only where they are equal. Nothing needs alignment.
 */
#ifndef DS_GRAPH_CPU_SIMD_H
#define DS_GRAPH_CPU_SIMD_H

#include "graph/graph.h"

typedef struct {
	float beta1, beta2, eps, decay, lr, fix1, fix2, factor;
} ds_simd_adamw;

typedef struct { /* one row of a norm; what is not wanted or not there is NULL */
	int64_t n;
	bool rms;
	float eps;
	const float *x, *add, *w, *b;
	float *y, *sum, *stats;
} ds_simd_norm;

typedef struct { /* one row of its gradient; dw and db are added to */
	int64_t n;
	bool rms;
	const float *dy, *s, *w, *stats, *add;
	float *ds, *dw, *db;
} ds_simd_norm_grad;

typedef struct
{ /* C[m, n] = A B (+ C); A's element (i, k) is a[i * am + k * ak]; B's rows are dense */
	int64_t m, n, k;
	const float *a;
	int64_t am, ak;
	const float *b;
	int64_t ldb;
	float *c;
	int64_t ldc;
	bool add;
} ds_simd_gemm;

typedef struct {
	const char *name;
	void (*act)(ds_act act, float *y, const float *x, int64_t n);
	void (*act_grad)(ds_act act, float *dx, const float *dy, const float *x, int64_t n);
	void (*glu)(ds_act act, float *y, const float *gate, const float *up, int64_t n);
	void (*glu_grad)(ds_act act, float *const out[2], const float *const in[3], int64_t n);
	void (*add)(float *y, const float *a, const float *b, int64_t n);
	void (*scale)(float *y, const float *x, float by, int64_t n);
	float (*dot)(const float *a, const float *b, int64_t n);
	void (*add_scaled)(float *y, const float *x, float by, int64_t n); /* y += by x */
	double (*squares)(const float *x, int64_t n);
	void (*norm)(const ds_simd_norm *r);
	void (*norm_grad)(const ds_simd_norm_grad *r);
	void (*adamw)(
		const ds_simd_adamw *o, float *p, const float *g, float *m, float *v, int64_t n);
	float (*max)(const float *x, int64_t n);
	/* x = exp(scale x - top); returns the sum */
	float (*exp_sum)(float *x, float scale, float top, int64_t n);
	/* dp = p (dp - all) scale: a row of attention's gradient */
	void (*score_grad)(float *dp, const float *p, float all, float scale, int64_t n);
	void (*gemm)(const ds_simd_gemm *g);
	/* to[k * ld + i] = from[i * from_ld + k] for i < rows, k < cols; zeros for i in [rows, ld) */
	void (*transpose)(float *to, int64_t ld, const float *from, int64_t from_ld, int64_t rows,
		int64_t cols);
	/*
	 * out[4 i + k] = 0 where number k of block first + i of the generator is below limit, else by:
	 * n numbers, a multiple of four
	 */
	void (*keep)(float *out, ds_rng rng, uint64_t first, int64_t n, uint32_t limit, float by);
	/* Rounds to bf16 or fp16 (type), to nearest, ties to even; and back. */
	void (*halve)(ds_dtype type, uint16_t *to, const float *from, int64_t n);
	void (*widen)(ds_dtype type, float *to, const uint16_t *from, int64_t n);
	void (*multiply)(float *y, const float *a, const float *b, int64_t n);
	/* RoPE: sine and cosine of at * freq[i], each times by; the product is made in double */
	void (*angles)(
		float *cosine, float *sine, double at, const float *freq, float by, int64_t n);
	/* RoPE: x' = x c - y s, y' = y c + x s */
	void (*rotate)(float *const out[2], const float *const in[2], const float *c,
		const float *s, int64_t n);
} ds_simd;

extern const ds_simd ds_simd_plain, ds_simd_avx2, ds_simd_avx512;
const ds_simd *ds_simd_now(void);

#endif
