/*
 * gemm.h - the matrix product behind both BLAS stand-ins
 *
 * Column-major, as cuBLAS has it: d = act(alpha op(a) op(b) + beta c + bias). Operands are widened to
 * fp32, multiplied in fp32 and rounded once, the numerics of CUBLAS_COMPUTE_32F.
 */
#ifndef DS_SIM_GEMM_H
#define DS_SIM_GEMM_H

#include <cstddef>
#include <cstdint>
#include <cublasLt.h>

namespace sim
{

struct Matrix {
	const void *at = nullptr;
	cudaDataType type = CUDA_R_32F;
	int64_t ld = 0, stride = 0;
	bool transposed = false;
	const float *scale = nullptr; /* one number in device memory, or none */
};

struct Gemm {
	int64_t m = 0, n = 0, k = 0;
	int batch = 1;
	float alpha = 1, beta = 0;
	const float *device_alpha = nullptr, *device_beta = nullptr;
	Matrix a, b, c, d;
	bool tf32 = false;
	cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
	const void *bias = nullptr;
	cudaDataType bias_type = CUDA_R_32F;
	Matrix aux;
	const float *d_scale = nullptr;
	float *d_amax = nullptr;
};

size_t type_bytes(cudaDataType t); /* 0: not simulated */
/* What the real library answers for these shapes and types, and enqueues where that is success. */
cublasStatus_t check_gemm(const Gemm &g);
cublasStatus_t enqueue_gemm(const Gemm &g, cudaStream_t s);

} // namespace sim

#endif
