/*
 * blas_lt.cc - cuBLASLt: descriptors, a heuristic with one answer, the product
 *
 * Attributes are kept as they were given; what is not simulated is refused by the call that a program
 * checks anyway, so nothing works here that would not on a device.
 */
#include "gemm.h"
#include "runtime.h"

#include <cstring>
#include <map>
#include <vector>

using namespace sim;

namespace
{

struct Attributes {
	std::map<int, std::vector<char>> values;

	cublasStatus_t set(int key, const void *value, size_t n)
	{
		if (!value || !n)
			return CUBLAS_STATUS_INVALID_VALUE;
		values[key].assign((const char *)value, (const char *)value + n);
		return CUBLAS_STATUS_SUCCESS;
	}
	template <class T> T get(int key, T otherwise) const
	{
		auto found = values.find(key);
		T v = otherwise;
		if (found != values.end())
			memcpy(&v, found->second.data(), std::min(sizeof(v), found->second.size()));
		return v;
	}
};

struct Descriptor : Attributes {
	cublasComputeType_t compute;
	cudaDataType scale_type;
};

struct Layout : Attributes {
	cudaDataType type;
	uint64_t rows, cols;
	int64_t ld;

	int batch() const
	{
		return get<int32_t>(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, 1);
	}
	Matrix matrix(const void *at, bool transposed) const
	{
		return { at, type, ld, get<int64_t>(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, 0),
			transposed, nullptr };
	}
	bool is_plain() const
	{
		return get<int32_t>(CUBLASLT_MATRIX_LAYOUT_ORDER, CUBLASLT_ORDER_COL) ==
		       CUBLASLT_ORDER_COL;
	}
};

/* Row counts and types of the four matrices against one another; addresses may be missing. */
cublasStatus_t describe(const Descriptor &x, const Layout &a, const Layout &b, const Layout &c,
	const Layout &d, Gemm *g)
{
	bool ta = x.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N) != CUBLAS_OP_N;
	bool tb = x.get<int32_t>(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N) != CUBLAS_OP_N;
	g->a = a.matrix(nullptr, ta);
	g->b = b.matrix(nullptr, tb);
	g->c = c.matrix(nullptr, false);
	g->d = d.matrix(nullptr, false);
	g->m = (int64_t)d.rows;
	g->n = (int64_t)d.cols;
	g->k = (int64_t)(ta ? a.rows : a.cols);
	g->batch = d.batch();
	bool fits = (ta ? a.cols : a.rows) == d.rows && (tb ? b.rows : b.cols) == d.cols &&
		    (int64_t)(tb ? b.cols : b.rows) == g->k && c.rows == d.rows && c.cols == d.cols;
	if (!fits || a.batch() != g->batch || b.batch() != g->batch || c.batch() != g->batch)
		return CUBLAS_STATUS_INVALID_VALUE;
	if (!a.is_plain() || !b.is_plain() || !c.is_plain() || !d.is_plain())
		return CUBLAS_STATUS_NOT_SUPPORTED;
	g->tf32 = x.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
	if ((x.compute != CUBLAS_COMPUTE_32F && !g->tf32) || x.scale_type != CUDA_R_32F)
		return CUBLAS_STATUS_NOT_SUPPORTED;
	for (int mode = CUBLASLT_MATMUL_DESC_A_SCALE_MODE;
		mode <= CUBLASLT_MATMUL_DESC_D_SCALE_MODE; mode++)
		if (x.get<int32_t>(mode, CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F) !=
			CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F)
			return CUBLAS_STATUS_NOT_SUPPORTED;
	return CUBLAS_STATUS_SUCCESS;
}

void read_epilogue(const Descriptor &x, Gemm *g)
{
	g->epilogue = (cublasLtEpilogue_t)x.get<int32_t>(
		CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT);
	if ((int)g->epilogue & (4 | 256 | 512))
		g->bias = x.get<const void *>(CUBLASLT_MATMUL_DESC_BIAS_POINTER, nullptr);
	bool small = type_bytes(g->a.type) == 1;
	g->bias_type = (cudaDataType)x.get<int32_t>(
		CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, small ? CUDA_R_16BF : g->d.type);
	if ((int)g->bias_type < 0)
		g->bias_type = g->d.type;
	if ((int)g->epilogue & 128) {
		g->aux.at = x.get<const void *>(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, nullptr);
		g->aux.ld = x.get<int64_t>(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, 0);
		g->aux.stride = x.get<int64_t>(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE, 0);
		g->aux.type = (cudaDataType)x.get<int32_t>(
			CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE, g->d.type);
	}
	g->a.scale = x.get<const float *>(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, nullptr);
	g->b.scale = x.get<const float *>(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, nullptr);
	g->d_scale = x.get<const float *>(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, nullptr);
	g->d_amax = x.get<float *>(CUBLASLT_MATMUL_DESC_AMAX_D_POINTER, nullptr);
}

} // namespace

