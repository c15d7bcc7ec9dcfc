/*
 * route.cu - which experts a row goes to, the choices sorted by expert, and the losses that spread rows evenly
 *
 * op/route.c has the formulas. Bound by memory and by latency: a warp a row, its scores in shared memory. Choices are
 * sorted by counting, stably: counts by blocks of DS_CUDA_CHOICES, their sums by expert, then every choice's place among
 * those before it. Counting adds integers, so atomics change no bit; sums of floats go by parts of rows in their order.
 */
#include "dev.cuh"

#include <float.h>

enum { THREADS = 256, WARPS = 4 };

/* ---- a row's scores ---- */

struct Route {
	ds_route_attr a;
	int64_t rows;

	explicit Route(const ds_cuda_call *c, const ds_operand &logits)
		: a(c->node->attr.route), rows(logits.rows)
	{
	}
};

struct Scores {
	float top, log_sum, all; /* the largest logit; the log of the sum of exponentials; the sum of scores */
};

/* s[experts] of a row, by its warp. */
static __device__ __forceinline__ Scores score(const Route &r, const float *x, float *s, int lane)
{
	float top = -INFINITY, sum = 0, all = 0;
	for (int e = lane; e < r.a.experts; e += WARP)
		top = fmaxf(top, x[e]);
	top = warp_max(top);
	for (int e = lane; e < r.a.experts; e += WARP)
		sum += expf(x[e] - top);
	sum = warp_sum(sum);
	for (int e = lane; e < r.a.experts; e += WARP) {
		s[e] = r.a.sigmoid ? 1 / (1 + expf(-x[e])) : expf(x[e] - top) / sum;
		all += s[e];
	}
	all = warp_sum(all);
	__syncwarp();
	return Scores{ top, top + logf(sum), all };
}

/* Dynamic shared memory: `arrays` of experts floats for each warp of the block. */
static __device__ __forceinline__ float *own_array(float *shared, const Route &r, int arrays, int which)
{
	return shared + ((int)(threadIdx.x / WARP) * arrays + which) * r.a.experts;
}

static size_t arrays_bytes(const Route &r, int arrays)
{
	return (size_t)(WARPS * arrays * r.a.experts) * sizeof(float);
}

static unsigned blocks_of(const Route &r)
{
	return (unsigned)ds_cuda_div(r.rows, WARPS);
}

/* ---- route ---- */

struct Best {
	float value;
	int at; /* the first of equal ones */
	__device__ __forceinline__ bool less(const Best &o) const
	{
		return o.value > value || (o.value == value && o.at < at);
	}
};

static __device__ __forceinline__ Best warp_best(Best b)
{
#pragma unroll
	for (int o = WARP / 2; o > 0; o /= 2) {
		Best other = { __shfl_xor_sync(ALL_LANES, b.value, o), __shfl_xor_sync(ALL_LANES, b.at, o) };
		if (b.less(other))
			b = other;
	}
	return b;
}

/* The best of v[n), to all lanes; what was taken is -INFINITY. */
static __device__ __forceinline__ int find_best(const float *v, int n, int lane)
{
	Best b = { -INFINITY, 0x7fffffff };
	for (int e = lane; e < n; e += WARP) {
		Best other = { v[e], e };
		if (b.less(other))
			b = other;
	}
	b = warp_best(b);
	return b.at < n ? b.at : 0;
}

/* What a group is worth: the sum of its best, by one lane. */
static __device__ __forceinline__ float worth(const float *v, int size, int best)
{
	Best last = { INFINITY, -1 };
	float sum = 0;
	for (int i = 0; i < best && i < size; i++) {
		Best b = { -INFINITY, 0x7fffffff };
		for (int e = 0; e < size; e++) {
			Best other = { v[e], e };
			if (other.less(last) && b.less(other))
				b = other;
		}
		sum += b.value;
		last = b;
	}
	return sum;
}

