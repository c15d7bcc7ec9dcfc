/*
 * gemm.cc - the matrix product behind both BLAS stand-ins, on oneDNN's fp32 GEMM
 */
#include "gemm.h"
#include "runtime.h"

#include <cmath>
#include <cstring>
#include <dnnl.h>
#include <vector>

namespace sim
{

namespace
{

float from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, 4);
	return f;
}

float small_float(uint32_t v, int e_bits, int m_bits)
{
	int e = (int)(v >> m_bits & ((1u << e_bits) - 1)), bias = (1 << (e_bits - 1)) - 1;
	uint32_t m = v & ((1u << m_bits) - 1);
	bool is_nan = e_bits == 4 ? (v & 0x7f) == 0x7f : e == 31 && m;
	if (is_nan)
		return NAN;
	float r = e_bits == 5 && e == 31 ? INFINITY
					 : ldexpf((float)(e ? m + (1u << m_bits) : m),
						   (e ? e : 1) - bias - m_bits);
	return v & 0x80 ? -r : r;
}

uint32_t to_small_float(float x, int e_bits, int m_bits)
{
	uint32_t best = 0, sign = std::signbit(x) ? 0x80 : 0;
	float a = fabsf(x), top = e_bits == 4 ? 448.f : 57344.f;
	if (x != x)
		return 0x7f;
	a = a > top ? top : a;
	uint32_t low = 0, high = e_bits == 4 ? 0x7e : 0x7b; /* values grow with their bits */
	while (low < high) {
		uint32_t mid = (low + high + 1) / 2;
		if (small_float(mid, e_bits, m_bits) <= a)
			low = mid;
		else
			high = mid - 1;
	}
	best = low;
	uint32_t most = e_bits == 4 ? 0x7eu : 0x7bu;
	if (best < most) {
		float below = a - small_float(best, e_bits, m_bits),
		      above = small_float(best + 1, e_bits, m_bits) - a;
		if (above < below || (above == below && (best & 1)))
			best++;
	}
	return best | sign;
}

float load(const void *p, size_t i, cudaDataType t)
{
	switch (t) {
	case CUDA_R_32F:
		return ((const float *)p)[i];
	case CUDA_R_16BF:
		return from_bits((uint32_t)((const uint16_t *)p)[i] << 16);
	case CUDA_R_16F:
		return (float)((const _Float16 *)p)[i];
	case CUDA_R_8F_E4M3:
		return small_float(((const uint8_t *)p)[i], 4, 3);
	default:
		return small_float(((const uint8_t *)p)[i], 5, 2);
	}
}

void store(void *p, size_t i, cudaDataType t, float v)
{
	uint32_t u;
	switch (t) {
	case CUDA_R_32F:
		((float *)p)[i] = v;
		break;
	case CUDA_R_16BF:
		memcpy(&u, &v, 4);
		((uint16_t *)p)[i] =
			v != v ? 0x7fff : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
		break;
	case CUDA_R_16F:
		((_Float16 *)p)[i] = (_Float16)v;
		break;
	case CUDA_R_8F_E4M3:
		((uint8_t *)p)[i] = (uint8_t)to_small_float(v, 4, 3);
		break;
	default:
		((uint8_t *)p)[i] = (uint8_t)to_small_float(v, 5, 2);
	}
}

bool has(cublasLtEpilogue_t e, int bit)
{
	return ((int)e & bit) == bit;
}

