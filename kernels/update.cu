/*
 * update.cu - norms of gradients, clipping, AdamW, LAMB, what Muon does beside its products
 *
 * Bound by memory: AdamW moves 28 bytes a parameter. Sums are f64: by blocks of DS_CUDA_SUM_ELEMS numbers, then the
 * blocks in their order. A clipping factor of 0 says that the gradients are not to be used: nothing changes.
 */
#include "dev.cuh"

enum { THREADS = 256 };

/* ---- sqnorm ---- */

static __global__ void __launch_bounds__(THREADS) squares(const float *x, int64_t n, double *sums)
{
	__shared__ double shared[THREADS];
	int64_t from = (int64_t)blockIdx.x * DS_CUDA_SUM_ELEMS;
	int64_t to = from + DS_CUDA_SUM_ELEMS < n ? from + DS_CUDA_SUM_ELEMS : n;
	double sum = 0;
	for (int64_t i = from + threadIdx.x; i < to; i += THREADS)
		sum += (double)x[i] * (double)x[i];
	sum = block_sum_double<THREADS>(sum, shared);
	if (threadIdx.x == 0)
		sums[blockIdx.x] = sum;
}

/* out[k] = the sum of sums[k], sums[k + every] … */
static __global__ void __launch_bounds__(THREADS)
	add_up(const double *sums, int64_t n, int every, double *out)
{
	__shared__ double shared[THREADS];
	double sum = 0;
	for (int64_t i = threadIdx.x; i < n; i += THREADS)
		sum += sums[i * every + blockIdx.x];
	sum = block_sum_double<THREADS>(sum, shared);
	if (threadIdx.x == 0)
		out[blockIdx.x] = sum;
}

extern "C" int dsk_sqnorm(const ds_cuda_call *c)
{
	int64_t n = c->in[0].rows * c->in[0].cols, blocks = ds_cuda_sums(n);
	double *sums = (double *)c->scratch;
	squares<<<(unsigned)blocks, THREADS, 0, stream_of(c)>>>(data<float>(c->in[0]), n, sums);
	add_up<<<1, THREADS, 0, stream_of(c)>>>(sums, blocks, 1, data<double>(c->out[0]));
	return launched();
}

/* ---- dot: of what a contrastive loss compares, so small that one block adds it up ---- */

static __global__ void __launch_bounds__(THREADS) dot(const float *a, int64_t a_ld, const float *b,
	int64_t b_ld, int64_t rows, int64_t cols, float *out)
{
	__shared__ double shared[THREADS];
	double sum = 0;
	for (int64_t i = threadIdx.x; i < rows * cols; i += THREADS)
		sum += (double)a[i / cols * a_ld + i % cols] * (double)b[i / cols * b_ld + i % cols];
	sum = block_sum_double<THREADS>(sum, shared);
	if (threadIdx.x == 0)
		*out = (float)sum;
}

extern "C" int dsk_dot(const ds_cuda_call *c)
{
	dot<<<1, THREADS, 0, stream_of(c)>>>(data<float>(c->in[0]), c->in[0].ld,
		data<float>(c->in[1]), c->in[1].ld, c->in[0].rows, c->in[0].cols,
		data<float>(c->out[0]));
	return launched();
}

/* ---- clip ---- */

static __global__ void __launch_bounds__(THREADS) clip(const double *sums, int64_t n,
	const float *hyper, float max_norm, float *factor, float *norm_out)
{
	__shared__ double tile[THREADS];
	double sum = 0;
	for (int64_t from = 0; from < n; from += THREADS) {
		__syncthreads();
		if (from + threadIdx.x < n)
			tile[threadIdx.x] = sums[from + threadIdx.x];
		__syncthreads();
		for (int64_t i = 0; i < THREADS && from + i < n && threadIdx.x == 0; i++)
			sum += tile[i];
	}
	if (threadIdx.x != 0)
		return;
	double unscale = (double)hyper[3], norm = sqrt(sum) * unscale;
	double by = max_norm > 0 ? (double)max_norm / (norm + 1e-6) : 1;
	bool finite = norm < 1.0 / 0.0; /* false for NaN too */
	*factor = finite ? (float)(unscale * (by < 1 ? by : 1)) : 0;
	*norm_out = (float)norm;
}

