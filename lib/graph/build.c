/*
 * build.c - the functions that models call, one an op
 */
#include "graph/graph.h"
#include "graph/op.h"

#include <math.h>

static ds_tid first_of(const ds_node *n)
{
	return n ? n->out[0] : 0;
}

ds_tid ds_g_embed(ds_graph *g, ds_tid w, ds_tid ids)
{
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_embed, .in = { w, ids } }));
}

ds_tid ds_g_linear(ds_graph *g, ds_tid x, ds_tid w, ds_tid bias, bool in_out)
{
	return first_of(ds_g_node(g,
		(ds_node){
			.op = DS_OP_linear, .in = { x, w, bias }, .attr.linear.in_out = in_out }));
}

ds_tid ds_g_linear_exact(ds_graph *g, ds_tid x, ds_tid w)
{
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_linear, .in = { x, w }, .exact = true }));
}

ds_tid ds_g_matmul(ds_graph *g, ds_tid a, ds_tid b, ds_matmul_attr p)
{
	for (int i = 0; i < 2 && a && b; i++) {
		const ds_tensor *t = ds_g_tensor(g, i ? b : a);
		int32_t *rows = i ? &p.b_rows : &p.a_rows;
		if (*rows == 0)
			*rows = (int32_t)(t->rank == 3 ? t->dims[1] : ds_t_rows(t));
	}
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_matmul, .in = { a, b }, .attr.matmul = p }));
}

ds_tid ds_g_norm(
	ds_graph *g, ds_tid x, ds_tid residual, ds_tid w, ds_tid bias, ds_norm_attr a, ds_tid *sum)
{
	const ds_node *n = ds_g_node(
		g, (ds_node){ .op = DS_OP_norm, .in = { x, residual, w, bias }, .attr.norm = a });
	if (sum)
		*sum = !n ? 0 : residual ? n->out[1] : x;
	return first_of(n);
}

ds_tid ds_g_attention(
	ds_graph *g, ds_tid q, ds_tid k, ds_tid v, ds_attention_in opt, ds_attention_attr a)
{
	if (a.scale == 0)
		a.scale = 1 / sqrtf((float)a.head_dim);
	if (a.drop.p < 0 || a.drop.p >= 1)
		ds_g_fail(g, "attention: dropout of %g, the limit is 1", (double)a.drop.p);
	if (a.drop.p > 0)
		a.drop.stream = g->n_streams++;
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_attention,
				     .in = { q, k, v, opt.first, opt.last, opt.past, opt.slots },
				     .attr.attention = a }));
}

ds_tid ds_g_rope(ds_graph *g, ds_tid x, ds_tid pos, ds_tid freq, ds_rope_attr a)
{
	if (a.factor == 0)
		a.factor = 1;
	return first_of(ds_g_node(
		g, (ds_node){ .op = DS_OP_rope, .in = { x, pos, freq }, .attr.rope = a }));
}

ds_tid ds_g_unary(ds_graph *g, ds_tid x, ds_act act)
{
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_unary, .in = { x }, .attr.act = act }));
}

ds_tid ds_g_glu(ds_graph *g, ds_tid gate, ds_tid up, ds_act act)
{
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_glu, .in = { gate, up }, .attr.act = act }));
}

ds_tid ds_g_add(ds_graph *g, ds_tid a, ds_tid b)
{
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_add, .in = { a, b } }));
}

ds_tid ds_g_scale(ds_graph *g, ds_tid x, float by)
{
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_scale, .in = { x }, .attr.scale = by }));
}

ds_tid ds_g_gain(ds_graph *g, ds_tid x, ds_tid by)
{
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_gain, .in = { x, by } }));
}

ds_tid ds_g_dropout(ds_graph *g, ds_tid x, float p)
{
	if (p <= 0)
		return x;
	if (p >= 1) {
		ds_g_fail(g, "dropout of %g, the limit is 1", (double)p);
		return 0;
	}
	ds_dropout_attr a = { .p = p, .stream = g->n_streams++ };
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_dropout, .in = { x }, .attr.dropout = a }));
}

ds_tid ds_g_slice(ds_graph *g, ds_tid x, int64_t from, int64_t n)
{
	ds_node s = { .op = DS_OP_slice, .in = { x }, .attr.slice = { from, n } };
	if (x && g->rc == DS_OK && from >= 0 && n > 0 && from <= ds_t_cols(ds_g_tensor(g, x)) - n)
		s.out[0] = ds_g_view(g, x, from, n);
	return first_of(ds_g_node(g, s));
}

ds_tid ds_g_rows(ds_graph *g, ds_tid x, ds_tid index)
{
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_rows, .in = { x, index } }));
}

