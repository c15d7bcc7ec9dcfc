/*
 * flash.cu - attention and its gradient on tensor cores, in tiles that never leave the chip (Dao, 2023)
 *
 * q, k, v and the gradient of o are rounded to bf16 once, heads side by side in scratch, columns filled up with zeros
 * to D. Forward: a block takes 64 queries of a head, a warp 16; tiles of keys and values come in asynchronously, two
 * of each under way; the softmax is online in f32. Backward makes scores again from lse: one kernel by queries for
 * dq, one by keys for dk and dv over the queries and heads that see them, so that nothing is added atomically. Which
 * keys a query sees is a range; tiles outside of all ranges are skipped, tiles inside of all are not masked.
 */
#include "attention.cuh"
#include "mma.cuh"

#include <limits.h>
#include <math.h>

enum { THREADS = 128, ROWS = 64, PACK = 256 };

struct Flash {
	Attention p;
	Mat out, dq, dk, dv;
	const bf16 *q, *k, *v, *go; /* [batch, heads, rows, D] */
};

static constexpr float LOG2E = 1.4426950408889634f;

/* ---- rounding ---- */

struct Pack {
	bf16 *to;
	Mat from;
	int64_t n; /* groups of 8 numbers of `to` */
	int heads, d, wide, seq;
	bool aligned; /* heads begin at multiples of 16 bytes */
};

static __global__ void __launch_bounds__(PACK) pack_heads(Pack p)
{
	int64_t i = (int64_t)blockIdx.x * PACK + threadIdx.x;
	if (i >= p.n)
		return;
	int per = p.wide / 8, col = (int)(i % per) * 8;
	int64_t at = i / per, head = at % p.heads, row = at / p.heads;
	Nums<8> v = {};
	if (col + 8 <= p.d && p.aligned) {
		v = p.from.load<8>(row, head * p.d + col);
	} else {
#pragma unroll
		for (int k = 0; k < 8; k++)
			if (col + k < p.d)
				v.v[k] = p.from.get(row, head * p.d + col + k);
	}
	int64_t b = row / p.seq, t = row % p.seq;
	store<8>(p.to + ((b * p.heads + head) * p.seq + t) * p.wide + col, v);
}

/* delta[row, head] = do o */
static __global__ void __launch_bounds__(PACK) deltas(Attention p, Mat go, Mat o)
{
	int64_t at = (int64_t)blockIdx.x * (PACK / WARP) + threadIdx.x / WARP;
	int lane = threadIdx.x % WARP, d = p.a.head_dim;
	if (at >= p.rows * p.a.heads)
		return;
	int64_t row = at / p.a.heads, head = at % p.a.heads;
	float sum = 0;
	for (int i = lane; i < d; i += WARP)
		sum += go.get(row, head * d + i) * o.get(row, head * d + i);
	sum = warp_sum(sum);
	if (lane == 0)
		p.delta[at] = sum;
}

/* ---- what the rows of a block see ---- */

struct Seen {
	int lo[ROWS], hi[ROWS];
	int from, to;        /* any of them sees */
	int all_from, all_to; /* all of them see */
};

/* Of queries [t0, t0 + 64) of sequence b; those past its end see everything, and nobody keeps what they give. */
static __device__ __forceinline__ void look(Seen *s, const Attention &p, int64_t b, int t0)
{
	int i = (int)threadIdx.x;
	if (i < ROWS) {
		int lo = 0, hi = INT_MAX;
		if (t0 + i < p.a.seq)
			p.keys(b, t0 + i, lo, hi);
		s->lo[i] = lo < hi ? lo : 0;
		s->hi[i] = lo < hi ? hi : 0;
	}
	__syncthreads();
	if (i >= WARP)
		return;
	int from = INT_MAX, to = 0, all_from = 0, all_to = INT_MAX;
	for (int k = i; k < ROWS; k += WARP) {
		bool real = t0 + k < p.a.seq, sees = s->lo[k] < s->hi[k];
		from = real && sees ? min(from, s->lo[k]) : from;
		to = real && sees ? max(to, s->hi[k]) : to;
		all_from = max(all_from, s->lo[k]);
		all_to = min(all_to, s->hi[k]);
	}
#pragma unroll
	for (int o = WARP / 2; o > 0; o /= 2) {
		from = min(from, __shfl_xor_sync(ALL_LANES, from, o));
		to = max(to, __shfl_xor_sync(ALL_LANES, to, o));
		all_from = max(all_from, __shfl_xor_sync(ALL_LANES, all_from, o));
		all_to = min(all_to, __shfl_xor_sync(ALL_LANES, all_to, o));
	}
	if (i == 0) {
		s->from = from;
		s->to = to;
		s->all_from = all_from;
		s->all_to = all_to;
	}
}

