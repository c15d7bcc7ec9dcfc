/*
 * backend.h - how it is computed: a table of kernels, one an op
 *
 * A kernel works in stages; the tiles of a stage may run at once on any threads, a stage begins when
 * the one before is done. The number and extent of tiles depend on shapes alone, never on threads,
 * and a tile sums in one order, so results have the same bits for any -j. A backend without a kernel
 * for an op uses the op's reference (ref.c), in double.
 */
#ifndef DS_GRAPH_BACKEND_H
#define DS_GRAPH_BACKEND_H

#include "graph/exec.h"
#include "graph/graph.h"

typedef struct { /* a tensor as a kernel sees it; data NULL where an optional one is absent */
	void *data;
	ds_dtype dtype;
	int64_t rows, cols, ld;
} ds_arg_t;

typedef struct { /* one node, ready to run */
	const ds_node *node;
	ds_arg_t in[DS_MAX_IN], out[DS_MAX_OUT];
	float beta[DS_MAX_OUT]; /* gradients of parameters: 1 adds to what is there, 0 overwrites */
	const ds_run *run;
	char *shared; /* this node's scratch for the run, shared by its tiles; 64-byte aligned */
	char *worker; /* scratch of every worker: + worker * worker_bytes */
	size_t worker_bytes;
} ds_job;

typedef struct {
	/* NULL: one stage. All of these look at shapes and attributes only. */
	int64_t (*stages)(const ds_job *j);
	int64_t (*tiles)(const ds_job *j, int64_t stage);
	size_t (*shared_bytes)(const ds_job *j); /* NULL: none */
	size_t (*worker_bytes)(const ds_job *j); /* NULL: none */
	/* Once before the first run, for what a library caches by shape; may be NULL. */
	ds_rc (*prepare)(const ds_job *j, ds_err *e);
	void (*tile)(const ds_job *j, int64_t stage, int64_t tile, unsigned worker);
} ds_kernel;

struct ds_backend {
	const char *name;
	const ds_kernel *(*find)(const ds_graph *g, const ds_node *n); /* NULL: by reference */
};

static inline void *ds_job_worker(const ds_job *j, unsigned worker)
{
	return j->worker + (size_t)worker * j->worker_bytes;
}

#endif
