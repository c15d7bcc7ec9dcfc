/*
 * update.c - appends the optimizer phase: the gradients' norm, clipping, one update a parameter
 *
 * A parameter that the loss does not reach has no gradient, and then no state and no update.
 */
#include "graph/op.h"

ds_pass_fn ds_pass_update;

static int32_t count_trained(const ds_graph *g)
{
	int32_t n = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		n += g->tensors[t].grad != 0;
	return n;
}

/* One f64 a parameter, side by side; the norm and the factor from them. Returns the factor. */
static ds_tid clip_all(ds_graph *g, const ds_compile *c, int32_t n_trained)
{
	ds_shape s = { DS_F64, 2, { 1, n_trained } };
	ds_tid squares = ds_g_new(g, DS_CLASS_ACT, &s, "squares"), n_tensors = g->n_tensors;
	int32_t k = 0;
	for (ds_tid t = 1; t < n_tensors; t++)
		if (g->tensors[t].grad)
			ds_g_node(g, (ds_node){ .op = DS_OP_sqnorm,
					     .in = { g->tensors[t].grad },
					     .out = { ds_g_view(g, squares, k++, 1) } });
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
		if (g->tensors[t].grad) {
			ds_g_at(g, -1, "%s", g->tensors[t].name);
			o->update(g, c, t, scale);
		}
	return ds_graph_check(g, e);
}
