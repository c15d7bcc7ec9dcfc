/*
 * instructions.cu - what single instructions give, against the same computed on the host
 *
 * Prints a line for each difference and "N checked, M wrong". Runs on a device as well.
 */
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <string>

static int n_checked, n_wrong;

static void same(const char *what, int lane, double got, double want, double bound = 0)
{
	n_checked++;
	bool both_nan = got != got && want != want;
	if (both_nan || got == want || fabs(got - want) <= bound * fabs(want))
		return;
	n_wrong++;
	printf("%s, lane %d: %.9g, wanted %.9g\n", what, lane, got, want);
}

enum { LANES = 32, RESULTS = 24 };

template <class T> struct Out {
	T *d;
	T h[RESULTS][LANES];
	Out()
	{
		cudaMalloc(&d, sizeof(h));
	}
	void take()
	{
		cudaMemcpy(h, d, sizeof(h), cudaMemcpyDeviceToHost);
	}
	~Out()
	{
		cudaFree(d);
	}
};

/* ---- integers ---- */

__global__ void integers(uint32_t *o, const uint32_t *a, const uint32_t *b)
{
	int l = threadIdx.x;
	uint32_t x = a[l], y = b[l], r;
	int n = 0;
	o[LANES * n++ + l] = __umulhi(x, y);
	o[LANES * n++ + l] = (uint32_t)__mulhi((int)x, (int)y);
	o[LANES * n++ + l] = __brev(x);
	o[LANES * n++ + l] = (uint32_t)__clz((int)x);
	o[LANES * n++ + l] = (uint32_t)__popc(x);
	o[LANES * n++ + l] = (uint32_t)__ffs((int)x);
	o[LANES * n++ + l] = __byte_perm(x, y, 0x3715 + l);
	o[LANES * n++ + l] = __funnelshift_l(x, y, l);
	o[LANES * n++ + l] = __funnelshift_r(x, y, l);
	o[LANES * n++ + l] = x / (y | 1);
	o[LANES * n++ + l] = (uint32_t)((int)x % (int)(y | 1));
	o[LANES * n++ + l] = (uint32_t)min((int)x, (int)y);
	o[LANES * n++ + l] = max(x, y);
	o[LANES * n++ + l] = x << (l & 7);
	o[LANES * n++ + l] = (uint32_t)((int)x >> (l & 7));
	asm("bfe.u32 %0, %1, %2, 7;" : "=r"(r) : "r"(x), "r"(l));
	o[LANES * n++ + l] = r;
	asm("bfe.s32 %0, %1, %2, 7;" : "=r"(r) : "r"(x), "r"(l));
	o[LANES * n++ + l] = r;
	asm("bfi.b32 %0, %1, %2, %3, 9;" : "=r"(r) : "r"(x), "r"(y), "r"(l));
	o[LANES * n++ + l] = r;
	asm("lop3.b32 %0, %1, %2, %3, 0xe8;" : "=r"(r) : "r"(x), "r"(y), "r"(x ^ 0x5a5a5a5au));
	o[LANES * n++ + l] = r;
	o[LANES * n++ + l] = (uint32_t)__dp4a((int)x, (int)y, 5);
	o[LANES * n++ + l] = (uint32_t)(((uint64_t)x * y) >> 13);
	o[LANES * n++ + l] = (uint32_t)(((uint64_t)x << 32 | y) / (x | 1));
}

static uint32_t host_bfe(uint32_t a, int pos, int len, bool is_signed)
{
	int64_t v = is_signed ? (int64_t)(int32_t)a : (int64_t)a;
	uint64_t field = (uint64_t)(v >> pos);
	if (is_signed && pos + len > 32)
		return (uint32_t)(v >> pos);
	field &= (1ull << len) - 1;
	if (is_signed && field >> (len - 1) & 1)
		field |= ~((1ull << len) - 1);
	if (!is_signed)
		field &= 0xffffffffu >> (pos < 32 ? 0 : 31);
	return (uint32_t)field;
}

