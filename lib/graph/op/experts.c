/*
 * experts.c - rows copied to their experts, every expert's own linear layer, and back
 *
 * permute: x's rows in the order of slots (dispatch, route.c). unpermute: a row is the sum of its slots, times weights
 * where given; each is the other's gradient. Sums go by the choices of a row, in their order.
 *
 * grouped: rows [offsets[e], offsets[e + 1]) by w[e], which is [out, in], plus bias[e]. There are always rows * k slots,
 * so shapes are known while it is not known who gets how many; an expert may get none, or all. The gradient is
 * grouped_dx, grouped_dw and grouped_db, as of a linear layer.
 */
#include "graph/op/op_impl.h"

ds_rc ds_sh_permute(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, -1, e));
	DS_TRY(ds_need_shape(g, n, 2, ds_t_rows(in_of(g, n, 0)), -1, e));
	if (ds_t_count(in_of(g, n, 1)) != ds_t_count(in_of(g, n, 2)))
		return ds_fail(e, DS_BAD, "permute: slots and their sources differ in number");
	const ds_tensor *x = in_of(g, n, 0);
	out[0] = matrix(x->dtype, ds_t_count(in_of(g, n, 1)), ds_t_cols(x));
	return DS_OK;
}

/* in: z, slots, weights or 0, source (for the gradient, may be 0) */
ds_rc ds_sh_unpermute(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, -1, -1, e));
	const ds_tensor *z = in_of(g, n, 0), *slots = in_of(g, n, 1);
	DS_TRY(ds_need_shape(g, n, 0, ds_t_count(slots), -1, e));
	if (n->in[2])
		DS_TRY(ds_need_shape(g, n, 2, ds_t_rows(slots), ds_t_cols(slots), e));
	out[0] = matrix(z->dtype, ds_t_rows(slots), ds_t_cols(z));
	return DS_OK;
}

/* in: dy, z, source, weights; out: dz, the weights' gradient */
ds_rc ds_sh_unpermute_grad(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 3, ds_t_rows(in_of(g, n, 0)), -1, e));
	DS_TRY(ds_need_shape(g, n, 1, ds_t_count(in_of(g, n, 3)), ds_t_cols(in_of(g, n, 0)), e));
	out[0] = shape_of(in_of(g, n, 1));
	out[1] = shape_of(in_of(g, n, 3));
	return DS_OK;
}

/* w is [experts, rows, cols] (-1: any), input `o` has the experts' offsets */
static ds_rc check_experts(
	const ds_graph *g, const ds_node *n, int64_t rows, int64_t cols, int o, ds_err *e)
{
	const ds_tensor *w = in_of(g, n, 1);
	if (w->rank != 3 || (rows >= 0 && w->dims[1] != rows) || (cols >= 0 && w->dims[2] != cols))
		return ds_fail(e, DS_BAD, "%s: '%s' is not [experts, %lld, %lld] (-1: any)",
			ds_op_of(n->op)->name, w->name, (long long)rows, (long long)cols);
	DS_TRY(ds_need_shape(g, n, o, 0, w->dims[0] + 1, e));
	return ds_need_type(g, n, o, DS_I32, e);
}

ds_rc ds_sh_grouped(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0), *w = in_of(g, n, 1);
	DS_TRY(check_experts(g, n, -1, ds_t_cols(x), 2, e));
	if (n->in[3])
		DS_TRY(ds_need_shape(g, n, 3, w->dims[0], w->dims[1], e));
	out[0] = matrix(side_type(x->dtype), ds_t_rows(x), w->dims[1]);
	return DS_OK;
}

/* in: dy, w, offsets, what dx is added to or 0 */
ds_rc ds_sh_grouped_dx(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *dy = in_of(g, n, 0), *w = in_of(g, n, 1);
	DS_TRY(check_experts(g, n, ds_t_cols(dy), -1, 2, e));
	out[0] = matrix(side_type(dy->dtype), ds_t_rows(dy), w->dims[2]);
	if (n->in[3])
		DS_TRY(ds_need_shape(g, n, 3, out[0].dims[0], out[0].dims[1], e));
	return DS_OK;
}

static ds_shape stack(ds_dtype type, int64_t experts, int64_t rows, int64_t cols)
{
	return (ds_shape){ type, 3, { experts, rows, cols } };
}

/* in: x, dy, offsets; out: dW */
ds_rc ds_sh_grouped_dw(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	DS_TRY(ds_need_shape(g, n, 1, ds_t_rows(x), -1, e));
	DS_TRY(ds_need_shape(g, n, 2, 0, -1, e));
	out[0] = stack(side_type(x->dtype), ds_t_cols(in_of(g, n, 2)) - 1,
		ds_t_cols(in_of(g, n, 1)), ds_t_cols(x));
	return DS_OK;
}

