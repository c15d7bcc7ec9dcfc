/*
 * cut.c - tensor parallelism: matrices are sharded among ranks
 *
 * Walks the graph, forward and backward, and takes for every node one of the rules of ops.def that its inputs allow.
 * What a tensor is left as is its state: whole, cut along rows or columns, or everywhere a part of a sum. A sum is
 * completed by an all-reduce in front of the first node that needs it whole. Weights that one node reads are free: a
 * linear layer is cut along its outputs (column parallel) where all that reads it, through ops that work by columns or
 * heads, ends in layers that can be cut along their inputs (row parallel). So two collectives a block are left, one each
 * way, as Shoeybi et al. (2019) have them, and nothing else is ever gathered.
 *
 * A part of a sum that is optional (a bias, a gradient so far) is given by the first rank and left out by the others.
 * Columns that slices share out are cut within each slice. A gradient of a whole weight that ranks made parts of is
 * added up in front of the optimizer.
 */
#include "graph/op.h"
#include "graph/part.h"

#include "base/mem.h"

ds_pass_fn ds_pass_cut;

enum { UNKNOWN, WHOLE, CUT, PARTIAL };

typedef struct {
	uint8_t kind;
	int8_t axis; /* of CUT: 0 rows, 1 columns */
} state;

typedef struct {
	ds_graph *g;
	const ds_layout *l;
	int parts, me;
	ds_tid n_tensors;
	state *states;            /* [n_tensors] */
	uint8_t *leads;           /* [n_tensors] 0: not known yet, 1: yes, 2: no */
	int32_t *uses;            /* [n_tensors] forward nodes that read it */
	ds_tid *summed;           /* [n_tensors] the sum of a tensor of parts */
	ds_shard *rules;          /* [n_nodes] */
	const ds_part **parts_of; /* [n_tensors] */
	ds_node *out;
	int32_t n_out;
} cutter;

static const ds_tensor *tensor(const cutter *c, ds_tid t)
{
	return &c->g->tensors[t];
}

static bool is_free(const cutter *c, ds_tid t)
{
	return tensor(c, t)->memory == DS_CLASS_PARAM && c->states[t].kind == UNKNOWN;
}

static state state_of(const cutter *c, ds_tid t)
{
	state s = c->states[t];
	if (s.kind == UNKNOWN && tensor(c, t)->base)
		s = c->states[tensor(c, t)->base];
	return s.kind == UNKNOWN ? (state){ WHOLE, 0 } : s;
}

/* A vector is cut along what it has, as columns are. */
static state state_by(const cutter *c, const ds_node *n, ds_tid t, char letter)
{
	int axis = ds_shard_axis(n, letter);
	if (letter == DS_SHARD_PARTIAL)
		return (state){ PARTIAL, 0 };
	if (axis < 0)
		return (state){ WHOLE, 0 };
	return (state){ CUT, tensor(c, t)->rank == 1 ? 1 : (int8_t)axis };
}

static bool same(state a, state b)
{
	return a.kind == b.kind && (a.kind != CUT || a.axis == b.axis);
}

/* ---- does all that reads a tensor go on with its columns, until a layer takes them? ---- */

static bool leads_to_taker(cutter *c, ds_tid t);

static bool goes_on(cutter *c, const ds_node *n, int input)
{
	const char *rules = ds_op_of(n->op)->shards;
	ds_shard s;
	if (ds_op_of(n->op)->traits & DS_OP_VIEW)
		return leads_to_taker(c, n->out[0]);
	while (ds_shard_next(&rules, &s)) {
		char in = s.in[input], out = s.out[0];
		if (ds_shard_axis(n, in) != 1 || !ds_shard_fits(c->g, n, &s, c->parts))
			continue;
		if (out == DS_SHARD_PARTIAL && input == 0)
			return true;
		if (ds_shard_axis(n, out) == 1)
			return leads_to_taker(c, n->out[0]);
	}
	return false;
}

static bool leads_to_taker(cutter *c, ds_tid t)
{
	const ds_graph *g = c->g;
	if (c->leads[t])
		return c->leads[t] == 1;
	bool yes = !(tensor(c, t)->flags & DS_TENSOR_KEEP), read = false;
	for (int32_t i = 0; i < g->n_nodes && g->nodes[i].phase == DS_PHASE_FWD && yes; i++)
		for (int j = 0; j < DS_MAX_IN; j++)
			if (g->nodes[i].in[j] == t) {
				read = true;
				yes = yes && goes_on(c, &g->nodes[i], j);
			}
	c->leads[t] = yes && read ? 1 : 2;
	return yes && read;
}

