/*
 * sync.c - gradients are all-reduced among data-parallel replicas
 *
 * Gradients become parts of buckets, tensors of some MiB in the order in which backward makes them. A bucket is
 * all-reduced at once: after the last micro-batch, before the optimizer, so that all replicas clip and step by the same
 * gradient. The loss's factor inv counts the targets of all replicas: the sum is the step's gradient.
 */
#include "graph/op.h"

ds_pass_fn ds_pass_sync;

enum { BUCKET_ELEMS = 1 << 20, ALIGN_ELEMS = 16 };

static int64_t padded(const ds_tensor *t)
{
	return (ds_t_count(t) + ALIGN_ELEMS - 1) / ALIGN_ELEMS * ALIGN_ELEMS;
}

static bool goes_in(const ds_tensor *t, unsigned spread)
{
	return t->memory == DS_CLASS_GRAD && !t->base && t->dtype == DS_F32 &&
	       !(t->flags & DS_TENSOR_ELSEWHERE) && (t->flags & DS_TENSOR_SPREAD) == spread;
}

/* Gradients from `from` on, until there are enough; *to is behind them. Returns their elements. */
static int64_t gather(const ds_graph *g, unsigned spread, ds_tid from, ds_tid end, ds_tid *to)
{
	int64_t n = 0;
	for (*to = from; *to < end && n < BUCKET_ELEMS; (*to)++)
		n += goes_in(&g->tensors[*to], spread) ? padded(&g->tensors[*to]) : 0;
	return n;
}

static void make_parts(ds_graph *g, unsigned spread, ds_tid bucket, ds_tid from, ds_tid to)
{
	int64_t at = 0;
	for (ds_tid t = from; t < to; t++) {
		ds_tensor *x = &g->tensors[t];
		if (!goes_in(x, spread))
			continue;
		x->base = bucket;
		x->offset = at;
		x->flags |= DS_TENSOR_VIEW;
		at += padded(x);
	}
}

/* Gradients that are spread, or all others: summed over the ranks that have the same. */
static void sum_over(ds_graph *g, unsigned spread, ds_tid end, ds_group group)
{
	ds_tid to;
	for (ds_tid from = 1; from < end && group.n > 1; from = to) {
		ds_shape s = { DS_F32, 1, { gather(g, spread, from, end, &to) } };
		if (!s.dims[0])
			continue;
		while (!goes_in(&g->tensors[from], spread))
			from++;
		ds_str name = ds_arena_fmt(g->mem, "%s…", g->tensors[from].name);
		ds_tid bucket = ds_g_new(g, DS_CLASS_GRAD, &s, name.at);
		if (bucket)
			make_parts(g, spread, bucket, from, to);
		ds_g_node(g, (ds_node){ .op = DS_OP_all_reduce,
				     .in = { bucket },
				     .out = { bucket },
				     .attr.comm.group = group });
	}
}

ds_rc ds_pass_sync(ds_graph *g, const ds_compile *c, ds_err *e)
{
	const ds_layout *l = &c->layout;
	ds_tid end = g->n_tensors;
	if (l->dp < 2 || l->apart)
		return DS_OK;
	g->phase = DS_PHASE_OPT;
	ds_g_at(g, -1, "gradients");
	sum_over(g, 0, end, ds_layout_copies(l));
	sum_over(g, DS_TENSOR_SPREAD, end, ds_layout_same_experts(l));
	return ds_graph_check(g, e);
}