static uint32_t host_perm(uint32_t x, uint32_t y, uint32_t s)
{
	uint64_t all = x | (uint64_t)y << 32;
	uint32_t r = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t v = (uint32_t)(all >> 8 * (s >> 4 * i & 7)) & 255; /* CUDA takes three bits */
		r |= v << 8 * i;
	}
	return r;
}

static void check_integers()
{
	uint32_t a[LANES], b[LANES], *da, *db, seed = 7;
	for (int l = 0; l < LANES; l++) {
		a[l] = seed = seed * 1664525u + 1013904223u;
		b[l] = (seed = seed * 1664525u + 1013904223u) >> (l % 20);
	}
	a[5] = 0;
	Out<uint32_t> o;
	cudaMalloc(&da, sizeof(a));
	cudaMalloc(&db, sizeof(b));
	cudaMemcpy(da, a, sizeof(a), cudaMemcpyHostToDevice);
	cudaMemcpy(db, b, sizeof(b), cudaMemcpyHostToDevice);
	integers<<<1, LANES>>>(o.d, da, db);
	o.take();
	for (int l = 0; l < LANES; l++) {
		uint32_t x = a[l], y = b[l], z = x ^ 0x5a5a5a5au, rev = 0;
		int32_t dot = 5;
		for (int i = 0; i < 32; i++)
			rev |= (x >> i & 1) << (31 - i);
		for (int i = 0; i < 4; i++)
			dot += (int8_t)(x >> 8 * i) * (int8_t)(y >> 8 * i);
		uint64_t pair = x | (uint64_t)y << 32, field = 0x1ffull << l;
		uint32_t want[] = { (uint32_t)((uint64_t)x * y >> 32), (uint32_t)((int64_t)(int)x * (int)y >> 32), rev,
			x ? (uint32_t)__builtin_clz(x) : 32, (uint32_t)__builtin_popcount(x), (uint32_t)__builtin_ffs((int)x),
			host_perm(x, y, 0x3715u + (uint32_t)l), (uint32_t)(pair << l >> 32), (uint32_t)(pair >> l), x / (y | 1),
			(uint32_t)((int)x % (int)(y | 1)), (uint32_t)((int)x < (int)y ? x : y), x > y ? x : y, x << (l & 7),
			(uint32_t)((int)x >> (l & 7)), host_bfe(x, l, 7, false), host_bfe(x, l, 7, true),
			(uint32_t)((y & ~field) | ((uint64_t)x << l & field)), (x & y) | (x & z) | (y & z), (uint32_t)dot,
			(uint32_t)((uint64_t)x * y >> 13), (uint32_t)(((uint64_t)x << 32 | y) / (x | 1)) };
		for (int n = 0; n < (int)(sizeof(want) / sizeof(*want)); n++)
			same(("integer " + std::to_string(n)).c_str(), l, o.h[n][l], want[n]);
	}
	cudaFree(da);
	cudaFree(db);
}

/* ---- floats ---- */

__global__ void floats(float *o, const float *a)
{
	int l = threadIdx.x, n = 0;
	float x = a[l], p = fabsf(x) + 1e-3f;
	o[LANES * n++ + l] = expf(x);
	o[LANES * n++ + l] = logf(p);
	o[LANES * n++ + l] = tanhf(x);
	o[LANES * n++ + l] = rsqrtf(p);
	o[LANES * n++ + l] = sqrtf(p);
	o[LANES * n++ + l] = 1.f / p;
	o[LANES * n++ + l] = __expf(x);
	o[LANES * n++ + l] = exp2f(x);
	o[LANES * n++ + l] = log2f(p);
	o[LANES * n++ + l] = sinf(x);
	o[LANES * n++ + l] = cosf(x);
	o[LANES * n++ + l] = erff(x);
	o[LANES * n++ + l] = fmaf(x, p, -x);
	o[LANES * n++ + l] = fminf(x, l % 3 ? 0.5f : NAN);
	o[LANES * n++ + l] = floorf(x);
	o[LANES * n++ + l] = rintf(x);
	o[LANES * n++ + l] = (float)(int)x;
	o[LANES * n++ + l] = __fadd_rd(x, 1e-9f);
	o[LANES * n++ + l] = __fmul_rz(x, 1.1f);
	o[LANES * n++ + l] = __fmaf_ru(x, x, 1e-9f);
	o[LANES * n++ + l] = (float)exp((double)x);
	o[LANES * n++ + l] = powf(p, x * 0.1f);
}