/* Dropout's factors of keys j and j + 1 (j even). */
static __device__ __forceinline__ void keep_two(
	const Attention &p, int64_t row, int head, int j, float &one, float &two)
{
	one = two = 1;
	if (p.drops.limit == 0)
		return;
	Four f = p.drops.four(p.run, p.number(row, head, j));
	one = f.at((uint32_t)j & 3) < p.drops.limit ? 0 : p.drops.keep;
	two = f.at(((uint32_t)j & 3) + 1) < p.drops.limit ? 0 : p.drops.keep;
}

/* Columns col and col + 1 of a head of d, which begins at column `head`. */
static __device__ __forceinline__ void put_two(
	const Mat &m, int64_t row, int64_t head, int col, int d, float one, float two)
{
	if (col < d)
		m.put(row, head + col, one);
	if (col + 1 < d)
		m.put(row, head + col + 1, two);
}

/* ---- forward ---- */

template <int D, int N> static __global__ void __launch_bounds__(THREADS) flash(Flash f)
{
	constexpr int LD = D + PAD;
	extern __shared__ __align__(16) bf16 tiles[]; /* q [64], then k [2][N], v [2][N] */
	__shared__ Seen seen;
	const Attention &p = f.p;
	bf16 *q = tiles, *k = q + ROWS * LD, *v = k + 2 * N * LD;
	int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, head = (int)blockIdx.y;
	int64_t b = blockIdx.z;
	int t0 = (int)(gridDim.x - 1 - blockIdx.x) * ROWS, kv = head / (p.a.heads / p.a.kv_heads);
	const bf16 *k0 = f.k + (b * p.a.kv_heads + kv) * p.a.kv_seq * D;
	const bf16 *v0 = f.v + (b * p.a.kv_heads + kv) * p.a.kv_seq * D;
	copy_tile<ROWS, D, THREADS>(
		q, f.q + (b * p.a.heads + head) * p.a.seq * D, t0, p.a.seq);
	look(&seen, p, b, t0);
	__syncthreads();
	int from = seen.from / N * N, to = seen.to;
	if (from < to) {
		copy_tile<N, D, THREADS>(k, k0, from, p.a.kv_seq);
		copy_tile<N, D, THREADS>(v, v0, from, p.a.kv_seq);
	}
	copies_commit();
	float o[D / 8][4] = {}, top[2] = { -INFINITY, -INFINITY }, sum[2] = {};
	int r = warp * 16 + lane / 4;
	float scale = p.a.scale * LOG2E;
	for (int n0 = from, stage = 0; n0 < to; n0 += N, stage ^= 1) {
		if (n0 + N < to) {
			copy_tile<N, D, THREADS>(k + (stage ^ 1) * N * LD, k0, n0 + N, p.a.kv_seq);
			copy_tile<N, D, THREADS>(v + (stage ^ 1) * N * LD, v0, n0 + N, p.a.kv_seq);
		}
		copies_commit();
		copies_wait<1>();
		__syncthreads();
		float s[N / 8][4] = {};
#pragma unroll
		for (int x = 0; x < D; x += 16) {
			uint32_t a[4], w[4];
			load_matrices(a, as_a<LD>(q + warp * 16 * LD + x, lane));
#pragma unroll
			for (int n = 0; n < N; n += 16) {
				load_matrices(w, as_b<LD>(k + (stage * N + n) * LD + x, lane));
				mma(s[n / 8], a, w[0], w[1]);
				mma(s[n / 8 + 1], a, w[2], w[3]);
			}
		}
		bool whole = n0 >= seen.all_from && n0 + N <= seen.all_to;
#pragma unroll
		for (int h = 0; h < 2; h++) {
			int lo = seen.lo[r + 8 * h], hi = seen.hi[r + 8 * h];
			float most = top[h], part = 0;
#pragma unroll
			for (int n = 0; n < N / 8; n++)
#pragma unroll
				for (int c = 0; c < 2; c++) {
					int j = n0 + n * 8 + lane % 4 * 2 + c;
					float &x = s[n][2 * h + c];
					x = whole || (lo <= j && j < hi) ? x * scale : -INFINITY;
					most = fmaxf(most, x);
				}
			most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
			most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));
			/* Of a row that has seen nothing yet. */
			float base = most == -INFINITY ? 0 : most, old = exp2f(top[h] - base);
			top[h] = most;
#pragma unroll
			for (int n = 0; n < N / 8; n++) {
				float one = exp2f(s[n][2 * h] - base);
				float two = exp2f(s[n][2 * h + 1] - base), keep_one, keep_other;
				part += one + two;
				keep_two(p, b * p.a.seq + t0 + r + 8 * h, head,
					n0 + n * 8 + lane % 4 * 2, keep_one, keep_other);
				s[n][2 * h] = one * keep_one;
				s[n][2 * h + 1] = two * keep_other;
			}
			sum[h] = sum[h] * old + part;
#pragma unroll
			for (int x = 0; x < D / 8; x++) {
				o[x][2 * h] *= old;
				o[x][2 * h + 1] *= old;
			}
		}
		add_product<N, D, LD>(o, s, v + stage * N * LD, lane);
		__syncthreads();
	}
	copies_wait<0>();
