/*
 * verify.c - what must hold for a graph between any two passes
 *
 * Phases follow one another; a tensor is written before it is read, and an activation by one node
 * (or by views side by side); shapes are what the ops' rules say; a gradient that exists is written.
 */
#include "graph/op.h"

#include "base/mem.h"

typedef struct {
	const ds_graph *g;
	bool *written; /* [n_tensors] */
	bool *partly;  /* a view of it was written */
} state;

static bool is_leaf(const ds_tensor *t)
{
	return t->memory != DS_CLASS_ACT && t->memory != DS_CLASS_GRAD;
}

static ds_rc bad(const ds_graph *g, const ds_node *n, ds_tid t, const char *what, ds_err *e)
{
	return ds_fail(e, DS_BAD, "%s: %s: '%s' %s", *n->origin ? n->origin : "graph",
		ds_op_of(n->op)->name, t > 0 && t < g->n_tensors ? g->tensors[t].name : "?", what);
}

static ds_rc check_in(const state *s, const ds_node *n, ds_tid t, ds_err *e)
{
	if (t < 0 || t >= s->g->n_tensors)
		return bad(s->g, n, t, "is no tensor of this graph", e);
	ds_tid root = ds_g_root(s->g, t);
	if (!is_leaf(&s->g->tensors[root]) && !s->written[t] && !s->written[root] &&
		!s->partly[root])
		return bad(s->g, n, t, "is read before it is written", e);
	return DS_OK;
}

static ds_rc check_out(state *s, const ds_node *n, ds_tid t, ds_err *e)
{
	const ds_graph *g = s->g;
	if (t < 0 || t >= g->n_tensors)
		return bad(g, n, t, "is no tensor of this graph", e);
	ds_tid root = ds_g_root(g, t);
	bool is_view = ds_op_of(n->op)->traits & DS_OP_VIEW;
	if (g->tensors[t].memory == DS_CLASS_ACT && !is_view) {
		if (s->written[t] || s->written[root] || (t == root && s->partly[t]))
			return bad(g, n, t, "is written twice", e);
	}
	s->partly[root] |= t != root;
	bool is_input =
		g->tensors[t].memory == DS_CLASS_IN || g->tensors[t].memory == DS_CLASS_CONST;
	if (is_input && !is_view)
		return bad(g, n, t, "is an input and written to", e);
	s->written[t] = true;
	return DS_OK;
}

/* Activations may be kept in fewer bytes than their op's rule says (pass/precision.c). */
static bool is_kept_as(const ds_tensor *t, ds_dtype rule)
{
	static const bool floats[DS_N_DTYPES] = {
		[DS_F32] = true, [DS_BF16] = true, [DS_F16] = true
	};
	bool may = t->memory == DS_CLASS_ACT || t->dtype == DS_F32;
	return t->dtype == rule || (may && floats[t->dtype] && floats[rule]);
}

static ds_rc check_shapes(const ds_graph *g, const ds_node *n, ds_err *e)
{
	ds_shape want[DS_MAX_OUT];
	for (int i = 0; i < DS_MAX_OUT; i++)
		want[i].rank = -1;
	DS_TRY_AT(ds_op_of(n->op)->shape(g, n, want, e), e, "%s", n->origin);
	for (int i = 0; i < DS_MAX_OUT; i++) {
		if (!n->out[i])
			continue;
		const ds_tensor *t = &g->tensors[n->out[i]];
		bool same = want[i].rank == t->rank && is_kept_as(t, want[i].dtype);
		for (int k = 0; same && k < t->rank; k++)
			same = want[i].dims[k] == t->dims[k];
		if (!same)
			return bad(g, n, n->out[i], "has not the shape of its op's rule", e);
	}
	return DS_OK;
}

static ds_rc check_nodes(state *s, ds_err *e)
{
	const ds_graph *g = s->g;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		if (n->op <= DS_OP_none || n->op >= DS_N_OPS)
			return ds_fail(e, DS_BAD, "%s: node %d has no op", n->origin, i);
		if (i > 0 && n->phase < n[-1].phase)
			return bad(g, n, n->out[0], "comes in an earlier phase than its forerunner",
				e);
		for (int j = 0; j < DS_MAX_IN; j++)
			if (n->in[j])
				DS_TRY(check_in(s, n, n->in[j], e));
		for (int j = 0; j < DS_MAX_OUT; j++)
			if (n->out[j])
				DS_TRY(check_out(s, n, n->out[j], e));
		DS_TRY(check_shapes(g, n, e));
	}
	return DS_OK;
}

static ds_rc check_gradients(const state *s, ds_err *e)
{
	const ds_graph *g = s->g;
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *p = &g->tensors[t];
		if (p->grad && !s->written[p->grad] && !(p->flags & DS_TENSOR_ELSEWHERE))
			return ds_fail(e, DS_BAD, "'%s': nothing writes its gradient", p->name);
		if (p->grad && (p->flags & DS_TENSOR_FROZEN))
			return ds_fail(e, DS_BAD, "'%s' is frozen and has a gradient", p->name);
	}
	return DS_OK;
}

ds_rc ds_graph_verify(const ds_graph *g, ds_err *e)
{
	size_t n = (size_t)g->n_tensors;
	state s = { g, ds_mem_zero(n), ds_mem_zero(n) };
	ds_rc rc = check_nodes(&s, e);
	if (rc == DS_OK)
		rc = check_gradients(&s, e);
	ds_mem_free(s.written);
	ds_mem_free(s.partly);
	return rc;
}
