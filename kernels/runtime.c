/*
 * runtime.c - the table that libds-cuda.so gives: devices, memory, copies, streams, captured graphs
 *
 * One stream a device, on which everything happens in order. Copies go through two pinned stages, so that put returns
 * when its bytes are in one and the device works on.
 */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call) \
	do { \
		int rc_ = (int)(call); \
		if (rc_) \
			return rc_; \
	} while (0)

#define KERNEL(name) ds_cuda_launch dsk_##name;
#include "graph/cuda/kernels.def"
#undef KERNEL

static ds_cuda_launch *const kernels[DS_CUDA_N_KERNELS] = {
#define KERNEL(name) dsk_##name,
#include "graph/cuda/kernels.def"
#undef KERNEL
};

struct ds_cuda_graph {
	cudaGraphExec_t exec;
};

/* ---- devices ---- */

static const char *text(int rc)
{
	static _Thread_local char line[DS_CUDA_TEXT];
	if (rc >= DSK_NCCL_ERROR)
		return dsk_comm_text(rc);
	if (rc < DSK_BLAS_ERROR)
		snprintf(line, sizeof(line), "%s", cudaGetErrorString((cudaError_t)rc));
	else
		snprintf(line, sizeof(line), "cuBLASLt: status %d", rc - DSK_BLAS_ERROR);
	return line;
}

static int count(int *n)
{
	return (int)cudaGetDeviceCount(n);
}

static int describe(int number, ds_cuda_info *info)
{
	struct cudaDeviceProp p;
	size_t free_bytes, total;
	TRY(cudaGetDeviceProperties(&p, number));
	TRY(cudaMemGetInfo(&free_bytes, &total));
	snprintf(info->name, sizeof(info->name), "%s", p.name);
	info->major = p.major;
	info->minor = p.minor;
	info->multiprocessors = p.multiProcessorCount;
	info->free_bytes = free_bytes;
	info->total_bytes = total;
	return 0;
}

static void close_device(ds_cuda_device *d)
{
	if (!d)
		return;
	cudaSetDevice(d->number);
	if (d->stream)
		cudaStreamSynchronize(d->stream);
	for (int i = 0; i < DSK_STAGES; i++) {
		if (d->stage[i])
			cudaFreeHost(d->stage[i]);
		if (d->sent[i])
			cudaEventDestroy(d->sent[i]);
	}
	dsk_blas_close(d->blas);
	if (d->stream)
		cudaStreamDestroy(d->stream);
	free(d);
}

static int fill_device(ds_cuda_device *d, ds_cuda_info *info)
{
	TRY(cudaSetDevice(d->number));
	TRY(describe(d->number, info));
	TRY(cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking));
	for (int i = 0; i < DSK_STAGES; i++) {
		TRY(cudaMallocHost((void **)&d->stage[i], DSK_STAGE_BYTES));
		TRY(cudaEventCreateWithFlags(&d->sent[i], cudaEventDisableTiming));
	}
	return dsk_blas_open(&d->blas);
}

static int open_device(ds_cuda_device **out, int number, ds_cuda_info *info)
{
	ds_cuda_device *d = calloc(1, sizeof(*d));
	if (!d)
		return cudaErrorMemoryAllocation;
	d->number = number;
	int rc = fill_device(d, info);
	if (rc)
		close_device(d);
	else
		*out = d;
	return rc;
}

/* ---- memory ---- */

static int zero(ds_cuda_device *d, void *at, size_t n)
{
	TRY(cudaSetDevice(d->number));
	return (int)cudaMemsetAsync(at, 0, n, d->stream);
}

static int alloc(ds_cuda_device *d, uint64_t bytes, void **at)
{
	TRY(cudaSetDevice(d->number));
	TRY(cudaMalloc(at, bytes));
	return zero(d, *at, bytes);
}

static void free_memory(ds_cuda_device *d, void *at)
{
	cudaSetDevice(d->number);
	cudaStreamSynchronize(d->stream);
	cudaFree(at);
}