/* Experts outside of the best groups count as taken; `by_group` has room for the groups. */
static __device__ __forceinline__ void close_groups(const Route &r, float *v, float *by_group, int lane)
{
	int size = r.a.experts / r.a.groups;
	for (int g = lane; g < r.a.groups; g += WARP)
		by_group[g] = worth(v + g * size, size, r.a.group_best);
	__syncwarp();
	for (int i = 0; i < r.a.top_groups; i++) {
		int g = find_best(by_group, r.a.groups, lane);
		__syncwarp();
		if (lane == 0)
			by_group[g] = -INFINITY;
		__syncwarp();
	}
	for (int e = lane; e < r.a.experts; e += WARP)
		if (by_group[e / size] != -INFINITY)
			v[e] = -INFINITY;
	__syncwarp();
}

static __global__ void __launch_bounds__(WARPS *WARP) route(Route r, const float *logits, int64_t logits_ld,
	const float *bias, float *weights, int32_t *ids)
{
	extern __shared__ float shared[];
	int lane = threadIdx.x % WARP;
	int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	float *s = own_array(shared, r, 3, 0), *v = own_array(shared, r, 3, 1);
	if (row >= r.rows)
		return;
	score(r, logits + row * logits_ld, s, lane);
	for (int e = lane; e < r.a.experts; e += WARP) {
		float x = s[e] + (bias ? bias[e] : 0);
		v[e] = x == x ? x : -FLT_MAX; /* a NaN is shown by its weight */
	}
	__syncwarp();
	if (r.a.groups > 1)
		close_groups(r, v, own_array(shared, r, 3, 2), lane);
	float sum = 0;
	for (int j = 0; j < r.a.k; j++) {
		int e = find_best(v, r.a.experts, lane);
		__syncwarp();
		if (lane == 0) {
			v[e] = -INFINITY;
			ids[row * r.a.k + j] = e;
		}
		sum += s[e];
		__syncwarp();
	}
	float by = r.a.norm ? r.a.scale / (sum + (float)DS_ROUTE_EPS) : r.a.scale;
	for (int j = lane; j < r.a.k; j += WARP)
		weights[row * r.a.k + j] = s[ids[row * r.a.k + j]] * by;
}

extern "C" int dsk_route(const ds_cuda_call *c)
{
	Route r(c, c->in[0]);
	if (r.rows == 0)
		return 0;
	route<<<blocks_of(r), WARPS * WARP, arrays_bytes(r, 3), stream_of(c)>>>(r, data<float>(c->in[0]),
		c->in[0].ld, data<float>(c->in[1]), data<float>(c->out[0]), data<int32_t>(c->out[1]));
	return launched();
}

/* dx[e] of a row from the scores' gradients d. */
static __device__ __forceinline__ float back(const Route &r, float s, float d, float all)
{
	return r.a.sigmoid ? d * s * (1 - s) : s * (d - all);
}

static __global__ void __launch_bounds__(WARPS *WARP) route_grad(Route r, const float *dw, const float *logits,
	int64_t logits_ld, const int32_t *ids, float *dx, int64_t dx_ld)
{
	extern __shared__ float shared[];
	int lane = threadIdx.x % WARP;
	int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	float *s = own_array(shared, r, 2, 0), *d = own_array(shared, r, 2, 1);
	if (row >= r.rows)
		return;
	dw += row * r.a.k;
	ids += row * r.a.k;
	score(r, logits + row * logits_ld, s, lane);
	float sum = (float)DS_ROUTE_EPS, dot = 0, all = 0;
	for (int j = 0; j < r.a.k; j++) {
		sum += s[ids[j]];
		dot += dw[j] * s[ids[j]];
	}
	for (int e = lane; e < r.a.experts; e += WARP)
		d[e] = 0;
	__syncwarp();
	for (int j = lane; j < r.a.k; j += WARP)
		d[ids[j]] = r.a.scale * (r.a.norm ? (dw[j] - dot / sum) / sum : dw[j]);
	__syncwarp();
	for (int e = lane; e < r.a.experts; e += WARP)
		all += d[e] * s[e];
	all = warp_sum(all);
	for (int e = lane; e < r.a.experts; e += WARP)
		dx[row * dx_ld + e] = back(r, s[e], d[e], all);
}

extern "C" int dsk_route_grad(const ds_cuda_call *c)
{
	Route r(c, c->in[1]);
	if (r.rows == 0)
		return 0;
	route_grad<<<blocks_of(r), WARPS * WARP, arrays_bytes(r, 2), stream_of(c)>>>(r, data<float>(c->in[0]),
		data<float>(c->in[1]), c->in[1].ld, data<int32_t>(c->in[2]), data<float>(c->out[0]),
		c->out[0].ld);
	return launched();
}