ds_tid ds_g_cache_put(
	ds_graph *g, ds_tid cache, ds_tid x, ds_attention_in opt, int32_t seq, int32_t kv_seq)
{
	ds_attention_attr a = { .seq = seq, .kv_seq = kv_seq };
	if (cache && ds_g_tensor(g, cache)->memory != DS_CLASS_STATE)
		ds_g_fail(g, "cache_put: '%s' is no state", ds_g_tensor(g, cache)->name);
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_cache_put,
					     .in = { cache, x, opt.past, opt.slots },
					     .out = { cache },
					     .attr.attention = a }));
}

ds_tid ds_g_linear_xent(
	ds_graph *g, ds_tid x, ds_tid w, ds_tid bias, ds_tid targets, ds_tid inv, ds_tid *nll)
{
	const ds_node *n = ds_g_node(
		g, (ds_node){ .op = DS_OP_linear_xent, .in = { x, w, bias, targets, inv } });
	if (!n)
		return 0;
	ds_tid loss = n->out[0];
	if (nll) {
		*nll = n->out[1];
		ds_g_keep(g, *nll, NULL);
	}
	ds_g_loss(g, loss);
	g->inv_targets = inv;
	return loss;
}

ds_routed ds_g_route(ds_graph *g, ds_tid logits, ds_tid bias, ds_route_attr a)
{
	const ds_node *n = ds_g_node(
		g, (ds_node){ .op = DS_OP_route, .in = { logits, bias }, .attr.route = a });
	return n ? (ds_routed){ n->out[0], n->out[1] } : (ds_routed){ 0 };
}

ds_dispatched ds_g_dispatch(ds_graph *g, ds_tid ids, int32_t experts)
{
	const ds_node *n = ds_g_node(
		g, (ds_node){ .op = DS_OP_dispatch, .in = { ids }, .attr.route.experts = experts });
	return n ? (ds_dispatched){ n->out[0], n->out[1], n->out[2] } : (ds_dispatched){ 0 };
}

ds_tid ds_g_permute(ds_graph *g, ds_tid x, ds_dispatched d)
{
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_permute, .in = { x, d.source, d.slots } }));
}

ds_tid ds_g_unpermute(ds_graph *g, ds_tid z, ds_dispatched d, ds_tid weights)
{
	return first_of(ds_g_node(
		g, (ds_node){ .op = DS_OP_unpermute, .in = { z, d.slots, weights, d.source } }));
}

ds_tid ds_g_grouped(ds_graph *g, ds_tid x, ds_tid w, ds_tid offsets, ds_tid bias)
{
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_grouped, .in = { x, w, offsets, bias } }));
}

ds_route_stats ds_g_route_stats(ds_graph *g, ds_tid logits, ds_tid ids, ds_route_attr a)
{
	const ds_node *n = ds_g_node(
		g, (ds_node){ .op = DS_OP_route_stats, .in = { logits, ids }, .attr.route = a });
	return n ? (ds_route_stats){ n->out[0], n->out[1], n->out[2] } : (ds_route_stats){ 0 };
}

ds_tid ds_g_balance(ds_graph *g, ds_tid share, ds_tid probs)
{
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_balance, .in = { share, probs } }));
}

ds_tid ds_g_per_target(ds_graph *g, ds_tid x, ds_tid targets, ds_tid inv)
{
	return first_of(
		ds_g_node(g, (ds_node){ .op = DS_OP_per_target, .in = { x, targets, inv } }));
}

void ds_g_follow_loads(ds_graph *g, ds_tid param, float rate)
{
	if (!param || g->rc != DS_OK)
		return;
	g->tensors[param].flags |= DS_TENSOR_LOADS | DS_TENSOR_NO_DECAY;
	g->tensors[param].rate = rate;
}

ds_tid ds_g_expert_counts(ds_graph *g, ds_tid offsets, ds_group ranks, ds_tid *own)
{
	const ds_node *n = ds_g_node(g,
		(ds_node){
			.op = DS_OP_expert_counts, .in = { offsets }, .attr.comm.group = ranks });
	*own = n ? n->out[1] : 0;
	return first_of(n);
}

ds_tid ds_g_expert_send(ds_graph *g, ds_tid x, ds_tid counts, ds_group ranks)
{
	return first_of(ds_g_node(g,
		(ds_node){
			.op = DS_OP_expert_send, .in = { x, counts }, .attr.comm.group = ranks }));
}

ds_tid ds_g_expert_return(ds_graph *g, ds_tid y, ds_tid counts, ds_group ranks)
{
	return first_of(ds_g_node(g, (ds_node){ .op = DS_OP_expert_return,
					     .in = { y, counts },
					     .attr.comm.group = ranks }));
}
