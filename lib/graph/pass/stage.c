/*
 * stage.c - pipeline parallelism: layers are shared out among stages
 *
 * A rank keeps the nodes of its stage. What is made in one stage and read in another is sent at the end of the phase
 * that makes it and received at the beginning of that phase there, in the order in which it is made; so what two ranks
 * send one another has one order, whatever micro-batches are on their way. Nodes outside layers belong to the stage of
 * what they read: embeddings to the first, the head to the last.
 *
 * A weight that two stages use (tied embeddings) is kept and stepped by both: their gradients are added up in front of
 * the optimizer, and the first of them counts in the norm.
 */
#include "graph/op.h"

#include "base/mem.h"

#include <stdlib.h>

ds_pass_fn ds_pass_stage;

typedef struct {
	ds_graph *g;
	const ds_layout *l;
	int me;
	int32_t n_layers;
	int *stage;      /* [n_nodes] */
	int *made;       /* [n_tensors] the stage that writes it, -1; its phase */
	uint8_t *phase;  /* [n_tensors] */
	int32_t *order;  /* [n_tensors] the node that writes it */
	uint64_t *used;  /* [n_tensors] by bit: stages that use it */
	uint64_t *wants; /* [n_tensors] by bit: stages that read it and do not make it */
	ds_node *out;
	int32_t n_out;
} stager;

enum { MOST_STAGES = 64 };

static bool is_act(const stager *s, ds_tid t)
{
	return t && s->g->tensors[t].memory == DS_CLASS_ACT;
}

/* Where a node outside the layers is: forward behind all that it reads, backward beside what it reads first. */
static int by_inputs(const stager *s, const ds_node *n)
{
	int stage = -1;
	for (int j = 0; j < DS_MAX_IN; j++) {
		int made = is_act(s, n->in[j]) ? s->made[n->in[j]] : -1;
		if (n->phase != DS_PHASE_FWD && made >= 0)
			return made;
		stage = made > stage ? made : stage;
	}
	if (stage < 0 && n->phase != DS_PHASE_FWD) /* what begins with the loss's own gradient */
		return s->l->pp - 1;
	return stage < 0 ? 0 : stage;
}

static void note_out(stager *s, int32_t i, ds_tid t)
{
	const ds_node *n = &s->g->nodes[i];
	if (!is_act(s, t))
		return;
	s->made[t] = s->stage[i];
	s->phase[t] = (uint8_t)n->phase;
	s->order[t] = i;
}

static void assign(stager *s)
{
	const ds_graph *g = s->g;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		s->stage[i] = n->layer >= 0 ? (int)((int64_t)n->layer * s->l->pp / s->n_layers)
					    : by_inputs(s, n);
		for (int j = 0; j < DS_MAX_OUT; j++)
			if (n->out[j]) {
				note_out(s, i, n->out[j]);
				note_out(s, i, ds_g_root(g, n->out[j]));
			}
	}
}

static void mark_uses(stager *s)
{
	const ds_graph *g = s->g;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		uint64_t bit = (uint64_t)1 << s->stage[i];
		if (n->phase == DS_PHASE_OPT)
			continue;
		for (int j = 0; j < DS_MAX_IN; j++) {
			ds_tid t = n->in[j];
			s->used[t] |= bit;
			if (is_act(s, t) && s->made[t] >= 0 && s->made[t] != s->stage[i])
				s->wants[t] |= bit;
		}
		for (int j = 0; j < DS_MAX_OUT; j++)
			s->used[n->out[j]] |= bit;
	}
}

/* ---- what goes from stage to stage ---- */

typedef struct {
	ds_tid t;
	int32_t order;
} parcel;

static int by_order(const void *a, const void *b)
{
	const parcel *x = a, *y = b;
	return (x->order > y->order) - (x->order < y->order);
}

static void append(stager *s, ds_op_kind op, ds_phase phase, ds_tid t, int peer)
{
	s->out[s->n_out++] = (ds_node){ .op = op,
		.phase = phase,
		.layer = -1,
		.origin = s->g->tensors[t].origin,
		.in = { op == DS_OP_send ? t : 0 },
		.out = { op == DS_OP_recv ? t : 0 },
		.attr.comm.peer = ds_layout_at_stage(s->l, peer) };
}

/* Those that are made in this phase; send: here and wanted elsewhere, else the other way round. */
static void exchange(stager *s, ds_phase phase, bool send)
{
	ds_tid n = s->g->n_tensors;
	parcel *all = DS_NEW(parcel, (size_t)n);
	size_t k = 0;
	for (ds_tid t = 1; t < n; t++)
		if (s->wants[t] && s->phase[t] == phase)
			all[k++] = (parcel){ t, s->order[t] };
	qsort(all, k, sizeof(*all), by_order);
	for (size_t i = 0; i < k; i++) {
		ds_tid t = all[i].t;
		bool mine = s->made[t] == s->me;
		for (int to = 0; to < s->l->pp; to++)
			if (s->wants[t] >> to & 1 && mine == send && (send || to == s->me))
				append(s, send ? DS_OP_send : DS_OP_recv, phase, t,
					send ? to : s->made[t]);
	}
	ds_mem_free(all);
}

