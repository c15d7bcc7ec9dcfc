/*
 * onnx_linear.c - products with weights, whole or of signed bytes
 *
 * A quantized weight has one scale for each of its outputs, the largest magnitude / 127, and lies in the file
 * as it lies in the model; a table of embeddings that is the output projection as well is there once.
 *
 *	dynamic:  MatMulInteger(DynamicQuantizeLinear(x), W) * (scale of x * scales of W)
 *	QDQ:      MatMul(DQ(Q(x)), DQ(W)), all symmetric, scales constant; x is left as it is where no range is known
 */
#include "onnx_walk.h"

#include "base/mem.h"

#include <math.h>

struct onnx_matrix {
	ds_tid id;
	const char *bytes, *scales; /* scales: a vector, f32 */
	struct onnx_matrix *next;
};

/* One scale a row (by_row) or a column; bytes are q = round(v / scale). */
static int8_t *quantize(const float *v, int64_t rows, int64_t cols, bool by_row, float *scales)
{
	int8_t *q = ds_mem_get((size_t)(rows * cols));
	memset(scales, 0, (size_t)(by_row ? rows : cols) * sizeof(*scales));
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < cols; c++) {
			float *s = &scales[by_row ? r : c];
			*s = fmaxf(*s, fabsf(v[r * cols + c]));
		}
	for (int64_t i = 0; i < (by_row ? rows : cols); i++)
		scales[i] = scales[i] ? scales[i] / 127 : 1;
	for (int64_t r = 0; r < rows; r++)
		for (int64_t c = 0; c < cols; c++) {
			float d = v[r * cols + c] / scales[by_row ? r : c];
			q[r * cols + c] = (int8_t)lrintf(d);
		}
	return q;
}

/* The matrix in bytes, with a scale for each row or column. */
static const struct onnx_matrix *matrix(onnx_walk *w, ds_tid id, bool by_row)
{
	const ds_tensor *t = ds_g_tensor(w->g, id);
	for (struct onnx_matrix *m = w->matrices; m; m = m->next)
		if (m->id == id)
			return m;
	struct onnx_matrix *m = ds_arena_get(w->mem, sizeof(*m));
	*m = (struct onnx_matrix){ .id = id, .next = w->matrices };
	m->bytes = ds_arena_fmt(w->mem, "%s.int8", t->name).at;
	m->scales = ds_arena_fmt(w->mem, "%s.scale", t->name).at;
	w->matrices = m;
	const float *v = onnx_values(w, id);
	if (w->rc != DS_OK)
		return m;
	int64_t rows = ds_t_rows(t), cols = ds_t_cols(t), n = by_row ? rows : cols;
	float *scales = ds_mem_get((size_t)n * sizeof(*scales));
	onnx_take_i8(
		w->f, m->bytes, t->dims, (size_t)t->rank, quantize(v, rows, cols, by_row, scales));
	onnx_f32s(w->f, m->scales, scales, (size_t)n);
	ds_mem_free(scales);
	return m;
}

static const char *typed(onnx_walk *w, const char *f32)
{
	return w->type == ONNX_FLOAT ? f32 : onnx_cast(w, f32, w->type);
}

static const char *dequantize(
	onnx_walk *w, const char *q, const char *scale, int64_t axis, bool per_axis)
{
	const char *in[] = { q, scale }, *y = onnx_fresh(w);
	onnx_node *n = onnx_add(w->f, "DequantizeLinear", in, 2, &y, 1);
	if (per_axis)
		onnx_attr_i(n, "axis", axis);
	return y;
}

const char *onnx_rows_of(onnx_walk *w, ds_tid table, const char *ids)
{
	if (w->int8 == ONNX_NOT_QUANTIZED)
		return onnx_2(w, "Gather", onnx_name(w, table), ids);
	const struct onnx_matrix *m = matrix(w, table, true);
	const char *q = onnx_cast(w, onnx_2(w, "Gather", m->bytes, ids), ONNX_FLOAT);
	const char *scale = onnx_unsqueeze(w, onnx_2(w, "Gather", m->scales, ids), -1);
	return typed(w, onnx_2(w, "Mul", q, scale));
}