/* ---- choosing ---- */

/* What it would cost to take an input so: -1 it cannot be, 0 nothing, 1 an all-reduce. */
static int price(const cutter *c, const ds_node *n, int i, char letter)
{
	ds_tid t = n->in[i];
	if (!t)
		return 0;
	state want = state_by(c, n, t, letter), have = state_of(c, t);
	if (is_free(c, t)) /* a bias stays whole, and one rank adds it */
		return want.kind == CUT && c->uses[t] > 1 ? -1 : 0;
	if (same(want, have))
		return 0;
	if (want.kind == PARTIAL && have.kind == WHOLE && i >= 2)
		return 0;
	return want.kind == WHOLE && have.kind == PARTIAL ? 1 : -1;
}

static int price_all(const cutter *c, const ds_node *n, const ds_shard *s)
{
	int sum = 0;
	for (int i = 0; i < DS_MAX_IN; i++) {
		int p = price(c, n, i, s->in[i]);
		if (p < 0)
			return -1;
		sum += p;
	}
	return sum;
}

static bool has_free(const cutter *c, const ds_node *n)
{
	for (int i = 0; i < DS_MAX_IN; i++)
		if (n->in[i] && is_free(c, n->in[i]))
			return true;
	return false;
}

/* A free weight is cut along what it gives only where its columns lead somewhere. */
static bool is_wanted(cutter *c, const ds_node *n, const ds_shard *s)
{
	bool cuts = false, takes = false;
	for (int i = 0; i < DS_MAX_IN; i++) {
		if (n->in[i] && is_free(c, n->in[i]))
			cuts |= ds_shard_axis(n, s->in[i]) >= 0;
		else if (n->in[i])
			takes |= state_by(c, n, n->in[i], s->in[i]).kind == CUT;
	}
	return !cuts || takes || leads_to_taker(c, n->out[0]);
}

static const ds_shard whole_rule = { { 0 }, { 0 } };

static ds_rc choose(cutter *c, const ds_node *n, ds_shard *best, ds_err *e)
{
	const char *rules = ds_op_of(n->op)->shards;
	ds_shard s;
	int least = price_all(c, n, &whole_rule);
	bool free = has_free(c, n);
	*best = whole_rule;
	while (ds_shard_next(&rules, &s)) {
		if (!ds_shard_fits(c->g, n, &s, c->parts))
			continue;
		int p = price_all(c, n, &s);
		bool better = p >= 0 && (least < 0 || p < least || (free && p == least));
		if (!better || !is_wanted(c, n, &s))
			continue;
		*best = s;
		least = p;
		free = false; /* the first that cuts */
	}
	if (least >= 0)
		return DS_OK;
	return ds_fail(e, DS_USAGE, "%s: %s cannot be cut in %d", n->origin, ds_op_of(n->op)->name,
		c->parts);
}

/* Slices of a cut tensor are cut, each within itself. */
static void decide_view(cutter *c, const ds_node *n)
{
	c->states[n->out[0]] = state_of(c, n->in[0]);
}

static void decide(cutter *c, const ds_node *n, const ds_shard *s)
{
	ds_graph *g = c->g;
	for (int i = 0; i < DS_MAX_IN; i++)
		if (n->in[i] && is_free(c, n->in[i])) {
			state to = state_by(c, n, n->in[i], s->in[i]);
			c->states[n->in[i]] = to.kind == PARTIAL ? (state){ WHOLE, 0 } : to;
		}
	for (int i = 0; i < DS_MAX_OUT; i++) {
		if (!n->out[i])
			continue;
		state to = state_by(c, n, n->out[i], s->out[i]);
		c->states[n->out[i]] = to;
		if (g->tensors[n->out[i]].base)
			c->states[g->tensors[n->out[i]].base] = to;
	}
}

static ds_rc decide_all(cutter *c, ds_err *e)
{
	ds_graph *g = c->g;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		if (ds_op_of(n->op)->traits & DS_OP_VIEW) {
			decide_view(c, n);
			continue;
		}
		DS_TRY(choose(c, n, &c->rules[i], e));
		decide(c, n, &c->rules[i]);
	}
	return DS_OK;
}

/* ---- parts ---- */

static ds_span my_span(const cutter *c, int64_t from, int64_t n)
{
	int64_t lo = n * c->me / c->parts, hi = n * (c->me + 1) / c->parts;
	return (ds_span){ from + lo, hi - lo };
}