/* ---- counting ---- */

/* hist[experts] of ids[n), by the block. */
static __device__ __forceinline__ void count(int *hist, int experts, const int32_t *ids, int64_t n)
{
	for (int e = threadIdx.x; e < experts; e += blockDim.x)
		hist[e] = 0;
	__syncthreads();
	for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
		atomicAdd(&hist[ids[i]], 1);
	__syncthreads();
}

static __global__ void __launch_bounds__(1024)
	route_loads(const int32_t *ids, int64_t n, int experts, float beta, float *out)
{
	extern __shared__ int hist[];
	count(hist, experts, ids, n);
	for (int e = threadIdx.x; e < experts; e += blockDim.x)
		out[e] = (float)hist[e] + (beta == 0 ? 0 : beta * out[e]);
}

extern "C" int dsk_route_loads(const ds_cuda_call *c)
{
	int experts = (int)c->out[0].cols;
	route_loads<<<1, 1024, (size_t)experts * sizeof(int), stream_of(c)>>>(data<int32_t>(c->in[0]),
		c->in[0].rows * c->in[0].cols, experts, c->beta[0], data<float>(c->out[0]));
	return launched();
}

/* ---- dispatch ---- */

static __global__ void __launch_bounds__(THREADS)
	count_blocks(const int32_t *ids, int64_t n, int experts, int *counts)
{
	extern __shared__ int hist[];
	int64_t from = (int64_t)blockIdx.x * DS_CUDA_CHOICES;
	count(hist, experts, ids + from, n - from < DS_CUDA_CHOICES ? n - from : DS_CUDA_CHOICES);
	for (int e = threadIdx.x; e < experts; e += THREADS)
		counts[(int64_t)blockIdx.x * experts + e] = hist[e];
}

/* Counts become where a block's choices of an expert begin. One block. */
static __global__ void __launch_bounds__(THREADS)
	begin_blocks(int *counts, int blocks, int experts, int32_t *offsets)
{
	extern __shared__ int total[];
	for (int e = threadIdx.x; e < experts; e += THREADS) {
		int sum = 0;
		for (int b = 0; b < blocks; b++)
			sum += counts[(int64_t)b * experts + e];
		total[e] = sum;
	}
	__syncthreads();
	if (threadIdx.x == 0) {
		int at = 0;
		for (int e = 0; e < experts; e++) {
			int here = total[e];
			offsets[e] = total[e] = at;
			at += here;
		}
		offsets[experts] = at;
	}
	__syncthreads();
	for (int e = threadIdx.x; e < experts; e += THREADS) {
		int at = total[e];
		for (int b = 0; b < blocks; b++) {
			int here = counts[(int64_t)b * experts + e];
			counts[(int64_t)b * experts + e] = at;
			at += here;
		}
	}
}

static __global__ void __launch_bounds__(THREADS) place(
	const int32_t *ids, int64_t n, int experts, const int *begins, int32_t *slots, int32_t *source)
{
	__shared__ int32_t tile[DS_CUDA_CHOICES];
	int64_t from = (int64_t)blockIdx.x * DS_CUDA_CHOICES;
	int here = (int)(n - from < DS_CUDA_CHOICES ? n - from : DS_CUDA_CHOICES);
	for (int i = threadIdx.x; i < here; i += THREADS)
		tile[i] = ids[from + i];
	__syncthreads();
	for (int i = threadIdx.x; i < here; i += THREADS) {
		int e = tile[i], slot = begins[(int64_t)blockIdx.x * experts + e];
		for (int j = 0; j < i; j++)
			slot += tile[j] == e;
		slots[from + i] = slot;
		source[slot] = (int32_t)(from + i);
	}
}