float gelu(float x)
{
	return 0.5f * x * (1.f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}

float gelu_gradient(float x)
{
	float t = tanhf(0.7978845608f * (x + 0.044715f * x * x * x));
	return 0.5f * (1.f + t) +
	       0.5f * x * (1.f - t * t) * 0.7978845608f * (1.f + 3.f * 0.044715f * x * x);
}

size_t extent(const Matrix &x, int64_t rows, int64_t cols, int batch)
{
	return (size_t)((batch - 1) * x.stride + (cols - 1) * x.ld + rows) * type_bytes(x.type);
}

/* One matrix, dense, as floats; a column of `rows` after the other. */
void widen(std::vector<float> &out, const char *from, const Matrix &x, int z, int64_t rows,
	int64_t cols, bool tf32)
{
	out.resize((size_t)(rows * cols));
	for (int64_t j = 0; j < cols; j++)
		for (int64_t i = 0; i < rows; i++) {
			float v = load(from, (size_t)(z * x.stride + j * x.ld + i), x.type);
			if (tf32) {
				uint32_t u;
				memcpy(&u, &v, 4);
				v = from_bits((u + 0x1000) & ~0x1fffu);
			}
			out[(size_t)(j * rows + i)] = v;
		}
}

struct Places {
	char *a, *b, *c, *d, *bias, *aux;
	float scale; /* alpha and the scales of a and b */
	float beta, d_scale;
	float *amax;
};

float number_at(const float *p, float otherwise, bool &ok)
{
	if (!p)
		return otherwise;
	const float *h = (const float *)sim_host_address(p, 4, "cublasLtMatmul: a scale");
	ok &= h != nullptr;
	return h ? *h : 0;
}

void finish_element(
	const Gemm &g, const Places &p, int z, int64_t i, int64_t j, float v, float &amax)
{
	size_t at_aux = (size_t)(z * g.aux.stride + j * g.aux.ld + i);
	if (has(g.epilogue, CUBLASLT_EPILOGUE_BIAS))
		v += load(p.bias, (size_t)i, g.bias_type);
	if (has(g.epilogue, CUBLASLT_EPILOGUE_GELU_AUX))
		store(p.aux, at_aux, g.aux.type, v);
	if (has(g.epilogue, CUBLASLT_EPILOGUE_DGELU))
		v *= gelu_gradient(load(p.aux, at_aux, g.aux.type));
	else if (has(g.epilogue, CUBLASLT_EPILOGUE_GELU))
		v = gelu(v);
	else if (has(g.epilogue, CUBLASLT_EPILOGUE_RELU))
		v = v > 0 ? v : 0;
	amax = fmaxf(amax, fabsf(v));
	store(p.d, (size_t)(z * g.d.stride + j * g.d.ld + i), g.d.type, v * p.d_scale);
}

/* BGRADA, BGRADB: the sums of an operand over k. */
void bias_gradient(
	const Gemm &g, const Places &p, const std::vector<float> &a, const std::vector<float> &b)
{
	bool of_a = has(g.epilogue, CUBLASLT_EPILOGUE_BGRADA);
	const std::vector<float> &x = of_a ? a : b;
	int64_t n = of_a ? g.m : g.n;
	/* Where k runs along memory, and where across. */
	bool k_first = of_a ? g.a.transposed : !g.b.transposed;
	for (int64_t i = 0; i < n; i++) {
		float s = 0;
		for (int64_t l = 0; l < g.k; l++)
			s += k_first ? x[(size_t)(i * g.k + l)] : x[(size_t)(l * n + i)];
		store(p.bias, (size_t)i, g.bias_type, s);
	}
}

void run(const Gemm &g)
{
	int64_t a_rows = g.a.transposed ? g.k : g.m, a_cols = g.a.transposed ? g.m : g.k;
	int64_t b_rows = g.b.transposed ? g.n : g.k, b_cols = g.b.transposed ? g.k : g.n;
	Places p = {};
	bool ok = true;
	auto place = [&](const void *at, size_t bytes, const char *who) {
		char *h = (char *)sim_host_address(at, bytes, who);
		ok &= h != nullptr;
		return h;
	};
	p.scale = number_at(g.device_alpha, g.alpha, ok) * number_at(g.a.scale, 1, ok) *
		  number_at(g.b.scale, 1, ok);
	p.beta = number_at(g.device_beta, g.beta, ok);
	p.d_scale = number_at(g.d_scale, 1, ok);
	if (g.k) {
		p.a = place(g.a.at, extent(g.a, a_rows, a_cols, g.batch), "cublas: matrix A");
		p.b = place(g.b.at, extent(g.b, b_rows, b_cols, g.batch), "cublas: matrix B");
	}
	p.d = place(g.d.at, extent(g.d, g.m, g.n, g.batch), "cublas: matrix D");
	p.c = p.beta != 0 ? place(g.c.at, extent(g.c, g.m, g.n, g.batch), "cublas: matrix C")
			  : nullptr;
	int64_t n_bias = has(g.epilogue, CUBLASLT_EPILOGUE_BGRADB) ? g.n : g.m;
	p.bias =
		g.bias ? place(g.bias, (size_t)n_bias * type_bytes(g.bias_type), "cublas: the bias")
		       : nullptr;
	p.aux = g.aux.at ? place(g.aux.at, extent(g.aux, g.m, g.n, g.batch),
				   "cublas: the auxiliary matrix")
			 : nullptr;
	p.amax = g.d_amax ? (float *)place(g.d_amax, 4, "cublas: the largest value") : nullptr;
	if (!ok)
		return;
	std::vector<float> a, b, d((size_t)(g.m * g.n));
	float amax = 0;
	for (int z = 0; z < g.batch; z++) {
		std::fill(d.begin(), d.end(), 0.f);
		if (g.k) {
			widen(a, p.a, g.a, z, a_rows, a_cols, g.tf32);
			widen(b, p.b, g.b, z, b_rows, b_cols, g.tf32);
			/* oneDNN takes rows: columns of d are rows of its transpose. */
			dnnl_sgemm(g.b.transposed ? 'T' : 'N', g.a.transposed ? 'T' : 'N', g.n, g.m,
				g.k, p.scale, b.data(), b_rows, a.data(), a_rows, 0.f, d.data(),
				g.m);
		}
		for (int64_t j = 0; j < g.n; j++)
			for (int64_t i = 0; i < g.m; i++) {
				float v = d[(size_t)(j * g.m + i)];
				if (p.c)
					v += p.beta *
					     load(p.c, (size_t)(z * g.c.stride + j * g.c.ld + i),
						     g.c.type);
				finish_element(g, p, z, i, j, v, amax);
			}
		if (g.bias && (has(g.epilogue, CUBLASLT_EPILOGUE_BGRADA) ||
				      has(g.epilogue, CUBLASLT_EPILOGUE_BGRADB)))
			bias_gradient(g, p, a, b);
	}
	if (p.amax)
		*p.amax = amax;
}

} // namespace

