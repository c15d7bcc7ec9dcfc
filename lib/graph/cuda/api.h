/*
 * api.h - between the programs and libds-cuda.so
 *
 * The library is opened at run time and gives one table: memory, copies, products and the launchers of kernels.def.
 * Everything that is compiled against CUDA lies behind it (kernels/), and everything that knows graphs before it, so
 * that a program needs no CUDA on its machine and the library nothing of libds. Functions return 0 or a number that
 * `text` explains. One thread at a time for a device.
 */
#ifndef DS_GRAPH_CUDA_API_H
#define DS_GRAPH_CUDA_API_H

#include "graph/backend.h"

enum { DS_CUDA_API = 2, DS_CUDA_GEMM_BYTES = 32 << 20, DS_CUDA_TEXT = 256, DS_CUDA_ID = 128 };

typedef struct ds_cuda_device ds_cuda_device;
typedef struct ds_cuda_graph ds_cuda_graph;
typedef struct ds_cuda_comm
	ds_cuda_comm; /* some ranks, each with a device, that exchange on a stream of their own */

typedef struct {
	char name[DS_CUDA_TEXT];
	int major, minor, multiprocessors;
	uint64_t total_bytes, free_bytes;
} ds_cuda_info;

typedef struct { /* a launch: a node, or a part of one, with its operands on the device */
	const ds_node *node;
	ds_operand in[DS_MAX_IN], out[DS_MAX_OUT];
	float beta[DS_MAX_OUT]; /* what an output keeps of what is there: 0 or 1 */
	const ds_run *run;      /* on the device */
	char *scratch;          /* aligned to DS_CUDA_ALIGN */
	void *stream;
} ds_cuda_call;
typedef int ds_cuda_launch(const ds_cuda_call *c);

typedef struct
{ /* d[m, n] = alpha op(a) op(b) + beta c (+ bias by columns); rows lie ld elements apart */
	const void *a, *b, *c; /* c NULL: d itself */
	const void *bias;      /* of d's type; NULL: none */
	void *d;
	int64_t m, n, k, lda, ldb, ldc, ldd;
	bool a_transposed, b_transposed;
	int64_t batch, a_stride, b_stride, d_stride; /* batch 0: one */
	ds_dtype type, out;                          /* of the operands, of d; sums are f32 */
	float alpha, beta;
	void *workspace; /* DS_CUDA_GEMM_BYTES */
} ds_cuda_gemm;

typedef enum {
	DS_CUDA_SUM,
	DS_CUDA_SCATTER,
	DS_CUDA_GATHER,
	DS_CUDA_SEND,
	DS_CUDA_RECV
} ds_cuda_way;

typedef struct { /* a collective, or one's part in sending */
	ds_cuda_way way;
	const void *in;
	void *out;
	int64_t count;         /* elements; of SCATTER and GATHER: of the whole */
	const int64_t *starts; /* [n + 1] SCATTER, GATHER: whose part of the whole begins where */
	ds_dtype type;         /* f32 and f64 are added; anything is moved */
	int peer;              /* SEND, RECV: a member */
} ds_cuda_move;

typedef enum {
#define KERNEL(name) DS_CUDA_##name,
#include "graph/cuda/kernels.def"
#undef KERNEL
	DS_CUDA_N_KERNELS
} ds_cuda_kernel;

typedef struct {
	int (*ready)(void);             /* whether there is a NCCL */
	int (*id)(char id[DS_CUDA_ID]); /* by one member, for all */
	int (*open)(ds_cuda_device *d, ds_cuda_comm **c, const char id[DS_CUDA_ID], int n, int me);
	void (*close)(ds_cuda_comm *c);
	/* After what the device's stream was asked so far, beside what it will be asked. Moves are numbered from 1. */
	int (*move)(ds_cuda_comm *c, const ds_cuda_move *m);
	int (*join)(ds_cuda_comm *c, uint64_t number); /* the device's stream waits for that move */
	/* By another thread than the device's too, while that one waits: */
	uint64_t (*moved)(ds_cuda_comm *c); /* the last move that has ended */
	int (*error)(ds_cuda_comm *c);
	void (*abort)(ds_cuda_comm *c); /* what waits for others ends, with nothing of use */
} ds_cuda_comm_api;