/* in: ids; out: slots, sources, offsets; scratch: counts [blocks, experts] */
extern "C" int dsk_dispatch(const ds_cuda_call *c)
{
	int64_t n = c->in[0].rows * c->in[0].cols;
	int experts = (int)c->out[2].cols - 1, blocks = (int)ds_cuda_div(n, DS_CUDA_CHOICES);
	size_t bytes = (size_t)experts * sizeof(int);
	int *counts = (int *)c->scratch;
	const int32_t *ids = data<int32_t>(c->in[0]);
	if (n > 0)
		count_blocks<<<blocks, THREADS, bytes, stream_of(c)>>>(ids, n, experts, counts);
	begin_blocks<<<1, THREADS, bytes, stream_of(c)>>>(counts, blocks, experts, data<int32_t>(c->out[2]));
	if (n > 0)
		place<<<blocks, THREADS, 0, stream_of(c)>>>(ids, n, experts, counts,
			data<int32_t>(c->out[0]), data<int32_t>(c->out[1]));
	return launched();
}

/* ---- route_stats ---- */

/* parts[block, experts + 1]: sums over its rows of the normalised scores, and of the squared log-sums */
static __global__ void __launch_bounds__(WARPS *WARP)
	add_scores(Route r, const float *logits, int64_t logits_ld, float *parts)
{
	extern __shared__ float shared[];
	__shared__ float z[WARPS], all[WARPS];
	int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
	float *part = parts + (int64_t)blockIdx.x * (r.a.experts + 1), squares = 0;
	for (int e = threadIdx.x; e < r.a.experts; e += WARPS * WARP)
		part[e] = 0;
	for (int i = 0; i < DS_CUDA_ROUTE_ROWS; i += WARPS) {
		int64_t first = (int64_t)blockIdx.x * DS_CUDA_ROUTE_ROWS + i, row = first + warp;
		__syncthreads();
		if (row < r.rows) {
			Scores own = score(r, logits + row * logits_ld, own_array(shared, r, 1, 0), lane);
			if (lane == 0) {
				z[warp] = own.log_sum;
				all[warp] = own.all;
			}
		}
		__syncthreads();
		int n = (int)(r.rows - first < WARPS ? r.rows - first : WARPS);
		for (int e = threadIdx.x; e < r.a.experts; e += WARPS * WARP)
			for (int w = 0; w < n; w++)
				part[e] += shared[w * r.a.experts + e] / all[w];
		for (int w = 0; w < n && threadIdx.x == 0; w++)
			squares += z[w] * z[w];
	}
	if (threadIdx.x == 0)
		part[r.a.experts] = squares;
}

static __global__ void __launch_bounds__(THREADS) join_scores(Route r, const int32_t *ids, const float *parts,
	int blocks, float *share, float *probs, float *z)
{
	extern __shared__ int hist[];
	count(hist, r.a.experts, ids, r.rows * r.a.k);
	for (int e = threadIdx.x; e <= r.a.experts; e += THREADS) {
		float sum = 0;
		for (int b = 0; b < blocks; b++)
			sum += parts[(int64_t)b * (r.a.experts + 1) + e];
		sum /= (float)r.rows;
		if (e == r.a.experts) {
			*z = sum;
			continue;
		}
		probs[e] = sum;
		share[e] = (float)hist[e] / (float)r.rows;
	}
}

/* in: logits, ids; out: share, probs, z */
extern "C" int dsk_route_stats(const ds_cuda_call *c)
{
	Route r(c, c->in[0]);
	int blocks = (int)ds_cuda_div(r.rows, DS_CUDA_ROUTE_ROWS);
	float *parts = (float *)c->scratch;
	if (blocks > 0)
		add_scores<<<blocks, WARPS * WARP, arrays_bytes(r, 1), stream_of(c)>>>(
			r, data<float>(c->in[0]), c->in[0].ld, parts);
	join_scores<<<1, THREADS, (size_t)r.a.experts * sizeof(int), stream_of(c)>>>(r, data<int32_t>(c->in[1]),
		parts, blocks, data<float>(c->out[0]), data<float>(c->out[1]), data<float>(c->out[2]));
	return launched();
}

