/*
 * lamb.c - LAMB, version 3 with bias correction (You et al., 2020)
 *
 * Tensors that do not decay (norms, biases) take AdamW's step as it is: the authors' code leaves them out
 * of the layer-wise scale, and so does NVIDIA's (apex, multi_tensor_lamb without use_nvlamb). The
 * paper's formula would give a bias, whose norm begins at 0, steps of a hundredth of its own size.
 */
#include "graph/opt/opt_impl.h"

static void update(ds_graph *g, const ds_compile *c, ds_tid param, ds_tid scale)
{
	bool decays = !(ds_g_tensor(g, param)->flags & DS_TENSOR_NO_DECAY);
	ds_opt_moments(g, c, decays ? DS_OP_lamb : DS_OP_adamw, param, scale);
}

const ds_optimizer ds_optimizer_lamb = { .name = "lamb",
	.help = "AdamW's step, scaled a tensor by its weights' norm",
	.update = update,
	.hyper = ds_opt_unbias };