/* ---- weights ---- */

static void mark_elsewhere(stager *s)
{
	ds_graph *g = s->g;
	uint64_t bit = (uint64_t)1 << s->me;
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		ds_tensor *x = &g->tensors[t];
		if (x->memory != DS_CLASS_PARAM)
			continue;
		/* A bias that another cut adds is stepped here too; one that nobody uses is the first stage's. */
		uint64_t used = s->used[t] | (x->grad ? s->used[x->grad] : 0);
		used = used ? used : 1;
		if (used & bit && used & (bit - 1))
			x->flags |= DS_TENSOR_AGAIN;
		if (used & bit)
			continue;
		x->flags |= DS_TENSOR_ELSEWHERE;
		if (x->grad)
			g->tensors[x->grad].flags |= DS_TENSOR_ELSEWHERE;
	}
}

/* Gradients of weights that several stages use. */
static void sum_shared(stager *s)
{
	ds_graph *g = s->g;
	uint64_t bit = (uint64_t)1 << s->me;
	g->phase = DS_PHASE_OPT;
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		ds_tid grad = g->tensors[t].grad;
		uint64_t used = grad ? s->used[grad] : 0;
		if (!(used & bit) || !(used & ~bit))
			continue;
		int first = __builtin_ctzll(used), last = 63 - __builtin_clzll(used);
		ds_g_at(g, -1, "%s", g->tensors[t].name);
		if (__builtin_popcountll(used) > 2)
			ds_g_fail(g, "'%s' is used by more than two stages", g->tensors[t].name);
		ds_g_node(g, (ds_node){ .op = DS_OP_all_reduce,
				     .in = { grad },
				     .out = { grad },
				     .attr.comm.group = { ds_layout_at_stage(s->l, first),
					     (last - first) * s->l->tp, 2 } });
	}
}

/* ---- the pass ---- */

static void keep_own(stager *s)
{
	const ds_graph *g = s->g;
	for (int phase = 0; phase < DS_N_PHASES; phase++) {
		exchange(s, (ds_phase)phase, false);
		for (int32_t i = 0; i < g->n_nodes; i++) {
			const ds_node *n = &g->nodes[i];
			bool mine = n->phase == DS_PHASE_OPT ? s->used[n->in[0]] >> s->me & 1
							     : s->stage[i] == s->me;
			if ((int)n->phase == phase && mine)
				s->out[s->n_out++] = *n;
		}
		exchange(s, (ds_phase)phase, true);
	}
}

static int32_t parcels(const stager *s)
{
	int32_t n = 0;
	for (ds_tid t = 1; t < s->g->n_tensors; t++)
		n += __builtin_popcountll(s->wants[t]);
	return n;
}

ds_rc ds_pass_stage(ds_graph *g, const ds_compile *c, ds_err *e)
{
	stager s = { .g = g, .l = &c->layout, .me = ds_layout_stage(&c->layout) };
	size_t n = (size_t)g->n_tensors;
	if (c->layout.pp < 2)
		return DS_OK;
	for (int32_t i = 0; i < g->n_nodes; i++)
		s.n_layers = g->nodes[i].layer >= s.n_layers ? g->nodes[i].layer + 1 : s.n_layers;
	if (c->layout.pp > s.n_layers || c->layout.pp > MOST_STAGES)
		return ds_fail(e, DS_USAGE, "pp=%d: the model has %d layers, the limit is %d",
			c->layout.pp, s.n_layers, MOST_STAGES);
	s.stage = ds_arena_zero(g->mem, (size_t)(g->n_nodes + 1) * sizeof(int));
	s.made = ds_arena_get(g->mem, n * sizeof(int));
	s.phase = ds_arena_zero(g->mem, n);
	s.order = ds_arena_zero(g->mem, n * sizeof(int32_t));
	s.used = ds_arena_zero(g->mem, n * sizeof(uint64_t));
	s.wants = ds_arena_zero(g->mem, n * sizeof(uint64_t));
	memset(s.made, 0xff, n * sizeof(int));
	assign(&s);
	mark_uses(&s);
	mark_elsewhere(&s);
	int32_t cap = g->n_nodes + parcels(&s) + 1;
	s.out = ds_mem_get((size_t)cap * sizeof(ds_node));
	keep_own(&s);
	ds_g_nodes(g, s.out, s.n_out, cap);
	sum_shared(&s);
	return ds_graph_check(g, e);
}
