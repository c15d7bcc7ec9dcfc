/*
 * prune.c - drops nodes whose results nobody reads
 *
 * What counts as read: tensors that are kept, gradients, parameters, states. Tensors stay in their
 * array, so numbers do not change; one without a writer gets no memory.
 */
#include "graph/op.h"

ds_pass_fn ds_pass_prune;

/* A collective lives by what others do with it. */
static bool lives(const ds_graph *g, const ds_node *n, const bool *read)
{
	if (ds_op_of(n->op)->traits & DS_OP_COMM)
		return true;
	for (int j = 0; j < DS_MAX_OUT; j++) {
		if (!n->out[j])
			continue;
		const ds_tensor *t = &g->tensors[n->out[j]];
		if (read[ds_g_root(g, t->id)] || (t->flags & DS_TENSOR_KEEP) ||
			t->memory != DS_CLASS_ACT)
			return true;
	}
	return false;
}

ds_rc ds_pass_prune(ds_graph *g, const ds_compile *c, ds_err *e)
{
	bool *read = ds_arena_zero(g->mem, (size_t)g->n_tensors);
	bool *keep = ds_arena_zero(g->mem, (size_t)g->n_nodes + 1);
	for (int32_t i = g->n_nodes - 1; i >= 0; i--) {
		keep[i] = lives(g, &g->nodes[i], read);
		for (int j = 0; keep[i] && j < DS_MAX_IN; j++)
			if (g->nodes[i].in[j])
				read[ds_g_root(g, g->nodes[i].in[j])] = true;
	}
	int32_t to = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		g->tensors[t].writer = -1;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		if (!keep[i])
			continue;
		g->nodes[to] = g->nodes[i];
		for (int j = 0; j < DS_MAX_OUT; j++)
			if (g->nodes[to].out[j] && g->tensors[g->nodes[to].out[j]].writer < 0)
				g->tensors[g->nodes[to].out[j]].writer = to;
		to++;
	}
	g->n_nodes = to;
	return DS_OK;
}
