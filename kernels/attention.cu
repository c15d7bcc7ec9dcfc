/*
 * attention.cu - attention in f32 and its gradient, without tensor cores
 *
 * What f32 training, short queries over a cache and head sizes that are no multiple of 16 use. A warp takes a query of a head: its
 * lanes score 32 keys at a time, then hold the columns of the output. The gradient of keys and values is a warp a
 * key, over the queries that see it, so nothing is added atomically. Bound by arithmetic and the first-level cache.
 */
#include "attention.cuh"

#include <math.h>

enum { WARPS = 4, THREADS = WARPS * WARP };

/* The sum over columns of a row in shared memory and one in global memory. */
static __device__ __forceinline__ float dot(const float *a, const float *b, int d)
{
	float sum = 0;
	if (d % 4 == 0 && (uintptr_t)b % 16 == 0) {
		for (int i = 0; i < d; i += 4) {
			Nums<4> x = load<4>(a + i), y = load<4>(b + i);
			sum += x.v[0] * y.v[0] + x.v[1] * y.v[1] + x.v[2] * y.v[2] + x.v[3] * y.v[3];
		}
		return sum;
	}
	for (int i = 0; i < d; i++)
		sum += a[i] * b[i];
	return sum;
}

/* C: columns a lane holds, of heads of up to 32 C. */
template <int C> static __global__ void __launch_bounds__(THREADS) attend(Attention p)
{
	extern __shared__ __align__(16) float buffers[];
	int lane = threadIdx.x % WARP, d = p.a.head_dim, wide = (d + 3) / 4 * 4;
	float *q = buffers + threadIdx.x / WARP * wide;
	int64_t at = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	if (at >= p.rows * p.a.heads)
		return;
	int64_t row = at / p.a.heads, b = row / p.a.seq;
	int head = (int)(at % p.a.heads), kv = head / (p.a.heads / p.a.kv_heads), lo, hi;
	p.keys(b, (int)(row % p.a.seq), lo, hi);
	const float *k0 = p.k + p.cache_at(b) * p.k_ld + kv * d;
	const float *v0 = p.v + p.cache_at(b) * p.v_ld + kv * d;
	for (int i = lane; i < d; i += WARP)
		q[i] = p.q[row * p.q_ld + head * d + i] * p.a.scale;
	__syncwarp();
	float o[C] = {}, top = -INFINITY, sum = 0;
	for (int from = lo; from < hi; from += WARP) {
		int j = from + lane, n = hi - from < WARP ? hi - from : WARP;
		float s = lane < n ? dot(q, k0 + j * p.k_ld, d) : -INFINITY;
		float most = fmaxf(top, warp_max(s)), scale = expf(top - most);
		float e = lane < n ? expf(s - most) : 0;
		sum = sum * scale + e;
		top = most;
		float keep = lane < n ? e * p.kept(row, head, j) : 0;
#pragma unroll
		for (int c = 0; c < C; c++)
			o[c] *= scale;
		for (int x = 0; x < n; x++) {
			float w = __shfl_sync(ALL_LANES, keep, x);
			const float *v = v0 + (int64_t)(from + x) * p.v_ld;
#pragma unroll
			for (int c = 0; c < C; c++)
				if (lane + c * WARP < d)
					o[c] += w * v[lane + c * WARP];
		}
	}
	sum = warp_sum(sum);
	float by = sum > 0 ? 1 / sum : 0;
#pragma unroll
	for (int c = 0; c < C; c++)
		if (lane + c * WARP < d)
			p.out[row * p.out_ld + head * d + lane + c * WARP] = o[c] * by;
	if (lane == 0 && p.out_lse)
		p.out_lse[row * p.out_lse_ld + head] = sum > 0 ? top + logf(sum) : 0;
}

/* ---- the gradient ---- */

/* delta[row, head] = do o; then dq. */
template <int C> static __global__ void __launch_bounds__(THREADS) grad_q(Attention p)
{
	extern __shared__ __align__(16) float buffers[];
	int lane = threadIdx.x % WARP, d = p.a.head_dim, wide = (d + 3) / 4 * 4;
	float *q = buffers + threadIdx.x / WARP * 2 * wide, *go = q + wide;
	int64_t at = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	if (at >= p.rows * p.a.heads)
		return;
	int64_t row = at / p.a.heads, b = row / p.a.seq;
	int head = (int)(at % p.a.heads), kv = head / (p.a.heads / p.a.kv_heads), lo, hi;
	p.keys(b, (int)(row % p.a.seq), lo, hi);
	const float *k0 = p.k + b * p.a.kv_seq * p.k_ld + kv * d;
	const float *v0 = p.v + b * p.a.kv_seq * p.v_ld + kv * d;
	float delta = 0, lse = p.lse[row * p.lse_ld + head];
	for (int i = lane; i < d; i += WARP) {
		q[i] = p.q[row * p.q_ld + head * d + i] * p.a.scale;
		go[i] = p.go[row * p.go_ld + head * d + i];
		delta += go[i] * p.o[row * p.o_ld + head * d + i];
	}
	__syncwarp();
	delta = warp_sum(delta);
	if (lane == 0)
		p.delta[at] = delta;
	float dq[C] = {};
	for (int from = lo; from < hi && p.dq; from += WARP) {
		int j = from + lane, n = hi - from < WARP ? hi - from : WARP;
		float ds = 0;
		if (lane < n)
			ds = expf(dot(q, k0 + j * p.k_ld, d) - lse) *
			     (p.kept(row, head, j) * dot(go, v0 + j * p.v_ld, d) - delta);
		for (int x = 0; x < n; x++) {
			float w = __shfl_sync(ALL_LANES, ds, x);
			const float *k = k0 + (int64_t)(from + x) * p.k_ld;
#pragma unroll
			for (int c = 0; c < C; c++)
				if (lane + c * WARP < d)
					dq[c] += w * k[lane + c * WARP];
		}
	}
#pragma unroll
	for (int c = 0; c < C; c++)
		if (lane + c * WARP < d && p.dq)
			p.dq[row * p.dq_ld + head * d + lane + c * WARP] = dq[c] * p.a.scale;
}

