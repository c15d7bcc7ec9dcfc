/*
 * cuda_impl.h - how the CUDA backend computes a node: a few launches and products on the device's stream
 */
#ifndef DS_GRAPH_CUDA_CUDA_IMPL_H
#define DS_GRAPH_CUDA_CUDA_IMPL_H

#include "graph/cuda/api.h"

typedef struct { /* where a node is launched */
	const ds_cuda_api *api;
	ds_cuda_device *device;
} ds_cuda_on;

typedef struct {
	/* Bytes of call->scratch, from shapes alone; NULL: none. */
	uint64_t (*scratch)(const ds_cuda_call *c);
	/* Returns what the api's functions return. */
	int (*run)(const ds_cuda_on *on, const ds_cuda_call *c);
} ds_cuda_op;

/* NULL: there is no kernel for this node, for its types or its extents. */
const ds_cuda_op *ds_cuda_find(const ds_graph *g, const ds_node *n);

/* ds_traits.takes_halves */
bool ds_cuda_takes_halves(const ds_graph *g, const ds_node *n, int i);

/* The node with its shapes, and no memory. */
ds_cuda_call ds_cuda_shapes(const ds_graph *g, const ds_node *n);

static inline int ds_cuda_start(const ds_cuda_on *on, ds_cuda_kernel k, const ds_cuda_call *c)
{
	return on->api->kernels[k](c);
}

#define DS_CUDA_TRY(call) \
	do { \
		int ds_cuda_rc = (call); \
		if (ds_cuda_rc) \
			return ds_cuda_rc; \
	} while (0)

/* linear.c, xent.c, muon.c */
extern const ds_cuda_op ds_cuda_linear, ds_cuda_linear_dx, ds_cuda_linear_dw, ds_cuda_matmul;
extern const ds_cuda_op ds_cuda_xent, ds_cuda_muon;

/* ---- comm.c: collectives. Those that return int return what the api's functions return; NULL is nobody else ---- */

typedef struct ds_cuda_comms ds_cuda_comms;
ds_cuda_comms *ds_cuda_comms_new(const ds_cuda_on *on, ds_world *w);
void ds_cuda_comms_free(ds_cuda_comms *c);
/* Makes what a collective needs; all its members do so. */
DS_MUST ds_rc ds_cuda_comms_meet(ds_cuda_comms *c, const ds_node *n, ds_err *e);
uint64_t ds_cuda_comm_scratch(const ds_cuda_call *c);
uint64_t ds_cuda_comm_host_bytes(
	const ds_cuda_comms *c, const ds_cuda_call *call); /* of host memory */
/* May run beside what is asked of the device's stream from now on. */
DS_MUST ds_rc ds_cuda_collective(
	ds_cuda_comms *c, const ds_graph *g, const ds_cuda_call *call, char *host, ds_err *e);
/* The device's stream waits for collectives that use this memory. */
int ds_cuda_settle(ds_cuda_comms *c, const void *at, size_t n);
int ds_cuda_settle_call(ds_cuda_comms *c, const ds_cuda_call *call, size_t scratch_bytes);
int ds_cuda_settle_all(ds_cuda_comms *c);
/* Around a wait of the host for the device: DS_IO where collectives hung and were aborted. */
void ds_cuda_waits(ds_cuda_comms *c);
DS_MUST ds_rc ds_cuda_waited(ds_cuda_comms *c, ds_err *e);

/* ---- load.c: the library ---- */

/* DS_IO: there is none, no driver, or one too old. The library stays open. ranks: of this machine. */
DS_MUST ds_rc ds_cuda_load(const ds_cuda_api **api, int ranks, ds_err *e);
/* Whether there is a device, found out without opening the library. */
bool ds_cuda_present(void);

#endif
