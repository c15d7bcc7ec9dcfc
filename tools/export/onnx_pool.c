/*
 * onnx_pool.c - a sequence's vector: the mean of its states, of length 1, and BERT's pooler
 *
 * The mean is taken and given in f32.
 */
#include "onnx_walk.h"

/* A node whose second input is axes, kept as axes of size 1 or (keep 0) dropped. */
static const char *sum_over(onnx_walk *w, const char *x, int64_t axis, int64_t keep)
{
	const char *in[] = { x, onnx_const_is(w, &axis, 1) };
	const char *out = onnx_fresh(w);
	onnx_attr_i(onnx_add(w->f, "ReduceSum", in, 2, &out, 1), "keepdims", keep);
	return out;
}

static void mean(onnx_walk *w)
{
	const char *x = "last_hidden_state", *out = "sentence_embedding";
	if (w->type != ONNX_FLOAT)
		x = onnx_cast(w, x, ONNX_FLOAT);
	const char *real =
		w->attention_mask ? "attention_mask" : onnx_2(w, "Equal", "input_ids", "input_ids");
	real = onnx_unsqueeze(w, onnx_cast(w, real, ONNX_FLOAT), -1);
	x = sum_over(w, onnx_2(w, "Mul", x, real), 1, 0);
	x = onnx_2(w, "Div", x, sum_over(w, real, 1, 0));
	const char *in[] = { x, onnx_1(w, "Sqrt", sum_over(w, onnx_2(w, "Mul", x, x), -1, 1)) };
	onnx_add(w->f, "Div", in, 2, &out, 1);
}

/* A stored tensor of the pooler as a weight of the file; NULL: it has none. */
static ds_rc weight(onnx_walk *w, const ds_model *m, const char *name, const char **out, ds_err *e)
{
	const ds_st_tensor *t = ds_model_find(m, name, NULL);
	*out = NULL;
	if (!t)
		return DS_OK;
	int64_t n = ds_st_count(t);
	float *values = ds_arena_get(w->mem, (size_t)n * sizeof(*values));
	DS_TRY(ds_st_floats(t, 0, n, values, e));
	*out = onnx_stored(w, name, t->dims, t->rank, values);
	return DS_OK;
}

ds_rc onnx_pool(onnx_walk *w, const ds_model *m, ds_err *e)
{
	const int64_t perm[] = { 1, 0 }, first = 0, axis = 1;
	const char *matrix, *bias, *out = "pooler_output";
	mean(w);
	DS_TRY(weight(w, m, ONNX_POOLER ".weight", &matrix, e));
	DS_TRY(weight(w, m, ONNX_POOLER ".bias", &bias, e));
	if (!matrix)
		return DS_OK;
	const char *at = onnx_gather(w, "last_hidden_state", onnx_const_is(w, &first, 1), axis);
	at = onnx_2(w, "Squeeze", at, onnx_const_is(w, &axis, 1));
	at = onnx_2(w, "MatMul", at, onnx_permute(w, matrix, perm, 2));
	at = bias ? onnx_2(w, "Add", at, bias) : at;
	onnx_add(w->f, "Tanh", &at, 1, &out, 1);
	return DS_OK;
}
