/*
 * onnx_mask.c - where tokens are, and which of them a query sees
 *
 * With a cache the keys are those of the past and then the queries' own: query i is at position past + i of total.
 */
#include "onnx_walk.h"

#include <float.h>

struct onnx_mask {
	bool causal, as_bool;
	int32_t window;
	const char *name; /* NULL: nothing */
	struct onnx_mask *next;
};

/* A vector of one element as a scalar, which Range wants. */
static const char *scalar(onnx_walk *w, int64_t v)
{
	const int64_t zero = 0;
	return onnx_2(w, "Squeeze", onnx_const_is(w, &v, 1), onnx_const_is(w, &zero, 1));
}

static const char *size_of(onnx_walk *w, const char *x, int64_t axis)
{
	const int64_t zero = 0;
	const char *n = onnx_gather(w, onnx_1(w, "Shape", x), onnx_const_is(w, &axis, 1), 0);
	return onnx_2(w, "Squeeze", n, onnx_const_is(w, &zero, 1));
}

/* 0, 1, … seq - 1 */
static const char *range(onnx_walk *w)
{
	if (!w->range)
		w->range =
			onnx_3(w, "Range", scalar(w, 0), size_of(w, "input_ids", 1), scalar(w, 1));
	return w->range;
}

static const char *past(onnx_walk *w)
{
	if (!w->past)
		w->past = size_of(w, "past_key_values.0.key", 2);
	return w->past;
}

/* The positions of queries, [seq]. */
static const char *query(onnx_walk *w)
{
	if (!w->kv_cache)
		return range(w);
	if (!w->query)
		w->query = onnx_2(w, "Add", range(w), past(w));
	return w->query;
}

/* The positions of keys, [total]. */
static const char *keys(onnx_walk *w)
{
	if (!w->kv_cache)
		return range(w);
	if (!w->total)
		w->total = onnx_3(w, "Range", scalar(w, 0),
			onnx_2(w, "Add", past(w), size_of(w, "input_ids", 1)), scalar(w, 1));
	return w->total;
}

const char *onnx_positions(onnx_walk *w)
{
	if (!w->positions)
		w->positions = w->position_ids ? "position_ids" : query(w);
	return w->positions;
}

/* Which keys are seen: bool, [seq, total] or [batch, 1, seq or 1, total]; NULL: all. */
static const char *seen_by(onnx_walk *w, const ds_attention_attr *a)
{
	const char *seen = NULL;
	if (a->causal) {
		const char *q = onnx_unsqueeze(w, query(w), 1), *k = onnx_unsqueeze(w, keys(w), 0);
		seen = onnx_2(w, "LessOrEqual", k, q);
		if (a->window) {
			const int64_t window = a->window;
			const char *least = onnx_2(w, "Sub", q, onnx_const_is(w, &window, 1));
			seen = onnx_2(w, "And", seen, onnx_2(w, "Greater", k, least));
		}
	}
	if (w->attention_mask) {
		const int64_t axes[] = { 1, 2 };
		const char *given = onnx_cast(w, "attention_mask", ONNX_BOOL);
		given = onnx_2(w, "Unsqueeze", given, onnx_const_is(w, axes, 2));
		seen = seen ? onnx_2(w, "And", seen, given) : given;
	}
	return seen;
}

/* Far below any score, and finite after one was added: a query that sees nothing must not give NaN. */
static float lowest(onnx_type t)
{
	return t == ONNX_FLOAT16 ? -3e4f : -FLT_MAX;
}

static const char *make_mask(onnx_walk *w, const ds_attention_attr *a, bool as_bool)
{
	const char *seen = seen_by(w, a);
	if (seen && as_bool && !a->causal) { /* opset 23's Attention wants a row a query */
		const char *q = onnx_unsqueeze(w, query(w), 1);
		seen = onnx_2(w, "And", seen, onnx_2(w, "Equal", q, q));
	}
	if (!seen || as_bool)
		return seen;
	seen = onnx_3(w, "Where", seen, onnx_const(w, ONNX_FLOAT, 0),
		onnx_const(w, ONNX_FLOAT, lowest(w->type)));
	return w->type == ONNX_FLOAT ? seen : onnx_cast(w, seen, w->type);
}

const char *onnx_mask_of(onnx_walk *w, const ds_attention_attr *a, bool as_bool)
{
	if (w->image && !a->causal) /* all patches see one another */
		return NULL;
	for (struct onnx_mask *m = w->masks; m; m = m->next)
		if (m->causal == a->causal && m->window == a->window && m->as_bool == as_bool)
			return m->name;
	struct onnx_mask *m = ds_arena_get(w->mem, sizeof(*m));
	*m = (struct onnx_mask){ a->causal, as_bool, a->window, make_mask(w, a, as_bool),
		w->masks };
	w->masks = m;
	return m->name;
}
