/*
 * matmul.c - products of two activations, matrix by matrix of a batch; both have gradients
 *
 * in: a, b of rank 2, matrices of attr.a_rows and attr.b_rows rows one below the other, or of rank 3. out: op(a) op(b),
 * of a's rank. The gradients are products of the same kind:
 *
 *	y = A B:  dA = dy B^T, dB = A^T dy, transposed where a or b was.
 */
#include "graph/op/op_impl.h"

typedef struct {
	int64_t batch, m, n, k, k_of_b;
} extents;

static extents extents_of(const ds_graph *g, const ds_node *n)
{
	const ds_matmul_attr *p = &n->attr.matmul;
	int64_t a_cols = ds_t_cols(in_of(g, n, 0)), b_cols = ds_t_cols(in_of(g, n, 1));
	return (extents){ .batch = ds_t_rows(in_of(g, n, 0)) / p->a_rows,
		.m = p->a_transposed ? a_cols : p->a_rows,
		.k = p->a_transposed ? p->a_rows : a_cols,
		.n = p->b_transposed ? p->b_rows : b_cols,
		.k_of_b = p->b_transposed ? b_cols : p->b_rows };
}

static bool is_batch(const ds_tensor *t, int32_t rows)
{
	return rows > 0 && ds_t_rows(t) % rows == 0 &&
	       (t->rank == 2 || (t->rank == 3 && t->dims[1] == rows));
}

ds_rc ds_sh_matmul(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	const ds_matmul_attr *p = &n->attr.matmul;
	if (n->in[0] <= 0 || n->in[1] <= 0)
		return ds_fail(e, DS_BAD, "matmul: an input is missing");
	const ds_tensor *a = in_of(g, n, 0), *b = in_of(g, n, 1);
	if (!is_batch(a, p->a_rows) || !is_batch(b, p->b_rows))
		return ds_fail(e, DS_BAD, "matmul: '%s', '%s' are no matrices of %d and %d rows",
			a->name, b->name, p->a_rows, p->b_rows);
	extents x = extents_of(g, n);
	if (x.k != x.k_of_b || ds_t_rows(b) / p->b_rows != x.batch)
		return ds_fail(e, DS_BAD, "matmul: %lld of [%lld, %lld] times %lld of [%lld, %lld]",
			(long long)x.batch, (long long)x.m, (long long)x.k,
			(long long)(ds_t_rows(b) / p->b_rows), (long long)x.k_of_b, (long long)x.n);
	out[0] = matrix(side_type(a->dtype), x.batch * x.m, x.n);
	if (a->rank == 3)
		out[0] = (ds_shape){ out[0].dtype, 3, { x.batch, x.m, x.n } };
	return DS_OK;
}

const char ds_sd_matmul[] = "ss>s";

void ds_pr_matmul(const ds_node *n, ds_buf *out)
{
	const ds_matmul_attr *p = &n->attr.matmul;
	ds_buf_fmt(out, " rows=%d%s/%d%s", p->a_rows, p->a_transposed ? "^T" : "", p->b_rows,
		p->b_transposed ? "^T" : "");
}

static void give_product(ds_grad *c, ds_tid to, ds_tid a, ds_tid b, ds_matmul_attr p)
{
	const ds_node *n = ds_g_node(ds_grad_graph(c),
		(ds_node){ .op = DS_OP_matmul, .in = { a, b }, .attr.matmul = p });
	ds_grad_give(c, to, n ? n->out[0] : 0);
}

void ds_gr_matmul(ds_grad *c, const ds_node *n)
{
	const ds_matmul_attr *p = &n->attr.matmul;
	ds_tid a = n->in[0], b = n->in[1], dy = ds_grad_of(c, n->out[0]);
	int32_t m = (int32_t)extents_of(ds_grad_graph(c), n).m;
	if (ds_grad_needed(c, a)) {
		if (p->a_transposed)
			give_product(c, a, b, dy,
				(ds_matmul_attr){ p->b_rows, m, p->b_transposed, true });
		else
			give_product(c, a, dy, b,
				(ds_matmul_attr){ m, p->b_rows, false, !p->b_transposed });
	}
	if (ds_grad_needed(c, b)) {
		if (p->b_transposed)
			give_product(c, b, dy, a,
				(ds_matmul_attr){ m, p->a_rows, true, p->a_transposed });
		else
			give_product(c, b, a, dy,
				(ds_matmul_attr){ p->a_rows, m, !p->a_transposed, false });
	}
}

double ds_fl_matmul(const ds_graph *g, const ds_node *n)
{
	extents x = extents_of(g, n);
	return 2.0 * (double)x.batch * (double)x.m * (double)x.n * (double)x.k;
}

/* Element (i, j) of op(matrix `at` of t). */
static double element(
	const ds_ref_arg *t, int64_t at, int64_t rows, bool transposed, int64_t i, int64_t j)
{
	return t->at[(at * rows + (transposed ? j : i)) * t->cols + (transposed ? i : j)];
}

void ds_ref_matmul(const ds_ref *r)
{
	const ds_matmul_attr *p = &r->node->attr.matmul;
	const ds_ref_arg *a = &r->in[0], *b = &r->in[1];
	int64_t m = p->a_transposed ? a->cols : p->a_rows,
		k = p->a_transposed ? p->a_rows : a->cols;
	int64_t n = r->out[0].cols;
	for (int64_t at = 0; at < a->rows / p->a_rows; at++)
		for (int64_t i = 0; i < m; i++)
			for (int64_t j = 0; j < n; j++) {
				double sum = 0;
				for (int64_t x = 0; x < k; x++)
					sum += element(a, at, p->a_rows, p->a_transposed, i, x) *
					       element(b, at, p->b_rows, p->b_transposed, x, j);
				r->out[0].at[(at * m + i) * n + j] = sum;
			}
}

void ds_sa_matmul(ds_sample *s)
{
	int64_t batch = ds_sample_int(s, 1, 4), m = ds_sample_int(s, 1, 40);
	int64_t n = ds_sample_int(s, 1, 40), k = ds_sample_int(s, 1, 40);
	ds_matmul_attr p = { .a_transposed = ds_sample_int(s, 0, 1),
		.b_transposed = ds_sample_int(s, 0, 1) };
	int64_t a_cols = p.a_transposed ? m : k, b_cols = p.b_transposed ? k : n;
	p.a_rows = (int32_t)(p.a_transposed ? k : m);
	p.b_rows = (int32_t)(p.b_transposed ? n : k);
	ds_init init = { DS_INIT_NORMAL, 1 };
	ds_tid a, b;
	if (ds_sample_int(s, 0, 1)) {
		a = ds_g_param(s->g, "a", DS_DIMS(batch, p.a_rows, a_cols), init, 0);
		b = ds_g_param(s->g, "b", DS_DIMS(batch, p.b_rows, b_cols), init, 0);
		p.a_rows = p.b_rows = 0;
	} else {
		a = ds_sample_tensor(s, batch * p.a_rows, a_cols);
		b = ds_g_scale(s->g, ds_sample_tensor(s, batch * p.b_rows, b_cols), 0.5f);
	}
	ds_sample_output(s, ds_g_matmul(s->g, a, b, p));
}
