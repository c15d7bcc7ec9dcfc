/*
 * nccl.c - collectives by NCCL, each communicator on a stream of its own
 *
 * NCCL is looked for when a device is to work with others: one device alone needs none. A move waits for what the
 * device's stream was asked before it, by an event; whoever uses its result has the device's stream wait for the move
 * (join). After a move's event its number is written into pinned memory, where a watching thread reads it without
 * asking CUDA, which might make it wait, too.
 */
#include "device.h"

#if __has_include(<nccl.h>)
#include <nccl.h>
#define HAS_NCCL 1
#endif

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 64, NO_LIBRARY = DSK_NCCL_ERROR + 1000 };

#define TRY(call) \
	do { \
		int rc_ = (int)(call); \
		if (rc_) \
			return rc_; \
	} while (0)

#ifdef HAS_NCCL

#define FUNCTIONS(F) \
	F(ncclGetErrorString) \
	F(ncclGetUniqueId) \
	F(ncclCommInitRank) \
	F(ncclCommDestroy) \
	F(ncclCommAbort) \
	F(ncclCommGetAsyncError) \
	F(ncclAllReduce) \
	F(ncclAllGather) \
	F(ncclReduceScatter) \
	F(ncclReduce) \
	F(ncclBroadcast) \
	F(ncclSend) \
	F(ncclRecv) \
	F(ncclGroupStart) \
	F(ncclGroupEnd)

static struct {
#define F(name) __typeof__(name) *name;
	FUNCTIONS(F)
#undef F
} nccl;

#define NCCL_TRY(call) \
	do { \
		ncclResult_t rc_ = (call); \
		if (rc_ != ncclSuccess) \
			return DSK_NCCL_ERROR + (int)rc_; \
	} while (0)

struct ds_cuda_comm {
	ds_cuda_device *device;
	_Atomic(ncclComm_t) comm; /* NULL: aborted */
	int n, me;
	cudaStream_t stream;
	cudaEvent_t ready,
		done[EVENTS];    /* before the newest move; after move k: done[k % EVENTS] */
	uint64_t moves, *marked; /* marked: pinned */
};

/* ---- the library ---- */

