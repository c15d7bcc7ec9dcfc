/*
 * exec.h - running a compiled graph
 *
 * An executor owns one arena a class, laid out before anything runs; nothing is allocated by a run.
 * It borrows the graph, the backend and the pool, which must outlive it. One thread drives an
 * executor; the pool's threads do the work. The same graph and input give the same bits for any
 * number of threads.
 *
 * Weights and states may be shared: an evaluation or decoding graph takes them from the training
 * graph's executor by name (ds_exec_opts.share).
 */
#ifndef DS_GRAPH_EXEC_H
#define DS_GRAPH_EXEC_H

#include "base/thread.h"
#include "graph/graph.h"
#include "graph/plan.h"

typedef struct ds_exec ds_exec;
typedef struct ds_backend ds_backend;

const ds_backend *ds_backend_cpu(void); /* oneDNN and own kernels, chosen by ds_cpu_level */
const ds_backend *ds_backend_ref(void); /* everything in double, slow and true; tests */

typedef struct {
	ds_exec *share; /* NULL, or whose weights and states to use; it must outlive this one */
	bool check;     /* look for NaN and Inf after every node: DS_BAD naming the first op */
	bool profile;   /* keep seconds by op, for ds_exec_profile */
} ds_exec_opts;

/* DS_BAD where a shared tensor is missing or has another shape; memory is checked by the plan. */
DS_MUST ds_rc ds_exec_new(ds_exec **x, const ds_graph *g, const ds_backend *b, ds_pool *pool,
	ds_exec_opts opts, ds_err *e);
void ds_exec_free(ds_exec *x); /* NULL is fine */
DS_AUTO_WITH(ds_exec, ds_exec_free)

/* Weights as their init says; a number depends on seed, name and index alone. */
void ds_exec_init(ds_exec *x, uint64_t seed);
/*
 * The memory of a tensor: inputs, weights, gradients, states always; kept tensors after a run.
 * Rows of ld elements. On the CPU this is the memory itself, in the tensor's dtype.
 */
void *ds_exec_data(ds_exec *x, ds_tid t);
/* The same by name, NULL where there is none. */
void *ds_exec_find(ds_exec *x, const char *name, const ds_tensor **t);

/* One phase. A training step: FWD and BWD for every micro-batch, then OPT once. */
DS_MUST ds_rc ds_exec_run(ds_exec *x, ds_phase phase, const ds_run *r, ds_err *e);

const ds_plan *ds_exec_plan(const ds_exec *x);
/* Bytes of the arenas that it allocated: the plan's total, less what it shares. */
uint64_t ds_exec_bytes(const ds_exec *x);
/* Where the time went since the last call, `steps` steps ago: of one, a line an op, most first; needs
 * opts.profile. */
void ds_exec_profile(ds_exec *x, int64_t steps, ds_buf *out);

#endif
