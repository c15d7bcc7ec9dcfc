/*
 * blas.cc - cuBLAS: the products in fp32, bf16 and fp16
 */
#include "gemm.h"
#include "runtime.h"

#include <cublas_v2.h>

using namespace sim;

struct cublasContext {
	cudaStream_t stream = nullptr;
	cublasMath_t math = CUBLAS_DEFAULT_MATH;
	cublasPointerMode_t mode = CUBLAS_POINTER_MODE_HOST;
};

SIM_EXPORT cublasStatus_t cublasCreate_v2(cublasHandle_t *h)
{
	if (sim_enter("cublasCreate"))
		return CUBLAS_STATUS_NOT_INITIALIZED;
	*h = new cublasContext;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasDestroy_v2(cublasHandle_t h)
{
	delete h;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasSetStream_v2(cublasHandle_t h, cudaStream_t s)
{
	h->stream = s;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasGetStream_v2(cublasHandle_t h, cudaStream_t *s)
{
	*s = h->stream;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasSetMathMode(cublasHandle_t h, cublasMath_t m)
{
	h->math = m;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t h, cublasPointerMode_t m)
{
	h->mode = m;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void *, size_t)
{
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int *v)
{
	*v = 130000;
	return CUBLAS_STATUS_SUCCESS;
}

SIM_EXPORT cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t h, cublasOperation_t ta,
	cublasOperation_t tb, int m, int n, int k, const void *alpha, const void *a,
	cudaDataType at, int lda, long long sa, const void *b, cudaDataType bt, int ldb,
	long long sb, const void *beta, void *c, cudaDataType ct, int ldc, long long sc, int batch,
	cublasComputeType_t compute, cublasGemmAlgo_t)
{
	Gemm g;
	if (compute != CUBLAS_COMPUTE_32F && compute != CUBLAS_COMPUTE_32F_FAST_TF32)
		return CUBLAS_STATUS_NOT_SUPPORTED;
	g.m = m, g.n = n, g.k = k, g.batch = batch;
	g.a = { a, at, lda, sa, ta != CUBLAS_OP_N, nullptr };
	g.b = { b, bt, ldb, sb, tb != CUBLAS_OP_N, nullptr };
	g.c = g.d = { c, ct, ldc, sc, false, nullptr };
	g.tf32 = compute == CUBLAS_COMPUTE_32F_FAST_TF32 ||
		 (at == CUDA_R_32F && h->math == CUBLAS_TF32_TENSOR_OP_MATH);
	if (h->mode == CUBLAS_POINTER_MODE_DEVICE) {
		g.device_alpha = (const float *)alpha;
		g.device_beta = (const float *)beta;
	} else {
		g.alpha = *(const float *)alpha;
		g.beta = *(const float *)beta;
	}
	return enqueue_gemm(g, h->stream);
}

SIM_EXPORT cublasStatus_t cublasGemmEx(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
	int m, int n, int k, const void *alpha, const void *a, cudaDataType at, int lda,
	const void *b, cudaDataType bt, int ldb, const void *beta, void *c, cudaDataType ct,
	int ldc, cublasComputeType_t compute, cublasGemmAlgo_t algo)
{
	return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, a, at, lda, 0, b, bt, ldb, 0,
		beta, c, ct, ldc, 0, 1, compute, algo);
}

SIM_EXPORT cublasStatus_t cublasSgemm_v2(cublasHandle_t h, cublasOperation_t ta,
	cublasOperation_t tb, int m, int n, int k, const float *alpha, const float *a, int lda,
	const float *b, int ldb, const float *beta, float *c, int ldc)
{
	return cublasGemmEx(h, ta, tb, m, n, k, alpha, a, CUDA_R_32F, lda, b, CUDA_R_32F, ldb, beta,
		c, CUDA_R_32F, ldc, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}

SIM_EXPORT cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t h, cublasOperation_t ta,
	cublasOperation_t tb, int m, int n, int k, const float *alpha, const float *a, int lda,
	long long sa, const float *b, int ldb, long long sb, const float *beta, float *c, int ldc,
	long long sc, int batch)
{
	return cublasGemmStridedBatchedEx(h, ta, tb, m, n, k, alpha, a, CUDA_R_32F, lda, sa, b,
		CUDA_R_32F, ldb, sb, beta, c, CUDA_R_32F, ldc, sc, batch, CUBLAS_COMPUTE_32F,
		CUBLAS_GEMM_DEFAULT);
}