static const char *transposed(onnx_walk *w, const ds_node *n, const char *weight)
{
	const int64_t perm[] = { 1, 0 };
	return n->attr.linear.in_out ? weight : onnx_permute(w, weight, perm, 2);
}

static const char *dynamic(onnx_walk *w, const ds_node *n, const struct onnx_matrix *m)
{
	const char *x = onnx_name(w, n->in[0]);
	if (w->type != ONNX_FLOAT)
		x = onnx_cast(w, x, ONNX_FLOAT);
	const char *q[] = { onnx_fresh(w), onnx_fresh(w), onnx_fresh(w) };
	onnx_add(w->f, "DynamicQuantizeLinear", &x, 1, q, 3);
	const char *in[] = { q[0], transposed(w, n, m->bytes), q[2] }, *y = onnx_fresh(w);
	onnx_add(w->f, "MatMulInteger", in, 3, &y, 1);
	const char *scale = onnx_2(w, "Mul", q[1], m->scales);
	return typed(w, onnx_2(w, "Mul", onnx_cast(w, y, ONNX_FLOAT), scale));
}

static float range_of(const onnx_walk *w, const char *weight)
{
	for (size_t i = 0; w->ranges && i < w->ranges->n; i++)
		if (strcmp(w->ranges->names[i], weight) == 0)
			return w->ranges->largest[i];
	return -1;
}

static const char *paired(onnx_walk *w, const ds_node *n, const struct onnx_matrix *m)
{
	const char *x = onnx_name(w, n->in[0]);
	float largest = range_of(w, ds_g_tensor(w->g, n->in[1])->name);
	if (largest > 0) {
		const char *scale = onnx_const(w, ONNX_FLOAT, largest / 127);
		const char *in[] = { x, scale, onnx_const(w, ONNX_INT8, 0) }, *q = onnx_fresh(w);
		onnx_add(w->f, "QuantizeLinear", in, 3, &q, 1);
		x = dequantize(w, q, scale, 0, false);
	}
	const char *weight = dequantize(w, m->bytes, m->scales, n->attr.linear.in_out, true);
	return onnx_2(w, "MatMul", x, transposed(w, n, weight));
}

void onnx_op_linear(onnx_walk *w, const ds_node *n)
{
	const char *y;
	if (w->int8 == ONNX_NOT_QUANTIZED) {
		y = onnx_2(w, "MatMul", onnx_name(w, n->in[0]),
			transposed(w, n, onnx_name(w, n->in[1])));
	} else {
		const struct onnx_matrix *m = matrix(w, n->in[1], !n->attr.linear.in_out);
		y = w->int8 == ONNX_DYNAMIC ? dynamic(w, n, m) : paired(w, n, m);
	}
	if (n->in[2])
		y = onnx_2(w, "Add", y, onnx_name(w, n->in[2]));
	onnx_is(w, y, n->out[0]);
}

/* [batch, rows, C] each; matrices that are no sequences have no such form. */
void onnx_op_matmul(onnx_walk *w, const ds_node *n)
{
	const ds_matmul_attr *p = &n->attr.matmul;
	const int64_t perm[] = { 0, 2, 1 };
	const char *a = onnx_name(w, n->in[0]), *b = onnx_name(w, n->in[1]);
	if (w->pair && n->out[0] == w->b->logits) { /* every text by every picture */
		const int64_t swap[] = { 1, 0 };
		onnx_is(w, onnx_2(w, "MatMul", a, onnx_permute(w, b, swap, 2)), n->out[0]);
		return;
	}
	if (p->a_rows != w->g->seq || p->b_rows != w->g->seq) {
		onnx_cannot(w, n, "a product of matrices that are no sequences has no ONNX form");
		return;
	}
	a = p->a_transposed ? onnx_permute(w, a, perm, 3) : a;
	b = p->b_transposed ? onnx_permute(w, b, perm, 3) : b;
	onnx_is(w, onnx_2(w, "MatMul", a, b), n->out[0]);
}
