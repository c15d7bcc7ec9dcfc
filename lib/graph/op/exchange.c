/*
 * exchange.c - rows to the ranks that have their experts, and back (expert parallel)
 *
 * Member k of a group of n ranks has experts [k E / n, (k + 1) E / n).
 * expert_counts: in: this rank's offsets (dispatch); out: the rows that every rank has for every expert, i32 [n, E], and
 * offsets of what comes for this rank's own experts.
 * expert_send: in: rows sorted by expert, the counts; out: those of all ranks for the own experts, by expert, then by
 * rank, then as they were: an expert sees them in the order in which one rank with all rows would have them. There is
 * room for every row of every rank, and what is not filled is 0. expert_return: the way back. The one's gradient is the
 * other. out[1] of both is the workspace in which rows are put in order.
 *
 * References are those of a group of one.
 */
#include "graph/op/op_impl.h"

static int64_t members(const ds_node *n)
{
	return n->attr.comm.group.n > 1 ? n->attr.comm.group.n : 1;
}

ds_rc ds_sh_expert_counts(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, 0, -1, e));
	DS_TRY(ds_need_type(g, n, 0, DS_I32, e));
	int64_t experts = ds_t_cols(in_of(g, n, 0)) - 1;
	if (experts % members(n))
		return ds_fail(e, DS_BAD, "expert_counts: %lld experts for %lld ranks",
			(long long)experts, (long long)members(n));
	out[0] = matrix(DS_I32, members(n), experts);
	out[1] = vector(DS_I32, experts / members(n) + 1);
	return DS_OK;
}

ds_rc ds_sh_expert_send(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, members(n), -1, e));
	const ds_tensor *x = in_of(g, n, 0);
	out[0] = out[1] = matrix(x->dtype, members(n) * ds_t_rows(x), ds_t_cols(x));
	return DS_OK;
}

ds_rc ds_sh_expert_return(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, -1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, members(n), -1, e));
	const ds_tensor *y = in_of(g, n, 0);
	if (ds_t_rows(y) % members(n))
		return ds_fail(e, DS_BAD, "expert_return: %lld rows for %lld ranks",
			(long long)ds_t_rows(y), (long long)members(n));
	out[0] = matrix(y->dtype, ds_t_rows(y) / members(n), ds_t_cols(y));
	out[1] = shape_of(y);
	return DS_OK;
}

static void back_by(ds_grad *c, const ds_node *n, ds_op_kind op)
{
	const ds_node *d = ds_g_node(ds_grad_graph(c),
		(ds_node){
			.op = op, .attr = n->attr, .in = { ds_grad_of(c, n->out[0]), n->in[1] } });
	ds_grad_give(c, n->in[0], d ? d->out[0] : 0);
}

void ds_gr_expert_send(ds_grad *c, const ds_node *n)
{
	back_by(c, n, DS_OP_expert_return);
}

void ds_gr_expert_return(ds_grad *c, const ds_node *n)
{
	back_by(c, n, DS_OP_expert_send);
}

void ds_ref_expert_counts(const ds_ref *r)
{
	for (int64_t e = 0; e < r->out[0].cols; e++)
		r->out[0].at[e] = r->in[0].at[e + 1] - r->in[0].at[e];
	memcpy(r->out[1].at, r->in[0].at, (size_t)r->out[1].cols * sizeof(double));
}

static void copy(const ds_ref *r)
{
	memcpy(r->out[0].at, r->in[0].at, (size_t)(r->in[0].rows * r->in[0].cols) * sizeof(double));
}

void ds_ref_expert_send(const ds_ref *r)
{
	copy(r);
}

void ds_ref_expert_return(const ds_ref *r)
{
	copy(r);
}