/* in: dy, offsets; out: every expert's sums of columns */
ds_rc ds_sh_grouped_db(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, -1, e));
	const ds_tensor *dy = in_of(g, n, 0);
	out[0] = matrix(dy->dtype, ds_t_cols(in_of(g, n, 1)) - 1, ds_t_cols(dy));
	return DS_OK;
}

double ds_fl_grouped(const ds_graph *g, const ds_node *n)
{
	const ds_tensor *w = in_of(g, n, 1);
	return 2.0 * (double)ds_t_rows(in_of(g, n, 0)) * (double)(w->dims[1] * w->dims[2]);
}

double ds_fl_grouped_dx(const ds_graph *g, const ds_node *n)
{
	return ds_fl_grouped(g, n);
}

double ds_fl_grouped_dw(const ds_graph *g, const ds_node *n)
{
	return 2.0 * (double)ds_t_count(in_of(g, n, 0)) * (double)ds_t_cols(in_of(g, n, 1));
}

/* ---- gradients ---- */

void ds_gr_permute(ds_grad *c, const ds_node *n)
{
	const ds_node *d = ds_g_node(ds_grad_graph(c),
		(ds_node){ .op = DS_OP_unpermute, .in = { ds_grad_of(c, n->out[0]), n->in[2] } });
	ds_grad_give(c, n->in[0], d ? d->out[0] : 0);
}

void ds_gr_unpermute(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	ds_tid dy = ds_grad_of(c, n->out[0]);
	if (!n->in[2] || !n->in[3]) {
		ds_g_fail(g, "unpermute: no gradient without weights and sources");
		return;
	}
	const ds_node *d = ds_g_node(g, (ds_node){ .op = DS_OP_unpermute_grad,
						.in = { dy, n->in[0], n->in[3], n->in[2] } });
	if (!d)
		return;
	ds_tid dz = d->out[0], dw = d->out[1]; /* the array of nodes moves */
	ds_grad_give(c, n->in[0], dz);
	ds_grad_give(c, n->in[2], dw);
}

void ds_gr_grouped(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	ds_tid dy = ds_grad_of(c, n->out[0]), x = n->in[0];
	if (ds_grad_needed(c, x)) {
		ds_tid before = ds_grad_take(c, x);
		const ds_node *dx =
			ds_g_node(g, (ds_node){ .op = DS_OP_grouped_dx,
					     .in = { dy, n->in[1], n->in[2], before },
					     .out = { before ? 0 : ds_grad_place(c, x) } });
		ds_grad_give(c, x, dx ? dx->out[0] : 0);
	}
	ds_tid dw = ds_grad_param(c, n->in[1]);
	if (dw)
		ds_g_node(g,
			(ds_node){
				.op = DS_OP_grouped_dw, .in = { x, dy, n->in[2] }, .out = { dw } });
	ds_tid db = ds_grad_param(c, n->in[3]);
	if (db)
		ds_g_node(g,
			(ds_node){ .op = DS_OP_grouped_db, .in = { dy, n->in[2] }, .out = { db } });
}

/* ---- references ---- */

void ds_ref_permute(const ds_ref *r)
{
	int64_t k = r->in[2].cols, cols = r->out[0].cols;
	for (int64_t s = 0; s < r->out[0].rows; s++)
		memcpy(&r->out[0].at[s * cols], &r->in[0].at[(int64_t)r->in[1].at[s] / k * cols],
			(size_t)cols * sizeof(double));
}

void ds_ref_unpermute(const ds_ref *r)
{
	int64_t k = r->in[1].cols, cols = r->out[0].cols;
	for (int64_t i = 0; i < r->out[0].rows; i++)
		for (int64_t c = 0; c < cols; c++) {
			double sum = 0;
			for (int64_t j = i * k; j < (i + 1) * k; j++)
				sum += (r->in[2].at ? r->in[2].at[j] : 1) *
				       r->in[0].at[(int64_t)r->in[1].at[j] * cols + c];
			r->out[0].at[i * cols + c] = sum;
		}
}

void ds_ref_unpermute_grad(const ds_ref *r)
{
	int64_t k = r->in[3].cols, cols = r->in[0].cols;
	for (int64_t s = 0; s < r->in[1].rows; s++) {
		int64_t from = (int64_t)r->in[2].at[s];
		double dot = 0;
		for (int64_t c = 0; c < cols; c++) {
			double dy = r->in[0].at[from / k * cols + c];
			dot += dy * r->in[1].at[s * cols + c];
			r->out[0].at[s * cols + c] = r->in[3].at[from] * dy;
		}
		r->out[1].at[from] = dot;
	}
}

/* The expert whose rows slot s is among. */
static int64_t expert_of(const ds_ref_arg *offsets, int64_t s)
{
	int64_t e = 0;
	while (e + 2 < offsets->cols && s >= (int64_t)offsets->at[e + 1])
		e++;
	return e;
}

