/*
 * plain.c - takes dropout out of a graph that is not trained
 */
#include "graph/op.h"

ds_pass_fn ds_pass_plain;

ds_rc ds_pass_plain(ds_graph *g, const ds_compile *c, ds_err *e)
{
	if (c->train)
		return DS_OK;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		unsigned traits = ds_op_of(g->nodes[i].op)->traits;
		if (traits & DS_OP_DROPS)
			g->nodes[i].attr.dropout.p = 0;
		if (!(traits & DS_OP_PASSES))
			continue;
		ds_tid out = g->nodes[i].out[0], in = g->nodes[i].in[0];
		if (g->tensors[out].flags & DS_TENSOR_KEEP)
			return ds_fail(e, DS_BAD, "%s: the result of a dropout cannot be an output",
				g->nodes[i].origin);
		for (int32_t k = i + 1; k < g->n_nodes; k++)
			for (int j = 0; j < DS_MAX_IN; j++)
				if (g->nodes[k].in[j] == out)
					g->nodes[k].in[j] = in;
	}
	return DS_OK;
}
