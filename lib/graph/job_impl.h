/*
 * job_impl.h - a node as its kernel sees it; shared by plan.c, exec.c and ref.c
 */
#ifndef DS_GRAPH_JOB_IMPL_H
#define DS_GRAPH_JOB_IMPL_H

#include "graph/backend.h"

/* Fills j with shapes, no memory, and finds the kernel: NULL for ops that do nothing (slice). */
const ds_kernel *ds_job_make(ds_job *j, const ds_graph *g, const ds_backend *b, const ds_node *n);

/* The kernel that calls an op's reference in double. */
extern const ds_kernel ds_kernel_ref;

#endif
