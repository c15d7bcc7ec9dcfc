/*
 * recompute.c - activations that backward makes again instead of keeping (gradient checkpointing)
 *
 * A set of forward nodes is chosen, each in a segment. What a node of the set makes is not kept for
 * backward: its first reader there is preceded by copies of the nodes that lead to it, from what is
 * kept: what other nodes made, and what passes from one segment to another. The copies are the same
 * ops on the same numbers (dropout counts by element), so every bit is that of the plain graph.
 *
 * A norm that adds a residual from another segment keeps the sum, and its copy norms that: one tensor
 * is kept where there were two.
 */
#include "graph/op.h"

#include "base/mem.h"

ds_pass_fn ds_pass_recompute;

typedef struct {
	ds_graph *g;
	int32_t n_forward;
	ds_tid n_tensors;
	int32_t *segment; /* [n_forward], -1: not in the set */
	int32_t *writer;  /* [n_tensors] by root: the forward node that makes it, -1 */
	bool *kept;       /* [n_tensors] by root */
	bool *done;       /* [n_forward] its copy is in the list */
	ds_tid *copy;     /* [n_tensors] what backward reads in its stead */
	ds_node *out;     /* the new list */
	int32_t n_out;
} again;

/* ---- which nodes ---- */

static bool is(const ds_node *n, unsigned trait)
{
	return ds_op_of(n->op)->traits & trait;
}

/* The last node of a layer that leads to its attention, itself included; -1: it has none. */
static int32_t last_attention(const again *a, int32_t layer)
{
	int32_t last = -1;
	for (int32_t i = 0; i < a->n_forward; i++)
		if (a->g->nodes[i].layer == layer && is(&a->g->nodes[i], DS_OP_MIXES))
			last = i;
	return last;
}

static int32_t segment_of(const again *a, int32_t i, const ds_compile *c)
{
	const ds_node *n = &a->g->nodes[i];
	if (n->layer < 0 || is(n, DS_OP_VIEW)) /* a view follows its base */
		return -1;
	if (c->recompute == DS_RECOMPUTE_LAYERS && n->layer < c->recompute_layers)
		return n->layer;
	if (c->recompute >= DS_RECOMPUTE_ATTENTION && i <= last_attention(a, n->layer))
		return n->layer;
	return is(n, DS_OP_CHEAP) ? a->g->n_nodes + i : -1;
}

/* ---- what is kept ---- */

static bool same_segment(const again *a, ds_tid t, int32_t segment)
{
	int32_t w = a->writer[ds_g_root(a->g, t)];
	return w >= 0 && a->segment[w] == segment;
}

/* A norm whose copy starts from the sum that was kept. */
static bool keeps_sum(const again *a, int32_t i)
{
	const ds_node *n = &a->g->nodes[i];
	return is(n, DS_OP_SUMS) && n->in[1] && n->out[1] &&
	       !same_segment(a, n->in[0], a->segment[i]) &&
	       !same_segment(a, n->in[1], a->segment[i]);
}

static void find_kept(again *a)
{
	const ds_graph *g = a->g;
	for (ds_tid t = 1; t < a->n_tensors; t++) {
		int32_t w = a->writer[t];
		a->kept[t] = g->tensors[t].memory != DS_CLASS_ACT || w < 0 || a->segment[w] < 0 ||
			     (g->tensors[t].flags & DS_TENSOR_KEEP);
	}
	for (int32_t i = 0; i < a->n_forward; i++) {
		const ds_node *n = &g->nodes[i];
		if (a->segment[i] < 0)
			continue;
		if (keeps_sum(a, i)) {
			a->kept[ds_g_root(g, n->out[1])] = true;
			continue;
		}
		for (int j = 0; j < DS_MAX_IN; j++)
			if (n->in[j] && !same_segment(a, n->in[j], a->segment[i]))
				a->kept[ds_g_root(g, n->in[j])] = true;
	}
}

