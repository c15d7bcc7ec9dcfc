/*
 * xent.cu - a chunk of logits to its rows' losses and gradients; the products around it are cuBLASLt's
 *
 * Bound by memory: a row of logits is read twice, once for its largest number and its sum, once for the gradient,
 * inv (softmax - target), which is written in the type of the products (over the logits where that is f32).
 */
#include "dev.cuh"

#include <math.h>

enum { THREADS = 256 };

struct Xent {
	float *logits, *nll;
	const int32_t *targets;
	const float *inv;
	void *grad; /* NULL: none is wanted */
	int64_t logits_ld, grad_ld, vocab;
};

/* A block a row. The largest and the sum are kept together: sum is of e^(x - top). */
template <class T> static __global__ void __launch_bounds__(THREADS) xent(Xent p)
{
	__shared__ float shared[THREADS / WARP];
	int64_t i = blockIdx.x;
	float *row = p.logits + i * p.logits_ld, top = -INFINITY, sum = 0;
	T *grad = p.grad ? (T *)p.grad + i * p.grad_ld : nullptr;
	int32_t target = p.targets[i];
	if (target < 0 || target >= p.vocab) {
		for (int64_t v = threadIdx.x; v < p.vocab && grad; v += THREADS)
			put(grad + v, 0);
		if (threadIdx.x == 0)
			p.nll[i] = 0;
		return;
	}
	for (int64_t v = threadIdx.x; v < p.vocab; v += THREADS) {
		float x = row[v];
		if (x > top) {
			sum *= __expf(top - x);
			top = x;
		}
		sum += __expf(x - top);
	}
	float most = block_max<THREADS>(top, shared);
	/* A thread that saw no number has sum 0. */
	sum = block_sum<THREADS>(sum > 0 ? sum * __expf(top - most) : 0, shared);
	if (threadIdx.x == 0)
		p.nll[i] = logf(sum) + most - row[target];
	if (!grad)
		return;
	__syncthreads(); /* the target's logit is read before it is written over */
	float inv = *p.inv, by = inv / sum;
	for (int64_t v = threadIdx.x; v < p.vocab; v += THREADS)
		put(grad + v, by * __expf(row[v] - most) - (v == target ? inv : 0));
}

/*
 * in[0]: logits [rows, vocab]; in[3]: targets; in[4]: inv; out[1]: nll; out[2]: the gradient of the logits, which may
 * be in[0]
 */
extern "C" int dsk_xent(const ds_cuda_call *c)
{
	Xent p{ data<float>(c->in[0]), data<float>(c->out[1]), data<int32_t>(c->in[3]),
		data<float>(c->in[4]), c->out[2].data, c->in[0].ld, c->out[2].ld, c->in[0].cols };
	unsigned rows = (unsigned)c->in[0].rows;
	if (rows == 0)
		return 0;
	if (c->out[2].dtype == DS_BF16)
		xent<bf16><<<rows, THREADS, 0, stream_of(c)>>>(p);
	else if (c->out[2].dtype == DS_F16)
		xent<f16><<<rows, THREADS, 0, stream_of(c)>>>(p);
	else
		xent<float><<<rows, THREADS, 0, stream_of(c)>>>(p);
	return launched();
}

/* loss = inv times the sum of nll, and the sum over rows of a chunk's gradient, for the bias */
static __global__ void __launch_bounds__(THREADS)
	total(const float *nll, int64_t n, const float *inv, float *loss)
{
	__shared__ double shared[THREADS];
	double sum = 0;
	for (int64_t i = threadIdx.x; i < n; i += THREADS)
		sum += (double)nll[i];
	sum = block_sum_double<THREADS>(sum, shared);
	if (threadIdx.x == 0)
		*loss = (float)(sum * (double)*inv);
}

template <class T>
static __global__ void __launch_bounds__(THREADS)
	add_rows(float *out, const T *x, int64_t ld, int64_t rows, int64_t cols, float keep)
{
	int64_t col = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	if (col >= cols)
		return;
	float sum = 0;
	for (int64_t r = 0; r < rows; r++)
		sum += get(x + r * ld + col);
	out[col] = keep != 0 ? out[col] * keep + sum : sum;
}

/* in[0]: nll, in[4]: inv, out[0]: loss; or in[2]: a chunk's gradient, out[4]: db */
extern "C" int dsk_xent_sum(const ds_cuda_call *c)
{
	const ds_operand &d = c->in[2];
	if (!d.data) {
		total<<<1, THREADS, 0, stream_of(c)>>>(data<float>(c->in[0]), c->in[0].cols,
			data<float>(c->in[4]), data<float>(c->out[0]));
		return launched();
	}
	unsigned blocks = (unsigned)ds_cuda_div(d.cols, THREADS);
	float *db = data<float>(c->out[4]);
	if (d.dtype == DS_BF16)
		add_rows<<<blocks, THREADS, 0, stream_of(c)>>>(
			db, data<bf16>(d), d.ld, d.rows, d.cols, c->beta[4]);
	else if (d.dtype == DS_F16)
		add_rows<<<blocks, THREADS, 0, stream_of(c)>>>(
			db, data<f16>(d), d.ld, d.rows, d.cols, c->beta[4]);
	else
		add_rows<<<blocks, THREADS, 0, stream_of(c)>>>(
			db, data<float>(d), d.ld, d.rows, d.cols, c->beta[4]);
	return launched();
}
