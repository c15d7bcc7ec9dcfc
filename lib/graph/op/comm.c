/*
 * comm.c - collectives as ops: what they take and give on one rank
 *
 * all_reduce: the sum over the group. all_gather: in is this rank's rows of out, in the order of the group; rows are
 * shared out as evenly as they go: member k has those from rows * k / n on. reduce_scatter: out is this rank's rows of
 * the sum. in may be a part of out's memory, and out of in's. send takes a tensor away, recv has its shape from the
 * tensor that it is given.
 *
 * References are those of a group of one.
 */
#include "graph/op/op_impl.h"

static int64_t rows_of(const ds_node *n, int64_t rows, int member)
{
	int64_t k = member, parts = n->attr.comm.group.n > 1 ? n->attr.comm.group.n : 1;
	return rows * (k + 1) / parts - rows * k / parts;
}

/* `part` may be some member's rows of `whole`. */
static bool is_part(const ds_node *n, const ds_tensor *part, const ds_tensor *whole)
{
	int64_t rows = whole->rank == 1 ? ds_t_cols(whole) : ds_t_rows(whole);
	int64_t had = part->rank == 1 ? ds_t_cols(part) : ds_t_rows(part);
	bool fits = part->rank == whole->rank &&
		    (part->rank == 1 || ds_t_cols(part) == ds_t_cols(whole));
	for (int k = 0; fits && (k == 0 || k < n->attr.comm.group.n); k++)
		if (rows_of(n, rows, k) == had)
			return true;
	return false;
}

ds_rc ds_sh_all_gather(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	if (n->in[0] <= 0 || n->out[0] <= 0)
		return ds_fail(e, DS_BAD, "all_gather: needs both tensors");
	if (!is_part(n, in_of(g, n, 0), &g->tensors[n->out[0]]))
		return ds_fail(e, DS_BAD, "all_gather: '%s' is no part of '%s'",
			in_of(g, n, 0)->name, g->tensors[n->out[0]].name);
	out[0] = shape_of(&g->tensors[n->out[0]]);
	return DS_OK;
}

ds_rc ds_sh_reduce_scatter(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	if (n->in[0] <= 0 || n->out[0] <= 0)
		return ds_fail(e, DS_BAD, "reduce_scatter: needs both tensors");
	if (!is_part(n, &g->tensors[n->out[0]], in_of(g, n, 0)))
		return ds_fail(e, DS_BAD, "reduce_scatter: '%s' is no part of '%s'",
			g->tensors[n->out[0]].name, in_of(g, n, 0)->name);
	out[0] = shape_of(&g->tensors[n->out[0]]);
	return DS_OK;
}

ds_rc ds_sh_send(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	return n->in[0] > 0 ? DS_OK : ds_fail(e, DS_BAD, "send: input 0 is missing");
}

ds_rc ds_sh_recv(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	if (n->out[0] <= 0)
		return ds_fail(e, DS_BAD, "recv: needs its tensor");
	out[0] = shape_of(&g->tensors[n->out[0]]);
	return DS_OK;
}

void ds_pr_comm(const ds_node *n, ds_buf *out)
{
	const ds_comm_attr *a = &n->attr.comm;
	if (n->op == DS_OP_send || n->op == DS_OP_recv)
		ds_buf_fmt(out, " peer=%d", a->peer);
	else
		ds_buf_fmt(out, " ranks=%d,%d,…%d", a->group.first,
			a->group.first + a->group.stride,
			a->group.first + (a->group.n - 1) * a->group.stride);
}

static void copy(const ds_ref *r)
{
	if (r->in[0].at && r->out[0].at)
		memcpy(r->out[0].at, r->in[0].at,
			(size_t)(r->in[0].rows * r->in[0].cols) * sizeof(double));
}

void ds_ref_all_reduce(const ds_ref *r)
{
	copy(r);
}

void ds_ref_all_gather(const ds_ref *r)
{
	copy(r);
}

void ds_ref_reduce_scatter(const ds_ref *r)
{
	copy(r);
}

void ds_ref_send(const ds_ref *r)
{
}

void ds_ref_recv(const ds_ref *r)
{
}