static float stepped(double exact, int way)
{
	float r = (float)exact;
	if (way < 0 && r > exact)
		return nextafterf(r, -INFINITY);
	if (way > 0 && r < exact)
		return nextafterf(r, INFINITY);
	if (way == 0 && fabs(r) > fabs(exact))
		return nextafterf(r, 0);
	return r;
}

static void check_floats()
{
	float a[LANES], *d;
	for (int l = 0; l < LANES; l++)
		a[l] = (float)(l - 15) * 0.73f + 0.011f;
	a[3] = -40;
	a[4] = 60;
	a[6] = -0.f;
	Out<float> o;
	cudaMalloc(&d, sizeof(a));
	cudaMemcpy(d, a, sizeof(a), cudaMemcpyHostToDevice);
	floats<<<1, LANES>>>(o.d, d);
	o.take();
	for (int l = 0; l < LANES; l++) {
		float x = a[l], p = fabsf(x) + 1e-3f, other = l % 3 ? 0.5f : NAN;
		double want[] = { exp(x), log(p), tanh(x), 1 / sqrt(p), sqrtf(p), 1.f / p, exp(x), exp2(x), log2(p), sin(x), cos(x), erf(x),
			fmaf(x, p, -x), fminf(x, other), floorf(x), rintf(x), (float)(int)x, stepped((double)x + 1e-9f, -1),
			stepped((double)x * 1.1f, 0), stepped((double)x * x + 1e-9f, 1), (float)exp((double)x), pow(p, x * 0.1f) };
		for (int n = 0; n < (int)(sizeof(want) / sizeof(*want)); n++) {
			bool exact = n == 4 || n == 5 || (n >= 12 && n <= 19);
			double bound = exact ? 0 : n == 9 || n == 10 ? 1e-5 : 4e-6;
			if (n == 1 || n == 8)
				bound = fabs(want[n]) < 0.1 ? 1e-4 : bound;
			same(("float " + std::to_string(n)).c_str(), l, o.h[n][l], want[n], bound);
		}
	}
	cudaFree(d);
}

/* ---- 16 bits ---- */

__global__ void halves(uint32_t *o, const float *a)
{
	int l = threadIdx.x, n = 0;
	float x = a[l], y = a[(l + 1) % LANES];
	auto put = [&](uint16_t v) { o[LANES * n++ + l] = v; };
	put(__half_as_ushort(__float2half_rn(x)));
	put(__bfloat16_as_ushort(__float2bfloat16_rn(x)));
	put(__half_as_ushort(__float2half_rz(x)));
	put(__half_as_ushort(__hfma(__float2half(x), __float2half(y), __float2half(0.1f))));
	put(__half_as_ushort(__hadd(__float2half(x), __float2half(y))));
	put(__half_as_ushort(__hmul(__float2half(x), __float2half(y))));
	put(__bfloat16_as_ushort(__hfma(__float2bfloat16(x), __float2bfloat16(y), __float2bfloat16(0.1f))));
	put(__half_as_ushort(__hmax(__float2half(x), __float2half(y))));
	put(__hlt(__float2half(x), __float2half(y)));
	__half2 pair = __floats2half2_rn(x, y), sum = __hadd2(pair, pair);
	put(__half_as_ushort(__high2half(sum)));
	put(__half_as_ushort(__int2half_rn((int)x)));
	put((uint16_t)__half2int_rz(__float2half(x)));
}

