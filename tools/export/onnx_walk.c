/*
 * onnx_walk.c - the table from op to ONNX, and what all lowerings use
 *
 * Only operators of opset 13 are used, but those that a later opset has for just this (LayerNormalization 17,
 * RMSNormalization, RotaryEmbedding and Attention 23); where a later opset moved an attribute into an input
 * (ReduceMean's axes, 18), both spellings are known.
 */
#include "onnx_walk.h"

/* An op that ops.def has and onnx.def has not: "'HAS_op' undeclared". Write its lowering, or why it needs none. */
enum {
#define LOWERED(op) HAS_##op,
#define INTERNAL(op, why) HAS_##op,
#include "graph/onnx.def"
#undef LOWERED
#undef INTERNAL
};
#define OP(op, ...) _Static_assert(HAS_##op >= 0, #op);
#include "graph/ops.def"
#undef OP

static onnx_lower *const lower[DS_N_OPS] = {
#define LOWERED(op) [DS_OP_##op] = onnx_op_##op,
#define INTERNAL(op, why) [DS_OP_##op] = NULL,
#include "graph/onnx.def"
#undef LOWERED
#undef INTERNAL
};

const char *onnx_fresh(onnx_walk *w)
{
	return ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
}

const char *onnx_1(onnx_walk *w, const char *op, const char *a)
{
	return onnx_3(w, op, a, NULL, NULL);
}

const char *onnx_2(onnx_walk *w, const char *op, const char *a, const char *b)
{
	return onnx_3(w, op, a, b, NULL);
}

const char *onnx_3(onnx_walk *w, const char *op, const char *a, const char *b, const char *c)
{
	const char *in[] = { a, b, c }, *out = onnx_fresh(w);
	onnx_add(w->f, op, in, c ? 3 : b ? 2 : 1, &out, 1);
	return out;
}

const char *onnx_cast(onnx_walk *w, const char *x, onnx_type to)
{
	const char *out = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "Cast", &x, 1, &out, 1), "to", to);
	return out;
}

const char *onnx_reshape(onnx_walk *w, const char *x, const int64_t *shape, size_t n)
{
	return onnx_2(w, "Reshape", x, onnx_const_is(w, shape, n));
}

const char *onnx_permute(onnx_walk *w, const char *x, const int64_t *perm, size_t n)
{
	const char *out = onnx_fresh(w);
	onnx_attr_is(onnx_add(w->f, "Transpose", &x, 1, &out, 1), "perm", perm, n);
	return out;
}

const char *onnx_unsqueeze(onnx_walk *w, const char *x, int64_t axis)
{
	return onnx_2(w, "Unsqueeze", x, onnx_const_is(w, &axis, 1));
}

const char *onnx_concat(onnx_walk *w, const char *a, const char *b, int64_t axis)
{
	const char *in[] = { a, b }, *out = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "Concat", in, 2, &out, 1), "axis", axis);
	return out;
}

const char *onnx_gather(onnx_walk *w, const char *x, const char *which, int64_t axis)
{
	const char *in[] = { x, which }, *out = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "Gather", in, 2, &out, 1), "axis", axis);
	return out;
}

const char *onnx_const(onnx_walk *w, onnx_type t, float v)
{
	const char *name = onnx_fresh(w);
	onnx_scalar(w->f, name, t, v);
	return name;
}

const char *onnx_const_f(onnx_walk *w, float v)
{
	return onnx_const(w, w->type, v);
}

const char *onnx_const_is(onnx_walk *w, const int64_t *v, size_t n)
{
	const char *name = onnx_fresh(w);
	onnx_i64s(w->f, name, v, n);
	return name;
}

const char *onnx_times(onnx_walk *w, const char *x, double by)
{
	return onnx_2(w, "Mul", x, onnx_const_f(w, (float)by));
}

const char *onnx_plus(onnx_walk *w, const char *x, double v)
{
	return onnx_2(w, "Add", x, onnx_const_f(w, (float)v));
}