/* Columns of t as its views share them out, in their order; all of them where there are none. */
static int pieces(const cutter *c, ds_tid t, ds_span out[DS_MAX_SPANS])
{
	const ds_graph *g = c->g;
	int64_t cols = ds_t_cols(tensor(c, t));
	int n = 0;
	for (int64_t at = 0; at < cols && n < DS_MAX_SPANS;) {
		ds_tid v = 1;
		while (v < c->n_tensors && !(g->tensors[v].base == t && g->tensors[v].offset == at))
			v++;
		if (v == c->n_tensors)
			break;
		out[n++] = (ds_span){ at, ds_t_cols(&g->tensors[v]) };
		at += out[n - 1].n;
	}
	int64_t covered = n ? out[n - 1].from + out[n - 1].n : 0;
	if (covered != cols) {
		out[0] = (ds_span){ 0, cols };
		n = 1;
	}
	return n;
}

static const ds_part *make_part(cutter *c, ds_tid t, int axis, const ds_span *cut, int n)
{
	const ds_tensor *x = tensor(c, t);
	ds_part *p = ds_arena_zero(c->g->mem, sizeof(*p));
	p->rank = x->rank;
	memcpy(p->dims, x->dims, sizeof(p->dims));
	for (int i = 0; i < n; i++)
		(axis ? p->cols : p->rows)[i] = my_span(c, cut[i].from, cut[i].n);
	*(axis ? &p->n_cols : &p->n_rows) = n;
	return p;
}

/* Of the weights and biases of a forward node: cut as what it takes and gives is. */
static void part_params(cutter *c, const ds_node *n, const ds_shard *s)
{
	for (int i = 0; i < DS_MAX_IN; i++) {
		ds_tid t = n->in[i];
		if (!t || tensor(c, t)->memory != DS_CLASS_PARAM || c->parts_of[t] ||
			c->states[t].kind != CUT)
			continue;
		ds_span cut[DS_MAX_SPANS];
		ds_tid like = s->in[i] == DS_SHARD_TAKEN ? n->in[0] : n->out[0];
		int k = pieces(c, like, cut);
		c->parts_of[t] = make_part(c, t, c->states[t].axis, cut, k);
		if (tensor(c, t)->grad)
			c->parts_of[tensor(c, t)->grad] = c->parts_of[t];
	}
}

/* ---- the part of the graph ---- */

/* How many columns of its root lie before a view in this rank's part. */
static int64_t local_offset(const cutter *c, ds_tid root, int64_t offset)
{
	ds_span cut[DS_MAX_SPANS];
	int64_t at = 0;
	for (int i = 0, n = pieces(c, root, cut); i < n && cut[i].from < offset; i++)
		at += my_span(c, 0, cut[i].n).n;
	return at;
}

static int64_t local_cols(const cutter *c, ds_tid t)
{
	ds_span cut[DS_MAX_SPANS];
	int64_t sum = 0;
	for (int i = 0, n = pieces(c, t, cut); i < n; i++)
		sum += my_span(c, 0, cut[i].n).n;
	return sum;
}

typedef struct {
	int64_t dims[DS_MAX_RANK], offset;
} place;

static place place_of(const cutter *c, ds_tid t)
{
	const ds_tensor *x = tensor(c, t);
	const ds_part *p = c->parts_of[t];
	state s = state_of(c, t);
	place at = { .offset = x->offset };
	memcpy(at.dims, x->dims, sizeof(at.dims));
	if (s.kind != CUT)
		return at;
	if (s.axis == 0) /* all dimensions but the last are rows: the first is cut */
		at.dims[0] = p ? ds_part_count(p) / (ds_t_count(x) / x->dims[0])
			       : my_span(c, 0, x->dims[0]).n;
	else
		at.dims[x->rank - 1] =
			p ? ds_part_count(p) / (ds_t_count(x) / ds_t_cols(x)) : local_cols(c, t);
	if (x->base)
		at.offset = local_offset(c, x->base, x->offset);
	return at;
}

static void cut_tensors(cutter *c)
{
	place *at = DS_NEW(place, (size_t)c->n_tensors);
	for (ds_tid t = 1; t < c->n_tensors; t++)
		at[t] = place_of(c, t);
	for (ds_tid t = 1; t < c->n_tensors; t++) {
		ds_tensor *x = &c->g->tensors[t];
		memcpy(x->dims, at[t].dims, sizeof(x->dims));
		x->offset = at[t].offset;
		x->ld = ds_t_cols(x);
		if (c->parts_of[t])
			x->part = c->parts_of[t];
	}
	for (ds_tid t = 1; t < c->n_tensors; t++)
		if (c->g->tensors[t].base)
			c->g->tensors[t].ld = c->g->tensors[c->g->tensors[t].base].ld;
	ds_mem_free(at);
}

