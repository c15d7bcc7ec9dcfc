/*
 * blas.c - matrix products by cuBLASLt
 *
 * What a product looks like (extents, strides, types, alignment) is a key; layouts and the algorithm that the
 * library's heuristic chose are kept by it, so a step asks nothing again. Sums are f32, without TF32. The library
 * takes columns: row-major d = op(a) op(b) is its d^T = op(b)^T op(a)^T.
 */
#include "device.h"

#include <cublasLt.h>
#include <stdlib.h>
#include <string.h>

enum { TABLE = 1 << 12, ALIGN_MOST = 256 };

typedef struct { /* no gaps: keys are compared as bytes */
	int64_t m, n, k, lda, ldb, ldc, ldd, batch, a_stride, b_stride, d_stride;
	int32_t type, out, a_transposed, b_transposed, bias, a_align, b_align, c_align, d_align,
		beta;
} key;

typedef struct {
	key key;
	cublasLtMatmulDesc_t desc;
	cublasLtMatrixLayout_t a, b, c, d; /* the library's a is our b */
	cublasLtMatmulAlgo_t algo;
} product;

struct dsk_blas {
	cublasLtHandle_t handle;
	product *table[TABLE];
	size_t n;
};

#define TRY(call) \
	do { \
		cublasStatus_t s_ = (call); \
		if (s_ != CUBLAS_STATUS_SUCCESS) \
			return DSK_BLAS_ERROR + (int)s_; \
	} while (0)

static cudaDataType_t type_of(int32_t t)
{
	return t == DS_BF16 ? CUDA_R_16BF : t == DS_F16 ? CUDA_R_16F : CUDA_R_32F;
}

static int32_t align_of(const void *p)
{
	uintptr_t low = (uintptr_t)p & -(uintptr_t)p;
	return low == 0 || low > ALIGN_MOST ? ALIGN_MOST : (int32_t)low;
}

static key key_of(const ds_cuda_gemm *g)
{
	return (key){ g->m, g->n, g->k, g->lda, g->ldb, g->c ? g->ldc : g->ldd, g->ldd,
		g->batch ? g->batch : 1, g->a_stride, g->b_stride, g->d_stride, (int32_t)g->type,
		(int32_t)g->out, g->a_transposed, g->b_transposed, g->bias != NULL, align_of(g->a),
		align_of(g->b), align_of(g->c ? g->c : g->d), align_of(g->d), g->beta != 0 };
}

/* ---- making one ---- */

static int layout(cublasLtMatrixLayout_t *l, int32_t type, int64_t rows, int64_t cols, int64_t ld,
	int64_t batch, int64_t stride)
{
	int32_t n = (int32_t)batch;
	TRY(cublasLtMatrixLayoutCreate(l, type_of(type), (uint64_t)rows, (uint64_t)cols, ld));
	TRY(cublasLtMatrixLayoutSetAttribute(
		*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &n, sizeof(n)));
	TRY(cublasLtMatrixLayoutSetAttribute(
		*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof(stride)));
	return 0;
}