typedef struct {
	int api, n_kernels; /* DS_CUDA_API, DS_CUDA_N_KERNELS */
	const char *(*text)(int rc);
	int (*count)(int *n);
	int (*open)(ds_cuda_device **d, int number, ds_cuda_info *info);
	void (*close)(ds_cuda_device *d);
	int (*alloc)(ds_cuda_device *d, uint64_t bytes, void **at); /* zeros */
	void (*free)(ds_cuda_device *d, void *at);
	/* In the order of what was asked before; put has taken its bytes when it returns, get waits. */
	int (*put)(ds_cuda_device *d, void *to, const void *from, size_t n);
	int (*get)(ds_cuda_device *d, void *to, const void *from, size_t n);
	int (*zero)(ds_cuda_device *d, void *at, size_t n);
	/* Rows of `width` bytes, on the device. */
	int (*copy_rows)(ds_cuda_device *d, void *to, size_t to_pitch, const void *from,
		size_t from_pitch, size_t width, size_t rows);
	int (*sync)(ds_cuda_device *d);
	void *(*stream)(ds_cuda_device *d);
	int (*gemm)(ds_cuda_device *d, const ds_cuda_gemm *g);
	/* What is asked between begin and end becomes a graph and is not run. */
	int (*begin)(ds_cuda_device *d);
	int (*end)(ds_cuda_device *d, ds_cuda_graph **g);
	int (*launch)(ds_cuda_device *d, ds_cuda_graph *g);
	void (*drop)(ds_cuda_graph *g);
	ds_cuda_launch *const *kernels; /* [DS_CUDA_N_KERNELS] */
	const ds_cuda_comm_api *comm;   /* NULL: built without NCCL */
} ds_cuda_api;

/* The one name that is looked up: "ds_cuda_api_get". */
typedef const ds_cuda_api *ds_cuda_api_get_fn(void);

/* ---- how work is cut, which a planner without the device must know as well ---- */

enum { DS_CUDA_ALIGN = 256 };

static inline uint64_t ds_cuda_aligned(uint64_t bytes)
{
	return (bytes + DS_CUDA_ALIGN - 1) / DS_CUDA_ALIGN * DS_CUDA_ALIGN;
}

static inline int64_t ds_cuda_div(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

/* Rows are summed by columns in so many parts of at least 32 rows, the parts then in their order. */
enum { DS_CUDA_FEWEST_ROWS = 32, DS_CUDA_PARTS = 128 };
static inline int64_t ds_cuda_parts(int64_t rows)
{
	int64_t parts = ds_cuda_div(rows, DS_CUDA_FEWEST_ROWS), most = DS_CUDA_PARTS;
	return parts < 1 ? 1 : parts < most ? parts : most;
}

/* Sums over a tensor: a block takes so many elements. */
enum { DS_CUDA_SUM_ELEMS = 1 << 14 };
static inline int64_t ds_cuda_sums(int64_t n)
{
	return ds_cuda_div(n, DS_CUDA_SUM_ELEMS);
}

/* The columns of a head that tensor cores work on. */
static inline int32_t ds_cuda_flash_cols(int32_t d)
{
	return d <= 32 ? 32 : d <= 64 ? 64 : d <= 128 ? 128 : 256;
}

/* Choices of experts that a block sorts; rows whose scores it adds up. */
enum { DS_CUDA_CHOICES = 1024, DS_CUDA_ROUTE_ROWS = 32 };

/* Sorted rows that one block of a scatter-add takes. */
enum { DS_CUDA_SEGMENT = 32 };

#endif