static uint16_t host_half(double x, bool toward_zero = false)
{
	uint16_t h = __half_as_ushort(__double2half(x));
	if (toward_zero && fabs((double)__half2float(__ushort_as_half(h))) > fabs(x))
		h--;
	return h;
}

static void check_halves()
{
	float a[LANES], *d;
	for (int l = 0; l < LANES; l++)
		a[l] = (float)(l - 13) * 1.377f + 0.0123f;
	Out<uint32_t> o;
	cudaMalloc(&d, sizeof(a));
	cudaMemcpy(d, a, sizeof(a), cudaMemcpyHostToDevice);
	halves<<<1, LANES>>>(o.d, d);
	o.take();
	for (int l = 0; l < LANES; l++) {
		float x = a[l], y = a[(l + 1) % LANES];
		double hx = __half2float(__ushort_as_half(host_half(x))), hy = __half2float(__ushort_as_half(host_half(y)));
		double c = __half2float(__ushort_as_half(host_half(0.1f)));
		auto bf = [](float v) { return (double)__bfloat162float(__float2bfloat16(v)); };
		uint16_t want[] = { host_half(x), __bfloat16_as_ushort(__float2bfloat16(x)), host_half(x, true), host_half(hx * hy + c),
			host_half(hx + hy), host_half(hx * hy), __bfloat16_as_ushort(__double2bfloat16(bf(x) * bf(y) + bf(0.1f))),
			host_half(fmax(hx, hy)), hx < hy, host_half(2 * hy), host_half((int)x), (uint16_t)(int)hx };
		for (int n = 0; n < (int)(sizeof(want) / sizeof(*want)); n++)
			same(("half " + std::to_string(n)).c_str(), l, o.h[n][l], want[n]);
	}
	cudaFree(d);
}

/* ---- lanes ---- */

__global__ void lanes(uint32_t *o)
{
	int l = threadIdx.x, n = 0;
	uint32_t v = (uint32_t)(l * l % 7);
	o[LANES * n++ + l] = __shfl_sync(~0u, v, (l * 5) % 32);
	o[LANES * n++ + l] = __shfl_up_sync(~0u, v, 3);
	o[LANES * n++ + l] = __shfl_down_sync(~0u, v, 5, 8);
	o[LANES * n++ + l] = __shfl_xor_sync(~0u, v, 9);
	o[LANES * n++ + l] = __shfl_sync(~0u, v, 2, 8);
	o[LANES * n++ + l] = __ballot_sync(~0u, v > 2);
	o[LANES * n++ + l] = (uint32_t)__all_sync(~0u, l < 32) + 2 * (uint32_t)__any_sync(~0u, l == 40);
	o[LANES * n++ + l] = __match_any_sync(~0u, v);
	o[LANES * n++ + l] = __reduce_add_sync(~0u, v);
	o[LANES * n++ + l] = __reduce_max_sync(~0u, v);
	uint32_t half = l < 12 ? 0xfffu : ~0xfffu;
	o[LANES * n++ + l] = l < 12 ? __ballot_sync(half, l & 1) : __ballot_sync(half, l & 2);
	o[LANES * n++ + l] = (uint32_t)__syncthreads_count(l % 3 == 0);
	uint32_t loops = 0;
	for (int i = 0; i < l; i++)
		loops += i & 1 ? 3 : 5;
	o[LANES * n++ + l] = __shfl_sync(~0u, loops, 31 - l);
}

static void check_lanes()
{
	Out<uint32_t> o;
	lanes<<<1, LANES>>>(o.d);
	o.take();
	auto v = [](int l) { return (uint32_t)(l * l % 7); };
	uint32_t ballot = 0, sum = 0, half[2] = {};
	for (int l = 0; l < LANES; l++) {
		ballot |= (v(l) > 2) << l;
		sum += v(l);
		half[l >= 12] |= (uint32_t)(l < 12 ? l & 1 : (l & 2) >> 1) << l;
	}
	for (int l = 0; l < LANES; l++) {
		uint32_t match = 0;
		for (int k = 0; k < LANES; k++)
			match |= (uint32_t)(v(k) == v(l)) << k;
		int far = 31 - l;
		uint32_t want[] = { v(l * 5 % 32), v(l < 3 ? l : l - 3), v(l % 8 < 3 ? l + 5 : l), v(l ^ 9), v(l / 8 * 8 + 2), ballot, 1, match,
			sum, 6, half[l >= 12], 11, (uint32_t)((far + 1) / 2 * 5 + far / 2 * 3) };
		want[9] = 4;
		for (int n = 0; n < (int)(sizeof(want) / sizeof(*want)); n++)
			same(("lane " + std::to_string(n)).c_str(), l, o.h[n][l], want[n]);
	}
}

