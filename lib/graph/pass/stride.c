/*
 * stride.c - rows whose length would put the same columns on the same cache sets get a little more
 *
 * How long that is, the backend says (ds_traits). Only activations inside the graph; what others read stays dense.
 */
#include "graph/op.h"

ds_pass_fn ds_pass_stride;

ds_rc ds_pass_stride(ds_graph *g, const ds_compile *c, ds_err *e)
{
	const ds_traits *want = c->traits;
	bool *sent =
		ds_arena_zero(g->mem, (size_t)g->n_tensors); /* collectives work on dense memory */
	for (int32_t i = 0; i < g->n_nodes; i++)
		for (int j = 0; ds_op_of(g->nodes[i].op)->traits & DS_OP_COMM && j < DS_MAX_OUT;
			j++)
			sent[g->nodes[i].in[j]] = sent[g->nodes[i].out[j]] = true;
	for (ds_tid t = 1; want->alias_bytes && t < g->n_tensors; t++) {
		ds_tensor *x = &g->tensors[t];
		int64_t size = (int64_t)ds_dtype_bytes(x->dtype);
		bool inside = x->memory == DS_CLASS_ACT && !(x->flags & DS_TENSOR_KEEP);
		if (inside && !x->base && !sent[t] && x->rank == 2 && x->dims[0] > 1 &&
			x->ld * size % want->alias_bytes == 0)
			x->ld += want->pad_bytes / size;
	}
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if (g->tensors[t].base && g->tensors[t].memory == DS_CLASS_ACT)
			g->tensors[t].ld = g->tensors[g->tensors[t].base].ld;
	return DS_OK;
}
