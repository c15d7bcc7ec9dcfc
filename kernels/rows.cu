/*
 * rows.cu - gather from a table, its gradient (scatter-add), and rows into a cache
 *
 * Bound by memory. The gradient adds up the rows of equal numbers in their order, without atomics: positions are
 * sorted by (number, position), every block adds up DS_CUDA_SEGMENT sorted rows, and what a number has in several
 * blocks is added in their order by the one in which it begins.
 */
#include "dev.cuh"

enum { THREADS = 256, RANKS = 128 };

/* ---- out[i] = table[ids[i]]; 0 where there is no such row ---- */

template <class T>
static __global__ void __launch_bounds__(THREADS)
	take_rows(T *out, int64_t out_ld, const T *table, int64_t table_ld, const int32_t *ids,
		int64_t n_table, int64_t cols)
{
	int64_t i = blockIdx.x;
	int32_t id = ids[i];
	bool inside = id >= 0 && id < n_table;
	T none = {};
	for (int64_t k = threadIdx.x; k < cols; k += THREADS)
		out[i * out_ld + k] = inside ? table[id * table_ld + k] : none;
}

extern "C" int dsk_rows(const ds_cuda_call *c)
{
	const ds_operand &t = c->in[0], &o = c->out[0];
	if (o.rows == 0)
		return 0;
	if (is_wide(t) && is_wide(o))
		take_rows<<<(unsigned)o.rows, THREADS, 0, stream_of(c)>>>(data<uint4>(o), o.ld / 4,
			data<const uint4>(t), t.ld / 4, data<int32_t>(c->in[1]), t.rows,
			o.cols / 4);
	else
		take_rows<<<(unsigned)o.rows, THREADS, 0, stream_of(c)>>>(data<float>(o), o.ld,
			data<const float>(t), t.ld, data<int32_t>(c->in[1]), t.rows, o.cols);
	return launched();
}

/* ---- out[ids[i]] += dy[i] ---- */

/* sorted[rank] = position; numbers outside of the table come last, as n_table. By comparing all with all, which for
 * the 64 Ki rows of a large micro-batch is 4 G comparisons: less than a millisecond. */
static __global__ void __launch_bounds__(RANKS)
	rank_rows(int32_t *sorted, const int32_t *ids, int32_t n, int32_t n_table)
{
	__shared__ int32_t tile[RANKS];
	int32_t i = (int32_t)(blockIdx.x * RANKS + threadIdx.x), rank = 0;
	int32_t id = i < n ? ids[i] : 0;
	id = id < 0 || id >= n_table ? n_table : id;
	for (int32_t from = 0; from < n; from += RANKS) {
		int32_t j = from + (int32_t)threadIdx.x, other = j < n ? ids[j] : INT32_MAX;
		__syncthreads();
		tile[threadIdx.x] = j < n && (other < 0 || other >= n_table) ? n_table : other;
		__syncthreads();
		for (int32_t k = 0; k < RANKS; k++)
			rank += tile[k] < id || (tile[k] == id && from + k < i);
	}
	if (i < n)
		sorted[rank] = i;
}

static __global__ void __launch_bounds__(THREADS) zero_rows(float *out, int64_t ld, int64_t cols)
{
	for (int64_t k = threadIdx.x; k < cols; k += THREADS)
		out[blockIdx.x * ld + k] = 0;
}

struct Scatter {
	float *out;
	const float *dy;
	const int32_t *ids, *sorted;
	float *parts; /* [blocks, 2, cols]: sums of the number that came in from the block before, and that goes on */
	int64_t out_ld, dy_ld, cols;
	int32_t n, n_table;

	__device__ __forceinline__ int32_t id(int32_t rank) const
	{
		if (rank < 0 || rank >= n)
			return -1;
		int32_t v = ids[sorted[rank]];
		return v < 0 || v >= n_table ? n_table : v;
	}
};

