/*
 * exec.h - running a compiled graph on a device
 *
 * An executor owns one arena a class, laid out before anything runs; nothing is allocated by a run.
 * It borrows the graph and the device, which must outlive it. One thread drives an executor. The same
 * graph and input give the same bits for any number of threads.
 *
 * Where memory is, only the device knows: inputs are written where ds_exec_input says, everything else
 * goes through read, write, view and fill, which wait for what was run before.
 *
 * Weights and states may be shared: an evaluation or decoding graph takes them from the training
 * graph's executor by name (ds_exec_opts.share).
 */
#ifndef DS_GRAPH_EXEC_H
#define DS_GRAPH_EXEC_H

#include "graph/device.h"
#include "graph/graph.h"
#include "graph/plan.h"

typedef struct ds_exec ds_exec;

typedef struct {
	ds_exec *
		share; /* NULL, or whose weights and states to use; on the same device, outlives this one */
	/* NULL, or an executor of the same graph whose memory this one uses too, all but inputs and activations: another
	 * micro-batch on its way */
	ds_exec *twin;
	bool check;   /* look for NaN and Inf after every wave: DS_BAD naming the first op */
	bool profile; /* keep seconds by op, for ds_exec_profile */
} ds_exec_opts;

/* DS_BAD where a shared tensor is missing or has another shape; memory is checked by the plan. */
DS_MUST ds_rc ds_exec_new(
	ds_exec **x, const ds_graph *g, ds_device *d, ds_exec_opts opts, ds_err *e);
void ds_exec_free(ds_exec *x); /* NULL is fine */
DS_AUTO_WITH(ds_exec, ds_exec_free)
const ds_graph *ds_exec_graph(const ds_exec *x);

/* Weights as their init says; a number depends on seed, name and index alone. */
DS_MUST ds_rc ds_exec_init(ds_exec *x, uint64_t seed, ds_err *e);

/* One phase. A training step: FWD and BWD for every micro-batch, then OPT once. */
DS_MUST ds_rc ds_exec_run(ds_exec *x, ds_phase phase, const ds_run *r, ds_err *e);

/* ---- values: of inputs, weights, gradients and states always; of kept tensors after a run ---- */

/* An input on the host, row after row: what is there when a run begins is what it takes. Ask again after a run. */
void *ds_exec_input(ds_exec *x, ds_tid t);
/* Elements [from, from + n), row after row, in the tensor's type. */
DS_MUST ds_rc ds_exec_read(ds_exec *x, ds_tid t, int64_t from, int64_t n, void *to, ds_err *e);
DS_MUST ds_rc ds_exec_write(
	ds_exec *x, ds_tid t, int64_t from, int64_t n, const void *values, ds_err *e);
/* All elements, row after row: the memory itself where that is possible, else a copy in mem. */
DS_MUST ds_rc ds_exec_view(ds_exec *x, ds_tid t, ds_arena *mem, const void **at, ds_err *e);
/* fn gets a buffer for all elements, of undefined contents, and fills it; of a part, for the
 * whole's. What other ranks have is left to them. */
typedef ds_rc ds_exec_fill_fn(void *context, const ds_tensor *t, void *elements, ds_err *e);
DS_MUST ds_rc ds_exec_fill(ds_exec *x, ds_tid t, ds_exec_fill_fn *fn, void *context, ds_err *e);
/* The memory itself, rows of ld elements; NULL where the host does not see it. For tests and for what has another
 * way beside. */
void *ds_exec_map(ds_exec *x, ds_tid t);

ds_world *ds_exec_world(const ds_exec *x); /* the device's; NULL: it has joined none */
const ds_plan *ds_exec_plan(const ds_exec *x);
/* Bytes of the arenas that it allocated: the plan's total, less what it shares. */
uint64_t ds_exec_bytes(const ds_exec *x);
/* Where the time went since the last call, `steps` steps ago: of one, a line an op, most first; needs
 * opts.profile. */
void ds_exec_profile(ds_exec *x, int64_t steps, ds_buf *out);

#endif
