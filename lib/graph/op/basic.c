/*
 * basic.c - add, scale, cast, dropout, slices of columns, gathered rows
 */
#include "graph/op/op_impl.h"

/* ---- cast: rounds to another type, to nearest ---- */

ds_rc ds_sh_cast(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_same(g, n, out, e));
	out[0].dtype = n->attr.cast;
	return DS_OK;
}

void ds_pr_cast(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " %s", ds_dtype_name(n->attr.cast));
}

void ds_ref_cast(const ds_ref *r)
{
	memcpy(r->out[0].at, r->in[0].at, (size_t)(r->in[0].rows * r->in[0].cols) * sizeof(double));
}

/* ---- add, accum ---- */

void ds_gr_add(ds_grad *c, const ds_node *n)
{
	ds_tid dy = ds_grad_of(c, n->out[0]);
	ds_grad_give(c, n->in[0], dy);
	ds_grad_give(c, n->in[1], dy);
}

void ds_ref_add(const ds_ref *r)
{
	for (int64_t i = 0; i < r->out[0].rows * r->out[0].cols; i++)
		r->out[0].at[i] = r->in[0].at[i] + r->in[1].at[i];
}

/* Into the gradient of a parameter that some op took as plain input. */
void ds_ref_accum(const ds_ref *r)
{
	for (int64_t i = 0; i < r->out[0].rows * r->out[0].cols; i++)
		r->out[0].at[i] = r->beta[0] * r->out[0].at[i] + r->in[0].at[i];
}

void ds_sa_add(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40), cols = ds_sample_int(s, 1, 90);
	ds_tid a = ds_sample_tensor(s, rows, cols), b = ds_sample_tensor(s, rows, cols);
	ds_tid ab = ds_g_add(s->g, a, b);
	ds_sample_output(s, ds_g_add(s->g, ab, ab));
}

/* ---- scale ---- */

void ds_pr_scale(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " %g", (double)n->attr.scale);
}

void ds_gr_scale(ds_grad *c, const ds_node *n)
{
	const ds_node *b =
		ds_g_node(ds_grad_graph(c), (ds_node){ .op = DS_OP_scale,
						    .attr = n->attr,
						    .in = { ds_grad_of(c, n->out[0]) },
						    .out = { ds_grad_place(c, n->in[0]) } });
	ds_grad_give(c, n->in[0], b ? b->out[0] : 0);
}

void ds_ref_scale(const ds_ref *r)
{
	for (int64_t i = 0; i < r->out[0].rows * r->out[0].cols; i++)
		r->out[0].at[i] = r->node->attr.scale * r->in[0].at[i];
}

void ds_sa_scale(ds_sample *s)
{
	ds_tid x = ds_sample_tensor(s, ds_sample_int(s, 1, 40), ds_sample_int(s, 1, 90));
	ds_sample_output(s, ds_g_scale(s->g, x, 0.25f));
}

/* ---- dropout: the mask is made again for the gradient, never kept ---- */

ds_rng ds_dropout_rng(const ds_run *r, uint32_t stream)
{
	return ds_rng_of(r->seed, ((uint64_t)r->step << 16) + stream);
}

uint32_t ds_dropout_limit(float p)
{
	return (uint32_t)((double)p * 4294967296.0);
}

/* Rows of keys are padded to four, so that every row begins with a block of the generator. */
uint64_t ds_dropout_first(const ds_run *r, const ds_attention_attr *a, int64_t row, int64_t head)
{
	uint64_t wide = ((uint64_t)a->kv_seq + 3) / 4 * 4;
	uint64_t heads = (uint64_t)(a->all_heads ? a->all_heads : a->heads);
	return ((uint64_t)(r->row0 + row) * heads + (uint64_t)(a->first_head + head)) * wide;
}

const char ds_sd_dropout[] = "r>r";

void ds_pr_dropout(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " p=%g", (double)n->attr.dropout.p);
}

void ds_gr_dropout(ds_grad *c, const ds_node *n)
{
	const ds_node *b =
		ds_g_node(ds_grad_graph(c), (ds_node){ .op = DS_OP_dropout,
						    .attr = n->attr,
						    .in = { ds_grad_of(c, n->out[0]) },
						    .out = { ds_grad_place(c, n->in[0]) } });
	ds_grad_give(c, n->in[0], b ? b->out[0] : 0);
}

void ds_ref_dropout(const ds_ref *r)
{
	const ds_dropout_attr *a = &r->node->attr.dropout;
	ds_rng rng = ds_dropout_rng(r->run, a->stream);
	uint32_t limit = ds_dropout_limit(a->p), four[4];
	uint64_t first = (uint64_t)(r->run->row0 * r->out[0].cols);
	for (int64_t i = 0; i < r->out[0].rows * r->out[0].cols; i++) {
		uint64_t at = first + (uint64_t)i;
		ds_rng_block(rng, at / 4, four);
		r->out[0].at[i] = four[at % 4] < limit ? 0 : r->in[0].at[i] / (1.0 - a->p);
	}
}

void ds_sa_dropout(ds_sample *s)
{
	ds_tid x = ds_sample_tensor(s, ds_sample_int(s, 1, 40), ds_sample_int(s, 1, 90));
	ds_sample_output(s, ds_g_dropout(s->g, x, 0.3f));
}