#pragma unroll
	for (int h = 0; h < 2; h++) {
		int t = t0 + r + 8 * h;
		float all = sum[h];
		all += __shfl_xor_sync(ALL_LANES, all, 1);
		all += __shfl_xor_sync(ALL_LANES, all, 2);
		if (t >= p.a.seq)
			continue;
		int64_t row = b * p.a.seq + t;
		float by = all > 0 ? 1 / all : 0;
#pragma unroll
		for (int x = 0; x < D / 8; x++)
			put_two(f.out, row, head * p.a.head_dim, x * 8 + lane % 4 * 2, p.a.head_dim,
				o[x][2 * h] * by, o[x][2 * h + 1] * by);
		if (lane % 4 == 0 && p.out_lse)
			p.out_lse[row * p.out_lse_ld + head] =
				all > 0 ? (top[h] + log2f(all)) / LOG2E : 0;
	}
}

/* ---- dq: as forward, by queries ---- */

template <int D, int N> static __global__ void __launch_bounds__(THREADS) flash_dq(Flash f)
{
	constexpr int LD = D + PAD;
	extern __shared__ __align__(16) bf16 tiles[]; /* q, do [64], then k [2][N], v [2][N] */
	__shared__ Seen seen;
	const Attention &p = f.p;
	bf16 *q = tiles, *go = q + ROWS * LD, *k = go + ROWS * LD, *v = k + 2 * N * LD;
	int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, head = (int)blockIdx.y;
	int64_t b = blockIdx.z, queries = (b * p.a.heads + head) * p.a.seq * D;
	int t0 = (int)(gridDim.x - 1 - blockIdx.x) * ROWS, kv = head / (p.a.heads / p.a.kv_heads);
	const bf16 *k0 = f.k + (b * p.a.kv_heads + kv) * p.a.kv_seq * D;
	const bf16 *v0 = f.v + (b * p.a.kv_heads + kv) * p.a.kv_seq * D;
	copy_tile<ROWS, D, THREADS>(q, f.q + queries, t0, p.a.seq);
	copy_tile<ROWS, D, THREADS>(go, f.go + queries, t0, p.a.seq);
	look(&seen, p, b, t0);
	__syncthreads();
	int from = seen.from / N * N, to = seen.to, r = warp * 16 + lane / 4;
	if (from < to) {
		copy_tile<N, D, THREADS>(k, k0, from, p.a.kv_seq);
		copy_tile<N, D, THREADS>(v, v0, from, p.a.kv_seq);
	}
	copies_commit();
	float dq[D / 8][4] = {}, scale = p.a.scale * LOG2E, lse[2] = {}, delta[2] = {};
#pragma unroll
	for (int h = 0; h < 2; h++)
		if (t0 + r + 8 * h < p.a.seq) {
			int64_t row = b * p.a.seq + t0 + r + 8 * h;
			lse[h] = p.lse[row * p.lse_ld + head] * LOG2E;
			delta[h] = p.delta[row * p.a.heads + head];
		}
	for (int n0 = from, stage = 0; n0 < to; n0 += N, stage ^= 1) {
		if (n0 + N < to) {
			copy_tile<N, D, THREADS>(k + (stage ^ 1) * N * LD, k0, n0 + N, p.a.kv_seq);
			copy_tile<N, D, THREADS>(v + (stage ^ 1) * N * LD, v0, n0 + N, p.a.kv_seq);
		}
		copies_commit();
		copies_wait<1>();
		__syncthreads();
		float s[N / 8][4] = {}, dp[N / 8][4] = {};
#pragma unroll
		for (int x = 0; x < D; x += 16) {
			uint32_t a[4], c[4], w[4];
			load_matrices(a, as_a<LD>(q + warp * 16 * LD + x, lane));
			load_matrices(c, as_a<LD>(go + warp * 16 * LD + x, lane));
#pragma unroll
			for (int n = 0; n < N; n += 16) {
				load_matrices(w, as_b<LD>(k + (stage * N + n) * LD + x, lane));
				mma(s[n / 8], a, w[0], w[1]);
				mma(s[n / 8 + 1], a, w[2], w[3]);
				load_matrices(w, as_b<LD>(v + (stage * N + n) * LD + x, lane));
				mma(dp[n / 8], c, w[0], w[1]);
				mma(dp[n / 8 + 1], c, w[2], w[3]);
			}
		}
		bool whole = n0 >= seen.all_from && n0 + N <= seen.all_to;
#pragma unroll
		for (int h = 0; h < 2; h++) {
			int lo = seen.lo[r + 8 * h], hi = seen.hi[r + 8 * h];
#pragma unroll
			for (int n = 0; n < N / 8; n++) {
				int j = n0 + n * 8 + lane % 4 * 2;
				float keep[2];
				keep_two(p, b * p.a.seq + t0 + r + 8 * h, head, j, keep[0], keep[1]);
#pragma unroll
				for (int c = 0; c < 2; c++) {
					float &x = s[n][2 * h + c];
					bool sees = whole || (lo <= j + c && j + c < hi);
					x = sees ? exp2f(x * scale - lse[h]) *
							    (keep[c] * dp[n][2 * h + c] - delta[h])
						 : 0;
				}
			}
		}
		add_product<N, D, LD>(dq, s, k + stage * N * LD, lane);
		__syncthreads();
	}
	copies_wait<0>();
#pragma unroll
	for (int h = 0; h < 2; h++) {
		int t = t0 + r + 8 * h;
		if (t >= p.a.seq)
			continue;
#pragma unroll
		for (int x = 0; x < D / 8; x++)
			put_two(f.dq, b * p.a.seq + t, head * p.a.head_dim, x * 8 + lane % 4 * 2,
				p.a.head_dim, dq[x][2 * h] * p.a.scale,
				dq[x][2 * h + 1] * p.a.scale);
	}
}