extern "C" int dsk_clip(const ds_cuda_call *c)
{
	clip<<<1, THREADS, 0, stream_of(c)>>>(data<double>(c->in[0]), c->in[0].cols,
		data<float>(c->in[1]), c->node->attr.max_norm, data<float>(c->out[0]),
		data<float>(c->out[1]));
	return launched();
}

/* ---- AdamW, LAMB ---- */

struct Moments {
	float *p, *m, *v;
	const float *g, *hyper, *factor;
	ds_adamw_attr a;
	int64_t n;

	__device__ __forceinline__ void mean(float grad, float &first, float &second) const
	{
		first = a.beta1 * first + (1 - a.beta1) * grad;
		second = a.beta2 * second + (1 - a.beta2) * grad * grad;
	}
	/* The step before the rate, its decay included. */
	__device__ __forceinline__ float step(float weight, float first, float second) const
	{
		return first * hyper[1] / (sqrtf(second * hyper[2]) + a.eps) + a.decay * weight;
	}
};

template <int V> static __global__ void __launch_bounds__(THREADS) adamw(Moments o)
{
	int64_t i = ((int64_t)blockIdx.x * THREADS + threadIdx.x) * V;
	float factor = *o.factor, rate = o.hyper[0];
	if (i >= o.n || factor == 0)
		return;
	Nums<V> p = load<V>(o.p + i), g = load<V>(o.g + i), m = load<V>(o.m + i), v = load<V>(o.v + i);
#pragma unroll
	for (int k = 0; k < V; k++) {
		o.mean(g.v[k] * factor, m.v[k], v.v[k]);
		p.v[k] -= rate * o.step(p.v[k], m.v[k], v.v[k]);
	}
	store<V>(o.p + i, p);
	store<V>(o.m + i, m);
	store<V>(o.v + i, v);
}

static Moments moments(const ds_cuda_call *c)
{
	return Moments{ data<float>(c->out[0]), data<float>(c->out[1]), data<float>(c->out[2]),
		data<float>(c->in[1]), data<float>(c->in[4]), data<float>(c->in[5]),
		c->node->attr.adamw, c->in[0].rows * c->in[0].cols };
}

extern "C" int dsk_adamw(const ds_cuda_call *c)
{
	Moments o = moments(c);
	if (o.n % 4 == 0)
		adamw<4><<<(unsigned)ds_cuda_div(o.n / 4, THREADS), THREADS, 0, stream_of(c)>>>(o);
	else
		adamw<1><<<(unsigned)ds_cuda_div(o.n, THREADS), THREADS, 0, stream_of(c)>>>(o);
	return launched();
}

/* The new means, and the squares of weights and steps. */
static __global__ void __launch_bounds__(THREADS) lamb_means(Moments o, double *sums)
{
	__shared__ double shared[THREADS];
	int64_t from = (int64_t)blockIdx.x * DS_CUDA_SUM_ELEMS;
	int64_t to = from + DS_CUDA_SUM_ELEMS < o.n ? from + DS_CUDA_SUM_ELEMS : o.n;
	float factor = *o.factor;
	double weights = 0, steps = 0;
	if (factor == 0)
		return;
	for (int64_t i = from + threadIdx.x; i < to; i += THREADS) {
		float p = o.p[i], m = o.m[i], v = o.v[i];
		o.mean(o.g[i] * factor, m, v);
		o.m[i] = m;
		o.v[i] = v;
		double u = (double)o.step(p, m, v);
		weights += (double)p * (double)p;
		steps += u * u;
	}
	weights = block_sum_double<THREADS>(weights, shared);
	__syncthreads();
	steps = block_sum_double<THREADS>(steps, shared);
	if (threadIdx.x == 0) {
		sums[2 * blockIdx.x] = weights;
		sums[2 * blockIdx.x + 1] = steps;
	}
}

