/*
 * onnx_experts.c - mixture of experts
 *
 * ONNX has no product of segments whose lengths are known when it runs. So every expert computes every token here, and
 * what a token's own did not give has the weight 0: experts / chosen times the work, the same numbers.
 *
 *	route      TopK of the scores (and of bias and groups): weights [batch, seq, k], ids
 *	permute    an axis for the experts and one for the product: [batch, seq, 1, 1, C]
 *	grouped    MatMul with [experts, C, out]: [batch, seq, experts, 1, out]
 *	unpermute  times weights that are 0 but for the chosen [batch, seq, experts, 1, 1], added up over the experts
 */
#include "onnx_walk.h"

enum { EXPERTS = 2, ROW = 3 }; /* axes */

/* Over one axis, which goes or stays as 1. */
static const char *reduce(onnx_walk *w, const char *x, int64_t axis, bool keep)
{
	const char *in[] = { x, onnx_const_is(w, &axis, 1) }, *out = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "ReduceSum", in, 2, &out, 1), "keepdims", keep);
	return out;
}

/* The k largest along the last axis; values may be NULL. */
static const char *top(onnx_walk *w, const char *x, int64_t k, const char **values)
{
	const char *in[] = { x, onnx_const_is(w, &k, 1) };
	const char *out[] = { onnx_fresh(w), onnx_fresh(w) };
	onnx_add(w->f, "TopK", in, 2, out, 2);
	if (values)
		*values = out[0];
	return out[1];
}

/* 1 where an index along a new last axis of n is among ids [.., k], else 0: [.., n] */
static const char *marked(onnx_walk *w, const char *ids, const char *values, int64_t n)
{
	static const float zero_one[] = { 0, 1 }; /* kept until the file is written */
	const int64_t two = 2;
	const char *range = onnx_fresh(w), *hot = onnx_fresh(w);
	onnx_weight(w->f, range, w->type, &two, 1, zero_one);
	const char *in[] = { ids, onnx_const_is(w, &n, 1), range };
	onnx_attr_i(onnx_add(w->f, "OneHot", in, 3, &hot, 1), "axis", -1);
	if (values)
		hot = onnx_2(w, "Mul", hot, onnx_unsqueeze(w, values, -1));
	return reduce(w, hot, -2, false);
}

/* What is compared, far below all else outside the best groups. */
static const char *within_groups(onnx_walk *w, const ds_route_attr *a, const char *x)
{
	const int64_t size = a->experts / a->groups;
	const int64_t split[] = { 0, 0, a->groups, size }, whole[] = { 0, 0, a->experts };
	const char *best, *parts = onnx_reshape(w, x, split, 4);
	top(w, parts, a->group_best < size ? a->group_best : size, &best);
	const char *ids = top(w, reduce(w, best, -1, false), a->top_groups, NULL);
	const char *open = onnx_unsqueeze(w, marked(w, ids, NULL, a->groups), -1);
	const char *far =
		onnx_times(w, onnx_plus(w, open, -1), 1e4); /* scores are of the size of 1 */
	return onnx_reshape(w, onnx_2(w, "Add", parts, far), whole, 3);
}

void onnx_op_route(onnx_walk *w, const ds_node *n)
{
	const ds_route_attr *a = &n->attr.route;
	const char *logits = onnx_name(w, n->in[0]), *scores = onnx_fresh(w), *choice;
	if (a->sigmoid)
		onnx_add(w->f, "Sigmoid", &logits, 1, &scores, 1);
	else
		onnx_attr_i(onnx_add(w->f, "Softmax", &logits, 1, &scores, 1), "axis", -1);
	choice = n->in[1] ? onnx_2(w, "Add", scores, onnx_name(w, n->in[1])) : scores;
	if (a->groups > 1)
		choice = within_groups(w, a, choice);
	const char *ids = top(w, choice, a->k, NULL);
	const char *in[] = { scores, ids }, *weights = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "GatherElements", in, 2, &weights, 1), "axis", -1);
	if (a->norm)
		weights = onnx_2(w, "Div", weights, reduce(w, weights, -1, true));
	if (a->scale != 1)
		weights = onnx_times(w, weights, (double)a->scale);
	onnx_is(w, weights, n->out[0]);
	onnx_is(w, ids, n->out[1]);
}

/* Nothing is sorted: the slots stand for the ids. */
void onnx_op_dispatch(onnx_walk *w, const ds_node *n)
{
	onnx_is(w, onnx_name(w, n->in[0]), n->out[0]);
}

void onnx_op_permute(onnx_walk *w, const ds_node *n)
{
	const int64_t axes[] = { EXPERTS, ROW };
	const char *to = onnx_const_is(w, axes, 2);
	onnx_is(w, onnx_2(w, "Unsqueeze", onnx_name(w, n->in[0]), to), n->out[0]);
}

void onnx_op_grouped(onnx_walk *w, const ds_node *n)
{
	const int64_t order[] = { 0, 2, 1 }, row = 1;
	const char *weight = onnx_permute(w, onnx_name(w, n->in[1]), order, 3);
	const char *y = onnx_2(w, "MatMul", onnx_name(w, n->in[0]), weight);
	if (n->in[3])
		y = onnx_2(w, "Add", y, onnx_unsqueeze(w, onnx_name(w, n->in[3]), row));
	onnx_is(w, y, n->out[0]);
}

void onnx_op_unpermute(onnx_walk *w, const ds_node *n)
{
	const ds_tensor *slots = ds_g_tensor(w->g, n->in[1]);
	const char *z = onnx_name(w, n->in[0]), *weights = onnx_name(w, n->in[2]);
	const int64_t axes[] = { EXPERTS, ROW }, behind[] = { -2, -1 };
	if (slots->memory == DS_CLASS_CONST) { /* every row is its own slot */
		onnx_is(w, onnx_2(w, "Mul", z, weights), n->out[0]);
		return;
	}
	int64_t experts = 0;
	for (int32_t i = 0; i < w->g->n_nodes; i++)
		if (w->g->nodes[i].op == DS_OP_dispatch && w->g->nodes[i].out[0] == n->in[1])
			experts = w->g->nodes[i].attr.route.experts;
	const char *by = marked(w, onnx_name(w, n->in[1]), weights, experts);
	by = onnx_2(w, "Unsqueeze", by, onnx_const_is(w, behind, 2));
	const char *in[] = { onnx_2(w, "Mul", z, by), onnx_const_is(w, axes, 2) },
		   *y = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "ReduceSum", in, 2, &y, 1), "keepdims", 0);
	onnx_is(w, y, n->out[0]);
}
