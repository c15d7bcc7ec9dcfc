/*
 * dev.cuh - what all kernels share: 16-byte access, sums over warps and blocks, counters, launches
 */
#ifndef DSK_DEV_CUH
#define DSK_DEV_CUH

#include "graph/cuda/api.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>

typedef __nv_bfloat16 bf16;
typedef __half f16;

enum { WARP = 32 };
#define ALL_LANES 0xffffffffu

/* ---- V numbers at once; V > 1: 16 bytes an access, addresses are multiples of that ---- */

template <int V> struct Nums {
	float v[V];
};

template <int V> static __device__ __forceinline__ Nums<V> load(const float *p)
{
	Nums<V> r;
	if constexpr (V == 1) {
		r.v[0] = *p;
	} else {
#pragma unroll
		for (int i = 0; i < V; i += 4) {
			uint4 u = *reinterpret_cast<const uint4 *>(p + i);
			r.v[i] = __uint_as_float(u.x);
			r.v[i + 1] = __uint_as_float(u.y);
			r.v[i + 2] = __uint_as_float(u.z);
			r.v[i + 3] = __uint_as_float(u.w);
		}
	}
	return r;
}

template <int V> static __device__ __forceinline__ void store(float *p, const Nums<V> &x)
{
	if constexpr (V == 1) {
		*p = x.v[0];
	} else {
#pragma unroll
		for (int i = 0; i < V; i += 4)
			*reinterpret_cast<uint4 *>(p + i) =
				make_uint4(__float_as_uint(x.v[i]), __float_as_uint(x.v[i + 1]),
					__float_as_uint(x.v[i + 2]), __float_as_uint(x.v[i + 3]));
	}
}

static __device__ __forceinline__ uint32_t pack(bf16 *, float low, float high)
{
	__nv_bfloat162 two = __floats2bfloat162_rn(low, high);
	return *reinterpret_cast<uint32_t *>(&two);
}

static __device__ __forceinline__ uint32_t pack(f16 *, float low, float high)
{
	__half2 two = __floats2half2_rn(low, high);
	return *reinterpret_cast<uint32_t *>(&two);
}

static __device__ __forceinline__ void put(float *p, float x)
{
	*p = x;
}

static __device__ __forceinline__ void put(bf16 *p, float x)
{
	*p = __float2bfloat16_rn(x);
}

static __device__ __forceinline__ void put(f16 *p, float x)
{
	*p = __float2half_rn(x);
}

static __device__ __forceinline__ float get(const float *p)
{
	return *p;
}

static __device__ __forceinline__ float get(const bf16 *p)
{
	return __bfloat162float(*p);
}

static __device__ __forceinline__ float get(const f16 *p)
{
	return __half2float(*p);
}

template <int V, class T> static __device__ __forceinline__ void store(T *p, const Nums<V> &x)
{
	if constexpr (V == 1) {
		put(p, x.v[0]);
	} else {
#pragma unroll
		for (int i = 0; i < V; i += 8)
			*reinterpret_cast<uint4 *>(p + i) = make_uint4(pack(p, x.v[i], x.v[i + 1]),
				pack(p, x.v[i + 2], x.v[i + 3]), pack(p, x.v[i + 4], x.v[i + 5]),
				pack(p, x.v[i + 6], x.v[i + 7]));
	}
}

/* ---- matrices whose type is known when a kernel runs: f32, bf16 or fp16; a branch that all threads take alike ---- */

template <int V> static __device__ __forceinline__ Nums<V> load_halves(const bf16 *p)
{
	Nums<V> r;
#pragma unroll
	for (int i = 0; i < V; i += 8) {
		uint4 u = *reinterpret_cast<const uint4 *>(p + i);
		uint32_t w[4] = { u.x, u.y, u.z, u.w };
#pragma unroll
		for (int k = 0; k < 4; k++) {
			r.v[i + 2 * k] = __uint_as_float(w[k] << 16);
			r.v[i + 2 * k + 1] = __uint_as_float(w[k] & 0xffff0000u);
		}
	}
	return r;
}

template <int V> static __device__ __forceinline__ Nums<V> load_halves(const f16 *p)
{
	Nums<V> r;
#pragma unroll
	for (int i = 0; i < V; i += 8) {
		uint4 u = *reinterpret_cast<const uint4 *>(p + i);
		uint32_t w[4] = { u.x, u.y, u.z, u.w };
#pragma unroll
		for (int k = 0; k < 4; k++) {
			float2 two = __half22float2(*reinterpret_cast<__half2 *>(&w[k]));
			r.v[i + 2 * k] = two.x;
			r.v[i + 2 * k + 1] = two.y;
		}
	}
	return r;
}

struct Mat {
	void *p;
	int64_t ld;
	int type;