static __global__ void __launch_bounds__(THREADS) lamb_apply(Moments o, const double *totals)
{
	int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	if (i >= o.n || *o.factor == 0)
		return;
	double trust = totals[0] > 0 && totals[1] > 0 ? sqrt(totals[0] / totals[1]) : 1;
	float rate = (float)((double)o.hyper[0] * trust);
	o.p[i] -= rate * o.step(o.p[i], o.m[i], o.v[i]);
}

extern "C" int dsk_lamb(const ds_cuda_call *c)
{
	Moments o = moments(c);
	int64_t blocks = ds_cuda_sums(o.n);
	double *sums = (double *)c->scratch, *totals = sums + 2 * blocks;
	lamb_means<<<(unsigned)blocks, THREADS, 0, stream_of(c)>>>(o, sums);
	add_up<<<2, THREADS, 0, stream_of(c)>>>(sums, blocks, 2, totals);
	lamb_apply<<<(unsigned)ds_cuda_div(o.n, THREADS), THREADS, 0, stream_of(c)>>>(o, totals);
	return launched();
}

/* ---- Muon: the momentum, made as long as 1; the step. Between them lie products (lib/graph/cuda/muon.c) ---- */

static __global__ void __launch_bounds__(THREADS) momentum(float *m, const float *g,
	const float *factor_at, float keep, float *u, int64_t n, double *sums)
{
	__shared__ double shared[THREADS];
	int64_t from = (int64_t)blockIdx.x * DS_CUDA_SUM_ELEMS;
	int64_t to = from + DS_CUDA_SUM_ELEMS < n ? from + DS_CUDA_SUM_ELEMS : n;
	float factor = *factor_at;
	double sum = 0;
	for (int64_t i = from + threadIdx.x; i < to; i += THREADS) {
		float d = factor == 0 ? 0 : g[i] * factor, mean = m[i];
		if (factor != 0)
			m[i] = mean = keep * mean + (1 - keep) * d;
		float x = keep * mean + (1 - keep) * d;
		u[i] = x;
		sum += (double)x * (double)x;
	}
	sum = block_sum_double<THREADS>(sum, shared);
	if (threadIdx.x == 0)
		sums[blockIdx.x] = sum;
}

static __global__ void __launch_bounds__(THREADS)
	shorten(float *u, int64_t n, const double *square)
{
	int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	double norm = sqrt(*square);
	if (i < n)
		u[i] = (float)(u[i] / (norm > DS_MUON_EPS ? norm : DS_MUON_EPS));
}

/* scratch: X, then sums; in and out are the node's */
extern "C" int dsk_muon_begin(const ds_cuda_call *c)
{
	int64_t n = c->in[0].rows * c->in[0].cols, blocks = ds_cuda_sums(n);
	float *u = (float *)c->scratch;
	double *sums = (double *)(c->scratch + ds_cuda_aligned((uint64_t)n * 4));
	momentum<<<(unsigned)blocks, THREADS, 0, stream_of(c)>>>(data<float>(c->out[1]),
		data<float>(c->in[1]), data<float>(c->in[4]), c->node->attr.muon.momentum, u, n, sums);
	add_up<<<1, THREADS, 0, stream_of(c)>>>(sums, blocks, 1, sums + blocks);
	shorten<<<(unsigned)ds_cuda_div(n, THREADS), THREADS, 0, stream_of(c)>>>(
		u, n, sums + blocks);
	return launched();
}

static __global__ void __launch_bounds__(THREADS) apply_step(float *p, const float *x, int64_t n,
	const float *rate, const float *factor, float decay, float size)
{
	int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	if (i < n && *factor != 0)
		p[i] -= *rate * (decay * p[i] + size * x[i]);
}

/* scratch: X */
extern "C" int dsk_muon_end(const ds_cuda_call *c)
{
	int64_t rows = c->in[0].rows, cols = c->in[0].cols, n = rows * cols;
	float size = (float)(DS_MUON_SIZE * sqrt((double)(rows > cols ? rows : cols)));
	apply_step<<<(unsigned)ds_cuda_div(n, THREADS), THREADS, 0, stream_of(c)>>>(
		data<float>(c->out[0]), (const float *)c->scratch, n, data<float>(c->in[3]),
		data<float>(c->in[4]), c->node->attr.muon.decay, size);
	return launched();
}
