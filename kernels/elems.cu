/*
 * elems.cu - element by element: activations, sums, casts, dropout, rotations
 *
 * Bound by memory: a thread takes 8 numbers of a row in two 16-byte accesses, or one where rows are no multiple of 8.
 * Tensors without gaps between rows count as one row. An op is a struct whose `at` computes V numbers from (row, col).
 */
#include "dev.cuh"

/* ---- the walk ---- */

enum { THREADS = 256 };

template <int V, class Op>
static __global__ void __launch_bounds__(THREADS) walk(Op op, int64_t rows, int64_t cols)
{
	int64_t i = ((int64_t)blockIdx.x * THREADS + threadIdx.x) * V;
	if (i >= rows * cols)
		return;
	if (rows == 1)
		op.template at<V>(0, i);
	else
		op.template at<V>(i / cols, i % cols);
}

/* flat: all operands are dense, and the op does not ask for rows */
template <class Op> static int each(const ds_cuda_call *c, Op op, bool flat)
{
	const ds_operand &o = c->out[0];
	bool wide = true;
	for (int k = 0; k < DS_MAX_IN; k++)
		if (c->in[k].data && c->in[k].dtype != DS_I32)
			wide &= is_wide(c->in[k]), flat &= is_dense(c->in[k]);
	for (int k = 0; k < DS_MAX_OUT; k++)
		if (c->out[k].data)
			wide &= is_wide(c->out[k]), flat &= is_dense(c->out[k]);
	int64_t rows = flat ? 1 : o.rows, cols = flat ? o.rows * o.cols : o.cols, n = rows * cols;
	if (n == 0)
		return 0;
	if (wide)
		walk<8><<<(unsigned)ds_cuda_div(n / 8, THREADS), THREADS, 0, stream_of(c)>>>(
			op, rows, cols);
	else
		walk<1><<<(unsigned)ds_cuda_div(n, THREADS), THREADS, 0, stream_of(c)>>>(
			op, rows, cols);
	return launched();
}

/* ---- activations ---- */

static constexpr float C0 = 0.79788456080286535588f, C1 = 0.044715f; /* sqrt(2 / pi) */

static __device__ __forceinline__ float sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

template <ds_act A> static __device__ __forceinline__ float value(float x)
{
	switch (A) {
	case DS_ACT_GELU_TANH:
		return 0.5f * x * (1 + tanhf(C0 * (x + C1 * x * x * x)));
	case DS_ACT_GELU_ERF:
		return 0.5f * x * (1 + erff(x * 0.70710678118654752440f));
	case DS_ACT_SILU:
		return x * sigmoid(x);
	case DS_ACT_RELU:
		return x > 0 ? x : 0;
	case DS_ACT_TANH:
		return tanhf(x);
	default:
		return sigmoid(x);
	}
}

template <ds_act A> static __device__ __forceinline__ float slope(float x)
{
	float t;
	switch (A) {
	case DS_ACT_GELU_TANH:
		t = tanhf(C0 * (x + C1 * x * x * x));
		return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * C0 * (1 + 3 * C1 * x * x);
	case DS_ACT_GELU_ERF:
		return 0.5f * (1 + erff(x * 0.70710678118654752440f)) +
		       x * expf(-0.5f * x * x) * (C0 / 2);
	case DS_ACT_SILU:
		t = sigmoid(x);
		return t * (1 + x * (1 - t));
	case DS_ACT_RELU:
		return x > 0;
	case DS_ACT_TANH:
		t = tanhf(x);
		return 1 - t * t;
	default:
		t = sigmoid(x);
		return t * (1 - t);
	}
}

/* Calls LAUNCH<act>. */
#define BY_ACT(act, LAUNCH) \
	switch (act) { \
	case DS_ACT_GELU_TANH: \
		return LAUNCH(DS_ACT_GELU_TANH); \
	case DS_ACT_GELU_ERF: \
		return LAUNCH(DS_ACT_GELU_ERF); \
	case DS_ACT_SILU: \
		return LAUNCH(DS_ACT_SILU); \
	case DS_ACT_RELU: \
		return LAUNCH(DS_ACT_RELU); \
	case DS_ACT_TANH: \
		return LAUNCH(DS_ACT_TANH); \
	default: \
		return LAUNCH(DS_ACT_SIGMOID); \
	}

template <ds_act A> struct Unary {
	Mat x;
	Mat y;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> v = x.load<V>(row, col);
#pragma unroll
		for (int i = 0; i < V; i++)
			v.v[i] = value<A>(v.v[i]);
		y.store<V>(row, col, v);
	}
};

