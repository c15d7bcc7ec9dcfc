/*
 * table.c - the table of ops.def as an array
 */
#include "graph/op/op_impl.h"

enum {
	sp_none = DS_SPLIT_NONE,
	sp_elems = DS_SPLIT_ELEMS,
	sp_rows = DS_SPLIT_ROWS,
	sp_heads = DS_SPLIT_HEADS,
};

static const ds_op table[DS_N_OPS] = {
#define OP(name_, n_in_, n_out_, place_, shape_, grad_, flops_, split_, sample_) \
	[DS_OP_##name_] = { #name_, n_in_, n_out_, place_, shape_, grad_, flops_, \
		(ds_split)(split_), ref_##name_, sample_ },
#include "graph/ops.def"
#undef OP
};

const ds_op *ds_op_of(ds_op_kind k)
{
	return &table[k];
}

bool ds_op_differentiable(const ds_op *o)
{
	return o->grad != gr_nodiff;
}

bool ds_op_sampled(const ds_op *o)
{
	return o->sample != sa_none;
}
