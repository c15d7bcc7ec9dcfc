/*
 * norm.cu - LayerNorm and RMSNorm with the residual sum in front, their gradients, and sums over rows
 *
 * y = (s - mean) rstd w + b. Bound by memory: a row (or a head of it, where w is narrower) is read once from device
 * memory and twice from the cache, by a warp where it is short and by 256 threads where it is long. Gradients of w
 * and b are sums over rows: by parts of rows, then the parts in their order, so their bits are always the same.
 */
#include "dev.cuh"

enum { LONG = 256, SHORT_COLS = 1024, BLOCK = 128 };

struct Norm {
	Mat x, residual, y, sum;
	const float *w, *b;
	float *stats;
	int64_t stats_ld;
	int64_t parts, width, rows; /* rows: of x times parts */
	float eps;
	bool rms;
};

/* T threads a row of `width` numbers. */
template <int T, int V> static __global__ void __launch_bounds__(T == WARP ? BLOCK : T) norm(Norm p)
{
	__shared__ float shared[T / WARP];
	int64_t row = (int64_t)blockIdx.x * (blockDim.x / T) + threadIdx.x / T;
	if (row >= p.rows)
		return;
	int lane = (int)threadIdx.x % T;
	int64_t i = row / p.parts, part = row % p.parts, at = part * p.width;
	Mat s = p.x;
	float mean = 0, var = 0;
	if (p.residual.p) {
		for (int64_t k = lane * V; k < p.width; k += T * V) {
			Nums<V> a = p.x.load<V>(i, at + k), b = p.residual.load<V>(i, at + k);
#pragma unroll
			for (int j = 0; j < V; j++)
				a.v[j] += b.v[j];
			p.sum.store<V>(i, at + k, a);
		}
		s = p.sum; /* every thread reads what it wrote itself */
	}
	if (!p.rms) {
		for (int64_t k = lane * V; k < p.width; k += T * V) {
			Nums<V> a = s.load<V>(i, at + k);
#pragma unroll
			for (int j = 0; j < V; j++)
				mean += a.v[j];
		}
		mean = block_sum<T>(mean, shared) / (float)p.width;
	}
	for (int64_t k = lane * V; k < p.width; k += T * V) {
		Nums<V> a = s.load<V>(i, at + k);
#pragma unroll
		for (int j = 0; j < V; j++)
			var += (a.v[j] - mean) * (a.v[j] - mean);
	}
	float rstd = 1 / sqrtf(block_sum<T>(var, shared) / (float)p.width + p.eps);
	for (int64_t k = lane * V; k < p.width; k += T * V) {
		Nums<V> a = s.load<V>(i, at + k), w = load<V>(p.w + k), b = {};
		if (p.b)
			b = load<V>(p.b + k);
#pragma unroll
		for (int j = 0; j < V; j++)
			a.v[j] = (a.v[j] - mean) * rstd * w.v[j] + b.v[j];
		p.y.store<V>(i, at + k, a);
	}
	if (lane == 0 && p.stats) {
		p.stats[i * p.stats_ld + 2 * part] = mean;
		p.stats[i * p.stats_ld + 2 * part + 1] = rstd;
	}
}

extern "C" int dsk_norm(const ds_cuda_call *c)
{
	const ds_operand &x = c->in[0], &r = c->in[1], &w = c->in[2], &b = c->in[3];
	const ds_operand &y = c->out[0], &s = c->out[1], &stats = c->out[2];
	Norm p{ Mat(x), Mat(r), Mat(y), Mat(s), data<float>(w), data<float>(b), data<float>(stats),
		stats.ld, x.cols / w.cols, w.cols, x.rows * (x.cols / w.cols), c->node->attr.norm.eps,
		c->node->attr.norm.rms };
	bool wide = is_wide(x) && is_wide(r) && is_wide(w) && is_wide(b) && is_wide(y) && is_wide(s);
	unsigned blocks = (unsigned)(w.cols <= SHORT_COLS ? ds_cuda_div(p.rows, BLOCK / WARP)
							  : p.rows);
	if (p.rows == 0)
		return 0;
	if (w.cols <= SHORT_COLS && wide)
		norm<WARP, 8><<<blocks, BLOCK, 0, stream_of(c)>>>(p);
	else if (w.cols <= SHORT_COLS)
		norm<WARP, 1><<<blocks, BLOCK, 0, stream_of(c)>>>(p);
	else if (wide)
		norm<LONG, 8><<<blocks, LONG, 0, stream_of(c)>>>(p);
	else
		norm<LONG, 1><<<blocks, LONG, 0, stream_of(c)>>>(p);
	return launched();
}