extern "C" int dsk_unary(const ds_cuda_call *c)
{
#define LAUNCH(A) each(c, Unary<A>{ Mat(c->in[0]), Mat(c->out[0]) }, true)
	BY_ACT(c->node->attr.act, LAUNCH)
#undef LAUNCH
}

template <ds_act A> struct UnaryGrad {
	Mat dy, x;
	Mat dx;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> d = dy.load<V>(row, col), v = x.load<V>(row, col);
#pragma unroll
		for (int i = 0; i < V; i++)
			d.v[i] *= slope<A>(v.v[i]);
		dx.store<V>(row, col, d);
	}
};

extern "C" int dsk_unary_grad(const ds_cuda_call *c)
{
#define LAUNCH(A) each(c, UnaryGrad<A>{ Mat(c->in[0]), Mat(c->in[1]), Mat(c->out[0]) }, true)
	BY_ACT(c->node->attr.act, LAUNCH)
#undef LAUNCH
}

template <ds_act A> struct Glu {
	Mat gate, up;
	Mat y;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> a = gate.load<V>(row, col), b = up.load<V>(row, col);
#pragma unroll
		for (int i = 0; i < V; i++)
			a.v[i] = value<A>(a.v[i]) * b.v[i];
		y.store<V>(row, col, a);
	}
};

extern "C" int dsk_glu(const ds_cuda_call *c)
{
#define LAUNCH(A) each(c, Glu<A>{ Mat(c->in[0]), Mat(c->in[1]), Mat(c->out[0]) }, true)
	BY_ACT(c->node->attr.act, LAUNCH)
#undef LAUNCH
}

template <ds_act A> struct GluGrad {
	Mat dy, gate, up;
	Mat dgate, dup;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> d = dy.load<V>(row, col), a = gate.load<V>(row, col),
			b = up.load<V>(row, col);
#pragma unroll
		for (int i = 0; i < V; i++) {
			float g = a.v[i];
			a.v[i] = d.v[i] * b.v[i] * slope<A>(g);
			b.v[i] = d.v[i] * value<A>(g);
		}
		if (dgate.p)
			dgate.store<V>(row, col, a);
		if (dup.p)
			dup.store<V>(row, col, b);
	}
};

extern "C" int dsk_glu_grad(const ds_cuda_call *c)
{
#define LAUNCH(A) \
	each(c, \
		GluGrad<A>{ Mat(c->in[0]), Mat(c->in[1]), Mat(c->in[2]), Mat(c->out[0]), \
			Mat(c->out[1]) }, \
		true)
	BY_ACT(c->node->attr.act, LAUNCH)
#undef LAUNCH
}

/* ---- y = factor a + other b ---- */

struct Sum {
	Mat a, b;
	Mat y;
	float factor, other; /* b is not read where its factor is 0 */
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> v = a.load<V>(row, col);
#pragma unroll
		for (int i = 0; i < V; i++)
			v.v[i] *= factor;
		if (other != 0) {
			Nums<V> w = b.load<V>(row, col);
#pragma unroll
			for (int i = 0; i < V; i++)
				v.v[i] += other * w.v[i];
		}
		y.store<V>(row, col, v);
	}
};

extern "C" int dsk_add(const ds_cuda_call *c)
{
	return each(c, Sum{ Mat(c->in[0]), Mat(c->in[1]), Mat(c->out[0]), 1, 1 }, true);
}

extern "C" int dsk_accum(const ds_cuda_call *c)
{
	return each(c, Sum{ Mat(c->in[0]), Mat(c->out[0]), Mat(c->out[0]), 1, c->beta[0] }, true);
}

struct Zero {
	Mat y;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> v = {};
		y.store<V>(row, col, v);
	}
};

/* By 0 nothing is read: what lies there may be no number. */
extern "C" int dsk_scale(const ds_cuda_call *c)
{
	float by = c->node->attr.scale;
	if (by == 0)
		return each(c, Zero{ Mat(c->out[0]) }, true);
	return each(c, Sum{ Mat(c->in[0]), Mat(c->in[0]), Mat(c->out[0]), by, 0 }, true);
}

struct Gain {
	Mat x, y;
	const float *s;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> v = x.load<V>(row, col);
		float by = expf(*s);
#pragma unroll
		for (int i = 0; i < V; i++)
			v.v[i] *= by;
		y.store<V>(row, col, v);
	}
};

