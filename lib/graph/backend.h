/*
 * backend.h - where a graph runs: what a backend is, and what it is asked
 *
 * A backend is a table of functions and traits. Half of them need no device and are what a planner uses: traits,
 * has_kernel, scratch. The other half works on a device that was opened: memory, copies, and programs. A program is
 * a compiled graph at its addresses, ready to run; the executor (exec.c) owns plan, arenas, names, phases and
 * micro-batches, and asks for ranges of nodes.
 *
 * Nothing above a backend follows an address: values go through write and read, or through map where the host sees
 * the device's memory. What was asked is done in order; run and write may return before it is done, read and sync
 * wait. All functions are called by one thread at a time for a device.
 *
 * LAYER.md says how one is written.
 */
#ifndef DS_GRAPH_BACKEND_H
#define DS_GRAPH_BACKEND_H

#include "base/thread.h"
#include "graph/device.h"
#include "graph/graph.h"
#include "graph/plan.h"

typedef uintptr_t ds_addr; /* in a device's memory; 0: none */
typedef struct ds_program ds_program;

typedef struct {
	const ds_graph *g;
	const ds_plan *plan;
	const ds_addr *at; /* [n_tensors]: its first element; 0: it has no memory */
	ds_addr scratch;   /* plan->scratch_bytes */
} ds_program_args;

struct ds_device {
	const ds_backend *backend;
	ds_pool *pool;   /* host threads; a GPU's prepare its data */
	ds_world *world; /* whose rank it computes for, borrowed; NULL: nobody's */
	void *state;     /* the backend's */
};

struct ds_backend {
	const char *name, *help;
	ds_traits traits;
	bool (*present)(void); /* whether this machine has a device, cheaply; NULL: always */

	/* Without a device. False: the node runs by the op's reference (ds_ref_run); a view needs none and is true. */
	bool (*has_kernel)(const ds_backend *b, const ds_graph *g, const ds_node *n);
	/* Bytes of working memory of a wave, nodes [from, to), with so many host threads. */
	uint64_t (*scratch)(
		const ds_backend *b, const ds_graph *g, int32_t from, int32_t to, unsigned threads);

	/* Bytes of prepacked weights, beside the weights; NULL: none. */
	uint64_t (*prepacked)(const ds_backend *b, const ds_graph *g);

	/* A device: DS_IO where there is none, or it is busy. NULL: nothing to open or close. */
	ds_rc (*open)(ds_device *d, ds_err *e);
	void (*close)(ds_device *d);
	double (*free_bytes)(const ds_device *d); /* NULL: the machine's */
	ds_rc (*alloc)(
		ds_device *d, uint64_t bytes, ds_addr *at, ds_err *e); /* zeros; DS_IO: no room */
	void (*free)(ds_device *d, ds_addr at);
	/* `from` may change as soon as write returns. */
	ds_rc (*write)(ds_device *d, ds_addr to, const void *from, size_t n, ds_err *e);
	ds_rc (*read)(ds_device *d, void *to, ds_addr from, size_t n, ds_err *e);
	ds_rc (*sync)(ds_device *d, ds_err *e); /* waits; an error of what ran before shows here */
	void *(*map)(ds_device *d, ds_addr at); /* NULL: the host does not see this memory */

	/* A graph made ready; kernels that a library caches by shape are made here. */
	ds_rc (*prepare)(ds_program **p, ds_device *d, const ds_program_args *a, ds_err *e);
	/*
	 * Nodes [from, to) of one phase, in their order; those of a wave (ds_wave_end) may run at once. The executor
	 * asks for a phase at a time, or for less where it looks at what was made or at the time it took.
	 */
	ds_rc (*run)(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e);
	void (*release)(ds_program *p);
};

#define BACKEND(name) const ds_backend *ds_backend_##name(void);
#include "graph/backends.def"
#undef BACKEND

/* The node behind the last of the wave that `from` is in, or `to`. */
static inline int32_t ds_wave_end(const ds_graph *g, int32_t from, int32_t to)
{
	int32_t end = from;
	while (end < to && g->nodes[end].wave == g->nodes[from].wave)
		end++;
	return end;
}

/* What out[i] of a node keeps of what is there: a gradient adds up over the micro-batches of a step. */
static inline float ds_node_beta(const ds_node *n, int i, const ds_run *r)
{
	if (n->fresh & (1u << i))
		return 0;
	return r->micro > 0 || !(n->first & (1u << i)) ? 1 : 0;
}

/* Whether a run comes to the node at all. */
static inline bool ds_node_runs(const ds_node *n, const ds_run *r)
{
	return !n->once || r->micro == 0;
}

/* ---- operands ---- */

typedef struct
{ /* a tensor as a kernel sees it: rows of cols elements, ld apart; all 0 where absent */
	void *data; /* on the device */
	ds_dtype dtype;
	int64_t rows, cols, ld;
} ds_operand;

/* The tensor's shape; data NULL. */
ds_operand ds_operand_of(const ds_graph *g, ds_tid t);

/* ---- collectives (DS_OP_COMM) ---- */

/* One on operands in host memory, what a backend calls that has none of its own; it waits for the other ranks. */
DS_MUST ds_rc ds_comm_run(ds_world *w, const ds_graph *g, const ds_node *n,
	const ds_operand in[DS_MAX_IN], const ds_operand out[DS_MAX_OUT], ds_err *e);

/* ---- by reference ---- */

/*
 * Computes a node in double with the op's own formula: what a backend does for an op without a kernel, on
 * operands in host memory. The workspace has ds_ref_bytes.
 */
size_t ds_ref_bytes(const ds_operand in[DS_MAX_IN], const ds_operand out[DS_MAX_OUT]);
void ds_ref_run(const ds_node *n, const ds_operand in[DS_MAX_IN], const ds_operand out[DS_MAX_OUT],
	const ds_run *r, char *workspace);

#endif
