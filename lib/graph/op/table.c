/*
 * table.c - the table of ops.def as an array
 */
#include "graph/op/op_impl.h"

#define PRODUCT DS_OP_PRODUCT
#define CHEAP DS_OP_CHEAP
#define SUMS DS_OP_SUMS
#define MIXES DS_OP_MIXES
#define VIEW DS_OP_VIEW
#define ALONE DS_OP_ALONE
#define DROPS DS_OP_DROPS
#define PASSES DS_OP_PASSES
#define HEADS DS_OP_HEADS
#define SEQUENCES DS_OP_SEQUENCES
#define COMM DS_OP_COMM

static const ds_op table[DS_N_OPS] = {
#define OP(name_, n_in_, n_out_, place_, traits_, shape_, grad_, flops_, bytes_, shards_, print_, \
	sample_) \
	[DS_OP_##name_] = { #name_, n_in_, n_out_, place_, traits_, ds_##shape_, ds_##grad_, \
		ds_##flops_, ds_##bytes_, ds_##shards_, ds_##print_, ds_ref_##name_, \
		ds_##sample_ },
#include "graph/ops.def"
#undef OP
};

const ds_op *ds_op_of(ds_op_kind k)
{
	return &table[k];
}

bool ds_op_differentiable(const ds_op *o)
{
	return o->grad != ds_gr_nodiff;
}

bool ds_op_sampled(const ds_op *o)
{
	return o->sample != ds_sa_none;
}
