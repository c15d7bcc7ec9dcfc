/*
 * cpu_impl.h - what the files in cpu/ share
 */
#ifndef DS_GRAPH_CPU_IMPL_H
#define DS_GRAPH_CPU_IMPL_H

#include "graph/cpu/kernel_impl.h"
#include "graph/cpu/simd.h"

#define KERNEL(name) extern const ds_kernel ds_cpu_##name;
#include "graph/cpu/kernels.def"
#undef KERNEL
extern const ds_kernel ds_cpu_linear_prepacked, ds_cpu_linear_bytes;

static inline float *row_of(const ds_operand *a, int64_t i)
{
	return (float *)a->data + i * a->ld;
}

/* Element (i, k), of any type. */
static inline char *elem_of(const ds_operand *a, int64_t i, int64_t k)
{
	return (char *)a->data + (size_t)(i * a->ld + k) * ds_dtype_bytes(a->dtype);
}

static inline int64_t ceil_div(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static inline int64_t min_i64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A tile of rows has about this many elements: 64 KiB of floats, half of a second-level cache's
 * share of the smallest CPU at hand with three operands. */
enum { TILE_ELEMS = 16384 };

static inline int64_t rows_a_tile(int64_t cols)
{
	return cols >= TILE_ELEMS ? 1 : TILE_ELEMS / cols;
}

/* tiles of a kernel that works through the rows of out[0] */
static inline int64_t tiles_of_rows(const ds_job *j, int64_t stage)
{
	return ceil_div(j->out[0].rows, rows_a_tile(j->out[0].cols));
}

/* The rows [from, to) of such a tile. */
static inline void tile_rows(const ds_job *j, int64_t tile, int64_t *from, int64_t *to)
{
	int64_t rows = rows_a_tile(j->out[0].cols);
	*from = tile * rows;
	*to = min_i64(*from + rows, j->out[0].rows);
}

/* ---- onednn.c ---- */

/* C[m, n] = op(A) op(B) + beta C, row after row; on the calling thread alone. C is f32, and so are
 * the sums. */
typedef struct {
	ds_dtype type; /* of the operands as they are multiplied: DS_F32, DS_BF16, DS_F16 */
	ds_dtype a_type, b_type; /* as they lie: this or f32, which is rounded to it on the way */
	bool a_trans, b_trans;
	bool a_even; /* k is odd, but behind each row of A is one more finite number */
	int64_t m, n, k;
	const void *a;
	int64_t lda;
	const void *b;
	int64_t ldb;
	float beta;
	float *c;
	int64_t ldc;
	void *workspace; /* ds_cpu_gemm_bytes, of this thread alone */
} ds_gemm;
void ds_cpu_gemm(const ds_gemm *g);
/* How large the workspace is; a, b, c and workspace of g may be NULL. */
size_t ds_cpu_gemm_bytes(const ds_gemm *g);
/* gemm_avx512bf16.c: the same for bf16, where ds_cpu_has_bf16 */
void ds_cpu_gemm_bf16(const ds_gemm *g);
size_t ds_cpu_gemm_bf16_bytes(const ds_gemm *g);
/* gemm_amx.c: the same where ds_cpu_has_amx */
void ds_cpu_gemm_amx(const ds_gemm *g);
size_t ds_cpu_gemm_amx_bytes(const ds_gemm *g);
/* gemm_avx2.c: any type; beta is 0 or 1. Needs AVX2, FMA and F16C. */
void ds_cpu_gemm_avx2(const ds_gemm *g);
size_t ds_cpu_gemm_avx2_bytes(const ds_gemm *g);

/* How [m, n] is cut, in `want` tiles or more where it is large enough: by the shape alone, so that
 * bits do not depend on threads. */
typedef struct {
	int64_t tm, tn, n_m, n_n; /* extent of a tile; how many */
} ds_tiling;
ds_tiling ds_cpu_tiling(int64_t m, int64_t n, int64_t want, ds_dtype type);

#endif
