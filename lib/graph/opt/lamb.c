/*
 * lamb.c - LAMB, version 3 with bias correction (You et al., 2020)
 */
#include "graph/opt/opt_impl.h"

static void update(ds_graph *g, const ds_compile *c, ds_tid param, ds_tid scale)
{
	ds_opt_moments(g, c, DS_OP_lamb, param, scale);
}

const ds_optimizer ds_optimizer_lamb = { .name = "lamb",
	.help = "AdamW's step, scaled a tensor by its weights' norm",
	.update = update,
	.hyper = ds_opt_unbias };
