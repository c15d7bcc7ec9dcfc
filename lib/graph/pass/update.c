/*
 * update.c - appends the optimizer phase: the gradients' norm, clipping, one update a parameter
 *
 * A parameter that follows loads (DS_TENSOR_LOADS) has no part in the norm and is moved by its rate.
 * A parameter that the loss does not reach has no gradient, and then no state and no update.
 */
#include "graph/op.h"
#include "graph/part.h"

ds_pass_fn ds_pass_update;

/* Has it a gradient that is a slope? */
static bool learns(const ds_tensor *t)
{
	return t->grad && !(t->flags & DS_TENSOR_LOADS);
}

static int32_t count_trained(const ds_graph *g)
{
	int32_t n = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		n += learns(&g->tensors[t]);
	return n;
}

/* What this rank adds to a gradient's sum of squares: of a part its own, of what others have too, the first rank. */
static ds_tid counted(ds_graph *g, const ds_layout *l, ds_tid param, ds_tid nothing)
{
	const ds_tensor *p = &g->tensors[param];
	if (p->flags & (DS_TENSOR_ELSEWHERE | DS_TENSOR_AGAIN))
		return nothing;
	bool first = ds_layout_cut(l) == 0, among = ds_layout_experts(l).n > 1;
	if (p->flags & DS_TENSOR_SPREAD)
		return first ? p->grad : nothing;
	if (among && ds_layout_copy(l) % l->ep)
		return nothing;
	return p->part || first ? p->grad : nothing;
}

/*
 * One f64 a parameter, side by side; the norm and the factor from them. Returns the factor. Among ranks every one has
 * a place for every parameter of the model, so the sum has the same order in any layout.
 */
static ds_tid clip_all(ds_graph *g, const ds_compile *c, int32_t n_trained)
{
	ds_shape s = { DS_F64, 2, { 1, n_trained } };
	ds_group model = ds_layout_all_experts(&c->layout);
	ds_tid squares = ds_g_new(g, DS_CLASS_ACT, &s, "squares"), n_tensors = g->n_tensors;
	ds_tid nothing =
		model.n > 1 ? ds_g_const(g, "nothing", DS_F32, DS_DIMS(1, 1), &(float){ 0 }) : 0;
	int32_t k = 0;
	for (ds_tid t = 1; t < n_tensors; t++)
		if (learns(&g->tensors[t]))
			ds_g_node(g, (ds_node){ .op = DS_OP_sqnorm,
					     .in = { counted(g, &c->layout, t, nothing) },
					     .out = { ds_g_view(g, squares, k++, 1) } });
	if (model.n > 1) {
		const ds_node *sum = ds_g_node(g, (ds_node){ .op = DS_OP_all_reduce,
							  .in = { squares },
							  .attr.comm.group = model });
		squares = sum ? sum->out[0] : 0;
	}
	const ds_node *n = ds_g_node(g, (ds_node){ .op = DS_OP_clip,
						.in = { squares, g->hyper },
						.attr.max_norm = c->max_norm });
	if (!n)
		return 0;
	ds_tid scale = n->out[0], norm = n->out[1];
	ds_g_keep(g, norm, "grad_norm");
	g->grad_norm = norm;
	return scale;
}

/* An optimizer that looks at a whole weight does not see one in a part. */
static void check_part(ds_graph *g, const ds_optimizer *o, ds_tid param)
{
	const ds_node *last = g->n_nodes ? &g->nodes[g->n_nodes - 1] : NULL;
	if (g->rc != DS_OK || !g->tensors[param].part || *ds_op_of(last->op)->shards)
		return;
	ds_g_fail(g, "optimizer=%s takes whole weights, of which tp leaves parts", o->name);
	g->rc = DS_USAGE;
}

/* Rows (of a vector: elements) [from, from + n) of the first dimension, as a tensor of its own name and part. */
static ds_tid rows_of(ds_graph *g, ds_tid t, int64_t from, int64_t n)
{
	const ds_tensor *x = &g->tensors[t];
	int64_t inner = ds_t_count(x) / x->dims[0],
		rows = x->rank == 1 ? 1 : ds_t_rows(x) / x->dims[0];
	const ds_part *part = ds_part_rows(g, x, from * rows, n * rows);
	ds_tid v = ds_g_view(g, t, 0, ds_t_cols(x));
	if (!v)
		return 0;
	ds_tensor *to = &g->tensors[v];
	x = &g->tensors[t];
	to->dims[0] = n;
	to->offset = x->offset + from * inner;
	to->flags |= x->flags & DS_TENSOR_NO_DECAY;
	to->name = x->name;
	to->part = part;
	return v;
}

/*
 * ZeRO-1 (Rajbhandari et al., 2020): a copy steps its rows of the weight, whose state is all that it keeps, and sends
 * them to the others. Weights with fewer rows than copies are stepped by all, and a copy's own experts by it alone.
 */
static void update_part(
	ds_graph *g, const ds_compile *c, const ds_optimizer *o, ds_tid t, ds_tid scale)
{
	const ds_layout *l = &c->layout;
	int64_t rows = g->tensors[t].dims[0], me = ds_layout_copy(l), n = l->dp;
	if (!l->zero || n < 2 || rows < n || (g->tensors[t].rank > 2 && rows % n) ||
		g->tensors[t].flags & DS_TENSOR_SPREAD) {
		o->update(g, c, t, scale);
		check_part(g, o, t);
		return;
	}
	int64_t from = rows * me / n, count = rows * (me + 1) / n - from;
	ds_tid grad = rows_of(g, g->tensors[t].grad, from, count),
	       mine = rows_of(g, t, from, count);
	if (!grad || !mine)
		return;
	g->tensors[mine].grad = grad;
	o->update(g, c, mine, scale);
	g->tensors[mine].grad = 0; /* the weight has one, which counts */
	ds_g_node(g, (ds_node){ .op = DS_OP_all_gather,
			     .in = { mine },
			     .out = { t },
			     .attr.comm.group = ds_layout_copies(l) });
}

/* What follows loads moves by its own rate, whatever the optimizer. */
static void update_one(
	ds_graph *g, const ds_optimizer *o, const ds_compile *c, ds_tid t, ds_tid scale)
{
	const ds_tensor *p = &g->tensors[t];
	ds_g_at(g, -1, "%s", p->name);
	if (p->flags & DS_TENSOR_ELSEWHERE)
		return;
	if (learns(p)) {
		update_part(g, c, o, t, scale);
	} else if (p->grad) {
		ds_g_node(g, (ds_node){ .op = DS_OP_nudge,
				     .attr.rate = p->rate,
				     .in = { t, p->grad },
				     .out = { t } });
	}
}

ds_rc ds_pass_update(ds_graph *g, const ds_compile *c, ds_err *e)
{
	const ds_optimizer *o = ds_optimizer_find(c->optimizer);
	if (!o)
		return ds_fail(e, DS_USAGE, "unknown optimizer '%s'", c->optimizer);
	int32_t n_trained = count_trained(g);
	if (n_trained == 0)
		return ds_fail(e, DS_BAD, "no parameter is trainable");
	g->phase = DS_PHASE_OPT;
	ds_g_at(g, -1, "%s", o->name);
	g->hyper = ds_g_input(g, "hyper", DS_F32, DS_DIMS(4));
	ds_tid scale = clip_all(g, c, n_trained), n_tensors = g->n_tensors;
	for (ds_tid t = 1; t < n_tensors; t++)
		update_one(g, o, c, t, scale);
	return ds_graph_check(g, e);
}
