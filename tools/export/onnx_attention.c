/*
 * onnx_attention.c - attention and rotary positions, by opset 23's operators or out of elementary ones
 *
 * [batch, seq, heads * D] -> [batch, heads, seq, D]; scores, an additive mask (0 or a very negative number), softmax.
 * Grouped heads: each key head is gathered as often as queries share it. With a cache, keys and values follow those of
 * past_key_values and both together are given as present.
 */
#include "onnx_walk.h"

struct onnx_angles { /* cosine and sine */
	ds_tid positions, frequencies;
	float factor;
	const char *cosine, *sine;
	struct onnx_angles *next;
};

/* [batch, seq, heads * D] -> [batch, heads, seq, D] */
static const char *heads_first(onnx_walk *w, ds_tid t, int64_t heads, int64_t dim)
{
	const int64_t shape[] = { 0, 0, heads, dim }, perm[] = { 0, 2, 1, 3 };
	return onnx_permute(w, onnx_reshape(w, onnx_name(w, t), shape, 4), perm, 4);
}

/* Behind the past ones of its layer, which become the present ones. */
static const char *through_cache(onnx_walk *w, const ds_node *n, const char *what, const char *x)
{
	if (!w->kv_cache)
		return x;
	const char *in[] = { ds_arena_fmt(w->mem, "past_key_values.%d.%s", n->layer, what).at, x };
	const char *out = ds_arena_fmt(w->mem, "present.%d.%s", n->layer, what).at;
	onnx_attr_i(onnx_add(w->f, "Concat", in, 2, &out, 1), "axis", 2);
	return out;
}

/* Every head so many times. */
static const char *shared(onnx_walk *w, const char *x, int64_t heads, int64_t times)
{
	if (times == 1)
		return x;
	int64_t *which = ds_arena_get(w->mem, (size_t)(heads * times) * sizeof(*which));
	for (int64_t i = 0; i < heads * times; i++)
		which[i] = i / times;
	return onnx_gather(w, x, onnx_const_is(w, which, (size_t)(heads * times)), 1);
}

static const char *attend(
	onnx_walk *w, const ds_attention_attr *a, const char *q, const char *k, const char *v)
{
	const int64_t swap[] = { 0, 1, 3, 2 };
	int64_t times = a->heads / a->kv_heads;
	q = onnx_2(w, "Mul", q, onnx_const_f(w, a->scale));
	const char *s =
		onnx_2(w, "MatMul", q, onnx_permute(w, shared(w, k, a->kv_heads, times), swap, 4));
	const char *mask = onnx_mask_of(w, a, false);
	if (mask)
		s = onnx_2(w, "Add", s, mask);
	const char *p = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "Softmax", &s, 1, &p, 1), "axis", -1);
	return onnx_2(w, "MatMul", p, shared(w, v, a->kv_heads, times));
}

/* Opset 23's operator shares heads itself. */
static const char *attend_23(
	onnx_walk *w, const ds_attention_attr *a, const char *q, const char *k, const char *v)
{
	const char *in[] = { q, k, v, onnx_mask_of(w, a, true) }, *y = onnx_fresh(w);
	onnx_node *n = onnx_add(w->f, "Attention", in, in[3] ? 4 : 3, &y, 1);
	onnx_attr_f(n, "scale", a->scale);
	return y;
}

void onnx_op_attention(onnx_walk *w, const ds_node *n)
{
	const ds_attention_attr *a = &n->attr.attention;
	const int64_t back[] = { 0, 2, 1, 3 };
	const int64_t flat[] = { 0, 0, (int64_t)a->heads * a->head_dim };
	const char *q = heads_first(w, n->in[0], a->heads, a->head_dim);
	const char *k = heads_first(w, n->in[1], a->kv_heads, a->head_dim);
	const char *v = heads_first(w, n->in[2], a->kv_heads, a->head_dim);
	k = through_cache(w, n, "key", k);
	v = through_cache(w, n, "value", v);
	const char *y = onnx_opset(w->f) >= 23 ? attend_23(w, a, q, k, v) : attend(w, a, q, k, v);
	onnx_is(w, onnx_reshape(w, onnx_permute(w, y, back, 4), flat, 3), n->out[0]);
}

