/*
 * common.c - rules that several ops share
 */
#include "graph/op/op_impl.h"

#include <stdio.h>

const char ds_sd_whole[] = "";
const char ds_sd_each[] = "rrr>rr ccc>cc";
const char ds_sd_each_linear[] = "rr>r cc>c PP>P";

void ds_gr_nodiff(ds_grad *c, const ds_node *n)
{
}

void ds_sa_none(ds_sample *s)
{
}

static void describe(char out[96], int rank, const int64_t *dims)
{
	size_t n = (size_t)snprintf(out, 96, "[");
	for (int i = 0; i < rank && n < 80; i++)
		n += (size_t)snprintf(out + n, 96 - n, "%s%lld", i ? ", " : "", (long long)dims[i]);
	snprintf(out + n, 96 - n, "]");
}

ds_rc ds_need_shape(
	const ds_graph *g, const ds_node *n, int i, int64_t rows, int64_t cols, ds_err *e)
{
	const char *op = ds_op_of(n->op)->name;
	if (n->in[i] <= 0)
		return ds_fail(e, DS_BAD, "%s: input %d is missing", op, i);
	const ds_tensor *t = in_of(g, n, i);
	bool fits = (rows == 0 ? t->rank == 1 : t->rank > 1) &&
		    (rows <= 0 || ds_t_rows(t) == rows) && (cols < 0 || ds_t_cols(t) == cols);
	if (fits)
		return DS_OK;
	char got[96], want[96];
	describe(got, t->rank, t->dims);
	if (rows == 0)
		describe(want, 1, (int64_t[]){ cols });
	else
		describe(want, 2, (int64_t[]){ rows, cols });
	return ds_fail(e, DS_BAD, "%s: input %d '%s' is %s, the op takes %s (-1: any)", op, i,
		t->name, got, want);
}

ds_rc ds_need_type(const ds_graph *g, const ds_node *n, int i, ds_dtype type, ds_err *e)
{
	const ds_tensor *t = in_of(g, n, i);
	if (t->dtype == type)
		return DS_OK;
	return ds_fail(e, DS_BAD, "%s: input %d '%s' is %s, the op takes %s", ds_op_of(n->op)->name,
		i, t->name, ds_dtype_name(t->dtype), ds_dtype_name(type));
}

ds_rc ds_sh_same(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	if (n->in[0] <= 0)
		return ds_fail(e, DS_BAD, "%s: input 0 is missing", ds_op_of(n->op)->name);
	out[0] = shape_of(in_of(g, n, 0));
	return DS_OK;
}

ds_rc ds_sh_same2(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_same(g, n, out, e));
	const ds_tensor *a = in_of(g, n, 0);
	return ds_need_shape(g, n, 1, a->rank == 1 ? 0 : ds_t_rows(a), ds_t_cols(a), e);
}

static double each(const ds_graph *g, const ds_node *n, double flops)
{
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (n->out[i] > 0)
			return flops * (double)ds_t_count(&g->tensors[n->out[i]]);
	return 0;
}

double ds_fl_none(const ds_graph *g, const ds_node *n)
{
	return 0;
}

double ds_fl_each_1(const ds_graph *g, const ds_node *n)
{
	return each(g, n, 1);
}

double ds_fl_each_4(const ds_graph *g, const ds_node *n)
{
	return each(g, n, 4);
}

double ds_fl_each_8(const ds_graph *g, const ds_node *n)
{
	return each(g, n, 8);
}

double ds_fl_each_16(const ds_graph *g, const ds_node *n)
{
	return each(g, n, 16);
}

/* Every operand once. */
double ds_by_all(const ds_graph *g, const ds_node *n)
{
	double sum = 0;
	for (int i = 0; i < DS_MAX_IN; i++)
		sum += n->in[i] > 0 ? (double)ds_t_bytes(in_of(g, n, i)) : 0;
	for (int i = 0; i < DS_MAX_OUT; i++)
		sum += n->out[i] > 0 ? (double)ds_t_bytes(&g->tensors[n->out[i]]) : 0;
	return sum;
}

double ds_by_none(const ds_graph *g, const ds_node *n)
{
	return 0;
}

/* Of in[0] only the rows that are given. */
double ds_by_rows(const ds_graph *g, const ds_node *n)
{
	return (double)ds_t_bytes(in_of(g, n, 1)) + 2 * (double)ds_t_bytes(&g->tensors[n->out[0]]);
}

void ds_pr_none(const ds_node *n, ds_buf *out)
{
}

void ds_pr_act(const ds_node *n, ds_buf *out)
{
	ds_buf_fmt(out, " %s", ds_act_name(n->attr.act));
}

/* ---- samples ---- */

int64_t ds_sample_int(ds_sample *s, int64_t lo, int64_t hi)
{
	return lo + (int64_t)ds_rng_below(s->rng, s->draws++, (uint64_t)(hi - lo + 1));
}

ds_tid ds_sample_tensor(ds_sample *s, int64_t rows, int64_t cols)
{
	char name[32];
	snprintf(name, sizeof(name), "x%d", s->g->n_tensors);
	ds_init init = { DS_INIT_NORMAL, 1 };
	if (rows == 0)
		return ds_g_param(s->g, name, 1, &cols, init, 0);
	return ds_g_param(s->g, name, DS_DIMS(rows, cols), init, 0);
}

ds_tid ds_sample_ids(ds_sample *s, int64_t n, int64_t lo, int64_t hi)
{
	int32_t *v = ds_arena_get(s->g->mem, (size_t)n * sizeof(*v));
	for (int64_t i = 0; i < n; i++)
		v[i] = (int32_t)ds_sample_int(s, lo, hi);
	return ds_g_const(s->g, "ids", DS_I32, 1, &n, v);
}

void ds_sample_output(ds_sample *s, ds_tid t)
{
	if (s->g->rc != DS_OK)
		return;
	const ds_tensor *x = ds_g_tensor(s->g, t);
	char name[32];
	snprintf(name, sizeof(name), "seed%d", s->g->n_seeds);
	int64_t dims[DS_MAX_RANK];
	memcpy(dims, x->dims, sizeof(dims)); /* the array moves */
	ds_tid seed = ds_g_input(s->g, name, x->dtype, x->rank, dims);
	ds_g_keep(s->g, t, NULL);
	ds_g_seed(s->g, t, seed);
}