/* The factor is no operand as wide as x: only x and y say how they can be walked. */
extern "C" int dsk_gain(const ds_cuda_call *c)
{
	ds_cuda_call of = *c;
	of.in[1].data = NULL;
	return each(&of, Gain{ Mat(c->in[0]), Mat(c->out[0]), (const float *)c->in[1].data }, true);
}

struct Cast {
	Mat x, y;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		y.store<V>(row, col, x.load<V>(row, col));
	}
};

extern "C" int dsk_cast(const ds_cuda_call *c)
{
	return each(c, Cast{ Mat(c->in[0]), Mat(c->out[0]) }, true);
}

/* ---- dropout: counted by element of the step ---- */

struct Dropout {
	Mat x;
	Mat y;
	Drops drops;
	const ds_run *run;
	int64_t cols;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		uint64_t at = (uint64_t)((run->row0 + row) * cols + col);
		Nums<V> v = x.load<V>(row, col);
		if constexpr (V == 1) {
			v.v[0] *= drops.factor(run, at);
		} else { /* columns are a multiple of 8, so a block of the generator is whole */
#pragma unroll
			for (int i = 0; i < V; i += 4) {
				Four f = drops.four(run, at + i);
#pragma unroll
				for (int k = 0; k < 4; k++)
					v.v[i + k] = f.v[k] < drops.limit ? 0 : v.v[i + k] * drops.keep;
			}
		}
		y.store<V>(row, col, v);
	}
};

extern "C" int dsk_dropout(const ds_cuda_call *c)
{
	Dropout op{ Mat(c->in[0]), Mat(c->out[0]), Drops(c->node->attr.dropout), c->run,
		c->out[0].cols };
	return each(c, op, true);
}

/* ---- rope: a thread rotates a pair, or copies a column behind the rotated ones; x may be y ---- */

struct Rope {
	Mat x;
	Mat y;
	const int32_t *pos;
	const float *freq;
	ds_rope_attr a;
};

static __global__ void __launch_bounds__(THREADS) rope(Rope op, int64_t rows, int64_t heads)
{
	const ds_rope_attr &a = op.a;
	int half = a.rot / 2, per = a.head_dim - half;
	int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	if (i >= rows * heads * per)
		return;
	int k = (int)(i % per);
	int64_t row = i / per / heads, head = i / per % heads * a.head_dim;
	if (k >= half) {
		int64_t col = head + half + k;
		op.y.put(row, col, op.x.get(row, col));
		return;
	}
	int64_t p = head + (a.interleaved ? 2 * k : k), q = p + (a.interleaved ? 1 : half);
	float one = op.x.get(row, p), two = op.x.get(row, q), s, c;
	sincosf((float)op.pos[row] * op.freq[k], &s, &c);
	s *= a.inverse ? -a.factor : a.factor;
	c *= a.factor;
	op.y.put(row, p, one * c - two * s);
	op.y.put(row, q, two * c + one * s);
}

extern "C" int dsk_rope(const ds_cuda_call *c)
{
	const ds_rope_attr &a = c->node->attr.rope;
	Rope op{ Mat(c->in[0]), Mat(c->out[0]), data<int32_t>(c->in[1]), data<float>(c->in[2]), a };
	int64_t heads = c->in[0].cols / a.head_dim, per = a.head_dim - a.rot / 2;
	int64_t n = c->in[0].rows * heads * per;
	if (n == 0)
		return 0;
	rope<<<(unsigned)ds_cuda_div(n, THREADS), THREADS, 0, stream_of(c)>>>(
		op, c->in[0].rows, heads);
	return launched();
}

/* ---- pad: dy's columns among zeros, or among what was there ---- */

struct Pad {
	Mat dy, had;
	Mat y;
	int64_t from, n;
	template <int V> __device__ __forceinline__ void at(int64_t row, int64_t col) const
	{
		Nums<V> v = {};
		if (had.p)
			v = had.load<V>(row, col);
#pragma unroll
		for (int i = 0; i < V; i++)
			if (col + i >= from && col + i < from + n)
				v.v[i] += dy.get(row, col + i - from);
		y.store<V>(row, col, v);
	}
};

extern "C" int dsk_pad(const ds_cuda_call *c)
{
	Pad op{ Mat(c->in[0]), Mat(c->in[1]), Mat(c->out[0]), c->node->attr.slice.from,
		c->in[0].cols };
	return each(c, op, false);
}