static void survey(again *a, const ds_compile *c)
{
	ds_graph *g = a->g;
	for (int32_t i = 0; i < g->n_nodes && g->nodes[i].phase == DS_PHASE_FWD; i++)
		a->n_forward = i + 1;
	size_t n = (size_t)a->n_tensors, f = (size_t)a->n_forward;
	a->segment = ds_arena_get(g->mem, f * sizeof(int32_t));
	a->writer = ds_arena_get(g->mem, n * sizeof(int32_t));
	a->kept = ds_arena_zero(g->mem, n);
	a->done = ds_arena_zero(g->mem, f);
	a->copy = ds_arena_zero(g->mem, n * sizeof(ds_tid));
	memset(a->writer, 0xff, n * sizeof(int32_t));
	for (int32_t i = 0; i < a->n_forward; i++) {
		a->segment[i] = segment_of(a, i, c);
		for (int j = 0; j < DS_MAX_OUT; j++)
			if (g->nodes[i].out[j] && !is(&g->nodes[i], DS_OP_VIEW))
				a->writer[ds_g_root(g, g->nodes[i].out[j])] = i;
	}
	find_kept(a);
}

/* ---- copies ---- */

static ds_tid copy_of(again *a, ds_tid t)
{
	ds_graph *g = a->g;
	ds_tensor x = g->tensors[t]; /* a copy: the array moves */
	if (a->copy[t])
		return a->copy[t];
	if (x.base) {
		a->copy[t] = ds_g_view(g, copy_of(a, x.base), x.offset, ds_t_cols(&x));
		return a->copy[t];
	}
	ds_shape s = { x.dtype, x.rank, { 0 } };
	for (int i = 0; i < x.rank; i++)
		s.dims[i] = x.dims[i];
	g->origin = x.origin;
	a->copy[t] = ds_g_new(g, DS_CLASS_ACT, &s, ds_arena_fmt(g->mem, "%s.again", x.name).at);
	return a->copy[t];
}

static ds_tid remade(again *a, ds_tid t);

static void append_copy(again *a, int32_t i)
{
	ds_node n = a->g->nodes[i];
	if (a->done[i])
		return;
	a->done[i] = true;
	if (keeps_sum(a, i)) {
		n.in[0] = n.out[1];
		n.in[1] = n.out[1] = 0;
	}
	for (int j = 0; j < DS_MAX_IN; j++)
		n.in[j] = remade(a, n.in[j]);
	for (int j = 0; j < DS_MAX_OUT; j++)
		n.out[j] = n.out[j] ? copy_of(a, n.out[j]) : 0;
	n.phase = DS_PHASE_BWD;
	a->out[a->n_out++] = n;
}

/* The tensor that a node of backward reads for t, after the copies that make it. */
static ds_tid remade(again *a, ds_tid t)
{
	if (t <= 0 || t >= a->n_tensors || a->kept[ds_g_root(a->g, t)])
		return t;
	append_copy(a, a->writer[ds_g_root(a->g, t)]);
	return copy_of(a, t);
}

ds_rc ds_pass_recompute(ds_graph *g, const ds_compile *c, ds_err *e)
{
	again a = { .g = g, .n_tensors = g->n_tensors };
	if (c->recompute == DS_RECOMPUTE_NONE)
		return DS_OK;
	survey(&a, c);
	int32_t cap = g->n_nodes + a.n_forward;
	a.out = ds_mem_get((size_t)cap * sizeof(ds_node));
	for (int32_t i = 0; i < g->n_nodes; i++) {
		ds_node n = g->nodes[i];
		for (int j = 0; i >= a.n_forward && j < DS_MAX_IN; j++)
			n.in[j] = remade(&a, n.in[j]);
		a.out[a.n_out++] = n;
	}
	ds_g_nodes(g, a.out, a.n_out, cap);
	return ds_graph_check(g, e);
}