static int describe(product *p)
{
	const key *k = &p->key;
	cublasOperation_t a = k->b_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
	cublasOperation_t b = k->a_transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
	cublasLtEpilogue_t bias = CUBLASLT_EPILOGUE_BIAS;
	int rc;
	TRY(cublasLtMatmulDescCreate(&p->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
	TRY(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_TRANSA, &a, sizeof(a)));
	TRY(cublasLtMatmulDescSetAttribute(p->desc, CUBLASLT_MATMUL_DESC_TRANSB, &b, sizeof(b)));
	if (k->bias)
		TRY(cublasLtMatmulDescSetAttribute(
			p->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &bias, sizeof(bias)));
	rc = layout(&p->a, k->type, k->b_transposed ? k->k : k->n, k->b_transposed ? k->n : k->k,
		k->ldb, k->batch, k->b_stride);
	if (!rc)
		rc = layout(&p->b, k->type, k->a_transposed ? k->m : k->k,
			k->a_transposed ? k->k : k->m, k->lda, k->batch, k->a_stride);
	if (!rc)
		rc = layout(&p->c, k->out, k->n, k->m, k->ldc, k->batch, k->d_stride);
	return rc ? rc : layout(&p->d, k->out, k->n, k->m, k->ldd, k->batch, k->d_stride);
}

static int choose(dsk_blas *s, product *p, cublasLtMatmulPreference_t want)
{
	cublasLtMatmulHeuristicResult_t best;
	uint64_t workspace = DS_CUDA_GEMM_BYTES;
	uint32_t a = (uint32_t)p->key.b_align, b = (uint32_t)p->key.a_align;
	uint32_t c = (uint32_t)p->key.c_align, d = (uint32_t)p->key.d_align;
	int n = 0;
#define SET(name, value) \
	TRY(cublasLtMatmulPreferenceSetAttribute( \
		want, CUBLASLT_MATMUL_PREF_##name, &(value), sizeof(value)))
	SET(MAX_WORKSPACE_BYTES, workspace);
	SET(MIN_ALIGNMENT_A_BYTES, a);
	SET(MIN_ALIGNMENT_B_BYTES, b);
	SET(MIN_ALIGNMENT_C_BYTES, c);
	SET(MIN_ALIGNMENT_D_BYTES, d);
#undef SET
	TRY(cublasLtMatmulAlgoGetHeuristic(
		s->handle, p->desc, p->a, p->b, p->c, p->d, want, 1, &best, &n));
	if (n == 0)
		return DSK_BLAS_ERROR + (int)CUBLAS_STATUS_NOT_SUPPORTED;
	p->algo = best.algo;
	return 0;
}

static void free_product(product *p)
{
	if (!p)
		return;
	if (p->a)
		cublasLtMatrixLayoutDestroy(p->a);
	if (p->b)
		cublasLtMatrixLayoutDestroy(p->b);
	if (p->c)
		cublasLtMatrixLayoutDestroy(p->c);
	if (p->d)
		cublasLtMatrixLayoutDestroy(p->d);
	if (p->desc)
		cublasLtMatmulDescDestroy(p->desc);
	free(p);
}

static int make(dsk_blas *s, const key *k, product **out)
{
	cublasLtMatmulPreference_t want = NULL;
	product *p = calloc(1, sizeof(*p));
	int rc = p ? 0 : cudaErrorMemoryAllocation;
	if (!rc) {
		p->key = *k;
		rc = describe(p);
	}
	if (!rc && cublasLtMatmulPreferenceCreate(&want) != CUBLAS_STATUS_SUCCESS)
		rc = DSK_BLAS_ERROR + (int)CUBLAS_STATUS_ALLOC_FAILED;
	if (!rc)
		rc = choose(s, p, want);
	if (want)
		cublasLtMatmulPreferenceDestroy(want);
	if (rc)
		free_product(p);
	else
		*out = p;
	return rc;
}

/* ---- finding one ---- */

static size_t slot_of(const key *k)
{
	const unsigned char *p = (const unsigned char *)k;
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
	for (size_t i = 0; i < sizeof(*k); i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h % TABLE;
}

static void forget(dsk_blas *s)
{
	for (size_t i = 0; i < TABLE; i++) {
		free_product(s->table[i]);
		s->table[i] = NULL;
	}
	s->n = 0;
}

static int find(dsk_blas *s, const key *k, product **out)
{
	if (s->n >= TABLE / 2)
		forget(s);
	size_t i = slot_of(k);
	while (s->table[i] && memcmp(&s->table[i]->key, k, sizeof(*k)) != 0)
		i = (i + 1) % TABLE;
	if (!s->table[i]) {
		int rc = make(s, k, &s->table[i]);
		if (rc)
			return rc;
		s->n++;
	}
	*out = s->table[i];
	return 0;
}

int dsk_gemm(ds_cuda_device *d, const ds_cuda_gemm *g)
{
	dsk_blas *s = d->blas;
	key k = key_of(g);
	product *p = NULL;
	if (g->m == 0 || g->n == 0)
		return 0;
	int rc = (int)cudaSetDevice(d->number);
	if (!rc)
		rc = find(s, &k, &p);
	if (rc)
		return rc;
	if (g->bias)
		TRY(cublasLtMatmulDescSetAttribute(
			p->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &g->bias, sizeof(g->bias)));
	TRY(cublasLtMatmul(s->handle, p->desc, &g->alpha, g->b, p->a, g->a, p->b, &g->beta,
		g->c ? g->c : g->d, p->c, g->d, p->d, &p->algo, g->workspace, DS_CUDA_GEMM_BYTES,
		d->stream));
	return 0;
}

int dsk_blas_open(dsk_blas **out)
{
	dsk_blas *s = calloc(1, sizeof(*s));
	if (!s)
		return cudaErrorMemoryAllocation;
	cublasStatus_t rc = cublasLtCreate(&s->handle);
	if (rc != CUBLAS_STATUS_SUCCESS) {
		free(s);
		return DSK_BLAS_ERROR + (int)rc;
	}
	*out = s;
	return 0;
}

void dsk_blas_close(dsk_blas *s)
{
	if (!s)
		return;
	forget(s);
	cublasLtDestroy(s->handle);
	free(s);
}