	Mat() = default;
	__host__ Mat(const ds_operand &o) : p(o.data), ld(o.ld), type(o.dtype)
	{
	}
	__device__ __forceinline__ float get(int64_t row, int64_t col) const
	{
		int64_t at = row * ld + col;
		if (type == DS_F32)
			return ((const float *)p)[at];
		return type == DS_BF16 ? ::get((const bf16 *)p + at) : ::get((const f16 *)p + at);
	}
	__device__ __forceinline__ void put(int64_t row, int64_t col, float x) const
	{
		int64_t at = row * ld + col;
		if (type == DS_F32)
			((float *)p)[at] = x;
		else if (type == DS_BF16)
			::put((bf16 *)p + at, x);
		else
			::put((f16 *)p + at, x);
	}
	template <int V> __device__ __forceinline__ Nums<V> load(int64_t row, int64_t col) const
	{
		int64_t at = row * ld + col;
		if constexpr (V == 1) {
			return Nums<1>{ { get(row, col) } };
		} else {
			if (type == DS_F32)
				return ::load<V>((const float *)p + at);
			return type == DS_BF16 ? load_halves<V>((const bf16 *)p + at)
					       : load_halves<V>((const f16 *)p + at);
		}
	}
	template <int V>
	__device__ __forceinline__ void store(int64_t row, int64_t col, const Nums<V> &x) const
	{
		int64_t at = row * ld + col;
		if constexpr (V == 1) {
			put(row, col, x.v[0]);
		} else {
			if (type == DS_F32)
				::store<V>((float *)p + at, x);
			else if (type == DS_BF16)
				::store<V>((bf16 *)p + at, x);
			else
				::store<V>((f16 *)p + at, x);
		}
	}
};

/* ---- sums and maxima ---- */

static __device__ __forceinline__ float warp_sum(float x)
{
#pragma unroll
	for (int o = WARP / 2; o > 0; o /= 2)
		x += __shfl_xor_sync(ALL_LANES, x, o);
	return x;
}

static __device__ __forceinline__ float warp_max(float x)
{
#pragma unroll
	for (int o = WARP / 2; o > 0; o /= 2)
		x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, o));
	return x;
}

/* Over T threads (a multiple of 32, at most 1024), for all of them; `shared` has T / 32 numbers. */
template <int T> static __device__ __forceinline__ float block_sum(float x, float *shared)
{
	x = warp_sum(x);
	if constexpr (T > WARP) {
		__syncthreads();
		if (threadIdx.x % WARP == 0)
			shared[threadIdx.x / WARP] = x;
		__syncthreads();
		x = shared[0];
#pragma unroll
		for (int i = 1; i < T / WARP; i++)
			x += shared[i];
	}
	return x;
}

template <int T> static __device__ __forceinline__ float block_max(float x, float *shared)
{
	x = warp_max(x);
	if constexpr (T > WARP) {
		__syncthreads();
		if (threadIdx.x % WARP == 0)
			shared[threadIdx.x / WARP] = x;
		__syncthreads();
		x = shared[0];
#pragma unroll
		for (int i = 1; i < T / WARP; i++)
			x = fmaxf(x, shared[i]);
	}
	return x;
}

/* The same in double, for the first thread alone. */
template <int T> static __device__ __forceinline__ double block_sum_double(double x, double *shared)
{
	shared[threadIdx.x] = x;
	__syncthreads();
#pragma unroll
	for (int o = T / 2; o > 0; o /= 2) {
		if (threadIdx.x < o)
			shared[threadIdx.x] += shared[threadIdx.x + o];
		__syncthreads();
	}
	return shared[0];
}

/* ---- numbers by counters: base/rng.c's Philox 4x32-10 ---- */

struct Four {
	uint32_t v[4];
	/* By choosing: an index would put all four into local memory. */
	__device__ __forceinline__ uint32_t at(uint32_t i) const
	{
		uint32_t low = i & 1 ? v[1] : v[0], high = i & 1 ? v[3] : v[2];
		return i & 2 ? high : low;
	}
};

static __device__ __forceinline__ Four philox(uint64_t key, uint64_t high, uint64_t counter)
{
	uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
	uint32_t c2 = (uint32_t)high, c3 = (uint32_t)(high >> 32);
	uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
#pragma unroll
	for (int round = 0; round < 10; round++) {
		uint32_t a1 = __umulhi(0xD2511F53u, c0), a0 = 0xD2511F53u * c0;
		uint32_t b1 = __umulhi(0xCD9E8D57u, c2), b0 = 0xCD9E8D57u * c2;
		c0 = b1 ^ c1 ^ k0;
		c1 = b0;
		c2 = a1 ^ c3 ^ k1;
		c3 = a0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	return Four{ { c0, c1, c2, c3 } };
}

/* One dropout of a run: op/basic.c says which counters. */
struct Drops {
	uint32_t limit, stream; /* a number below the limit drops; 0: nothing is dropped */
	float keep;             /* what others are multiplied by */

	__host__ explicit Drops(const ds_dropout_attr &a)
		: limit((uint32_t)((double)a.p * 4294967296.0)), stream(a.stream),
		  keep((float)(1 / (1 - (double)a.p)))
	{
	}
	__device__ __forceinline__ Four four(const ds_run *r, uint64_t at) const
	{
		return philox(r->seed, ((uint64_t)r->step << 16) + stream, at / 4);
	}
	__device__ __forceinline__ float factor(const ds_run *r, uint64_t at) const
	{
		return four(r, at).at((uint32_t)at & 3) < limit ? 0 : keep;
	}
};

/* ---- launches ---- */

template <class T> static inline T *data(const ds_operand &o)
{
	return (T *)o.data;
}

static inline bool is_dense(const ds_operand &o)
{
	return o.ld == o.cols || o.rows == 1;
}

/* Whether rows of it can be read 16 bytes at a time. */
static inline bool is_wide(const ds_operand &o)
{
	int64_t size = o.dtype == DS_F32 ? 4 : 2;
	return !o.data || ((uintptr_t)o.data % 16 == 0 && o.ld * size % 16 == 0 && o.cols % 8 == 0);
}

static inline cudaStream_t stream_of(const ds_cuda_call *c)
{
	return (cudaStream_t)c->stream;
}

static inline int launched(void)
{
	return (int)cudaGetLastError();
}

#endif
