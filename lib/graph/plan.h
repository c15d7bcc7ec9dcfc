/*
 * plan.h - where every tensor lies, before anything runs
 *
 * Waves come from the schedule (pass/order.c): nodes of one wave depend on nothing in it, so their tiles
 * run together. The live range of a tensor of class act is from the wave that writes it to the last that
 * reads it; tensors whose live ranges overlap do not overlap in memory. A plan is exact: the executor's arenas take these bytes.
 */
#ifndef DS_GRAPH_PLAN_H
#define DS_GRAPH_PLAN_H

#include "graph/device.h"
#include "graph/graph.h"

typedef struct {
	uint64_t bytes[DS_N_CLASSES]; /* an arena each */
	uint64_t scratch_bytes;       /* the kernels' working memory, all threads */
	uint64_t
		prepacked_bytes; /* fixed weights in the kernels' own form, shared as the weights are */
	uint64_t total_bytes;
	uint64_t *offsets;  /* [n_tensors], bytes within the tensor's class; views: their own */
	int32_t *from, *to; /* [n_tensors], waves of the tensor's memory; from > to: unused */
	int32_t n_waves;
	const ds_backend *backend;
	ds_arena *mem;
} ds_plan;

/* Works out offsets for a backend, which no device has to be opened for; threads: of the host. The plan is the
 * caller's: ds_plan_release. */
void ds_plan_make(ds_plan *p, const ds_graph *g, const ds_backend *b, unsigned threads);
void ds_plan_release(ds_plan *p);

/* Bytes by class and the largest tensors, for people (--explain memory). */
void ds_plan_explain(const ds_plan *p, const ds_graph *g, ds_buf *out);
/* Offsets and lifetimes, nodes without a kernel (--dump plan); waves and nodes (--dump sched): text that diffs well. */
void ds_plan_dump(const ds_plan *p, const ds_graph *g, ds_buf *out);
void ds_sched_dump(const ds_graph *g, ds_buf *out);

#endif
