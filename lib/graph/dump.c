/*
 * dump.c - a graph as text: a line a tensor that is no activation, a line a node
 */
#include "graph/op.h"

static void put_tensor(ds_buf *out, const ds_tensor *t)
{
	ds_buf_fmt(out, "tensor %s %s %s [", ds_class_name(t->class), t->name,
		ds_dtype_name(t->dtype));
	for (int i = 0; i < t->rank; i++)
		ds_buf_fmt(out, "%s%lld", i ? ", " : "", (long long)t->dims[i]);
	ds_buf_add_c(out, "]");
	if (t->also)
		ds_buf_fmt(out, " also %s", t->also);
	if (t->flags & DS_T_FROZEN)
		ds_buf_add_c(out, " frozen");
	if (t->flags & DS_T_NO_DECAY)
		ds_buf_add_c(out, " no_decay");
	if (t->flags & DS_T_KEEP)
		ds_buf_add_c(out, " keep");
	ds_buf_add_c(out, "\n");
}

static void put_attr(ds_buf *out, const ds_node *n)
{
	const ds_attr *a = &n->attr;
	switch (n->op) {
	case DS_OP_linear:
	case DS_OP_linear_dx:
	case DS_OP_linear_dw:
		ds_buf_add_c(out, a->linear.in_out ? " [in,out]" : "");
		break;
	case DS_OP_norm:
	case DS_OP_norm_grad:
		ds_buf_fmt(out, " %s eps=%g", a->norm.rms ? "rms" : "layer", (double)a->norm.eps);
		break;
	case DS_OP_attention:
	case DS_OP_attention_grad:
		ds_buf_fmt(out, " heads=%d/%d dim=%d seq=%d/%d%s scale=%g", a->attention.heads,
			a->attention.kv_heads, a->attention.head_dim, a->attention.seq,
			a->attention.kv_seq, a->attention.causal ? " causal" : "",
			(double)a->attention.scale);
		if (a->attention.window)
			ds_buf_fmt(out, " window=%d", a->attention.window);
		if (a->attention.dropout > 0)
			ds_buf_fmt(out, " dropout=%g", (double)a->attention.dropout);
		break;
	case DS_OP_rope:
		ds_buf_fmt(out, " rot=%d/%d%s%s", a->rope.rot, a->rope.head_dim,
			a->rope.interleaved ? " interleaved" : "",
			a->rope.inverse ? " inverse" : "");
		break;
	case DS_OP_unary:
	case DS_OP_unary_grad:
	case DS_OP_glu:
	case DS_OP_glu_grad:
		ds_buf_fmt(out, " %s", ds_act_name(a->act));
		break;
	case DS_OP_scale:
		ds_buf_fmt(out, " %g", (double)a->scale);
		break;
	case DS_OP_muon:
		ds_buf_fmt(out, " momentum=%g steps=%d %s", (double)a->muon.momentum, a->muon.steps,
			ds_dtype_name(a->muon.type));
		break;
	case DS_OP_cast:
		ds_buf_fmt(out, " %s", ds_dtype_name(a->cast));
		break;
	case DS_OP_dropout:
		ds_buf_fmt(out, " p=%g", (double)a->dropout.p);
		break;
	case DS_OP_slice:
	case DS_OP_pad:
		ds_buf_fmt(
			out, " from=%lld n=%lld", (long long)a->slice.from, (long long)a->slice.n);
		break;
	default:
		break;
	}
}

static void put_node(ds_buf *out, const ds_graph *g, const ds_node *n)
{
	static const char *const phases[] = { "forward", "backward", "optimizer" };
	ds_buf_fmt(out, "%s %s %s", phases[n->phase], *n->origin ? n->origin : "-",
		ds_op_of(n->op)->name);
	put_attr(out, n);
	ds_buf_add_c(out, " (");
	for (int i = 0, k = 0; i < DS_MAX_IN; i++)
		if (n->in[i])
			ds_buf_fmt(out, "%s%s", k++ ? ", " : "", g->tensors[n->in[i]].name);
	ds_buf_add_c(out, ") ->");
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (n->out[i])
			ds_buf_fmt(out, " %s%s", g->tensors[n->out[i]].name,
				g->tensors[n->out[i]].class == DS_CLASS_GRAD
					? n->first & (1u << i) ? " (first)" : " (adds)"
					: "");
	ds_buf_add_c(out, "\n");
}

void ds_graph_dump(const ds_graph *g, ds_buf *out)
{
	ds_buf_fmt(out, "graph batch=%lld seq=%lld\n", (long long)g->batch, (long long)g->seq);
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if (g->tensors[t].class != DS_CLASS_ACT)
			put_tensor(out, &g->tensors[t]);
	for (int32_t i = 0; i < g->n_nodes; i++)
		put_node(out, g, &g->nodes[i]);
}