/* ---- dk, dv: a block takes 64 keys of a key head, a warp 16, over tiles of N queries of its heads ---- */

/* The first tile of queries that may see a key of [j0, j0 + 64): before the first key none does where causal. */
template <int N> static __device__ __forceinline__ int first_query(const Attention &p, int j0)
{
	return p.a.causal ? min(j0, p.a.seq) / N * N : 0;
}

template <int D, int N> static __global__ void __launch_bounds__(THREADS) flash_dkv(Flash f)
{
	constexpr int LD = D + PAD;
	extern __shared__ __align__(16) bf16 tiles[]; /* k, v [64], then q [N], do [N] */
	__shared__ int lo[N], hi[N];
	__shared__ float lse[N], delta[N];
	const Attention &p = f.p;
	bf16 *k = tiles, *v = k + ROWS * LD, *q = v + ROWS * LD, *go = q + N * LD;
	int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, kv = (int)blockIdx.y;
	int64_t b = blockIdx.z, keys = (b * p.a.kv_heads + kv) * p.a.kv_seq * D;
	int j0 = (int)blockIdx.x * ROWS, group = p.a.heads / p.a.kv_heads, i = (int)threadIdx.x;
	copy_tile<ROWS, D, THREADS>(k, f.k + keys, j0, p.a.kv_seq);
	copy_tile<ROWS, D, THREADS>(v, f.v + keys, j0, p.a.kv_seq);
	copies_commit();
	float dk[D / 8][4] = {}, dv[D / 8][4] = {}, scale = p.a.scale * LOG2E;
	int first = first_query<N>(p, j0), r = warp * 16 + lane / 4;
	for (int head = kv * group; head < (kv + 1) * group; head++)
		for (int t0 = first; t0 < p.a.seq; t0 += N) {
			int64_t queries = (b * p.a.heads + head) * p.a.seq * D;
			int mine_lo = 0, mine_hi = 0, t = t0 + i;
			if (i < N && t < p.a.seq) {
				p.keys(b, t, mine_lo, mine_hi);
				int64_t row = b * p.a.seq + t;
				lse[i] = p.lse[row * p.lse_ld + head] * LOG2E;
				delta[i] = p.delta[row * p.a.heads + head];
			} else if (i < N) {
				lse[i] = delta[i] = 0;
			}
			if (i < N) {
				lo[i] = mine_lo;
				hi[i] = mine_hi;
			}
			bool sees = i < N && mine_lo < mine_hi && mine_lo < j0 + ROWS && mine_hi > j0;
			if (!__syncthreads_or(sees))
				continue;
			copy_tile<N, D, THREADS>(q, f.q + queries, t0, p.a.seq);
			copy_tile<N, D, THREADS>(go, f.go + queries, t0, p.a.seq);
			copies_commit();
			copies_wait<0>();
			__syncthreads();
			float s[N / 8][4] = {}, dp[N / 8][4] = {};
#pragma unroll
			for (int x = 0; x < D; x += 16) {
				uint32_t a[4], c[4], w[4];
				load_matrices(a, as_a<LD>(k + warp * 16 * LD + x, lane));
				load_matrices(c, as_a<LD>(v + warp * 16 * LD + x, lane));
#pragma unroll
				for (int n = 0; n < N; n += 16) {
					load_matrices(w, as_b<LD>(q + n * LD + x, lane));
					mma(s[n / 8], a, w[0], w[1]);
					mma(s[n / 8 + 1], a, w[2], w[3]);
					load_matrices(w, as_b<LD>(go + n * LD + x, lane));
					mma(dp[n / 8], c, w[0], w[1]);
					mma(dp[n / 8 + 1], c, w[2], w[3]);
				}
			}
			/* s becomes the probabilities that dv takes, dp the scores' gradients. */
#pragma unroll
			for (int n = 0; n < N / 8; n++)
#pragma unroll
				for (int e = 0; e < 4; e++) {
					int at = n * 8 + lane % 4 * 2 + e % 2, j = j0 + r + e / 2 * 8;
					float w = 0, keep = 1;
					if (lo[at] <= j && j < hi[at]) {
						w = exp2f(s[n][e] * scale - lse[at]);
						keep = p.kept(b * p.a.seq + t0 + at, head, j);
					}
					s[n][e] = w * keep;
					dp[n][e] = w * (keep * dp[n][e] - delta[at]);
				}
			add_product<N, D, LD>(dv, s, go, lane);
			add_product<N, D, LD>(dk, dp, q, lane);
			__syncthreads();
		}
	copies_wait<0>();
#pragma unroll
	for (int h = 0; h < 2; h++) {
		int j = j0 + r + 8 * h;
		int64_t key = b * p.a.kv_seq + j, at = kv * p.a.head_dim;
		if (j >= p.a.kv_seq)
			continue;
#pragma unroll
		for (int x = 0; x < D / 8; x++) {
			int col = x * 8 + lane % 4 * 2;
			if (f.dk.p)
				put_two(f.dk, key, at, col, p.a.head_dim, dk[x][2 * h] * p.a.scale,
					dk[x][2 * h + 1] * p.a.scale);
			if (f.dv.p)
				put_two(f.dv, key, at, col, p.a.head_dim, dv[x][2 * h],
					dv[x][2 * h + 1]);
		}
	}
}