/* The sum of t, made where it is needed first. */
static ds_tid sum_of(cutter *c, const ds_node *n, ds_tid t)
{
	ds_graph *g = c->g;
	if (c->summed[t])
		return c->summed[t];
	ds_tensor x = g->tensors[t]; /* a copy: the array moves */
	ds_shape s = { x.dtype, x.rank, { 0 } };
	memcpy(s.dims, x.dims, sizeof(s.dims));
	g->origin = n->origin;
	ds_tid sum = ds_g_new(g, DS_CLASS_ACT, &s, ds_arena_fmt(g->mem, "%s.sum", x.name).at);
	c->summed[t] = sum;
	c->out[c->n_out++] = (ds_node){ .op = DS_OP_all_reduce,
		.phase = n->phase,
		.layer = n->layer,
		.origin = n->origin,
		.in = { t },
		.out = { sum },
		.attr.comm.group = ds_layout_cuts(c->l) };
	return sum;
}

static void cut_node(cutter *c, int32_t i)
{
	ds_node n = c->g->nodes[i];
	const ds_shard *s = &c->rules[i];
	if (ds_op_of(n.op)->traits & DS_OP_VIEW) {
		n.attr.slice.n = ds_t_cols(tensor(c, n.out[0]));
		n.attr.slice.from = tensor(c, n.out[0])->offset - tensor(c, n.in[0])->offset;
	} else {
		ds_shard_attr(&n, s, c->parts, c->me);
	}
	for (int j = 0; j < DS_MAX_IN; j++) {
		if (!n.in[j] || (ds_op_of(n.op)->traits & DS_OP_VIEW))
			continue;
		state have = state_of(c, n.in[j]), want = state_by(c, &n, n.in[j], s->in[j]);
		if (have.kind == PARTIAL && want.kind == WHOLE)
			n.in[j] = sum_of(c, &n, n.in[j]);
		else if (have.kind == WHOLE && want.kind == PARTIAL && c->me > 0)
			n.in[j] = 0;
	}
	c->out[c->n_out++] = n;
}

/* Gradients of whole weights that came out in parts. */
static void sum_gradients(cutter *c)
{
	ds_graph *g = c->g;
	g->phase = DS_PHASE_OPT;
	for (ds_tid t = 1; t < c->n_tensors; t++) {
		ds_tid grad = g->tensors[t].grad;
		if (!grad || c->states[grad].kind != PARTIAL)
			continue;
		ds_g_at(g, -1, "%s", g->tensors[t].name);
		ds_g_node(g, (ds_node){ .op = DS_OP_all_reduce,
				     .in = { grad },
				     .out = { grad },
				     .attr.comm.group = ds_layout_cuts(c->l) });
	}
}

static void survey(cutter *c)
{
	ds_graph *g = c->g;
	size_t n = (size_t)g->n_tensors;
	c->states = ds_arena_zero(g->mem, n * sizeof(state));
	c->leads = ds_arena_zero(g->mem, n);
	c->uses = ds_arena_zero(g->mem, n * sizeof(int32_t));
	c->summed = ds_arena_zero(g->mem, n * sizeof(ds_tid));
	c->parts_of = ds_arena_zero(g->mem, n * sizeof(ds_part *));
	c->rules = ds_arena_zero(g->mem, (size_t)g->n_nodes * sizeof(ds_shard));
	for (int32_t i = 0; i < g->n_nodes; i++)
		for (int j = 0; j < DS_MAX_IN && g->nodes[i].phase == DS_PHASE_FWD; j++)
			c->uses[g->nodes[i].in[j]]++;
}

ds_rc ds_pass_cut(ds_graph *g, const ds_compile *opt, ds_err *e)
{
	const ds_layout *l = &opt->layout;
	cutter c = {
		.g = g, .l = l, .parts = l->tp, .me = ds_layout_cut(l), .n_tensors = g->n_tensors
	};
	if (l->tp < 2)
		return DS_OK;
	survey(&c);
	DS_TRY(decide_all(&c, e));
	for (int32_t i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].phase == DS_PHASE_FWD)
			part_params(&c, &g->nodes[i], &c.rules[i]);
	cut_tensors(&c);
	int32_t cap = 4 * g->n_nodes;
	c.out = ds_mem_get((size_t)cap * sizeof(ds_node));
	for (int32_t i = 0; i < g->n_nodes; i++)
		cut_node(&c, i);
	ds_g_nodes(g, c.out, c.n_out, cap);
	sum_gradients(&c);
	return ds_graph_check(g, e);
}