/* ---- slice: columns, sharing memory; pad: its gradient where the parts cannot share ---- */

ds_rc ds_sh_slice(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	int64_t from = n->attr.slice.from, wide = n->attr.slice.n;
	if (from < 0 || wide < 1 || from > ds_t_cols(x) - wide)
		return ds_fail(e, DS_BAD, "slice: columns %lld to %lld of '%s', which has %lld",
			(long long)from, (long long)from + wide, x->name, (long long)ds_t_cols(x));
	out[0] = matrix(x->dtype, ds_t_rows(x), wide);
	return DS_OK;
}

/* in: dy, what to add it to or 0; out: its columns from attr.from on, attr.n in all */
ds_rc ds_sh_pad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *dy = in_of(g, n, 0);
	out[0] = matrix(dy->dtype, ds_t_rows(dy), n->attr.slice.n);
	if (n->in[1])
		DS_TRY(ds_need_shape(g, n, 1, ds_t_rows(dy), n->attr.slice.n, e));
	return DS_OK;
}

const char ds_sd_slice[] = "r>r";
const char ds_sd_pad[] = "rr>r";

void ds_pr_slice(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " from=%lld n=%lld", (long long)n->attr.slice.from,
		(long long)n->attr.slice.n);
}

void ds_gr_slice(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	ds_tid dy = ds_grad_of(c, n->out[0]), x = n->in[0];
	ds_attr a = { .slice = { n->attr.slice.from, ds_t_cols(ds_g_tensor(g, x)) } };
	const ds_node *b = ds_g_node(
		g, (ds_node){ .op = DS_OP_pad, .attr = a, .in = { dy, ds_grad_take(c, x) } });
	ds_grad_give(c, x, b ? b->out[0] : 0);
}

/* The memory is shared: nothing is left to do. As a copy, for backends without views: */
void ds_ref_slice(const ds_ref *r)
{
	for (int64_t i = 0; i < r->out[0].rows; i++)
		for (int64_t j = 0; j < r->out[0].cols; j++)
			r->out[0].at[i * r->out[0].cols + j] =
				r->in[0].at[i * r->in[0].cols + r->node->attr.slice.from + j];
}

void ds_ref_pad(const ds_ref *r)
{
	int64_t from = r->node->attr.slice.from, cols = r->in[0].cols;
	for (int64_t i = 0; i < r->out[0].rows; i++)
		for (int64_t j = 0; j < r->out[0].cols; j++) {
			double had = r->in[1].at ? r->in[1].at[i * r->out[0].cols + j] : 0;
			bool inside = j >= from && j < from + cols;
			r->out[0].at[i * r->out[0].cols + j] =
				had + (inside ? r->in[0].at[i * cols + j - from] : 0);
		}
}

void ds_sa_slice(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40), cols = ds_sample_int(s, 2, 90);
	int64_t from = ds_sample_int(s, 0, cols - 1), n = ds_sample_int(s, 1, cols - from);
	ds_tid x = ds_g_scale(s->g, ds_sample_tensor(s, rows, cols), 0.5f);
	ds_sample_output(s, ds_g_scale(s->g, ds_g_slice(s->g, x, from, n), 2));
	ds_sample_output(s, ds_g_scale(s->g, ds_g_slice(s->g, x, 0, 1), 3));
}

/* ---- rows: gather; the gradient is a scatter-add in the order of the indices ---- */

ds_rc ds_sh_rows(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, -1, e));
	DS_TRY(ds_need_type(g, n, 1, DS_I32, e));
	const ds_tensor *x = in_of(g, n, 0);
	out[0] = matrix(x->dtype, ds_t_cols(in_of(g, n, 1)), ds_t_cols(x));
	return DS_OK;
}

/* in: dy, index; attr.slice.n rows come out */
ds_rc ds_sh_rows_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, ds_t_rows(in_of(g, n, 0)), e));
	out[0] = matrix(in_of(g, n, 0)->dtype, n->attr.slice.n, ds_t_cols(in_of(g, n, 0)));
	return DS_OK;
}

const char ds_sd_rows[] = "Rr>r cR>c";
const char ds_sd_rows_grad[] = "rr>P cR>c";

void ds_gr_rows(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	ds_attr a = { .slice = { 0, ds_t_rows(ds_g_tensor(g, n->in[0])) } };
	const ds_node *b = ds_g_node(g, (ds_node){ .op = DS_OP_rows_grad,
						.attr = a,
						.in = { ds_grad_of(c, n->out[0]), n->in[1] } });
	ds_grad_give(c, n->in[0], b ? b->out[0] : 0);
}

void ds_ref_rows(const ds_ref *r)
{
	ds_ref_embed(r);
}

void ds_ref_rows_grad(const ds_ref *r)
{
	ds_ref zeroed = *r;
	for (int64_t i = 0; i < r->out[0].rows * r->out[0].cols; i++)
		r->out[0].at[i] = 0;
	ds_ref_embed_grad(&zeroed);
}

void ds_sa_rows(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40), n = ds_sample_int(s, 1, 20);
	ds_tid x = ds_sample_tensor(s, rows, ds_sample_int(s, 1, 40));
	ds_sample_output(s, ds_g_rows(s->g, x, ds_sample_ids(s, n, 0, rows - 1)));
}