/* ---- launches ---- */

static int pack_operand(const ds_cuda_call *c, int in, int heads, int seq, bf16 *to)
{
	const ds_operand &x = c->in[in];
	int d = c->node->attr.attention.head_dim, wide = ds_cuda_flash_cols(d);
	Pack p{ to, Mat(x), x.rows * heads * (wide / 8), heads, d, wide, seq,
		is_wide(x) && d % 8 == 0 };
	pack_heads<<<(unsigned)ds_cuda_div(p.n, PACK), PACK, 0, stream_of(c)>>>(p);
	return launched();
}

/* Packs the four (do: in[5], where go) side by side into scratch. */
static int pack_all(const ds_cuda_call *c, Flash *f, bool grad)
{
	const ds_attention_attr &a = c->node->attr.attention;
	int64_t wide = ds_cuda_flash_cols(a.head_dim);
	int64_t queries = c->in[0].rows * a.heads * wide, keys = c->in[1].rows * a.kv_heads * wide;
	bf16 *q = (bf16 *)c->scratch, *k = q + queries, *v = k + keys, *go = v + keys;
	f->q = q, f->k = k, f->v = v, f->go = go;
	f->p.delta = (float *)(go + queries);
	int rc = pack_operand(c, 0, a.heads, a.seq, q);
	if (!rc)
		rc = pack_operand(c, 1, a.kv_heads, a.kv_seq, k);
	if (!rc)
		rc = pack_operand(c, 2, a.kv_heads, a.kv_seq, v);
	return rc || !grad ? rc : pack_operand(c, 5, a.heads, a.seq, go);
}