static __global__ void __launch_bounds__(WARPS *WARP) route_stats_grad(Route r, const float *dp, const float *dz,
	const float *logits, int64_t logits_ld, float *dx, int64_t dx_ld)
{
	extern __shared__ float shared[];
	int lane = threadIdx.x % WARP;
	int64_t row = (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
	float *s = own_array(shared, r, 1, 0), rows = (float)r.rows, dot = 0, all = 0;
	if (row >= r.rows)
		return;
	const float *x = logits + row * logits_ld;
	Scores own = score(r, x, s, lane);
	for (int e = lane; e < r.a.experts && dp; e += WARP)
		dot += dp[e] * s[e] / own.all;
	dot = warp_sum(dot);
	for (int e = lane; e < r.a.experts && dp; e += WARP)
		all += (dp[e] - dot) / own.all / rows * s[e];
	all = warp_sum(all);
	float by = dz ? *dz * 2 * own.log_sum / rows : 0;
	for (int e = lane; e < r.a.experts; e += WARP) {
		float d = dp ? (dp[e] - dot) / own.all / rows : 0;
		dx[row * dx_ld + e] = back(r, s[e], d, all) + by * expf(x[e] - own.log_sum);
	}
}

/* in: the gradients of probs and z, either may be absent; logits */
extern "C" int dsk_route_stats_grad(const ds_cuda_call *c)
{
	Route r(c, c->in[2]);
	if (r.rows == 0)
		return 0;
	route_stats_grad<<<blocks_of(r), WARPS * WARP, arrays_bytes(r, 1), stream_of(c)>>>(r,
		data<float>(c->in[0]), data<float>(c->in[1]), data<float>(c->in[2]), c->in[2].ld,
		data<float>(c->out[0]), c->out[0].ld);
	return launched();
}

/* ---- one number, or one an expert: a block ---- */

static __global__ void __launch_bounds__(THREADS)
	balance(const float *share, const float *probs, int64_t n, float *out)
{
	__shared__ double shared[THREADS];
	double sum = 0;
	for (int64_t e = threadIdx.x; e < n; e += THREADS)
		sum += (double)share[e] * (double)probs[e];
	sum = block_sum_double<THREADS>(sum, shared);
	if (threadIdx.x == 0)
		*out = (float)((double)n * sum);
}

extern "C" int dsk_balance(const ds_cuda_call *c)
{
	balance<<<1, THREADS, 0, stream_of(c)>>>(
		data<float>(c->in[0]), data<float>(c->in[1]), c->in[0].cols, data<float>(c->out[0]));
	return launched();
}

static __global__ void __launch_bounds__(THREADS)
	balance_grad(const float *dl, const float *share, int64_t n, float *out)
{
	for (int64_t e = threadIdx.x; e < n; e += THREADS)
		out[e] = (float)n * share[e] * *dl;
}

extern "C" int dsk_balance_grad(const ds_cuda_call *c)
{
	balance_grad<<<1, THREADS, 0, stream_of(c)>>>(
		data<float>(c->in[0]), data<float>(c->in[1]), c->out[0].cols, data<float>(c->out[0]));
	return launched();
}

static __global__ void __launch_bounds__(THREADS)
	per_target(const float *x, const int32_t *targets, int64_t n, const float *inv, float *out)
{
	__shared__ double shared[THREADS];
	double sum = 0;
	for (int64_t i = threadIdx.x; i < n; i += THREADS)
		sum += targets[i] >= 0;
	sum = block_sum_double<THREADS>(sum, shared);
	if (threadIdx.x == 0)
		*out = (float)((double)*x * sum * (double)*inv);
}

extern "C" int dsk_per_target(const ds_cuda_call *c)
{
	per_target<<<1, THREADS, 0, stream_of(c)>>>(data<float>(c->in[0]), data<int32_t>(c->in[1]),
		c->in[1].rows * c->in[1].cols, data<float>(c->in[2]), data<float>(c->out[0]));
	return launched();
}

/* p may be out. */
static __global__ void __launch_bounds__(THREADS)
	nudge(const float *p, const float *loads, int64_t n, float rate, float *out)
{
	__shared__ double shared[THREADS];
	double sum = 0;
	for (int64_t e = threadIdx.x; e < n; e += THREADS)
		sum += (double)loads[e];
	sum = block_sum_double<THREADS>(sum, shared);
	for (int64_t e = threadIdx.x; e < n; e += THREADS) {
		double lack = sum - (double)n * (double)loads[e];
		out[e] = p[e] + rate * (float)((lack > 0) - (lack < 0));
	}
}

extern "C" int dsk_nudge(const ds_cuda_call *c)
{
	nudge<<<1, THREADS, 0, stream_of(c)>>>(data<float>(c->in[0]), data<float>(c->in[1]), c->out[0].cols,
		c->node->attr.rate, data<float>(c->out[0]));
	return launched();
}