static __global__ void __launch_bounds__(THREADS) add_segments(Scatter s)
{
	int32_t from = (int32_t)blockIdx.x * DS_CUDA_SEGMENT;
	int32_t to = from + DS_CUDA_SEGMENT < s.n ? from + DS_CUDA_SEGMENT : s.n;
	float *parts = s.parts + (int64_t)blockIdx.x * 2 * s.cols;
	for (int64_t k = threadIdx.x; k < s.cols; k += THREADS) {
		float sum = 0;
		int32_t before = s.id(from - 1), id = s.id(from);
		bool came = id == before;
		for (int32_t r = from; r < to; r++) {
			int32_t next = s.id(r + 1);
			sum += s.dy[s.sorted[r] * s.dy_ld + k];
			if (next == id && r + 1 < to)
				continue;
			if (came)
				parts[k] = sum;
			else if (next == id)
				parts[s.cols + k] = sum;
			else if (id < s.n_table)
				s.out[id * s.out_ld + k] += sum;
			came = false;
			sum = 0;
			id = next;
		}
	}
}

/* The block in which a number begins that goes on: its own part, then those of the blocks that it came into. */
static __global__ void __launch_bounds__(THREADS) join_segments(Scatter s, int32_t blocks)
{
	int32_t b = (int32_t)blockIdx.x, to = (b + 1) * DS_CUDA_SEGMENT;
	int32_t id = s.id(to - 1);
	if (to >= s.n || id >= s.n_table || s.id(to) != id || s.id(b * DS_CUDA_SEGMENT - 1) == id)
		return;
	for (int64_t k = threadIdx.x; k < s.cols; k += THREADS) {
		float sum = s.parts[((int64_t)b * 2 + 1) * s.cols + k];
		for (int32_t j = b + 1; j < blocks && s.id(j * DS_CUDA_SEGMENT) == id; j++)
			sum += s.parts[(int64_t)j * 2 * s.cols + k];
		s.out[id * s.out_ld + k] += sum;
	}
}

/* embed_grad, and rows_grad, which begins with zeros */
extern "C" int dsk_scatter_add(const ds_cuda_call *c)
{
	const ds_operand &dy = c->in[0], &o = c->out[0];
	int32_t n = (int32_t)dy.rows, blocks = (int32_t)ds_cuda_div(n, DS_CUDA_SEGMENT);
	cudaStream_t to = stream_of(c);
	if (c->beta[0] == 0 && o.rows > 0)
		zero_rows<<<(unsigned)o.rows, THREADS, 0, to>>>(data<float>(o), o.ld, o.cols);
	if (n == 0)
		return launched();
	int32_t *sorted = (int32_t *)c->scratch;
	float *parts = (float *)(c->scratch + ds_cuda_aligned((uint64_t)n * 4));
	Scatter s{ data<float>(o), data<float>(dy), data<int32_t>(c->in[1]), sorted, parts, o.ld,
		dy.ld, o.cols, n, (int32_t)o.rows };
	rank_rows<<<(unsigned)ds_cuda_div(n, RANKS), RANKS, 0, to>>>(sorted, s.ids, n, s.n_table);
	add_segments<<<(unsigned)blocks, THREADS, 0, to>>>(s);
	join_segments<<<(unsigned)blocks, THREADS, 0, to>>>(s, blocks);
	return launched();
}

/* ---- x's rows into a sequence's slot of the cache, from past on; what would fall outside is left out ---- */

static __global__ void __launch_bounds__(THREADS)
	put_rows(float *cache, int64_t cache_ld, const float *x, int64_t x_ld, const int32_t *past,
		const int32_t *slots, int64_t seq, int64_t kv_seq, int64_t cols)
{
	int64_t i = blockIdx.x, b = i / seq, to = past[b] + i % seq;
	if (to < 0 || to >= kv_seq)
		return;
	int64_t row = (slots ? slots[b] : b) * kv_seq + to;
	for (int64_t k = threadIdx.x; k < cols; k += THREADS)
		cache[row * cache_ld + k] = x[i * x_ld + k];
}

extern "C" int dsk_cache_put(const ds_cuda_call *c)
{
	const ds_operand &x = c->in[1], &o = c->out[0];
	const ds_attention_attr &a = c->node->attr.attention;
	if (x.rows == 0)
		return 0;
	put_rows<<<(unsigned)x.rows, THREADS, 0, stream_of(c)>>>(data<float>(o), o.ld,
		data<float>(x), x.ld, data<int32_t>(c->in[2]), data<int32_t>(c->in[3]), a.seq,
		a.kv_seq, x.cols);
	return launched();
}
