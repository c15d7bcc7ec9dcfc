/*
 * onnx_attention.c - attention and rotary positions out of elementary operators
 *
 * [batch, seq, heads * D] -> [batch, heads, seq, D]; scores, a mask of zeros and very negative numbers, softmax.
 * Grouped heads: each key head is gathered as often as queries share it.
 */
#include "onnx_walk.h"

#include <float.h>

struct onnx_mask { /* what is added to scores [batch, heads, seq, seq] */
	bool causal;
	int32_t window;
	const char *name; /* NULL: nothing */
	struct onnx_mask *next;
};

struct onnx_angles { /* [batch or nothing, seq, 1, rot/2] */
	ds_tid positions, frequencies;
	float factor;
	const char *cosine, *sine;
	struct onnx_angles *next;
};

static const char *reshape(onnx_walk *w, const char *x, const int64_t *shape, size_t n)
{
	return onnx_2(w, "Reshape", x, onnx_const_is(w, shape, n));
}

static const char *permute(onnx_walk *w, const char *x, const int64_t perm[4])
{
	const char *out = ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
	onnx_attr_is(onnx_add(w->f, "Transpose", &x, 1, &out, 1), "perm", perm, 4);
	return out;
}

static const char *unsqueeze(onnx_walk *w, const char *x, int64_t axis)
{
	return onnx_2(w, "Unsqueeze", x, onnx_const_is(w, &axis, 1));
}

static const char *cast(onnx_walk *w, const char *x, onnx_type to)
{
	const char *out = ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
	onnx_attr_i(onnx_add(w->f, "Cast", &x, 1, &out, 1), "to", to);
	return out;
}

/* A vector of one element as a scalar, which Range wants. */
static const char *scalar(onnx_walk *w, int64_t v)
{
	const int64_t zero = 0;
	return onnx_2(w, "Squeeze", onnx_const_is(w, &v, 1), onnx_const_is(w, &zero, 1));
}

/* 0, 1, … seq - 1 */
static const char *range(onnx_walk *w)
{
	if (!w->range) {
		const int64_t one = 1, zero = 0;
		const char *seq = onnx_2(
			w, "Gather", onnx_1(w, "Shape", "input_ids"), onnx_const_is(w, &one, 1));
		seq = onnx_2(w, "Squeeze", seq, onnx_const_is(w, &zero, 1));
		w->range = onnx_3(w, "Range", scalar(w, 0), seq, scalar(w, 1));
	}
	return w->range;
}

const char *onnx_positions(onnx_walk *w)
{
	if (!w->positions)
		w->positions = w->position_ids ? "position_ids" : range(w);
	return w->positions;
}

static const char *make_mask(onnx_walk *w, const ds_attention_attr *a)
{
	const char *seen = NULL;
	if (a->causal) {
		const char *query = unsqueeze(w, range(w), 1), *key = unsqueeze(w, range(w), 0);
		seen = onnx_2(w, "LessOrEqual", key, query);
		if (a->window) {
			const int64_t window = a->window;
			const char *least = onnx_2(w, "Sub", query, onnx_const_is(w, &window, 1));
			seen = onnx_2(w, "And", seen, onnx_2(w, "Greater", key, least));
		}
	}
	if (w->attention_mask) {
		const int64_t axes[] = { 1, 2 };
		const char *given = cast(w, "attention_mask", ONNX_BOOL);
		given = onnx_2(w, "Unsqueeze", given, onnx_const_is(w, axes, 2));
		seen = seen ? onnx_2(w, "And", seen, given) : given;
	}
	return seen ? onnx_3(w, "Where", seen, onnx_const_f(w, 0), onnx_const_f(w, -FLT_MAX))
		    : NULL;
}

static const char *mask_of(onnx_walk *w, const ds_attention_attr *a)
{
	for (struct onnx_mask *m = w->masks; m; m = m->next)
		if (m->causal == a->causal && m->window == a->window)
			return m->name;
	struct onnx_mask *m = ds_arena_get(w->mem, sizeof(*m));
	*m = (struct onnx_mask){ a->causal, a->window, make_mask(w, a), w->masks };
	w->masks = m;
	return m->name;
}

/* [batch, seq, heads * D] -> [batch, heads, seq, D], each head `times` times */
static const char *heads_first(onnx_walk *w, ds_tid t, int64_t heads, int64_t dim, int64_t times)
{
	const int64_t shape[] = { 0, 0, heads, dim }, perm[] = { 0, 2, 1, 3 };
	const char *x = permute(w, reshape(w, onnx_name(w, t), shape, 4), perm);
	if (times == 1)
		return x;
	int64_t *which = ds_arena_get(w->mem, (size_t)(heads * times) * sizeof(*which));
	for (int64_t i = 0; i < heads * times; i++)
		which[i] = i / times;
	const char *in[] = { x, onnx_const_is(w, which, (size_t)(heads * times)) };
	const char *out = ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
	onnx_attr_i(onnx_add(w->f, "Gather", in, 2, &out, 1), "axis", 1);
	return out;
}

