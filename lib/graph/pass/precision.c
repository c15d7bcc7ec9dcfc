/*
 * precision.c - matrix products multiply in bf16 or fp16
 *
 * Every activation that is an operand of a linear layer, its gradients or the last layer is rounded by a
 * cast before the first product that takes it, once: forward and backward share what is rounded, so
 * that of an activation which only products read backward stays 16-bit. Attention stays one op,
 * whose kernel may round what it multiplies to bf16. Weights stay f32: where the backend says so
 * (ds_traits), a product rounds them while it packs them, which costs less than reading and writing a copy; else they
 * are cast too: in training once a step, into copies that all micro-batches on their way share. Where a backend's
 * kernels take activations in the products' type (ds_traits), what only such kernels
 * write and read is kept in it, and needs no cast. A node that is `exact` (a router) keeps its operands. Sums, everything else,
 * gradients of weights and the optimizer stay f32.
 */
#include "graph/op.h"

#include "base/mem.h"

ds_pass_fn ds_pass_precision;

typedef struct {
	ds_graph *g;
	ds_dtype type;
	bool train;
	ds_tid n_tensors;
	ds_tid *rounded; /* [n_tensors] */
	ds_node *out;
	int32_t n_out;
} state;

/* t rounded; appends the cast where this is the first to want it. */
static ds_tid rounded(state *s, const ds_node *n, ds_tid t)
{
	ds_graph *g = s->g;
	const ds_tensor *x = &g->tensors[t];
	if (s->rounded[t])
		return s->rounded[t];
	ds_shape shape = { s->type, x->rank, { 0 } };
	for (int i = 0; i < x->rank; i++)
		shape.dims[i] = x->dims[i];
	ds_str name = ds_arena_fmt(g->mem, "%s.%s", x->name, ds_dtype_name(s->type));
	bool weight = s->train && x->memory == DS_CLASS_PARAM;
	g->origin = n->origin;
	s->rounded[t] = ds_g_new(g, weight ? DS_CLASS_COPY : DS_CLASS_ACT, &shape, name.at);
	s->out[s->n_out++] = (ds_node){ .op = DS_OP_cast,
		.phase = n->phase,
		.layer = n->layer,
		.origin = n->origin,
		.in = { t },
		.out = { s->rounded[t] },
		.once = weight,
		.attr.cast = s->type };
	return s->rounded[t];
}

/* Every operand of n that the backend wants in f32 stays so, with all that shares its memory. */
static void keep_wide(const ds_graph *g, const ds_node *n, const ds_traits *traits, bool *wide)
{
	for (int i = 0; i < DS_MAX_IN + DS_MAX_OUT; i++) {
		ds_tid t = i < DS_MAX_IN ? n->in[i] : n->out[i - DS_MAX_IN];
		if (t && !traits->takes_halves(g, n, i))
			wide[ds_g_root(g, t)] = true;
	}
}

static void keep_in_halves(ds_graph *g, const ds_compile *c)
{
	bool *wide = ds_arena_zero(g->mem, (size_t)g->n_tensors);
	for (int32_t i = 0; i < g->n_nodes; i++)
		keep_wide(g, &g->nodes[i], c->traits, wide);
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		ds_tensor *x = &g->tensors[t];
		const ds_tensor *root = &g->tensors[ds_g_root(g, t)];
		bool inside = root->memory == DS_CLASS_ACT && !(root->flags & DS_TENSOR_KEEP) &&
			      !(x->flags & DS_TENSOR_KEEP);
		if (inside && !wide[root->id] && x->dtype == DS_F32)
			x->dtype = c->product;
	}
}

static bool is_product(const ds_node *n)
{
	return (ds_op_of(n->op)->traits & DS_OP_PRODUCT) && !n->exact;
}

ds_rc ds_pass_precision(ds_graph *g, const ds_compile *c, ds_err *e)
{
	for (int32_t i = 0; i < g->n_nodes; i++)
		g->nodes[i].bytes = c->bytes && is_product(&g->nodes[i]);
	if (c->product == DS_F32)
		return DS_OK;
	int32_t cap = 3 * g->n_nodes;
	state s = { g, c->product, c->train, g->n_tensors,
		ds_arena_zero(g->mem, (size_t)g->n_tensors * sizeof(ds_tid)),
		ds_mem_get((size_t)cap * sizeof(ds_node)), 0 };
	for (int32_t i = 0; i < g->n_nodes; i++)
		g->nodes[i].product = c->product;
	if (c->traits->takes_halves)
		keep_in_halves(g, c);
	for (int32_t i = 0; i < g->n_nodes; i++) {
		ds_node n = g->nodes[i];
		bool product = is_product(&n);
		for (int j = 0; j < 2 && product; j++)
			if (g->tensors[n.in[j]].dtype == DS_F32 &&
				(j == 0 || g->tensors[n.in[j]].memory != DS_CLASS_PARAM ||
					!c->traits->rounds_weights))
				n.in[j] = rounded(&s, &n, n.in[j]);
		s.out[s.n_out++] = n;
	}
	ds_g_nodes(g, s.out, s.n_out, cap);
	return ds_graph_check(g, e);
}
