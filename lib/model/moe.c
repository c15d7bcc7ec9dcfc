/*
 * moe.c - experts in the place of a feed-forward part
 *
 * A router's logits, in f32 whatever the products' type, choose a row's experts; rows are sorted by expert, go
 * through each one's own layers without a limit to how many an expert takes, and come back as a weighted sum. An
 * expert's weights are one tensor of all, whose name has a '*' for their numbers (stack.h).
 *
 * A bias that counts in the choice alone (Wang et al. 2024) follows the loads, where there is one.
 *
 * What routers learn by beside the loss: balance, experts times the sum of share times mean probability, which is least
 * where all is even, and z, the mean square of the log of the sum of exponentials (Zoph et al. 2022). Both are means
 * over the rows of a micro-batch, and count by its share of the step's targets.
 */
#include "model/arch.h"

#include "base/mem.h"

#include <math.h>

bool ds_moe_here(const ds_config *c, int layer)
{
	return c->arch->moe && (layer + 1) % c->sparse_step == 0;
}

typedef struct { /* one layer while it is built */
	ds_graph *g;
	const ds_config *c;
	const char *at;
	ds_dispatched d;
	ds_tid offsets;      /* of the rows as the experts here get them */
	int64_t first, here; /* those experts */
} part;

/* Every expert's linear: [experts, out, in] */
static ds_tid grouped(
	const part *p, const char *name, ds_tid x, int64_t in, int64_t out, double dev)
{
	DS_NAME(weight, "%.64s.experts.*.%s.weight", p->at, name); /* at is shorter than that */
	DS_NAME(bias, "%.64s.experts.*.%s.bias", p->at, name);
	int64_t n = p->c->n_experts;
	ds_tid b = 0, w = ds_g_param_experts(p->g, weight, DS_DIMS(n, out, in), ds_init_normal(dev),
			      0, p->first, p->here);
	if (p->c->arch->moe->biased)
		b = ds_g_param_experts(p->g, bias, DS_DIMS(n, out), (ds_init){ DS_INIT_ZERO, 0 },
			DS_TENSOR_NO_DECAY, p->first, p->here);
	return ds_g_grouped(p->g, x, w, p->offsets, b);
}

static ds_tid run_experts(const part *p, ds_tid x)
{
	const ds_config *c = p->c;
	const ds_arch_moe *m = c->arch->moe;
	int64_t n = c->hidden_size, wide = c->expert_size;
	ds_act act = ds_config_act(c);
	/* As the architecture without experts draws what is added to the residual stream. */
	double dev = c->init_range / (m->gate ? 1 : sqrt(2.0 * (double)c->n_layers));
	ds_tid y = grouped(p, m->up, x, n, wide, c->init_range);
	if (m->gate)
		y = ds_g_glu(p->g, grouped(p, m->gate, x, n, wide, c->init_range), y, act);
	else
		y = ds_g_unary(p->g, y, act);
	return grouped(p, m->down, y, wide, n, dev);
}

/* The same where ranks share out the experts: rows go where theirs are, and come back. */
static ds_tid run_spread(part *p, const ds_build *b, ds_tid x)
{
	ds_graph *g = p->g;
	int n = b->experts.n > 1 ? b->experts.n : 1;
	p->here = p->c->n_experts / n;
	p->first = 0;
	p->offsets = p->d.offsets;
	if (n == 1)
		return run_experts(p, x);
	p->first = p->here * b->my_experts;
	ds_tid counts = ds_g_expert_counts(g, p->d.offsets, b->experts, &p->offsets);
	ds_tid y = run_experts(p, ds_g_expert_send(g, x, counts, b->experts));
	return ds_g_expert_return(g, y, counts, b->experts);
}

/* Every row is its own only slot. */
static ds_dispatched own_slots(ds_graph *g)
{
	int64_t rows = g->batch * g->seq;
	int32_t *at = DS_NEW(int32_t, (size_t)rows);
	for (int64_t i = 0; i < rows; i++)
		at[i] = (int32_t)i;
	ds_dispatched d = { .slots = ds_g_const(g, "own.slots", DS_I32, DS_DIMS(rows, 1), at),
		.source = ds_g_const(g, "own.sources", DS_I32, DS_DIMS(rows), at) };
	ds_mem_free(at);
	return d;
}

