/*
 * onnx_image.c - pictures: patches of pixel_values, the row before them, and the state that stands for a whole text or picture
 */
#include "onnx_walk.h"

static const int32_t *constant(const onnx_walk *w, ds_tid t, int64_t *n)
{
	const ds_tensor *x = ds_g_tensor(w->g, t);
	*n = x->memory == DS_CLASS_CONST && x->dtype == DS_I32 ? ds_t_count(x) : 0;
	return x->data;
}

/* [batch, channels, height, width] -> [batch, patches, channels * size * size], as the graph takes them */
const char *onnx_patches(onnx_walk *w)
{
	const ds_config *c = w->image;
	int64_t p = c->patch_size, across = c->image_size / p;
	const int64_t cut[] = { 0, c->n_channels, across, p, across, p };
	const int64_t perm[] = { 0, 2, 4, 1, 3, 5 };
	const int64_t flat[] = { 0, across * across, c->n_channels * p * p };
	if (!w->patches) {
		const char *x = onnx_reshape(w, "pixel_values", cut, 6);
		w->patches = onnx_reshape(w, onnx_permute(w, x, perm, 6), flat, 3);
	}
	return w->patches;
}

/* Rows of a table by numbers that the graph has: all of its rows in order, or its one row and zeros behind it. */
const char *onnx_constant_rows(onnx_walk *w, ds_tid table, ds_tid ids)
{
	int64_t n;
	const int32_t *v = constant(w, ids, &n);
	if (!n)
		return NULL;
	if (n > 1 && v[1] < 0) {
		const int64_t pads[] = { 0, 0, n - 1, 0 };
		return onnx_2(w, "Pad", onnx_name(w, table), onnx_const_is(w, pads, 4));
	}
	int64_t *wide = ds_arena_get(w->mem, (size_t)n * sizeof(*wide));
	for (int64_t i = 0; i < n; i++)
		wide[i] = v[i];
	return onnx_rows_of(w, table, onnx_const_is(w, wide, (size_t)n));
}

/* Where a text ends, [batch, 1]: at its first eos; of the first published models, whose eos says something else, at the
 * largest id. */
static const char *ends(onnx_walk *w)
{
	enum { FIRST_CLIPS = 2 };
	const int64_t eos = w->eos;
	const char *ids = "input_ids", *at = onnx_fresh(w);
	if (eos != FIRST_CLIPS)
		ids = onnx_2(w, "Equal", ids, onnx_const_is(w, &eos, 1));
	ids = onnx_cast(w, ids, ONNX_INT32);
	onnx_node *n = onnx_add(w->f, "ArgMax", &ids, 1, &at, 1);
	onnx_attr_i(n, "axis", 1);
	onnx_attr_i(n, "keepdims", 1);
	return at;
}

void onnx_op_rows(onnx_walk *w, const ds_node *n)
{
	int64_t count;
	const int64_t first = 0, axis = 1, before[] = { 0, 1, 0, 0, 0, 0 };
	const int32_t *v = constant(w, n->in[1], &count);
	const char *x = onnx_name(w, n->in[0]), *y;
	if (w->b->ends && n->in[1] == w->b->ends) { /* the state of a text's end */
		const char *in[] = { x, ends(w) };
		y = onnx_fresh(w);
		onnx_attr_i(onnx_add(w->f, "GatherND", in, 2, &y, 1), "batch_dims", 1);
	} else if (count && v[0] < 0) { /* a row of zeros before the patches */
		y = onnx_2(w, "Pad", x, onnx_const_is(w, before, 6));
	} else { /* the first state of every sequence: [batch, seq, C] -> [batch, C] */
		y = onnx_gather(w, x, onnx_const_is(w, &first, 1), axis);
		y = onnx_2(w, "Squeeze", y, onnx_const_is(w, &axis, 1));
	}
	onnx_is(w, y, n->out[0]);
}