/* ---- the gradient of s ---- */

struct NormGrad {
	Mat dy, s, before, ds;
	const float *w, *stats;
	int64_t stats_ld;
	int64_t parts, width, rows;
	bool rms;
};

template <int T, int V>
static __global__ void __launch_bounds__(T == WARP ? BLOCK : T) norm_grad(NormGrad p)
{
	__shared__ float shared[2][T / WARP];
	int64_t row = (int64_t)blockIdx.x * (blockDim.x / T) + threadIdx.x / T;
	if (row >= p.rows)
		return;
	int lane = (int)threadIdx.x % T;
	int64_t i = row / p.parts, part = row % p.parts, at = part * p.width;
	float mean = p.stats[i * p.stats_ld + 2 * part];
	float rstd = p.stats[i * p.stats_ld + 2 * part + 1], g0 = 0, g1 = 0;
	for (int64_t k = lane * V; k < p.width; k += T * V) {
		Nums<V> d = p.dy.load<V>(i, at + k), x = p.s.load<V>(i, at + k);
		Nums<V> w = load<V>(p.w + k);
#pragma unroll
		for (int j = 0; j < V; j++) {
			g0 += d.v[j] * w.v[j];
			g1 += d.v[j] * w.v[j] * ((x.v[j] - mean) * rstd);
		}
	}
	g0 = p.rms ? 0 : block_sum<T>(g0, shared[0]) / (float)p.width;
	g1 = block_sum<T>(g1, shared[1]) / (float)p.width;
	for (int64_t k = lane * V; k < p.width; k += T * V) {
		Nums<V> d = p.dy.load<V>(i, at + k), x = p.s.load<V>(i, at + k);
		Nums<V> w = load<V>(p.w + k), had = {};
		if (p.before.p)
			had = p.before.load<V>(i, at + k);
#pragma unroll
		for (int j = 0; j < V; j++)
			had.v[j] += rstd * (d.v[j] * w.v[j] - g0 - (x.v[j] - mean) * rstd * g1);
		p.ds.store<V>(i, at + k, had);
	}
}

/* ---- sums over rows: 32 columns by 8 rows of threads; Term gives up to two numbers of (row, col) ---- */

enum { SUM_COLS = 32, SUM_ROWS = 8 };

struct DyTerm { /* db alone */
	Mat dy;
	__device__ __forceinline__ void at(int64_t row, int64_t col, float &one, float &two) const
	{
		two = dy.get(row, col);
	}
};

struct NormTerm { /* dy hat(s), dy */
	Mat dy, s;
	const float *stats;
	int64_t stats_ld, parts, width;
	__device__ __forceinline__ void at(int64_t row, int64_t col, float &one, float &two) const
	{
		int64_t i = row / parts, part = row % parts, k = part * width + col;
		const float *st = stats + i * stats_ld + 2 * part;
		two = dy.get(i, k);
		one = two * ((s.get(i, k) - st[0]) * st[1]);
	}
};

template <class Term>
static __global__ void __launch_bounds__(SUM_COLS *SUM_ROWS)
	sum_rows(Term term, float *out, int64_t rows, int64_t cols, int64_t per)
{
	__shared__ float tile[2][SUM_ROWS][SUM_COLS];
	int64_t col = (int64_t)blockIdx.x * SUM_COLS + threadIdx.x;
	int64_t from = blockIdx.y * per, to = from + per < rows ? from + per : rows;
	float a = 0, b = 0;
	for (int64_t r = from + threadIdx.y; r < to && col < cols; r += SUM_ROWS) {
		float one = 0, two = 0;
		term.at(r, col, one, two);
		a += one;
		b += two;
	}
	tile[0][threadIdx.y][threadIdx.x] = a;
	tile[1][threadIdx.y][threadIdx.x] = b;
	__syncthreads();
	if (threadIdx.y > 1 || col >= cols)
		return;
	float sum = 0;
#pragma unroll
	for (int k = 0; k < SUM_ROWS; k++)
		sum += tile[threadIdx.y][k][threadIdx.x];
	out[(blockIdx.y * 2 + threadIdx.y) * cols + col] = sum;
}