/* What all rows take, times the sigmoid of a number of the row's own. */
static ds_tid run_shared(const part *p, const ds_build *b, ds_tid x)
{
	const ds_config *c = p->c;
	const ds_arch_moe *m = c->arch->moe;
	int64_t n = c->hidden_size, wide = c->shared_size;
	ds_tid parts[2];
	for (int i = 0; i < 2; i++) {
		DS_NAME(in, "%.48s.%s.%s", p->at, m->shared, i ? m->up : m->gate);
		parts[i] = ds_arch_linear(
			p->g, b, in, x, (ds_linear_shape){ n, wide, false, false, c->init_range });
	}
	DS_NAME(down, "%.48s.%s.%s", p->at, m->shared, m->down);
	DS_NAME(gate, "%.48s.%s_gate", p->at, m->shared);
	ds_tid y =
		ds_arch_linear(p->g, b, down, ds_g_glu(p->g, parts[0], parts[1], ds_config_act(c)),
			(ds_linear_shape){ wide, n, false, false, c->init_range });
	ds_tid by = ds_arch_linear(
		p->g, b, gate, x, (ds_linear_shape){ n, 1, false, false, c->init_range });
	return ds_g_unpermute(p->g, y, own_slots(p->g), ds_g_unary(p->g, by, DS_ACT_SIGMOID));
}

static ds_tid plus(ds_graph *g, ds_tid sum, ds_tid x)
{
	return sum ? ds_g_add(g, sum, x) : x;
}

static void gather_stats(ds_graph *g, const ds_config *c, ds_build *b, ds_route_stats s)
{
	ds_moe_build *m = &b->moe;
	if (!m->shares)
		m->shares = ds_arena_zero(g->mem, (size_t)c->n_layers * sizeof(*m->shares));
	m->shares[m->n++] = s.share;
	ds_g_keep(g, s.share, NULL);
	m->z = plus(g, m->z, s.z);
	if (c->balance == DS_BALANCE_LAYER) {
		m->balance = plus(g, m->balance, ds_g_balance(g, s.share, s.probs));
		return;
	}
	m->share = plus(g, m->share, s.share);
	m->probs = plus(g, m->probs, s.probs);
}

ds_tid ds_moe_layer(
	ds_graph *g, const ds_config *c, ds_build *b, const char *at, int layer, ds_tid x)
{
	part p = { .g = g, .c = c, .at = at };
	ds_route_attr a = { .experts = (int32_t)c->n_experts,
		.k = (int32_t)c->n_chosen,
		.groups = 1,
		.top_groups = 1,
		.group_best = 1,
		.sigmoid = c->scoring == DS_SCORING_SIGMOID,
		.norm = c->norm_chosen,
		.scale = 1 };
	DS_NAME(gate, "%.64s.gate.weight", at);
	ds_g_at(g, layer, "%s", at);
	ds_tid w = ds_g_param(
		g, gate, DS_DIMS(c->n_experts, c->hidden_size), ds_init_normal(c->init_range), 0);
	ds_tid logits = ds_g_linear_exact(g, x, w);
	ds_tid bias = 0;
	if (c->bias_rate > 0) {
		DS_NAME(name, "%.48s.gate.e_score_correction_bias", at);
		bias = ds_g_param(g, name, DS_DIMS(c->n_experts), (ds_init){ DS_INIT_ZERO, 0 },
			DS_TENSOR_NO_DECAY);
		ds_g_follow_loads(g, bias, (float)c->bias_rate);
	}
	ds_routed r = ds_g_route(g, logits, bias, a);
	if (b->train)
		gather_stats(g, c, b, ds_g_route_stats(g, logits, r.ids, a));
	p.d = ds_g_dispatch(g, r.ids, a.experts);
	ds_tid y = ds_g_unpermute(g, run_spread(&p, b, ds_g_permute(g, x, p.d)), p.d, r.weights);
	return c->arch->moe->shared ? ds_g_add(g, y, run_shared(&p, b, x)) : y;
}

/* A number of the micro-batch as its part of the step's, for the log. */
static ds_tid by_target(ds_graph *g, const ds_build *b, ds_tid x, const char *name)
{
	ds_tid y = ds_g_per_target(g, x, b->targets, b->inv);
	ds_g_keep(g, y, name);
	return y;
}

void ds_moe_losses(ds_graph *g, const ds_config *c, ds_build *b)
{
	ds_moe_build *m = &b->moe;
	ds_tid loss = b->loss;
	if (!m->n)
		return;
	ds_g_at(g, -1, "%s", "router losses");
	if (c->balance == DS_BALANCE_MODEL) { /* of the means over layers */
		float mean = 1 / (float)m->n;
		m->balance = ds_g_balance(
			g, ds_g_scale(g, m->share, mean), ds_g_scale(g, m->probs, mean));
	} else {
		m->balance = ds_g_scale(g, m->balance, 1 / (float)m->n);
	}
	m->balance = by_target(g, b, m->balance, "balance_loss");
	m->z = by_target(g, b, ds_g_scale(g, m->z, 1 / (float)m->n), "z_loss");
	if (!c->router_losses)
		return;
	if (c->balance_coef > 0)
		loss = ds_g_add(g, loss, ds_g_scale(g, m->balance, (float)c->balance_coef));
	if (c->z_coef > 0)
		loss = ds_g_add(g, loss, ds_g_scale(g, m->z, (float)c->z_coef));
	if (loss == b->loss)
		return;
	ds_g_loss(g, loss);
	ds_g_keep(g, loss, "total_loss");
}
