/*
 * experts.cu - rows copied to their experts and back, bound by memory, and every expert's linear layer, bound by products
 *
 * Who gets how many rows is known on the device alone. Tiles of the grouped products are as many as there could be: an
 * expert's rows are cut in parts of TILE, at most rows / TILE and one more an expert; a block looks for its part in the
 * offsets. With two-byte operands a block multiplies TILE x TILE by tensor cores, K by K_STEP columns that are copied two
 * steps ahead; in f32, and this is for checking, by plain sums. K is not divided: bits depend on shapes and choices alone.
 */
#include "mma.cuh"

enum { THREADS = 256, TILE = 128, K_STEP = 32, STAGES = 3, SMALL = 32 };

/* ---- permute, unpermute: a warp a row ---- */

enum { WARPS = THREADS / WARP };

static __device__ __forceinline__ int64_t warp_row(void)
{
	return (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
}

static unsigned warp_blocks(int64_t rows)
{
	return (unsigned)ds_cuda_div(rows, WARPS);
}

template <int V>
static __global__ void __launch_bounds__(THREADS)
	permute(Mat x, const int32_t *source, int64_t k, Mat out, int64_t rows, int64_t cols)
{
	int64_t s = warp_row();
	if (s >= rows)
		return;
	int64_t row = source[s] / k;
	for (int64_t i = threadIdx.x % WARP * V; i < cols; i += WARP * V)
		out.store<V>(s, i, x.load<V>(row, i));
}

extern "C" int dsk_permute(const ds_cuda_call *c)
{
	const ds_operand &x = c->in[0], &o = c->out[0];
	int64_t k = c->in[2].cols;
	if (o.rows == 0)
		return 0;
	if (is_wide(x) && is_wide(o))
		permute<8><<<warp_blocks(o.rows), THREADS, 0, stream_of(c)>>>(
			Mat(x), data<int32_t>(c->in[1]), k, Mat(o), o.rows, o.cols);
	else
		permute<1><<<warp_blocks(o.rows), THREADS, 0, stream_of(c)>>>(
			Mat(x), data<int32_t>(c->in[1]), k, Mat(o), o.rows, o.cols);
	return launched();
}

template <int V>
static __global__ void __launch_bounds__(THREADS) unpermute(
	Mat z, const int32_t *slots, const float *weights, int64_t k, Mat out, int64_t rows, int64_t cols)
{
	int64_t row = warp_row();
	if (row >= rows)
		return;
	for (int64_t i = threadIdx.x % WARP * V; i < cols; i += WARP * V) {
		Nums<V> sum = {};
		for (int64_t j = row * k; j < (row + 1) * k; j++) {
			Nums<V> one = z.load<V>(slots[j], i);
			float w = weights ? weights[j] : 1;
#pragma unroll
			for (int n = 0; n < V; n++)
				sum.v[n] += w * one.v[n];
		}
		out.store<V>(row, i, sum);
	}
}

extern "C" int dsk_unpermute(const ds_cuda_call *c)
{
	const ds_operand &z = c->in[0], &o = c->out[0];
	if (o.rows == 0)
		return 0;
	if (is_wide(z) && is_wide(o))
		unpermute<8><<<warp_blocks(o.rows), THREADS, 0, stream_of(c)>>>(Mat(z), data<int32_t>(c->in[1]),
			data<float>(c->in[2]), c->in[1].cols, Mat(o), o.rows, o.cols);
	else
		unpermute<1><<<warp_blocks(o.rows), THREADS, 0, stream_of(c)>>>(Mat(z), data<int32_t>(c->in[1]),
			data<float>(c->in[2]), c->in[1].cols, Mat(o), o.rows, o.cols);
	return launched();
}

template <int V>
static __global__ void __launch_bounds__(THREADS) unpermute_grad(Mat dy, Mat z, const int32_t *source,
	const float *weights, int64_t k, Mat dz, float *dw, int64_t rows, int64_t cols)
{
	int64_t s = warp_row();
	if (s >= rows)
		return;
	int64_t from = source[s], row = from / k;
	float w = weights[from], dot = 0;
	for (int64_t i = threadIdx.x % WARP * V; i < cols; i += WARP * V) {
		Nums<V> d = dy.load<V>(row, i), one = z.load<V>(s, i);
#pragma unroll
		for (int n = 0; n < V; n++) {
			dot += d.v[n] * one.v[n];
			d.v[n] *= w;
		}
		dz.store<V>(s, i, d);
	}
	dot = warp_sum(dot);
	if (threadIdx.x % WARP == 0)
		dw[from] = dot;
}

/* in: dy, z, source, weights; out: dz, dw */
extern "C" int dsk_unpermute_grad(const ds_cuda_call *c)
{
	const ds_operand &dy = c->in[0], &z = c->in[1], &o = c->out[0];
	if (o.rows == 0)
		return 0;
	if (is_wide(dy) && is_wide(z) && is_wide(o))
		unpermute_grad<8><<<warp_blocks(o.rows), THREADS, 0, stream_of(c)>>>(Mat(dy), Mat(z),
			data<int32_t>(c->in[2]), data<float>(c->in[3]), c->in[3].cols, Mat(o),
			data<float>(c->out[1]), o.rows, o.cols);
	else
		unpermute_grad<1><<<warp_blocks(o.rows), THREADS, 0, stream_of(c)>>>(Mat(dy), Mat(z),
			data<int32_t>(c->in[2]), data<float>(c->in[3]), c->in[3].cols, Mat(o),
			data<float>(c->out[1]), o.rows, o.cols);
	return launched();
}

/* ---- grouped products ---- */

/*
 * BY_ROWS: d[i, n] of an expert's rows i = sum over k of a[i, k] b[n, k], or of a[i, k] b[k, n] where B_TRANSPOSED (its
 * rows are k). Else, a weight's gradient: d[m, n] = sum over the expert's rows k of a[k, m] b[k, n].
 */
enum Kind { FORWARD, BACKWARD, WEIGHTS };

struct Grouped {
	Mat a, b, d, first;     /* first: what is added, d's shape or a row an expert; p NULL: nothing */
	const int32_t *offsets; /* [experts + 1] */
	int experts;
	int64_t rows, m, n, k; /* m: of WEIGHTS, the rows of an expert's d; k: of the others */
	int64_t b_rows;        /* of one expert */
	float beta;            /* WEIGHTS */
	bool wide_a, wide_b, by_expert;
};

struct Part {
	int e;
	int64_t i, end; /* rows [i, end) of d; of WEIGHTS, those of the sum */
};

/* The expert's part that block `at` has; e < 0: rows [i, end) belong to nobody. */
template <int ROWS> static __device__ __forceinline__ Part find_part(const Grouped &g, int64_t at)
{
	int64_t from = g.offsets[0];
	for (int e = 0; e < g.experts; e++) {
		int64_t to = g.offsets[e + 1], here = (to - from + ROWS - 1) / ROWS;
		if (at < here) {
			int64_t i = from + at * ROWS;
			return Part{ e, i, i + ROWS < to ? i + ROWS : to };
		}
		at -= here;
		from = to;
	}
	int64_t i = from + at * ROWS;
	return Part{ -1, i, i + ROWS < g.rows ? i + ROWS : g.rows };
}

static __device__ __forceinline__ void clear(const Grouped &g, const Part &p, int64_t col, int cols)
{
	for (int64_t at = threadIdx.x; p.i < p.end && at < (p.end - p.i) * cols; at += blockDim.x)
		if (col + at % cols < g.n)
			g.d.put(p.i + at / cols, col + at % cols, 0);
}

/* Where a sum goes, with what is added to it. */
template <Kind KIND>
static __device__ __forceinline__ void finish(const Grouped &g, int e, int64_t row, int64_t col, float sum)
{
	if constexpr (KIND == WEIGHTS) {
		int64_t at = e * g.m + row;
		g.d.put(at, col, g.beta == 0 ? sum : sum + g.beta * g.d.get(at, col));
	} else {
		if (g.first.p)
			sum += g.first.get(g.by_expert ? e : row, col);
		g.d.put(row, col, sum);
	}
}

/* ---- in two bytes ---- */

template <class T> struct Typed {
	const T *p;
	int64_t ld;
	explicit __device__ __forceinline__ Typed(const Mat &m) : p((const T *)m.p), ld(m.ld)
	{
	}
};

static __device__ __forceinline__ void multiply(bf16 *, float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
	mma(c, a, b0, b1);
}

static __device__ __forceinline__ void multiply(f16 *, float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
		     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
		     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* ROWS x COLS numbers from (row, col) of m, which ends at (row_end, col_end); zeros past the end. */
template <class T, int ROWS, int COLS>
static __device__ __forceinline__ void fetch(
	T *tile, const Typed<T> &m, int64_t row, int64_t row_end, int64_t col, int64_t col_end, bool wide)
{
	constexpr int LD = COLS + PAD, CHUNKS = ROWS * COLS / 8;
	for (int at = threadIdx.x; at < CHUNKS; at += THREADS) {
		int r = at / (COLS / 8), c = at % (COLS / 8) * 8;
		bool in = row + r < row_end;
		const T *from = m.p + (row + r) * m.ld + col + c;
		T *to = tile + r * LD + c;
		if (wide) {
			bool there = in && col + c < col_end;
			copy_async(to, there ? from : m.p, there);
			continue;
		}
#pragma unroll
		for (int i = 0; i < 8; i++) {
			if (in && col + c + i < col_end)
				to[i] = from[i];
			else
				put(&to[i], 0);
		}
	}
}

/* A block's tiles: of a TILE x K_STEP, or K_STEP x TILE where its rows are k; so of b. */
template <class T, Kind KIND> struct Tiles {
	static constexpr bool A_BY_K = KIND == WEIGHTS, B_BY_K = KIND != FORWARD;
	static constexpr int A_LD = (A_BY_K ? TILE : K_STEP) + PAD, B_LD = (B_BY_K ? TILE : K_STEP) + PAD;
	static constexpr int A = (A_BY_K ? K_STEP : TILE) * A_LD, B = (B_BY_K ? K_STEP : TILE) * B_LD;
	static constexpr size_t BYTES = STAGES * (A + B) * sizeof(T);
};

/* k [k0, k0 + K_STEP) of the operands: rows [p.i, p.end) of a and d, or of k where they are WEIGHTS'. */
template <class T, Kind KIND>
static __device__ __forceinline__ void fetch_step(
	T *a, T *b, const Grouped &g, const Part &p, int64_t m0, int64_t n0, int64_t k0)
{
	Typed<T> from_a(g.a), from_b(g.b);
	if constexpr (KIND == WEIGHTS) {
		fetch<T, K_STEP, TILE>(a, from_a, p.i + k0, p.end, m0, g.m, g.wide_a);
		fetch<T, K_STEP, TILE>(b, from_b, p.i + k0, p.end, n0, g.n, g.wide_b);
	} else {
		int64_t w = p.e * g.b_rows;
		fetch<T, TILE, K_STEP>(a, from_a, p.i, p.end, k0, g.k, g.wide_a);
		if constexpr (KIND == FORWARD)
			fetch<T, TILE, K_STEP>(b, from_b, w + n0, w + g.n, k0, g.k, g.wide_b);
		else
			fetch<T, K_STEP, TILE>(b, from_b, w + k0, w + g.k, n0, g.n, g.wide_b);
	}
	copies_commit();
}

/* sums[64 x 32 of this warp] += the step's product. */
template <class T, Kind KIND>
static __device__ __forceinline__ void multiply_step(float (&sums)[4][4][4], const T *a, const T *b, int m, int n, int lane)
{
	using S = Tiles<T, KIND>;
#pragma unroll
	for (int k = 0; k < K_STEP; k += 16) {
		uint32_t fa[4][4], fb[2][4];
#pragma unroll
		for (int i = 0; i < 4; i++) {
			const bf16 *tile = (const bf16 *)a;
			if constexpr (S::A_BY_K) /* 16 k by 16 m, transposed: registers 1 and 2 change places */
				load_transposed(fa[i], as_b<S::A_LD>(tile + k * S::A_LD + m + 16 * i, lane));
			else
				load_matrices(fa[i], as_a<S::A_LD>(tile + (m + 16 * i) * S::A_LD + k, lane));
		}
#pragma unroll
		for (int j = 0; j < 2; j++) {
			const bf16 *tile = (const bf16 *)b;
			if constexpr (S::B_BY_K)
				load_transposed(fb[j], as_a<S::B_LD>(tile + k * S::B_LD + n + 16 * j, lane));
			else
				load_matrices(fb[j], as_b<S::B_LD>(tile + (n + 16 * j) * S::B_LD + k, lane));
		}
#pragma unroll
		for (int i = 0; i < 4; i++)
#pragma unroll
			for (int j = 0; j < 4; j++)
				multiply((T *)nullptr, sums[i][j], fa[i], fb[j / 2][j % 2 * 2],
					fb[j / 2][j % 2 * 2 + 1]);
	}
}

template <class T, Kind KIND> static __global__ void __launch_bounds__(THREADS) grouped(Grouped g)
{
	using S = Tiles<T, KIND>;
	extern __shared__ __align__(16) unsigned char tiles[];
	T *a = (T *)tiles, *b = a + STAGES * S::A;
	int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, m = warp / 4 * 64, n = warp % 4 * 32;
	int64_t n0 = (int64_t)blockIdx.x * TILE, m0 = 0;
	Part p;
	if constexpr (KIND == WEIGHTS) {
		int e = (int)blockIdx.z;
		m0 = (int64_t)blockIdx.y * TILE;
		p = Part{ e, g.offsets[e], g.offsets[e + 1] };
	} else {
		p = find_part<TILE>(g, blockIdx.y);
		if (p.e < 0) {
			clear(g, p, n0, TILE);
			return;
		}
	}
	int64_t k = KIND == WEIGHTS ? p.end - p.i : g.k, steps = (k + K_STEP - 1) / K_STEP;
	float sums[4][4][4] = {};
#pragma unroll
	for (int s = 0; s < STAGES - 1; s++) {
		if (s < steps)
			fetch_step<T, KIND>(a + s * S::A, b + s * S::B, g, p, m0, n0, s * K_STEP);
		else
			copies_commit();
	}
	for (int64_t s = 0; s < steps; s++) {
		int64_t next = s + STAGES - 1;
		copies_wait<STAGES - 2>();
		__syncthreads();
		if (next < steps)
			fetch_step<T, KIND>(a + next % STAGES * S::A, b + next % STAGES * S::B, g, p, m0, n0,
				next * K_STEP);
		else
			copies_commit();
		multiply_step<T, KIND>(sums, a + s % STAGES * S::A, b + s % STAGES * S::B, m, n, lane);
	}
	copies_wait<0>();
	int64_t row0 = KIND == WEIGHTS ? m0 : p.i, end = KIND == WEIGHTS ? g.m : p.end;
#pragma unroll
	for (int i = 0; i < 4; i++)
#pragma unroll
		for (int j = 0; j < 4; j++)
#pragma unroll
			for (int c = 0; c < 4; c++) {
				int64_t row = row0 + m + 16 * i + lane / 4 + c / 2 * 8;
				int64_t col = n0 + n + 8 * j + lane % 4 * 2 + c % 2;
				if (row < end && col < g.n)
					finish<KIND>(g, p.e, row, col, sums[i][j][c]);
			}
}

/* ---- in f32 ---- */

template <Kind KIND> static __global__ void __launch_bounds__(THREADS) grouped_wide(Grouped g)
{
	__shared__ float a[SMALL][SMALL + 1], b[SMALL][SMALL + 1]; /* [k][m], [k][n] */
	int x = threadIdx.x % SMALL, y = threadIdx.x / SMALL; /* a thread has rows y, y + 8, … of column x */
	int64_t n0 = (int64_t)blockIdx.x * SMALL, m0 = 0;
	Part p;
	if constexpr (KIND == WEIGHTS) {
		int e = (int)blockIdx.z;
		m0 = (int64_t)blockIdx.y * SMALL;
		p = Part{ e, g.offsets[e], g.offsets[e + 1] };
	} else {
		p = find_part<SMALL>(g, blockIdx.y);
		if (p.e < 0) {
			clear(g, p, n0, SMALL);
			return;
		}
	}
	Typed<float> from_a(g.a), from_b(g.b);
	int64_t k = KIND == WEIGHTS ? p.end - p.i : g.k, w = p.e * g.b_rows;
	float sums[4] = {};
	for (int64_t k0 = 0; k0 < k; k0 += SMALL) {
		__syncthreads();
#pragma unroll
		for (int i = 0; i < 4; i++) {
			int r = y + 8 * i;
			/* Neighbouring threads read neighbouring numbers. */
			if constexpr (KIND == WEIGHTS) {
				bool in = k0 + r < k;
				int64_t row = p.i + k0 + r;
				a[r][x] = in && m0 + x < g.m ? from_a.p[row * from_a.ld + m0 + x] : 0;
				b[r][x] = in && n0 + x < g.n ? from_b.p[row * from_b.ld + n0 + x] : 0;
			} else {
				bool in = k0 + x < k;
				a[x][r] = in && p.i + r < p.end ? from_a.p[(p.i + r) * from_a.ld + k0 + x] : 0;
				if constexpr (KIND == FORWARD)
					b[x][r] = in && n0 + r < g.n ? from_b.p[(w + n0 + r) * from_b.ld + k0 + x] : 0;
				else
					b[r][x] = k0 + r < k && n0 + x < g.n ? from_b.p[(w + k0 + r) * from_b.ld + n0 + x]
									      : 0;
			}
		}
		__syncthreads();
		for (int i = 0; i < SMALL; i++)
#pragma unroll
			for (int r = 0; r < 4; r++)
				sums[r] += a[i][y + 8 * r] * b[i][x];
	}
	int64_t row0 = KIND == WEIGHTS ? m0 : p.i, end = KIND == WEIGHTS ? g.m : p.end;
#pragma unroll
	for (int r = 0; r < 4; r++)
		if (row0 + y + 8 * r < end && n0 + x < g.n)
			finish<KIND>(g, p.e, row0 + y + 8 * r, n0 + x, sums[r]);
}

template <class T, Kind KIND> static int start(const ds_cuda_call *c, const Grouped &g, dim3 blocks)
{
	using S = Tiles<T, KIND>;
	int rc = (int)cudaFuncSetAttribute(
		grouped<T, KIND>, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)S::BYTES);
	if (rc)
		return rc;
	grouped<T, KIND><<<blocks, THREADS, S::BYTES, stream_of(c)>>>(g);
	return launched();
}

template <Kind KIND> static int products(const ds_cuda_call *c, const Grouped &g)
{
	int tile = g.a.type == DS_F32 ? SMALL : TILE;
	dim3 blocks((unsigned)ds_cuda_div(g.n, tile), (unsigned)(g.rows / tile + g.experts + 1));
	if (KIND == WEIGHTS)
		blocks = dim3(blocks.x, (unsigned)ds_cuda_div(g.m, tile), (unsigned)g.experts);
	if (g.a.type == DS_BF16)
		return start<bf16, KIND>(c, g, blocks);
	if (g.a.type == DS_F16)
		return start<f16, KIND>(c, g, blocks);
	grouped_wide<KIND><<<blocks, THREADS, 0, stream_of(c)>>>(g);
	return launched();
}

/* in: x or dy, w, offsets, what is added or none; out: y or dx */
static Grouped by_rows(const ds_cuda_call *c)
{
	const ds_operand &x = c->in[0], &w = c->in[1], &y = c->out[0], &first = c->in[3];
	Grouped g = {};
	g.a = Mat(x), g.b = Mat(w), g.d = Mat(y);
	if (first.data)
		g.first = Mat(first);
	g.offsets = data<int32_t>(c->in[2]);
	g.experts = (int)c->in[2].cols - 1;
	g.rows = y.rows, g.n = y.cols, g.k = x.cols;
	g.b_rows = w.rows / g.experts;
	g.wide_a = is_wide(x), g.wide_b = is_wide(w);
	return g;
}

extern "C" int dsk_grouped(const ds_cuda_call *c)
{
	Grouped g = by_rows(c);
	g.by_expert = true;
	return g.rows ? products<FORWARD>(c, g) : 0;
}

extern "C" int dsk_grouped_dx(const ds_cuda_call *c)
{
	Grouped g = by_rows(c);
	return g.rows ? products<BACKWARD>(c, g) : 0;
}

/* in: x, dy, offsets; out: dW[experts, dy's columns, x's columns] */
extern "C" int dsk_grouped_dw(const ds_cuda_call *c)
{
	const ds_operand &x = c->in[0], &dy = c->in[1];
	Grouped g = {};
	g.a = Mat(dy), g.b = Mat(x), g.d = Mat(c->out[0]);
	g.offsets = data<int32_t>(c->in[2]);
	g.experts = (int)c->in[2].cols - 1;
	g.rows = x.rows, g.m = dy.cols, g.n = x.cols;
	g.beta = c->beta[0];
	g.wide_a = is_wide(dy), g.wide_b = is_wide(x);
	return products<WEIGHTS>(c, g);
}

/* ---- grouped_db: a block 32 columns of an expert, eight threads a column whose sums are added in their order ---- */

static __global__ void __launch_bounds__(THREADS)
	grouped_db(Mat dy, const int32_t *offsets, int64_t cols, float beta, float *out, int64_t out_ld)
{
	__shared__ float parts[WARPS][WARP];
	int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, e = (int)blockIdx.y;
	int64_t col = (int64_t)blockIdx.x * WARP + lane;
	float sum = 0;
	for (int64_t i = offsets[e] + warp; i < offsets[e + 1] && col < cols; i += WARPS)
		sum += dy.get(i, col);
	parts[warp][lane] = sum;
	__syncthreads();
	if (warp > 0 || col >= cols)
		return;
	for (int i = 1; i < WARPS; i++)
		sum += parts[i][lane];
	float *to = out + e * out_ld + col;
	*to = beta == 0 ? sum : sum + beta * *to;
}

extern "C" int dsk_grouped_db(const ds_cuda_call *c)
{
	const ds_operand &o = c->out[0];
	dim3 blocks((unsigned)ds_cuda_div(o.cols, WARP), (unsigned)o.rows);
	grouped_db<<<blocks, THREADS, 0, stream_of(c)>>>(Mat(c->in[0]), data<int32_t>(c->in[1]), o.cols, c->beta[0],
		data<float>(o), o.ld);
	return launched();
}