void onnx_attention(onnx_walk *w, const ds_node *n)
{
	const ds_attention_attr *a = &n->attr.attention;
	const int64_t swap[] = { 0, 1, 3, 2 }, back[] = { 0, 2, 1, 3 };
	const int64_t flat[] = { 0, 0, (int64_t)a->heads * a->head_dim };
	int64_t times = a->heads / a->kv_heads;
	const char *q = heads_first(w, n->in[0], a->heads, a->head_dim, 1);
	const char *k = heads_first(w, n->in[1], a->kv_heads, a->head_dim, times);
	const char *v = heads_first(w, n->in[2], a->kv_heads, a->head_dim, times);
	q = onnx_2(w, "Mul", q, onnx_const_f(w, a->scale));
	const char *s = onnx_2(w, "MatMul", q, permute(w, k, swap));
	const char *mask = mask_of(w, a);
	if (mask)
		s = onnx_2(w, "Add", s, mask);
	const char *p = ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
	onnx_attr_i(onnx_add(w->f, "Softmax", &s, 1, &p, 1), "axis", -1);
	const char *y = permute(w, onnx_2(w, "MatMul", p, v), back);
	onnx_is(w, reshape(w, y, flat, 3), n->out[0]);
}

/* Cosine and sine of position times frequency. */
static const struct onnx_angles *angles_of(onnx_walk *w, const ds_node *n)
{
	float by = n->attr.rope.factor;
	struct onnx_angles *a = w->angles;
	for (; a; a = a->next)
		if (a->positions == n->in[1] && a->frequencies == n->in[2] && a->factor == by)
			return a;
	const char *pos = unsqueeze(w, cast(w, onnx_name(w, n->in[1]), ONNX_FLOAT), -1);
	const char *angle = unsqueeze(w, onnx_2(w, "Mul", pos, onnx_name(w, n->in[2])), -2);
	a = ds_arena_get(w->mem, sizeof(*a));
	*a = (struct onnx_angles){ n->in[1], n->in[2], by, NULL, NULL, w->angles };
	w->angles = a;
	a->cosine = onnx_1(w, "Cos", angle);
	a->sine = onnx_1(w, "Sin", angle);
	if (by != 1) {
		const char *factor = onnx_const_f(w, by);
		a->cosine = onnx_2(w, "Mul", a->cosine, factor);
		a->sine = onnx_2(w, "Mul", a->sine, factor);
	}
	return a;
}

/* The last axis from `from` in steps of `step` before `to` */
static const char *part(onnx_walk *w, const char *x, int64_t from, int64_t to, int64_t step)
{
	const int64_t axis = -1;
	const char *in[] = { x, onnx_const_is(w, &from, 1), onnx_const_is(w, &to, 1),
		onnx_const_is(w, &axis, 1), onnx_const_is(w, &step, 1) };
	const char *out = ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
	onnx_add(w->f, "Slice", in, 5, &out, 1);
	return out;
}

void onnx_rope(onnx_walk *w, const ds_node *n)
{
	const ds_rope_attr *a = &n->attr.rope;
	int64_t cols = ds_t_cols(ds_g_tensor(w->g, n->in[0])), half = a->rot / 2;
	const int64_t split[] = { 0, 0, cols / a->head_dim, a->head_dim }, flat[] = { 0, 0, cols };
	const int64_t pairs[] = { 0, 0, cols / a->head_dim, a->rot };
	const struct onnx_angles *t = angles_of(w, n);
	const char *x = reshape(w, onnx_name(w, n->in[0]), split, 4);
	const char *u = a->interleaved ? part(w, x, 0, a->rot, 2) : part(w, x, 0, half, 1);
	const char *v = a->interleaved ? part(w, x, 1, a->rot, 2) : part(w, x, half, a->rot, 1);
	const char *first = onnx_2(w, a->inverse ? "Add" : "Sub", onnx_2(w, "Mul", u, t->cosine),
		onnx_2(w, "Mul", v, t->sine));
	const char *second = onnx_2(w, a->inverse ? "Sub" : "Add", onnx_2(w, "Mul", v, t->cosine),
		onnx_2(w, "Mul", u, t->sine));
	if (a->interleaved) {
		first = unsqueeze(w, first, -1);
		second = unsqueeze(w, second, -1);
	}
	const char *in[] = { first, second, NULL };
	const char *y = ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
	onnx_attr_i(onnx_add(w->f, "Concat", in, 2, &y, 1), "axis", -1);
	if (a->interleaved)
		y = reshape(w, y, pairs, 4);
	if (a->rot < a->head_dim) {
		in[0] = y;
		in[1] = part(w, x, a->rot, a->head_dim, 1);
		y = ds_arena_fmt(w->mem, "v%d", w->n_names++).at;
		onnx_attr_i(onnx_add(w->f, "Concat", in, 2, &y, 1), "axis", -1);
	}
	onnx_is(w, reshape(w, y, flat, 3), n->out[0]);
}