/* A warp a key of a key head: all queries of the sequence and the group's heads, 32 at a time. */
template <int C> static __global__ void __launch_bounds__(THREADS) grad_kv(Attention p)
{
	extern __shared__ __align__(16) float buffers[];
	int lane = threadIdx.x % WARP, d = p.a.head_dim, wide = (d + 3) / 4 * 4;
	float *k = buffers + threadIdx.x / WARP * 2 * wide, *v = k + wide;
	int64_t at = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	int64_t n_keys = p.rows / p.a.seq * p.a.kv_seq;
	if (at >= n_keys * p.a.kv_heads)
		return;
	int64_t key = at / p.a.kv_heads, b = key / p.a.kv_seq;
	int kv = (int)(at % p.a.kv_heads), group = p.a.heads / p.a.kv_heads, j = (int)(key % p.a.kv_seq);
	for (int i = lane; i < d; i += WARP) {
		k[i] = p.k[key * p.k_ld + kv * d + i] * p.a.scale;
		v[i] = p.v[key * p.v_ld + kv * d + i];
	}
	__syncwarp();
	float dk[C] = {}, dv[C] = {};
	/* Only queries from the key on see it where attention is causal. */
	int t0 = p.a.causal ? (j < p.a.seq ? j : p.a.seq) : 0;
	for (int head = kv * group; head < (kv + 1) * group; head++)
		for (int from = t0; from < p.a.seq; from += WARP) {
			int t = from + lane, lo = 0, hi = 0;
			int64_t row = b * p.a.seq + t;
			float ds = 0, w = 0;
			if (t < p.a.seq)
				p.keys(b, t, lo, hi);
			if (lo <= j && j < hi) {
				float s = dot(k, p.q + row * p.q_ld + head * d, d);
				float e = expf(s - p.lse[row * p.lse_ld + head]);
				float keep = p.kept(row, head, j);
				w = e * keep;
				ds = e * (keep * dot(v, p.go + row * p.go_ld + head * d, d) -
						 p.delta[row * p.a.heads + head]);
			}
			unsigned seen = __ballot_sync(ALL_LANES, lo <= j && j < hi);
			for (int x = 0; x < WARP; x++) {
				if (!(seen >> x & 1))
					continue;
				float one = __shfl_sync(ALL_LANES, ds, x);
				float two = __shfl_sync(ALL_LANES, w, x);
				int64_t r = b * p.a.seq + from + x;
				const float *q = p.q + r * p.q_ld + head * d;
				const float *go = p.go + r * p.go_ld + head * d;
#pragma unroll
				for (int c = 0; c < C; c++)
					if (lane + c * WARP < d) {
						dk[c] += one * q[lane + c * WARP];
						dv[c] += two * go[lane + c * WARP];
					}
			}
		}
#pragma unroll
	for (int c = 0; c < C; c++)
		if (lane + c * WARP < d) {
			if (p.dk)
				p.dk[key * p.dk_ld + kv * d + lane + c * WARP] = dk[c] * p.a.scale;
			if (p.dv)
				p.dv[key * p.dv_ld + kv * d + lane + c * WARP] = dv[c];
		}
}

/* Calls kernel<columns a lane> for warps warps, with rows of shared memory a warp. */
#define BY_COLS(kernel, p, warps, rows) \
	do { \
		int d_ = ((p).a.head_dim + 3) / 4 * 4; \
		unsigned blocks_ = (unsigned)ds_cuda_div(warps, WARPS); \
		size_t shared_ = (size_t)(WARPS * (rows)*d_) * sizeof(float); \
		if ((p).a.head_dim <= 32) \
			kernel<1><<<blocks_, THREADS, shared_, stream_of(c)>>>(p); \
		else if ((p).a.head_dim <= 64) \
			kernel<2><<<blocks_, THREADS, shared_, stream_of(c)>>>(p); \
		else if ((p).a.head_dim <= 128) \
			kernel<4><<<blocks_, THREADS, shared_, stream_of(c)>>>(p); \
		else \
			kernel<8><<<blocks_, THREADS, shared_, stream_of(c)>>>(p); \
	} while (0)

extern "C" int dsk_attention(const ds_cuda_call *c)
{
	Attention p = attention_of(c);
	if (p.rows == 0)
		return 0;
	BY_COLS(attend, p, p.rows * p.a.heads, 1);
	return launched();
}

/* scratch: delta [rows, heads] */
extern "C" int dsk_attention_grad(const ds_cuda_call *c)
{
	Attention p = attention_grad_of(c);
	p.delta = (float *)c->scratch;
	if (p.rows == 0)
		return 0;
	BY_COLS(grad_q, p, p.rows * p.a.heads, 2);
	BY_COLS(grad_kv, p, p.rows / p.a.seq * p.a.kv_seq * p.a.kv_heads, 2);
	return launched();
}
