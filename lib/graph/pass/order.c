/*
 * order.c - groups nodes into waves, and marks the first writer of every gradient
 *
 * A wave is a run of neighbouring nodes of one phase that depend on nothing in it, so that their
 * tiles may run together: the two halves of a linear layer's gradient, all updates of an optimizer.
 * Only neighbours are joined: moving nodes would lengthen lifetimes.
 */
#include "graph/op.h"

ds_pass_fn ds_pass_order;

/* Marks what the node touches with the wave's number; true if it meets what the wave wrote, or
 * writes what the wave read. Parts of one tensor written side by side do not meet. */
typedef struct {
	int32_t *read, *written; /* [n_tensors] by root: wave that did so last */
	int32_t *written_view;   /* [n_tensors] by tensor */
} marks;

static bool meets(const ds_graph *g, const ds_node *n, const marks *m, int32_t wave)
{
	for (int j = 0; j < DS_MAX_IN; j++)
		if (n->in[j] && m->written[ds_g_root(g, n->in[j])] == wave)
			return true;
	for (int j = 0; j < DS_MAX_OUT; j++) {
		ds_tid t = n->out[j];
		if (!t)
			continue;
		ds_tid root = ds_g_root(g, t);
		bool part = root != t;
		if (m->read[root] == wave || m->written_view[t] == wave ||
			(!part && m->written[root] == wave))
			return true;
	}
	return false;
}

static void touch(const ds_graph *g, const ds_node *n, marks *m, int32_t wave)
{
	for (int j = 0; j < DS_MAX_IN; j++)
		if (n->in[j])
			m->read[ds_g_root(g, n->in[j])] = wave;
	for (int j = 0; j < DS_MAX_OUT; j++)
		if (n->out[j]) {
			m->written[ds_g_root(g, n->out[j])] = wave;
			m->written_view[n->out[j]] = wave;
		}
}

/* Side by side, all would want their scratch at once. */
static bool is_alone(ds_op_kind op)
{
	return ds_op_of(op)->traits & DS_OP_ALONE;
}

ds_rc ds_pass_order(ds_graph *g, const ds_compile *c, ds_err *e)
{
	size_t bytes = (size_t)g->n_tensors * sizeof(int32_t);
	marks m = { ds_arena_get(g->mem, bytes), ds_arena_get(g->mem, bytes),
		ds_arena_get(g->mem, bytes) };
	bool *begun = ds_arena_zero(g->mem, (size_t)g->n_tensors);
	memset(m.read, 0xff, bytes);
	memset(m.written, 0xff, bytes);
	memset(m.written_view, 0xff, bytes);
	int32_t wave = 0;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		ds_node *n = &g->nodes[i];
		if (i > 0 && (n->phase != n[-1].phase || is_alone(n->op) || is_alone(n[-1].op) ||
				     meets(g, n, &m, wave)))
			wave++;
		n->wave = wave;
		touch(g, n, &m, wave);
		n->first = n->fresh = 0;
		for (int j = 0; j < DS_MAX_OUT; j++) {
			ds_class memory = g->tensors[n->out[j]].memory;
			if (n->out[j] && (memory == DS_CLASS_ACT || memory == DS_CLASS_COPY))
				n->fresh |= (uint8_t)(1u << j);
			if (!n->out[j] || memory != DS_CLASS_GRAD)
				continue;
			n->first |= begun[n->out[j]] ? 0 : (uint8_t)(1u << j);
			begun[n->out[j]] = true;
		}
	}
	return DS_OK;
}