static __global__ void __launch_bounds__(BLOCK) sum_parts(const float *sums, float *one, float *two,
	int64_t parts, int64_t cols, float keep_one, float keep_two)
{
	int64_t col = (int64_t)blockIdx.x * BLOCK + threadIdx.x;
	float *out = blockIdx.y ? two : one, keep = blockIdx.y ? keep_two : keep_one;
	if (col >= cols || !out)
		return;
	float sum = 0;
	for (int64_t p = 0; p < parts; p++)
		sum += sums[(p * 2 + blockIdx.y) * cols + col];
	out[col] = keep != 0 ? out[col] * keep + sum : sum;
}

template <class Term>
static int sum_all(const ds_cuda_call *c, Term term, int64_t rows, int64_t cols, int one, int two)
{
	int64_t parts = ds_cuda_parts(rows), per = ds_cuda_div(rows, parts);
	float *sums = (float *)c->scratch;
	dim3 blocks((unsigned)ds_cuda_div(cols, SUM_COLS), (unsigned)parts);
	sum_rows<<<blocks, dim3(SUM_COLS, SUM_ROWS), 0, stream_of(c)>>>(term, sums, rows, cols, per);
	sum_parts<<<dim3((unsigned)ds_cuda_div(cols, BLOCK), 2), BLOCK, 0, stream_of(c)>>>(sums,
		one < 0 ? nullptr : data<float>(c->out[one]),
		two < 0 ? nullptr : data<float>(c->out[two]), parts, cols,
		one < 0 ? 0 : c->beta[one], two < 0 ? 0 : c->beta[two]);
	return launched();
}

extern "C" int dsk_norm_grad(const ds_cuda_call *c)
{
	const ds_operand &dy = c->in[0], &s = c->in[1], &w = c->in[2], &stats = c->in[3];
	const ds_operand &before = c->in[4], &ds = c->out[0];
	int64_t parts = dy.cols / w.cols, rows = dy.rows * parts;
	if (rows == 0)
		return 0;
	if (ds.data) {
		NormGrad p{ Mat(dy), Mat(s), Mat(before), Mat(ds), data<float>(w),
			data<float>(stats), stats.ld, parts, w.cols, rows, c->node->attr.norm.rms };
		bool wide = is_wide(dy) && is_wide(s) && is_wide(w) && is_wide(before) && is_wide(ds);
		bool is_short = w.cols <= SHORT_COLS;
		unsigned blocks = (unsigned)(is_short ? ds_cuda_div(rows, BLOCK / WARP) : rows);
		if (is_short && wide)
			norm_grad<WARP, 8><<<blocks, BLOCK, 0, stream_of(c)>>>(p);
		else if (is_short)
			norm_grad<WARP, 1><<<blocks, BLOCK, 0, stream_of(c)>>>(p);
		else if (wide)
			norm_grad<LONG, 8><<<blocks, LONG, 0, stream_of(c)>>>(p);
		else
			norm_grad<LONG, 1><<<blocks, LONG, 0, stream_of(c)>>>(p);
	}
	if (!c->out[1].data && !c->out[2].data)
		return launched();
	NormTerm term{ Mat(dy), Mat(s), data<float>(stats), stats.ld, parts, w.cols };
	return sum_all(c, term, rows, w.cols, 1, 2);
}

extern "C" int dsk_bias_grad(const ds_cuda_call *c)
{
	const ds_operand &dy = c->in[0];
	return sum_all(c, DyTerm{ Mat(dy) }, dy.rows, dy.cols, -1, 0);
}