void ds_ref_grouped(const ds_ref *r)
{
	int64_t n_in = r->in[0].cols, n_out = r->out[0].cols;
	for (int64_t s = 0; s < r->out[0].rows; s++) {
		int64_t e = expert_of(&r->in[2], s);
		for (int64_t o = 0; o < n_out; o++) {
			const double *w = &r->in[1].at[(e * n_out + o) * n_in];
			double sum = r->in[3].at ? r->in[3].at[e * n_out + o] : 0;
			for (int64_t k = 0; k < n_in; k++)
				sum += r->in[0].at[s * n_in + k] * w[k];
			r->out[0].at[s * n_out + o] = sum;
		}
	}
}

void ds_ref_grouped_dx(const ds_ref *r)
{
	int64_t n_out = r->in[0].cols, n_in = r->out[0].cols;
	for (int64_t s = 0; s < r->out[0].rows; s++) {
		int64_t e = expert_of(&r->in[2], s);
		for (int64_t k = 0; k < n_in; k++) {
			double sum = r->in[3].at ? r->in[3].at[s * n_in + k] : 0;
			for (int64_t o = 0; o < n_out; o++)
				sum += r->in[0].at[s * n_out + o] *
				       r->in[1].at[(e * n_out + o) * n_in + k];
			r->out[0].at[s * n_in + k] = sum;
		}
	}
}

static void begin_sums(const ds_ref *r)
{
	for (int64_t i = 0; i < r->out[0].rows * r->out[0].cols; i++)
		r->out[0].at[i] *= r->beta[0];
}

void ds_ref_grouped_dw(const ds_ref *r)
{
	int64_t n_in = r->in[0].cols, n_out = r->in[1].cols;
	begin_sums(r);
	for (int64_t s = 0; s < r->in[0].rows; s++) {
		int64_t e = expert_of(&r->in[2], s);
		for (int64_t o = 0; o < n_out; o++)
			for (int64_t k = 0; k < n_in; k++)
				r->out[0].at[(e * n_out + o) * n_in + k] +=
					r->in[0].at[s * n_in + k] * r->in[1].at[s * n_out + o];
	}
}

void ds_ref_grouped_db(const ds_ref *r)
{
	int64_t cols = r->in[0].cols;
	begin_sums(r);
	for (int64_t s = 0; s < r->in[0].rows; s++)
		for (int64_t c = 0; c < cols; c++)
			r->out[0].at[expert_of(&r->in[1], s) * cols + c] +=
				r->in[0].at[s * cols + c];
}

/* ---- samples ---- */

/* Choices of a few experts, so that some get no row, or one gets all. */
static ds_dispatched sample_dispatch(ds_sample *s, int64_t rows, int64_t k, int32_t experts)
{
	int32_t ids[40 * 4];
	int64_t used = ds_sample_int(s, 1, experts);
	for (int64_t i = 0; i < rows * k; i++)
		ids[i] = (int32_t)ds_sample_int(s, 0, used - 1);
	ds_tid t = ds_g_const(s->g, "ids", DS_I32, DS_DIMS(rows, k), ids);
	return ds_g_dispatch(s->g, t, experts);
}

void ds_sa_permute(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40), k = ds_sample_int(s, 1, 4);
	ds_tid x = ds_sample_tensor(s, rows, ds_sample_int(s, 1, 70));
	ds_sample_output(s, ds_g_permute(s->g, x, sample_dispatch(s, rows, k, 6)));
}

void ds_sa_unpermute(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40), k = ds_sample_int(s, 1, 4);
	ds_tid z = ds_sample_tensor(s, rows * k, ds_sample_int(s, 1, 70));
	ds_tid w = ds_sample_tensor(s, rows, k);
	ds_sample_output(s, ds_g_unpermute(s->g, z, sample_dispatch(s, rows, k, 6), w));
}

void ds_sa_grouped(ds_sample *s)
{
	int64_t rows = ds_sample_int(s, 1, 40), k = ds_sample_int(s, 1, 4);
	int64_t experts = ds_sample_int(s, 1, 6), n_in = ds_sample_int(s, 1, 50),
		n_out = ds_sample_int(s, 1, 50);
	ds_dispatched d = sample_dispatch(s, rows, k, (int32_t)experts);
	ds_tid x = ds_sample_tensor(s, rows * k, n_in);
	ds_init init = { DS_INIT_NORMAL, 1 };
	ds_tid w = ds_g_param(s->g, "w", DS_DIMS(experts, n_out, n_in), init, 0);
	ds_tid w2 = ds_g_param(s->g, "w2", DS_DIMS(experts, 3, n_in), init, 0);
	ds_tid b = ds_sample_int(s, 0, 1) ? ds_sample_tensor(s, experts, n_out) : 0;
	ds_sample_output(s, ds_g_grouped(s->g, x, w, d.offsets, b));
	/* A second reader of x makes grouped_dx add to a gradient that is there. */
	ds_sample_output(s, ds_g_grouped(s->g, ds_g_scale(s->g, x, 0.5f), w2, d.offsets, 0));
}