/* ---- matrices: a [16][k] times b [k][8] ---- */

template <class T> __device__ uint32_t two(T a, T b)
{
	T v[2] = { a, b };
	uint32_t r;
	memcpy(&r, v, 4);
	return r;
}

template <class T> __global__ void product(float *d, const T *a, const T *b)
{
	__shared__ __align__(16) T sa[16][16], sb[16][8];
	int l = threadIdx.x, g = l / 4, t = l % 4;
	for (int i = l; i < 256; i += 32)
		sa[i / 16][i % 16] = a[i];
	for (int i = l; i < 128; i += 32)
		sb[i / 8][i % 8] = b[i];
	__syncwarp();
	uint32_t x[4], y[2];
	float c[4] = { 1, 2, 3, 4 };
	uint32_t at = (uint32_t)__cvta_generic_to_shared(&sa[l % 16][l / 16 * 8]);
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
		: "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
		: "r"(at));
	at = (uint32_t)__cvta_generic_to_shared(&sb[l % 16][0]);
	asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(y[0]), "=r"(y[1]) : "r"(at));
	if (x[1] != two(sa[g + 8][2 * t], sa[g + 8][2 * t + 1]) || y[1] != two(sb[2 * t + 8][g], sb[2 * t + 9][g]))
		c[0] = NAN;
	if (sizeof(T) == 2 && __is_same(T, __nv_bfloat16))
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
			: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
			: "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
	else
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
			: "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
			: "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]));
	for (int i = 0; i < 4; i++)
		d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = c[i];
}

template <class T> static void check_product(const char *what, T (*narrow)(float), float (*wide)(T))
{
	T a[256], b[128], *da, *db;
	float d[128], *dd;
	for (int i = 0; i < 256; i++)
		a[i] = narrow((float)(i * 37 % 61 - 30) / 16);
	for (int i = 0; i < 128; i++)
		b[i] = narrow((float)(i * 53 % 41 - 20) / 8);
	cudaMalloc(&da, sizeof(a));
	cudaMalloc(&db, sizeof(b));
	cudaMalloc(&dd, sizeof(d));
	cudaMemcpy(da, a, sizeof(a), cudaMemcpyHostToDevice);
	cudaMemcpy(db, b, sizeof(b), cudaMemcpyHostToDevice);
	product<T><<<1, 32>>>(dd, da, db);
	cudaMemcpy(d, dd, sizeof(d), cudaMemcpyDeviceToHost);
	for (int r = 0; r < 16; r++)
		for (int c = 0; c < 8; c++) {
			double s = 1 + (r >= 8 ? 2 : 0) + c % 2;
			for (int k = 0; k < 16; k++)
				s += (double)wide(a[r * 16 + k]) * wide(b[k * 8 + c]);
			same(what, r * 8 + c, d[r * 8 + c], s, 1e-6);
		}
	cudaFree(da);
	cudaFree(db);
	cudaFree(dd);
}

/* ---- the rest: calls, variables, atomics, wide and narrow memory ---- */

__device__ unsigned counter;
__device__ float table[4];
__constant__ float steps[4] = { 0.5f, 1.5f, 2.5f, 3.5f };

__device__ __noinline__ float called(float a, int n)
{
	for (int i = 0; i < n; i++)
		a = a * 0.5f + steps[i & 3];
	return a;
}

