/*
 * embed.c - gather from a table; the gradient is a scatter-add in the order of the ids
 *
 * in: w[V, C], ids[rows]. An id outside the table is the caller's mistake and gives a row of zeros.
 */
#include "graph/op/op_impl.h"

const char ds_sd_embed[] = "Rr>r cR>c";
const char ds_sd_embed_grad[] = "rr>P cR>c";

ds_rc ds_sh_embed(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, -1, e));
	DS_TRY(ds_need_type(g, n, 1, DS_I32, e));
	const ds_tensor *w = in_of(g, n, 0);
	out[0] = matrix(w->dtype, ds_t_cols(in_of(g, n, 1)), ds_t_cols(w));
	return DS_OK;
}

/* in: dy, ids; out: the gradient of the table, whose shape only the caller knows */
ds_rc ds_sh_embed_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, ds_t_rows(in_of(g, n, 0)), e));
	if (n->out[0] <= 0)
		return ds_fail(e, DS_BAD, "embed_grad: needs the gradient's tensor");
	out[0] = shape_of(&g->tensors[n->out[0]]);
	return DS_OK;
}

void ds_gr_embed(ds_grad *c, const ds_node *n)
{
	ds_tid dw = ds_grad_param(c, n->in[0]);
	if (!dw)
		return;
	ds_g_node(ds_grad_graph(c), (ds_node){ .op = DS_OP_embed_grad,
					    .in = { ds_grad_of(c, n->out[0]), n->in[1] },
					    .out = { dw } });
}

void ds_ref_embed(const ds_ref *r)
{
	int64_t cols = r->out[0].cols;
	for (int64_t i = 0; i < r->out[0].rows; i++) {
		int64_t id = (int64_t)r->in[1].at[i];
		bool inside = id >= 0 && id < r->in[0].rows;
		for (int64_t j = 0; j < cols; j++)
			r->out[0].at[i * cols + j] = inside ? r->in[0].at[id * cols + j] : 0;
	}
}

void ds_ref_embed_grad(const ds_ref *r)
{
	int64_t cols = r->out[0].cols;
	for (int64_t i = 0; i < r->out[0].rows * cols; i++)
		r->out[0].at[i] *= r->beta[0];
	for (int64_t i = 0; i < r->in[0].rows; i++) {
		int64_t id = (int64_t)r->in[1].at[i];
		if (id < 0 || id >= r->out[0].rows)
			continue;
		for (int64_t j = 0; j < cols; j++)
			r->out[0].at[id * cols + j] += r->in[0].at[i * cols + j];
	}
}

void ds_sa_embed(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40), vocab = ds_sample_int(s, 1, 20);
	ds_tid w = ds_sample_tensor(s, vocab, ds_sample_int(s, 1, 40));
	ds_sample_output(s, ds_g_embed(s->g, w, ds_sample_ids(s, rows, 0, vocab - 1)));
}