template <class K> static int start(const ds_cuda_call *c, K kernel, dim3 blocks, size_t shared, Flash f)
{
	int rc = (int)cudaFuncSetAttribute(
		kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
	if (rc)
		return rc;
	kernel<<<blocks, THREADS, shared, stream_of(c)>>>(f);
	return launched();
}

template <int D, int N> static int forward(const ds_cuda_call *c, Flash f)
{
	const ds_attention_attr &a = f.p.a;
	dim3 blocks((unsigned)ds_cuda_div(a.seq, ROWS), (unsigned)a.heads,
		(unsigned)(f.p.rows / a.seq));
	return start(c, flash<D, N>, blocks, (size_t)(ROWS + 4 * N) * (D + PAD) * sizeof(bf16), f);
}

template <int D, int N> static int backward(const ds_cuda_call *c, Flash f)
{
	const ds_attention_attr &a = f.p.a;
	unsigned batch = (unsigned)(f.p.rows / a.seq);
	dim3 by_query((unsigned)ds_cuda_div(a.seq, ROWS), (unsigned)a.heads, batch);
	dim3 by_key((unsigned)ds_cuda_div(a.kv_seq, ROWS), (unsigned)a.kv_heads, batch);
	int rc = 0;
	if (f.dq.p)
		rc = start(c, flash_dq<D, N>, by_query,
			(size_t)(2 * ROWS + 4 * N) * (D + PAD) * sizeof(bf16), f);
	if (rc || (!f.dk.p && !f.dv.p))
		return rc;
	return start(c, flash_dkv<D, N>, by_key,
		(size_t)(2 * ROWS + 2 * N) * (D + PAD) * sizeof(bf16), f);
}

extern "C" int dsk_flash(const ds_cuda_call *c)
{
	Flash f = { .p = attention_of(c), .out = Mat(c->out[0]) };
	if (f.p.rows == 0)
		return 0;
	int rc = pack_all(c, &f, false);
	if (rc)
		return rc;
	switch (ds_cuda_flash_cols(f.p.a.head_dim)) {
	case 32:
		return forward<32, 64>(c, f);
	case 64:
		return forward<64, 64>(c, f);
	case 128:
		return forward<128, 64>(c, f);
	default:
		return forward<256, 32>(c, f);
	}
}

extern "C" int dsk_flash_grad(const ds_cuda_call *c)
{
	Flash f = { .p = attention_grad_of(c),
		.dq = Mat(c->out[0]),
		.dk = Mat(c->out[1]),
		.dv = Mat(c->out[2]) };
	if (f.p.rows == 0)
		return 0;
	int rc = pack_all(c, &f, true);
	if (rc)
		return rc;
	deltas<<<(unsigned)ds_cuda_div(f.p.rows * f.p.a.heads, PACK / WARP), PACK, 0,
		stream_of(c)>>>(f.p, Mat(c->in[5]), Mat(c->in[3]));
	switch (ds_cuda_flash_cols(f.p.a.head_dim)) {
	case 32:
		return backward<32, 32>(c, f);
	case 64:
		return backward<64, 32>(c, f);
	default:
		return backward<128, 32>(c, f);
	}
}