#define LT_ENTER(name) \
	if (sim_enter(name)) \
	return CUBLAS_STATUS_EXECUTION_FAILED

SIM_EXPORT cublasStatus_t cublasLtCreate(cublasLtHandle_t *h)
{
	if (sim_enter("cublasLtCreate"))
		return CUBLAS_STATUS_NOT_INITIALIZED;
	*h = (cublasLtHandle_t) new char;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtDestroy(cublasLtHandle_t h)
{
	delete (char *)h;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT size_t cublasLtGetVersion(void)
{
	return 130000;
}

SIM_EXPORT const char *cublasLtGetStatusString(cublasStatus_t s)
{
	return s == CUBLAS_STATUS_SUCCESS         ? "CUBLAS_STATUS_SUCCESS"
	       : s == CUBLAS_STATUS_NOT_SUPPORTED ? "CUBLAS_STATUS_NOT_SUPPORTED"
	       : s == CUBLAS_STATUS_INVALID_VALUE ? "CUBLAS_STATUS_INVALID_VALUE"
						  : "CUBLAS_STATUS_EXECUTION_FAILED";
}

SIM_EXPORT cublasStatus_t cublasLtMatmulDescCreate(
	cublasLtMatmulDesc_t *d, cublasComputeType_t compute, cudaDataType scale)
{
	auto *x = new Descriptor;
	x->compute = compute;
	x->scale_type = scale;
	*d = (cublasLtMatmulDesc_t)x;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d)
{
	delete (Descriptor *)d;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtMatmulDescSetAttribute(
	cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t a, const void *v, size_t n)
{
	return ((Descriptor *)d)->set((int)a, v, n);
}

SIM_EXPORT cublasStatus_t cublasLtMatrixLayoutCreate(
	cublasLtMatrixLayout_t *l, cudaDataType t, uint64_t rows, uint64_t cols, int64_t ld)
{
	auto *x = new Layout;
	x->type = t;
	x->rows = rows;
	x->cols = cols;
	x->ld = ld;
	*l = (cublasLtMatrixLayout_t)x;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
	delete (Layout *)l;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtMatrixLayoutSetAttribute(
	cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t a, const void *v, size_t n)
{
	return ((Layout *)l)->set((int)a, v, n);
}

SIM_EXPORT cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *p)
{
	*p = (cublasLtMatmulPreference_t) new Attributes;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
	delete (Attributes *)p;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
	cublasLtMatmulPreferenceAttributes_t a, const void *v, size_t n)
{
	return ((Attributes *)p)->set((int)a, v, n);
}

SIM_EXPORT cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t,
	cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
	cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t, int wanted,
	cublasLtMatmulHeuristicResult_t *results, int *found)
{
	Gemm g;
	*found = 0;
	LT_ENTER("cublasLtMatmulAlgoGetHeuristic");
	cublasStatus_t s = describe(
		*(Descriptor *)desc, *(Layout *)a, *(Layout *)b, *(Layout *)c, *(Layout *)d, &g);
	if (s == CUBLAS_STATUS_SUCCESS)
		s = check_gemm(g);
	if (s != CUBLAS_STATUS_SUCCESS || wanted < 1)
		return s == CUBLAS_STATUS_SUCCESS ? CUBLAS_STATUS_INVALID_VALUE : s;
	memset(results, 0, sizeof(*results));
	results->state = CUBLAS_STATUS_SUCCESS;
	*found = 1;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
	const void *alpha, const void *a_at, cublasLtMatrixLayout_t a, const void *b_at,
	cublasLtMatrixLayout_t b, const void *beta, const void *c_at, cublasLtMatrixLayout_t c,
	void *d_at, cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *, void *, size_t,
	cudaStream_t s)
{
	Gemm g;
	LT_ENTER("cublasLtMatmul");
	const Descriptor &x = *(Descriptor *)desc;
	cublasStatus_t status =
		describe(x, *(Layout *)a, *(Layout *)b, *(Layout *)c, *(Layout *)d, &g);
	if (status != CUBLAS_STATUS_SUCCESS)
		return status;
	read_epilogue(x, &g);
	g.a.at = a_at;
	g.b.at = b_at;
	g.c.at = c_at;
	g.d.at = d_at;
	if (x.get<int32_t>(CUBLASLT_MATMUL_DESC_POINTER_MODE, CUBLASLT_POINTER_MODE_HOST) ==
		CUBLASLT_POINTER_MODE_DEVICE) {
		g.device_alpha = (const float *)alpha;
		g.device_beta = (const float *)beta;
	} else {
		g.alpha = *(const float *)alpha;
		g.beta = *(const float *)beta;
	}
	return enqueue_gemm(g, s);
}