/* [batch or 1, seq, rot/2] of position times frequency; angles in f32, what comes of them in w->type. */
static const struct onnx_angles *angles_of(onnx_walk *w, const ds_node *n)
{
	float by = n->attr.rope.factor;
	struct onnx_angles *a = w->angles;
	for (; a; a = a->next)
		if (a->positions == n->in[1] && a->frequencies == n->in[2] && a->factor == by)
			return a;
	const char *pos = onnx_cast(w, onnx_name(w, n->in[1]), ONNX_FLOAT);
	const char *angle = onnx_2(w, "Mul", onnx_unsqueeze(w, pos, -1), onnx_name(w, n->in[2]));
	a = ds_arena_get(w->mem, sizeof(*a));
	*a = (struct onnx_angles){ n->in[1], n->in[2], by, NULL, NULL, w->angles };
	w->angles = a;
	const char **both[] = { &a->cosine, &a->sine };
	for (int i = 0; i < 2; i++) {
		const char *v = onnx_1(w, i ? "Sin" : "Cos", angle);
		if (by != 1)
			v = onnx_2(w, "Mul", v, onnx_const(w, ONNX_FLOAT, by));
		*both[i] = w->type == ONNX_FLOAT ? v : onnx_cast(w, v, w->type);
	}
	return a;
}

/* The last axis from `from` in steps of `step` before `to` */
static const char *part(onnx_walk *w, const char *x, int64_t from, int64_t to, int64_t step)
{
	const int64_t axis = -1;
	const char *in[] = { x, onnx_const_is(w, &from, 1), onnx_const_is(w, &to, 1),
		onnx_const_is(w, &axis, 1), onnx_const_is(w, &step, 1) };
	const char *out = onnx_fresh(w);
	onnx_add(w->f, "Slice", in, 5, &out, 1);
	return out;
}

/* x: [batch, seq, heads, D] */
static const char *rotate(onnx_walk *w, const ds_node *n, const char *x, int64_t heads)
{
	const ds_rope_attr *a = &n->attr.rope;
	const struct onnx_angles *t = angles_of(w, n);
	const char *cosine = onnx_unsqueeze(w, t->cosine, -2);
	const char *sine = onnx_unsqueeze(w, t->sine, -2);
	const int64_t pairs[] = { 0, 0, heads, a->rot }, half = a->rot / 2;
	const char *u = a->interleaved ? part(w, x, 0, a->rot, 2) : part(w, x, 0, half, 1);
	const char *v = a->interleaved ? part(w, x, 1, a->rot, 2) : part(w, x, half, a->rot, 1);
	const char *first = onnx_2(w, a->inverse ? "Add" : "Sub", onnx_2(w, "Mul", u, cosine),
		onnx_2(w, "Mul", v, sine));
	const char *second = onnx_2(w, a->inverse ? "Sub" : "Add", onnx_2(w, "Mul", v, cosine),
		onnx_2(w, "Mul", u, sine));
	if (a->interleaved) {
		first = onnx_unsqueeze(w, first, -1);
		second = onnx_unsqueeze(w, second, -1);
	}
	const char *y = onnx_concat(w, first, second, -1);
	if (a->interleaved)
		y = onnx_reshape(w, y, pairs, 4);
	return a->rot < a->head_dim ? onnx_concat(w, y, part(w, x, a->rot, a->head_dim, 1), -1) : y;
}

/* Opset 23's operator wants angles of every sequence. */
static const char *of_batch(onnx_walk *w, const char *angles)
{
	const int64_t axis = 0, size = 0, tail[] = { 1, 1 };
	const char *batch =
		onnx_gather(w, onnx_1(w, "Shape", "input_ids"), onnx_const_is(w, &size, 1), axis);
	batch = onnx_concat(w, batch, onnx_const_is(w, tail, 2), 0);
	return onnx_2(w, "Expand", angles, batch);
}

static const char *rotate_23(onnx_walk *w, const ds_node *n, int64_t heads)
{
	const ds_rope_attr *a = &n->attr.rope;
	const struct onnx_angles *t = angles_of(w, n);
	const char *sine = a->inverse ? onnx_1(w, "Neg", t->sine) : t->sine;
	const char *in[] = { onnx_name(w, n->in[0]), of_batch(w, t->cosine), of_batch(w, sine) };
	const char *y = onnx_fresh(w);
	onnx_node *node = onnx_add(w->f, "RotaryEmbedding", in, 3, &y, 1);
	onnx_attr_i(node, "num_heads", heads);
	onnx_attr_i(node, "interleaved", a->interleaved);
	if (a->rot < a->head_dim)
		onnx_attr_i(node, "rotary_embedding_dim", a->rot);
	return y;
}

void onnx_op_rope(onnx_walk *w, const ds_node *n)
{
	const ds_rope_attr *a = &n->attr.rope;
	int64_t cols = ds_t_cols(ds_g_tensor(w->g, n->in[0])), heads = cols / a->head_dim;
	const int64_t split[] = { 0, 0, heads, a->head_dim }, flat[] = { 0, 0, cols };
	if (onnx_opset(w->f) >= 23) {
		onnx_is(w, rotate_23(w, n, heads), n->out[0]);
		return;
	}
	const char *x = onnx_reshape(w, onnx_name(w, n->in[0]), split, 4);
	onnx_is(w, onnx_reshape(w, rotate(w, n, x, heads), flat, 3), n->out[0]);
}