__global__ void others(float *o, double *wide, uint8_t *bytes)
{
	int l = threadIdx.x;
	float local[8];
	for (int i = 0; i < 8; i++)
		local[i] = (float)(i * l);
	local[l & 7] += called((float)l, l % 5);
	o[l] = local[(l * 3) & 7] + table[l & 3];
	wide[l] = wide[l] / 3 + (double)local[1];
	bytes[l] = (uint8_t)(bytes[l] + (int8_t)-l);
	atomicAdd(&counter, (unsigned)l);
	atomicMax((int *)&o[32], l);
	atomicAdd(&o[33], 0.5f);
	unsigned old = atomicCAS((unsigned *)&o[34], 7u, 9u);
	if (old == 7u)
		atomicExch((unsigned *)&o[35], (unsigned)l);
}

static void check_others()
{
	float h[40] = {}, t[4] = { 10, 20, 30, 40 }, *o;
	double w[32], *dw;
	uint8_t b[32], *db;
	unsigned c = 0, seven = 7;
	for (int l = 0; l < 32; l++) {
		w[l] = l * 1.1;
		b[l] = (uint8_t)(l * 9);
	}
	memcpy(&h[34], &seven, 4);
	cudaMalloc(&o, sizeof(h));
	cudaMalloc(&dw, sizeof(w));
	cudaMalloc(&db, sizeof(b));
	cudaMemcpy(o, h, sizeof(h), cudaMemcpyHostToDevice);
	cudaMemcpy(dw, w, sizeof(w), cudaMemcpyHostToDevice);
	cudaMemcpy(db, b, sizeof(b), cudaMemcpyHostToDevice);
	cudaMemcpyToSymbol(table, t, sizeof(t));
	cudaMemcpyToSymbol(counter, &c, sizeof(c));
	others<<<1, 32>>>(o, dw, db);
	cudaMemcpyFromSymbol(&c, counter, sizeof(c));
	cudaMemcpy(h, o, sizeof(h), cudaMemcpyDeviceToHost);
	double w2[32];
	uint8_t b2[32];
	cudaMemcpy(w2, dw, sizeof(w2), cudaMemcpyDeviceToHost);
	cudaMemcpy(b2, db, sizeof(b2), cudaMemcpyDeviceToHost);
	for (int l = 0; l < 32; l++) {
		float a = (float)l, k[4] = { 0.5f, 1.5f, 2.5f, 3.5f }, local[8];
		for (int i = 0; i < l % 5; i++)
			a = a * 0.5f + k[i & 3];
		for (int i = 0; i < 8; i++)
			local[i] = (float)(i * l);
		local[l & 7] += a;
		same("others", l, h[l], local[(l * 3) & 7] + t[l & 3]);
		same("double", l, w2[l], w[l] / 3 + local[1], 1e-15);
		same("bytes", l, b2[l], (uint8_t)(b[l] - l));
	}
	int most;
	unsigned swapped, first;
	memcpy(&most, &h[32], 4);
	memcpy(&swapped, &h[34], 4);
	memcpy(&first, &h[35], 4);
	same("counter", 0, c, 496);
	same("atomicMax", 0, most, 31);
	same("atomicAdd", 0, h[33], 16);
	same("atomicCAS", 0, swapped, 9);
	same("atomicExch", 0, first < 32, 1);
	cudaFree(o);
	cudaFree(dw);
	cudaFree(db);
}

int main()
{
	check_integers();
	check_floats();
	check_halves();
	check_lanes();
	check_product<__half>("mma f16", [](float x) { return __float2half(x); }, [](__half x) { return __half2float(x); });
	check_product<__nv_bfloat16>(
		"mma bf16", [](float x) { return __float2bfloat16(x); }, [](__nv_bfloat16 x) { return __bfloat162float(x); });
	check_others();
	cudaError_t e = cudaDeviceSynchronize();
	if (e)
		printf("error: %s\n", cudaGetErrorString(e));
	printf("%d checked, %d wrong\n", n_checked, n_wrong);
	return e || n_wrong;
}
