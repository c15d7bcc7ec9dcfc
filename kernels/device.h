/*
 * device.h - a device that was opened, inside of libds-cuda.so
 */
#ifndef DSK_DEVICE_H
#define DSK_DEVICE_H

#include "graph/cuda/api.h"

#include <cuda_runtime_api.h>

enum {
	DSK_STAGES = 2,
	DSK_STAGE_BYTES = 4 << 20,
	DSK_BLAS_ERROR = 100000,
	DSK_NCCL_ERROR = 200000
};

typedef struct dsk_blas dsk_blas;

struct ds_cuda_device {
	int number;
	cudaStream_t stream;
	dsk_blas *blas;
	char *stage[DSK_STAGES];      /* pinned: what is on its way to the device or from it */
	cudaEvent_t sent[DSK_STAGES]; /* after it nobody reads the stage */
	unsigned next;
};

/* Returns 0, an error of CUDA's, or one of cuBLASLt's or NCCL's and DSK_…_ERROR more; so does everything here. */
int dsk_blas_open(dsk_blas **b);
void dsk_blas_close(dsk_blas *b);
int dsk_gemm(ds_cuda_device *d, const ds_cuda_gemm *g);

/* nccl.c; NULL: built without it */
const char *dsk_comm_text(int rc);
extern const ds_cuda_comm_api *const dsk_comm;

/* mark.cu: *at = number, in the order of the stream; at is pinned */
int dsk_mark(uint64_t *at, uint64_t number, cudaStream_t stream);

#endif
