/*
 * comm_impl.h - between comm.c and the collectives that have files of their own
 */
#ifndef DS_GRAPH_COMM_IMPL_H
#define DS_GRAPH_COMM_IMPL_H

#include "graph/backend.h"

typedef ds_rc ds_comm_fn(ds_world *w, const ds_group *g, const ds_operand in[DS_MAX_IN],
	const ds_operand out[DS_MAX_OUT], ds_err *e);
/* comm_experts.c; operands are dense */
ds_comm_fn ds_comm_expert_counts, ds_comm_expert_send, ds_comm_expert_return;

#endif