const float *onnx_values(onnx_walk *w, ds_tid id)
{
	const void *values = ds_g_tensor(w->g, id)->data;
	if (!values && w->rc == DS_OK)
		w->rc = ds_exec_view(w->x, id, w->mem, &values, &w->err);
	return values;
}

const char *onnx_stored(
	onnx_walk *w, const char *name, const int64_t *dims, int rank, const float *values)
{
	onnx_weight(w->f, name, w->stored, dims, (size_t)rank, values);
	if (w->stored == w->type)
		return name;
	const char *out = ds_arena_fmt(w->mem, "%s.cast", name).at;
	onnx_attr_i(onnx_add(w->f, "Cast", &name, 1, &out, 1), "to", w->type);
	return out;
}

/* A weight or constant: added to the file when first asked for. */
static const char *leaf(onnx_walk *w, const ds_tensor *t)
{
	if (w->leaves[t->id])
		return w->leaves[t->id];
	const float *values = onnx_values(w, t->id);
	bool constant = t->memory == DS_CLASS_CONST; /* two towers may have one of the same name */
	w->leaves[t->id] = constant ? ds_arena_fmt(w->mem, "%s.%d", t->name, t->id).at : t->name;
	if (w->rc == DS_OK && constant)
		onnx_weight(w->f, w->leaves[t->id], ONNX_FLOAT, t->dims, (size_t)t->rank, values);
	else if (w->rc == DS_OK)
		w->leaves[t->id] = onnx_stored(w, t->name, t->dims, t->rank, values);
	return w->leaves[t->id];
}

/* Where they are no input, zeros of the shape of the ids. */
static const char *segments(onnx_walk *w)
{
	if (!w->types)
		w->types = w->token_type_ids ? "token_type_ids"
					     : onnx_2(w, "Sub", "input_ids", "input_ids");
	return w->types;
}

const char *onnx_name(onnx_walk *w, ds_tid id)
{
	const ds_tensor *t = ds_g_tensor(w->g, id);
	if (t->memory == DS_CLASS_PARAM || t->memory == DS_CLASS_CONST)
		return leaf(w, t);
	if (id == w->b->ids)
		return "input_ids";
	if (id == w->b->positions)
		return onnx_positions(w);
	if (w->image && id == w->b->pixels)
		return onnx_patches(w);
	if (w->pair && id == w->b->embeds[DS_TOWER_TEXT])
		return "text_embeds";
	if (w->pair && id == w->b->embeds[DS_TOWER_IMAGE])
		return "image_embeds";
	if (id == w->b->logits)
		return w->pair ? "logits_per_text" : "logits";
	if (w->trunk && id == w->b->hidden)
		return "last_hidden_state";
	if (w->b->segments && id == w->b->segments)
		return segments(w);
	return ds_arena_fmt(w->mem, "t%d", id).at;
}

void onnx_is(onnx_walk *w, const char *value, ds_tid t)
{
	const char *out = onnx_name(w, t);
	onnx_add(w->f, "Identity", &value, 1, &out, 1);
}

void onnx_cannot(onnx_walk *w, const ds_node *n, const char *why)
{
	if (w->rc == DS_OK)
		w->rc = ds_fail(&w->err, DS_BAD, "%s: %s", n->origin ? n->origin : "graph", why);
}

ds_rc onnx_walk_run(onnx_walk *w, ds_err *e)
{
	w->leaves = ds_arena_zero(w->mem, (size_t)w->g->n_tensors * sizeof(*w->leaves));
	for (int32_t i = 0; i < w->g->n_nodes && w->rc == DS_OK; i++) {
		const ds_node *n = &w->g->nodes[i];
		if (lower[n->op])
			lower[n->op](w, n);
		else
			onnx_cannot(w, n, "this op has no ONNX form");
	}
	return w->rc == DS_OK ? DS_OK : ds_fail(e, w->rc, "%s", w->err.msg);
}
