/*
 * mma.cuh - tensor cores: fragments from shared memory, 16 x 8 x 16 products in bf16, asynchronous copies
 *
 * A lane's place in a 16 x 8 tile of sums: rows lane / 4 and that + 8, columns 2 (lane % 4) and the next. Tiles in
 * shared memory are rows of D numbers, PAD apart more, so that the eight rows of an 8 x 8 matrix fall on all banks.
 */
#ifndef DSK_MMA_CUH
#define DSK_MMA_CUH

#include "dev.cuh"

enum { PAD = 8 };

static __device__ __forceinline__ uint32_t shared_address(const void *p)
{
	return (uint32_t)__cvta_generic_to_shared(p);
}

/* c += a b: a 16 x 16 by rows, b 16 x 8 by columns */
static __device__ __forceinline__ void mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
		     "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
		     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

static __device__ __forceinline__ void load_matrices(uint32_t r[4], const bf16 *row)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
		     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
		     : "r"(shared_address(row))
		     : "memory");
}

static __device__ __forceinline__ void load_transposed(uint32_t r[4], const bf16 *row)
{
	asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
		     : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
		     : "r"(shared_address(row))
		     : "memory");
}

/* Where this lane's address lies, of a 16 x 16 tile: */
template <int LD> static __device__ __forceinline__ const bf16 *as_a(const bf16 *tile, int lane)
{ /* operand A by rows; or b whose rows are k, to be transposed */
	return tile + lane % 16 * LD + lane / 16 * 8;
}
template <int LD> static __device__ __forceinline__ const bf16 *as_b(const bf16 *tile, int lane)
{ /* operand B whose rows are n: registers 0, 1 of the first 8 rows, 2, 3 of the others */
	return tile + (lane / 16 * 8 + lane % 8) * LD + lane / 8 % 2 * 8;
}

/* 16 bytes to shared memory, zeros where !there: then `from` is not read. */
static __device__ __forceinline__ void copy_async(void *to, const void *from, bool there)
{
	int bytes = there ? 16 : 0;
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
		"l"(from), "r"(bytes)
		: "memory");
}
static __device__ __forceinline__ void copies_commit(void)
{
	asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Until at most N groups are under way. */
template <int N> static __device__ __forceinline__ void copies_wait(void)
{
	asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/* ROWS rows of D numbers from row `first` of `rows` there are, by THREADS threads; zeros past the end. */
template <int ROWS, int D, int THREADS>
static __device__ __forceinline__ void copy_tile(bf16 *tile, const bf16 *from, int first, int rows)
{
#pragma unroll
	for (int i = 0; i < ROWS * D / 8 / THREADS; i++) {
		int at = i * THREADS + (int)threadIdx.x, row = at / (D / 8), col = at % (D / 8) * 8;
		bool there = first + row < rows;
		copy_async(tile + row * (D + PAD) + col,
			from + (int64_t)(there ? first + row : 0) * D + col, there);
	}
}

/* Two neighbouring tiles of sums become operand A of the next product. */
static __device__ __forceinline__ void sums_to_a(uint32_t a[4], const float one[4], const float two[4])
{
	bf16 *type = nullptr;
	a[0] = pack(type, one[0], one[1]);
	a[1] = pack(type, one[2], one[3]);
	a[2] = pack(type, two[0], two[1]);
	a[3] = pack(type, two[2], two[3]);
}

/* sums[16, D] += operands[16, N] · rows[N, D], of this warp; rows lie in shared memory, LD apart. */
template <int N, int D, int LD>
static __device__ __forceinline__ void add_product(
	float (&sums)[D / 8][4], const float (&operands)[N / 8][4], const bf16 *rows, int lane)
{
#pragma unroll
	for (int n = 0; n < N; n += 16) {
		uint32_t a[4], b[4];
		sums_to_a(a, operands[n / 8], operands[n / 8 + 1]);
#pragma unroll
		for (int x = 0; x < D; x += 16) {
			load_transposed(b, as_a<LD>(rows + n * LD + x, lane));
			mma(sums[x / 8], a, b[0], b[1]);
			mma(sums[x / 8 + 1], a, b[2], b[3]);
		}
	}
}

#endif
