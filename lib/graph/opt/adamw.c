/*
 * adamw.c - Adam with decoupled weight decay (Loshchilov and Hutter, 2019)
 */
#include "graph/opt/opt_impl.h"

static void update(ds_graph *g, const ds_compile *c, ds_tid param, ds_tid scale)
{
	ds_opt_moments(g, c, DS_OP_adamw, param, scale);
}

const ds_optimizer ds_optimizer_adamw = { .name = "adamw",
	.help = "Adam with decoupled weight decay",
	.update = update,
	.hyper = ds_opt_unbias };
