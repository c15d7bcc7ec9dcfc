/*
 * autodiff.c - appends the backward phase
 *
 * Walks the forward nodes from the last to the first and calls each op's gradient rule. A tensor's
 * gradient is complete when its writer is reached, since all readers come later in the list. Nothing
 * is made for what has no trainable parameter behind it, so frozen parts cost nothing.
 *
 * Slices of one tensor that cover it once, each with one reader, get their gradients as views of one
 * tensor: the readers write the whole gradient side by side and nothing is copied (q, k, v of GPT-2).
 */
#include "graph/op.h"

#include "base/mem.h"

ds_pass_fn ds_pass_autodiff;

struct ds_grad {
	ds_graph *g;
	int32_t n_forward; /* nodes that were there before */
	ds_tid n_tensors;  /* tensors that were there before */
	bool *needed;      /* [n_tensors] something trainable lies behind */
	ds_tid *of;        /* [n_tensors] gradient so far */
	ds_tid *parts;     /* [n_tensors] of a base: the gradient that slices write side by side */
	int32_t now;       /* the node being differentiated */
	ds_tid one;        /* the loss's own gradient, made when an op asks for it */
};

enum { ONE = -1 }; /* in `of`: the loss's own gradient, as long as no op has asked for it */

ds_graph *ds_grad_graph(ds_grad *c)
{
	return c->g;
}

bool ds_grad_needed(const ds_grad *c, ds_tid in)
{
	return in > 0 && in < c->n_tensors && c->needed[in];
}

ds_tid ds_grad_of(ds_grad *c, ds_tid out)
{
	if (out <= 0 || out >= c->n_tensors)
		return 0;
	if (c->of[out] == ONE) {
		const ds_tensor *t = &c->g->tensors[out];
		c->one = ds_g_const(c->g, "one", DS_F32, t->rank, t->dims, &(float){ 1 });
		c->of[out] = c->one;
	}
	return c->of[out];
}

bool ds_grad_is_one(const ds_grad *c, ds_tid out)
{
	ds_tid d = out > 0 && out < c->n_tensors ? c->of[out] : 0;
	return d == ONE || (d && d == c->one);
}

ds_tid ds_grad_take(ds_grad *c, ds_tid in)
{
	ds_tid had = ds_grad_of(c, in);
	if (had)
		c->of[in] = 0;
	return had;
}

void ds_grad_give(ds_grad *c, ds_tid in, ds_tid grad)
{
	if (!grad || !ds_grad_needed(c, in))
		return;
	ds_tid had = ds_grad_of(c, in);
	if (!had) {
		c->of[in] = grad;
		return;
	}
	const ds_node *sum = ds_g_node(c->g, (ds_node){ .op = DS_OP_add, .in = { had, grad } });
	c->of[in] = sum ? sum->out[0] : 0;
}

ds_tid ds_grad_param(ds_grad *c, ds_tid param)
{
	if (param <= 0)
		return 0;
	ds_graph *g = c->g;
	ds_tensor *p = &g->tensors[param];
	if (p->memory != DS_CLASS_PARAM || (p->flags & DS_TENSOR_FROZEN))
		return 0;
	if (!p->grad) {
		ds_shape s = { p->dtype, p->rank, { 0 } };
		for (int i = 0; i < p->rank; i++)
			s.dims[i] = p->dims[i];
		ds_str name = ds_arena_fmt(g->mem, "%s.grad", p->name);
		ds_tid t = ds_g_new(g, DS_CLASS_GRAD, &s, name.at);
		g->tensors[param].grad = t;
		if (t && g->tensors[param].flags & DS_TENSOR_SPREAD) {
			g->tensors[t].flags |= DS_TENSOR_SPREAD;
			g->tensors[t].part = g->tensors[param].part;
		}
	}
	return g->tensors[param].grad;
}

void ds_grad_replace(ds_grad *c, const ds_node *n, const ds_node *by)
{
	ds_node *at = &c->g->nodes[c->now];
	*at = *by;
	for (int i = 0; i < DS_MAX_OUT; i++) {
		if (at->out[i] < 0)
			at->out[i] = 0;
		else if (at->out[i] && c->g->tensors[at->out[i]].writer < 0)
			c->g->tensors[at->out[i]].writer = c->now;
	}
}

/* ---- slices that share ---- */

static bool is_view(const ds_node *n)
{
	return ds_op_of(n->op)->traits & DS_OP_VIEW;
}

static int readers(const ds_grad *c, ds_tid t)
{
	int n = 0;
	for (int32_t i = 0; i < c->n_forward; i++)
		for (int j = 0; j < DS_MAX_IN; j++)
			n += c->g->nodes[i].in[j] == t;
	return n;
}

/* Whether a slice, other than node `self`, has a column in common with [from, from + n) of base. */
static bool is_taken(const ds_grad *c, ds_tid base, int32_t self, const ds_slice_attr *a)
{
	for (int32_t i = 0; i < c->n_forward; i++) {
		const ds_node *n = &c->g->nodes[i];
		const ds_slice_attr *b = &n->attr.slice;
		if (i != self && is_view(n) && n->in[0] == base && a->from < b->from + b->n &&
			b->from < a->from + a->n)
			return true;
	}
	return false;
}

