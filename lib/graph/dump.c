/*
 * dump.c - a graph as text: a line a tensor that is no activation, a line a node
 */
#include "graph/op.h"

static void put_tensor(ds_buf *out, const ds_tensor *t)
{
	ds_buf_fmt(out, "tensor %s %s %s [", ds_class_name(t->memory), t->name,
		ds_dtype_name(t->dtype));
	for (int i = 0; i < t->rank; i++)
		ds_buf_fmt(out, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
	ds_buf_add_c(out, "]");
	if (t->also)
		ds_buf_fmt(out, " also %s", t->also);
	if (t->flags & DS_TENSOR_FROZEN)
		ds_buf_add_c(out, " frozen");
	if (t->flags & DS_TENSOR_NO_DECAY)
		ds_buf_add_c(out, " no_decay");
	if (t->flags & DS_TENSOR_KEEP)
		ds_buf_add_c(out, " keep");
	ds_buf_add_c(out, "\n");
}

static void put_node(ds_buf *out, const ds_graph *g, const ds_node *n)
{
	static const char *const phases[] = { "forward", "backward", "optimizer" };
	ds_buf_fmt(out, "%s %s %s", phases[n->phase], *n->origin ? n->origin : "-",
		ds_op_of(n->op)->name);
	ds_op_of(n->op)->print(n, out);
	ds_buf_add_c(out, " (");
	for (int i = 0, k = 0; i < DS_MAX_IN; i++)
		if (n->in[i])
			ds_buf_fmt(out, "%s%s", k++ ? ", " : "", g->tensors[n->in[i]].name);
	ds_buf_add_c(out, ") ->");
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (n->out[i])
			ds_buf_fmt(out, " %s%s", g->tensors[n->out[i]].name,
				g->tensors[n->out[i]].memory == DS_CLASS_GRAD
					? n->first & (1u << i) ? " (first)" : " (adds)"
					: "");
	ds_buf_add_c(out, "\n");
}

void ds_graph_dump(const ds_graph *g, ds_buf *out)
{
	ds_buf_fmt(out, "graph batch=%lld seq=%lld\n", (long long)g->batch, (long long)g->seq);
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if (g->tensors[t].memory != DS_CLASS_ACT)
			put_tensor(out, &g->tensors[t]);
	for (int32_t i = 0; i < g->n_nodes; i++)
		put_node(out, g, &g->nodes[i]);
}
