/*
 * rope.c - rotary positions (Su et al., 2021)
 *
 * in: x[rows, heads*D], pos[rows], freq[rot/2]. Pair i of every head is rotated by pos * freq[i]; the
 * gradient rotates back. Columns of a head past rot stay as they are.
 */
#include "graph/op/op_impl.h"

#include <math.h>

ds_rc ds_sh_rope(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	const ds_rope_attr *a = &n->attr.rope;
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	if (a->rot < 2 || a->rot % 2 || a->rot > a->head_dim || ds_t_cols(x) % a->head_dim)
		return ds_fail(e, DS_BAD, "rope: %d rotated of heads of %d columns, in %lld",
			a->rot, a->head_dim, (long long)ds_t_cols(x));
	DS_TRY(ds_need_shape(g, n, 1, 0, ds_t_rows(x), e));
	DS_TRY(ds_need_type(g, n, 1, DS_I32, e));
	DS_TRY(ds_need_shape(g, n, 2, 0, a->rot / 2, e));
	out[0] = matrix(x->dtype, ds_t_rows(x), ds_t_cols(x));
	return DS_OK;
}

const char ds_sd_rope[] = "rrR>r hRR>h";

void ds_pr_rope(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " rot=%d/%d%s%s", n->attr.rope.rot, n->attr.rope.head_dim,
		n->attr.rope.interleaved ? " interleaved" : "",
		n->attr.rope.inverse ? " inverse" : "");
}

void ds_gr_rope(ds_grad *c, const ds_node *n)
{
	ds_attr back = n->attr;
	back.rope.inverse = !back.rope.inverse;
	const ds_node *b = ds_g_node(
		ds_grad_graph(c), (ds_node){ .op = DS_OP_rope,
					  .attr = back,
					  .in = { ds_grad_of(c, n->out[0]), n->in[1], n->in[2] },
					  .out = { ds_grad_place(c, n->in[0]) } });
	ds_grad_give(c, n->in[0], b ? b->out[0] : 0);
}

void ds_ref_rope(const ds_ref *r)
{
	const ds_rope_attr *a = &r->node->attr.rope;
	int64_t cols = r->in[0].cols, half = a->rot / 2;
	for (int64_t i = 0; i < r->in[0].rows * cols; i++)
		r->out[0].at[i] = r->in[0].at[i];
	for (int64_t i = 0; i < r->in[0].rows; i++)
		for (int64_t h = 0; h < cols; h += a->head_dim)
			for (int64_t k = 0; k < half; k++) {
				double t = r->in[1].at[i] * r->in[2].at[k];
				double c = cos(t) * a->factor, s = sin(t) * a->factor;
				if (a->inverse)
					s = -s;
				int64_t p = i * cols + h + (a->interleaved ? 2 * k : k);
				int64_t q = p + (a->interleaved ? 1 : half);
				double x = r->in[0].at[p], y = r->in[0].at[q];
				r->out[0].at[p] = x * c - y * s;
				r->out[0].at[q] = y * c + x * s;
			}
}

void ds_sa_rope(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 30), heads = ds_sample_int(s, 1, 3);
	int64_t half = ds_sample_int(s, 1, 20);
	ds_rope_attr a = { .rot = (int32_t)(2 * half), .interleaved = ds_sample_int(s, 0, 1) };
	a.head_dim = a.rot + (int32_t)ds_sample_int(s, 0, 3);
	float freq[20];
	for (int64_t i = 0; i < half; i++)
		freq[i] = 1.0f / (float)(1 + i * i);
	ds_tid f = ds_g_const(s->g, "freq", DS_F32, 1, &half, freq);
	ds_tid x = ds_sample_tensor(s, rows, heads * a.head_dim);
	ds_sample_output(s, ds_g_rope(s->g, x, ds_sample_ids(s, rows, 0, 500), f, a));
}