/* Whether base is read by slices only, which are read once each and cover its columns once. */
static bool is_covered(const ds_grad *c, ds_tid base)
{
	const ds_graph *g = c->g;
	int64_t covered = 0;
	for (int32_t i = 0; i < c->n_forward; i++)
		for (int j = 0; j < DS_MAX_IN; j++) {
			const ds_node *n = &g->nodes[i];
			if (n->in[j] != base)
				continue;
			if (!is_view(n) || readers(c, n->out[0]) != 1 ||
				is_taken(c, base, i, &n->attr.slice))
				return false;
			covered += n->attr.slice.n;
		}
	return covered == ds_t_cols(&g->tensors[base]);
}

ds_tid ds_grad_place(ds_grad *c, ds_tid in)
{
	ds_graph *g = c->g;
	if (!ds_grad_needed(c, in))
		return 0;
	int32_t w = g->tensors[in].writer;
	if (c->of[in] || w < 0 || !is_view(&g->nodes[w]))
		return 0;
	ds_tid base = g->nodes[w].in[0];
	if (g->tensors[base].base || !is_covered(c, base))
		return 0;
	if (!c->parts[base]) {
		const ds_tensor *b = &g->tensors[base];
		ds_shape s = { b->dtype, b->rank, { 0 } };
		for (int i = 0; i < b->rank; i++)
			s.dims[i] = b->dims[i];
		c->parts[base] = ds_g_new(g, DS_CLASS_ACT, &s, NULL);
	}
	return ds_g_view(g, c->parts[base], g->nodes[w].attr.slice.from, g->nodes[w].attr.slice.n);
}

/* True when the slice's gradient is where it belongs already. */
static bool slice_is_placed(ds_grad *c, const ds_node *n)
{
	ds_graph *g = c->g;
	ds_tid base = n->in[0], parts = c->parts[base], dy = ds_grad_of(c, n->out[0]);
	if (!parts)
		return false;
	bool there = dy && g->tensors[dy].base == parts;
	if (!there) { /* the other slices write theirs; nothing flows here */
		ds_tid view = ds_g_view(g, parts, n->attr.slice.from, n->attr.slice.n);
		ds_g_node(g, (ds_node){ .op = DS_OP_scale,
				     .in = { dy ? dy : n->out[0] },
				     .out = { view },
				     .attr.scale = dy ? 1 : 0 });
	}
	c->of[base] = parts;
	return true;
}

/* ---- the walk ---- */

static void find_needed(ds_grad *c)
{
	const ds_graph *g = c->g;
	for (ds_tid t = 1; t < c->n_tensors; t++)
		c->needed[t] = g->tensors[t].memory == DS_CLASS_PARAM &&
			       !(g->tensors[t].flags & DS_TENSOR_FROZEN);
	for (int32_t i = 0; i < c->n_forward; i++) {
		const ds_node *n = &g->nodes[i];
		bool any = false;
		for (int j = 0; j < DS_MAX_IN; j++)
			any |= n->in[j] > 0 && c->needed[n->in[j]];
		for (int j = 0; j < DS_MAX_OUT; j++)
			if (n->out[j] && any && ds_op_differentiable(ds_op_of(n->op)))
				c->needed[n->out[j]] = true;
	}
}

static void differentiate(ds_grad *c, int32_t i)
{
	ds_graph *g = c->g;
	ds_node n = g->nodes[i]; /* a copy: the array moves */
	bool flows = false, trainable = false;
	for (int j = 0; j < DS_MAX_OUT; j++)
		flows |= n.out[j] && c->of[n.out[j]] != 0;
	for (int j = 0; j < DS_MAX_IN; j++)
		trainable |= ds_grad_needed(c, n.in[j]);
	c->now = i;
	g->origin = n.origin;
	g->layer = n.layer;
	if (is_view(&n) && slice_is_placed(c, &n))
		return;
	if (flows && trainable)
		ds_op_of(n.op)->grad(c, &n);
}

/* A parameter that was used as plain input: its gradient is added to the others. */
static void gather_params(ds_grad *c)
{
	ds_graph *g = c->g;
	for (ds_tid t = 1; t < c->n_tensors; t++)
		if (g->tensors[t].memory == DS_CLASS_PARAM && c->of[t])
			ds_g_node(g, (ds_node){ .op = DS_OP_accum,
					     .in = { c->of[t] },
					     .out = { ds_grad_param(c, t) } });
}

ds_rc ds_pass_autodiff(ds_graph *g, const ds_compile *opt, ds_err *e)
{
	ds_arena *mem = g->mem;
	size_t n = (size_t)g->n_tensors;
	ds_grad c = { .g = g,
		.n_forward = g->n_nodes,
		.n_tensors = g->n_tensors,
		.needed = ds_arena_zero(mem, n * sizeof(bool)),
		.of = ds_arena_zero(mem, n * sizeof(ds_tid)),
		.parts = ds_arena_zero(mem, n * sizeof(ds_tid)) };
	if (!g->loss && !g->n_seeds)
		return ds_fail(e, DS_BAD, "the graph has no loss to train");
	find_needed(&c);
	g->phase = DS_PHASE_BWD;
	if (g->loss && c.needed[g->loss])
		c.of[g->loss] = ONE;
	for (int i = 0; i < g->n_seeds; i++)
		ds_grad_give(&c, g->seeds[i].of, g->seeds[i].seed);
	for (int32_t i = c.n_forward - 1; i >= 0 && g->rc == DS_OK; i--)
		differentiate(&c, i);
	gather_params(&c);
	return ds_graph_check(g, e);
}