size_t type_bytes(cudaDataType t)
{
	return t == CUDA_R_32F                              ? 4
	       : t == CUDA_R_16BF || t == CUDA_R_16F        ? 2
	       : t == CUDA_R_8F_E4M3 || t == CUDA_R_8F_E5M2 ? 1
							    : 0;
}

cublasStatus_t check_gemm(const Gemm &g)
{
	if (g.m < 0 || g.n < 0 || g.k < 0 || g.batch < 0)
		return CUBLAS_STATUS_INVALID_VALUE;
	bool needs_aux = has(g.epilogue, 128),
	     needs_bias = ((int)g.epilogue & (4 | 256 | 512)) != 0;
	if ((int)g.epilogue & (8 | 16) || has(g.epilogue, CUBLASLT_EPILOGUE_RELU_AUX))
		return CUBLAS_STATUS_NOT_SUPPORTED; /* bit masks and sums of gradients: not simulated */
	if ((needs_aux && (!g.aux.at || g.aux.ld < g.m)) || (needs_bias && !g.bias))
		return CUBLAS_STATUS_INVALID_VALUE;
	size_t a = type_bytes(g.a.type), b = type_bytes(g.b.type), d = type_bytes(g.d.type);
	bool small = a == 1;
	if (!a || !b || !d || a != b || (!small && g.a.type != g.b.type) ||
		type_bytes(g.c.type) == 0)
		return CUBLAS_STATUS_NOT_SUPPORTED;
	if (small) { /* both E5M2 does not exist, and the layout is fixed */
		if (g.a.type == CUDA_R_8F_E5M2 && g.b.type == CUDA_R_8F_E5M2)
			return CUBLAS_STATUS_NOT_SUPPORTED;
		if (!g.a.transposed || g.b.transposed || g.a.ld % 16 || g.b.ld % 16 ||
			g.d.ld % 16 || g.m % 16 || g.k % 16)
			return CUBLAS_STATUS_NOT_SUPPORTED;
	} else if (g.d.type != g.a.type && g.d.type != CUDA_R_32F) {
		return CUBLAS_STATUS_NOT_SUPPORTED;
	}
	int64_t a_rows = g.a.transposed ? g.k : g.m, b_rows = g.b.transposed ? g.n : g.k;
	if (g.a.ld < std::max<int64_t>(1, a_rows) || g.b.ld < std::max<int64_t>(1, b_rows) ||
		g.d.ld < std::max<int64_t>(1, g.m) ||
		(g.c.at && g.c.ld < std::max<int64_t>(1, g.m)))
		return CUBLAS_STATUS_INVALID_VALUE;
	return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t enqueue_gemm(const Gemm &g, cudaStream_t s)
{
	cublasStatus_t status = check_gemm(g);
	if (status != CUBLAS_STATUS_SUCCESS || !g.m || !g.n || !g.batch)
		return status;
	auto *held = new Gemm(g);
	int e = sim_enqueue(
		s, [](void *arg) { run(*(const Gemm *)arg); }, held,
		[](void *arg) { delete (Gemm *)arg; });
	return e ? CUBLAS_STATUS_EXECUTION_FAILED : CUBLAS_STATUS_SUCCESS;
}

} // namespace sim