static size_t piece(size_t left)
{
	return left < DSK_STAGE_BYTES ? left : DSK_STAGE_BYTES;
}

static int put(ds_cuda_device *d, void *to, const void *from, size_t n)
{
	TRY(cudaSetDevice(d->number));
	for (size_t at = 0; at < n; at += piece(n - at)) {
		unsigned i = d->next++ % DSK_STAGES;
		TRY(cudaEventSynchronize(d->sent[i]));
		memcpy(d->stage[i], (const char *)from + at, piece(n - at));
		TRY(cudaMemcpyAsync((char *)to + at, d->stage[i], piece(n - at),
			cudaMemcpyHostToDevice, d->stream));
		TRY(cudaEventRecord(d->sent[i], d->stream));
	}
	return 0;
}

static int take(ds_cuda_device *d, void *to, const void *from, size_t n)
{
	TRY(cudaSetDevice(d->number));
	for (size_t at = 0; at < n; at += piece(n - at)) {
		unsigned i = d->next++ % DSK_STAGES; /* the stream has what put left there */
		TRY(cudaMemcpyAsync(d->stage[i], (const char *)from + at, piece(n - at),
			cudaMemcpyDeviceToHost, d->stream));
		TRY(cudaStreamSynchronize(d->stream));
		memcpy((char *)to + at, d->stage[i], piece(n - at));
	}
	return 0;
}

static int copy_rows(ds_cuda_device *d, void *to, size_t to_pitch, const void *from,
	size_t from_pitch, size_t width, size_t rows)
{
	TRY(cudaSetDevice(d->number));
	return (int)cudaMemcpy2DAsync(
		to, to_pitch, from, from_pitch, width, rows, cudaMemcpyDeviceToDevice, d->stream);
}

static int wait(ds_cuda_device *d)
{
	TRY(cudaSetDevice(d->number));
	return (int)cudaStreamSynchronize(d->stream);
}

static void *stream(ds_cuda_device *d)
{
	return d->stream;
}

/* ---- graphs ---- */

static int begin(ds_cuda_device *d)
{
	TRY(cudaSetDevice(d->number));
	return (int)cudaStreamBeginCapture(d->stream, cudaStreamCaptureModeThreadLocal);
}

static int end(ds_cuda_device *d, ds_cuda_graph **out)
{
	cudaGraph_t graph = NULL;
	ds_cuda_graph *g = calloc(1, sizeof(*g));
	int rc = (int)cudaStreamEndCapture(d->stream, &graph);
	if (!rc)
		rc = g ? (int)cudaGraphInstantiate(&g->exec, graph, 0) : cudaErrorMemoryAllocation;
	if (graph)
		cudaGraphDestroy(graph);
	if (rc)
		free(g);
	else
		*out = g;
	return rc;
}

static int launch(ds_cuda_device *d, ds_cuda_graph *g)
{
	TRY(cudaSetDevice(d->number));
	return (int)cudaGraphLaunch(g->exec, d->stream);
}

static void drop(ds_cuda_graph *g)
{
	if (g)
		cudaGraphExecDestroy(g->exec);
	free(g);
}

/* ---- the table ---- */

ds_cuda_api_get_fn ds_cuda_api_get;

const ds_cuda_api *ds_cuda_api_get(void)
{
	static ds_cuda_api api = {
		.api = DS_CUDA_API,
		.n_kernels = DS_CUDA_N_KERNELS,
		.text = text,
		.count = count,
		.open = open_device,
		.close = close_device,
		.alloc = alloc,
		.free = free_memory,
		.put = put,
		.get = take,
		.zero = zero,
		.copy_rows = copy_rows,
		.sync = wait,
		.stream = stream,
		.gemm = dsk_gemm,
		.begin = begin,
		.end = end,
		.launch = launch,
		.drop = drop,
		.kernels = kernels,
	};
	api.comm = dsk_comm;
	return &api;
}