static int load(void)
{
	static int rc = -1;
	if (rc >= 0)
		return rc;
	void *lib = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
	rc = lib ? 0 : NO_LIBRARY;
#define F(name) \
	if (lib && !(*(void **)&nccl.name = dlsym(lib, #name))) \
		rc = NO_LIBRARY;
	FUNCTIONS(F)
#undef F
	return rc;
}

const char *dsk_comm_text(int rc)
{
	static _Thread_local char line[DS_CUDA_TEXT];
	if (rc >= NO_LIBRARY)
		return "there is no NCCL (libnccl.so.2) where the dynamic linker looks; "
		       "DS_CUDA_COMM=host does without";
	snprintf(line, sizeof(line), "NCCL: %s",
		nccl.ncclGetErrorString((ncclResult_t)(rc - DSK_NCCL_ERROR)));
	return line;
}

static int make_id(char id[DS_CUDA_ID])
{
	ncclUniqueId made;
	_Static_assert(sizeof(made) == DS_CUDA_ID, "an id of NCCL's");
	TRY(load());
	NCCL_TRY(nccl.ncclGetUniqueId(&made));
	memcpy(id, &made, sizeof(made));
	return 0;
}

/* ---- communicators ---- */

static int fill(ds_cuda_comm *c, const char *id)
{
	ncclUniqueId made;
	ncclComm_t comm;
	memcpy(&made, id, sizeof(made));
	TRY(cudaSetDevice(c->device->number));
	TRY(cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
	TRY(cudaEventCreateWithFlags(&c->ready, cudaEventDisableTiming));
	for (int i = 0; i < EVENTS; i++)
		TRY(cudaEventCreateWithFlags(&c->done[i], cudaEventDisableTiming));
	TRY(cudaMallocHost((void **)&c->marked, sizeof(*c->marked)));
	*c->marked = 0;
	NCCL_TRY(nccl.ncclCommInitRank(&comm, c->n, made, c->me));
	atomic_store(&c->comm, comm);
	return 0;
}

static void close_comm(ds_cuda_comm *c)
{
	if (!c)
		return;
	cudaSetDevice(c->device->number);
	ncclComm_t comm = atomic_exchange(&c->comm, NULL);
	if (c->stream)
		cudaStreamSynchronize(c->stream);
	if (comm)
		nccl.ncclCommDestroy(comm);
	for (int i = 0; i < EVENTS; i++)
		if (c->done[i])
			cudaEventDestroy(c->done[i]);
	if (c->ready)
		cudaEventDestroy(c->ready);
	if (c->stream)
		cudaStreamDestroy(c->stream);
	if (c->marked)
		cudaFreeHost(c->marked);
	free(c);
}

static int open_comm(
	ds_cuda_device *d, ds_cuda_comm **out, const char id[DS_CUDA_ID], int n, int me)
{
	TRY(load());
	ds_cuda_comm *c = calloc(1, sizeof(*c));
	if (!c)
		return cudaErrorMemoryAllocation;
	c->device = d;
	c->n = n;
	c->me = me;
	int rc = fill(c, id);
	if (rc)
		close_comm(c);
	else
		*out = c;
	return rc;
}

static uint64_t moved(ds_cuda_comm *c)
{
	return *(volatile uint64_t *)c->marked;
}

static int error_of(ds_cuda_comm *c)
{
	ncclResult_t rc = ncclSuccess;
	ncclComm_t comm = atomic_load(&c->comm);
	if (comm)
		NCCL_TRY(nccl.ncclCommGetAsyncError(comm, &rc));
	return rc == ncclSuccess || rc == ncclInProgress ? 0 : DSK_NCCL_ERROR + (int)rc;
}

static void abort_comm(ds_cuda_comm *c)
{
	ncclComm_t comm = atomic_exchange(&c->comm, NULL);
	if (comm)
		nccl.ncclCommAbort(comm);
}

/* ---- moves ---- */

static ncclDataType_t type_of(ds_dtype t)
{
	return t == DS_F32    ? ncclFloat32
	       : t == DS_F64  ? ncclFloat64
	       : t == DS_BF16 ? ncclBfloat16
			      : ncclFloat16;
}

static size_t bytes_of(ds_dtype t)
{
	return t == DS_F64 ? 8 : t == DS_F32 || t == DS_I32 ? 4 : t == DS_U8 ? 1 : 2;
}

/* Parts of equal size have a call of their own; of others each member's is reduced to it, or sent by it. */
static bool is_even(const ds_cuda_comm *c, const ds_cuda_move *m)
{
	for (int k = 0; k < c->n; k++)
		if (m->starts[k + 1] - m->starts[k] != m->starts[1])
			return false;
	return true;
}

static int scatter(ds_cuda_comm *c, ncclComm_t comm, const ds_cuda_move *m)
{
	ncclDataType_t t = type_of(m->type);
	size_t size = bytes_of(m->type);
	if (is_even(c, m)) {
		NCCL_TRY(nccl.ncclReduceScatter(
			m->in, m->out, (size_t)m->starts[1], t, ncclSum, comm, c->stream));
		return 0;
	}
	NCCL_TRY(nccl.ncclGroupStart());
	for (int k = 0; k < c->n; k++)
		NCCL_TRY(nccl.ncclReduce((const char *)m->in + (size_t)m->starts[k] * size, m->out,
			(size_t)(m->starts[k + 1] - m->starts[k]), t, ncclSum, k, comm, c->stream));
	NCCL_TRY(nccl.ncclGroupEnd());
	return 0;
}

static int gather(ds_cuda_comm *c, ncclComm_t comm, const ds_cuda_move *m)
{
	size_t size = bytes_of(m->type);
	if (is_even(c, m)) {
		NCCL_TRY(nccl.ncclAllGather(
			m->in, m->out, (size_t)m->starts[1] * size, ncclUint8, comm, c->stream));
		return 0;
	}
	NCCL_TRY(nccl.ncclGroupStart());
	for (int k = 0; k < c->n; k++)
		NCCL_TRY(nccl.ncclBroadcast(m->in, (char *)m->out + (size_t)m->starts[k] * size,
			(size_t)(m->starts[k + 1] - m->starts[k]) * size, ncclUint8, k, comm,
			c->stream));
	NCCL_TRY(nccl.ncclGroupEnd());
	return 0;
}

static int ask(ds_cuda_comm *c, ncclComm_t comm, const ds_cuda_move *m)
{
	size_t bytes = (size_t)m->count * bytes_of(m->type);
	switch (m->way) {
	case DS_CUDA_SUM:
		NCCL_TRY(nccl.ncclAllReduce(m->in, m->out, (size_t)m->count, type_of(m->type),
			ncclSum, comm, c->stream));
		return 0;
	case DS_CUDA_SCATTER:
		return scatter(c, comm, m);
	case DS_CUDA_GATHER:
		return gather(c, comm, m);
	case DS_CUDA_SEND:
		NCCL_TRY(nccl.ncclSend(m->in, bytes, ncclUint8, m->peer, comm, c->stream));
		return 0;
	default:
		NCCL_TRY(nccl.ncclRecv(m->out, bytes, ncclUint8, m->peer, comm, c->stream));
		return 0;
	}
}

static int move(ds_cuda_comm *c, const ds_cuda_move *m)
{
	ncclComm_t comm = atomic_load(&c->comm);
	if (!comm)
		return DSK_NCCL_ERROR + ncclInvalidUsage;
	TRY(cudaSetDevice(c->device->number));
	TRY(cudaEventRecord(c->ready, c->device->stream));
	TRY(cudaStreamWaitEvent(c->stream, c->ready, 0));
	TRY(ask(c, comm, m));
	c->moves++;
	TRY(cudaEventRecord(c->done[c->moves % EVENTS], c->stream));
	return dsk_mark(c->marked, c->moves, c->stream);
}

static int join(ds_cuda_comm *c, uint64_t number)
{
	/* An event that was used again is that of a later move. */
	return (int)cudaStreamWaitEvent(c->device->stream, c->done[number % EVENTS], 0);
}

static const ds_cuda_comm_api table = {
	.ready = load,
	.id = make_id,
	.open = open_comm,
	.close = close_comm,
	.move = move,
	.join = join,
	.moved = moved,
	.error = error_of,
	.abort = abort_comm,
};
const ds_cuda_comm_api *const dsk_comm = &table;

#else

const char *dsk_comm_text(int rc)
{
	return "NCCL";
}

const ds_cuda_comm_api *const dsk_comm = NULL;

#endif
