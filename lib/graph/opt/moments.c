/*
 * moments.c - what optimizers with running means of the gradient and its square share
 */
#include "graph/opt/opt_impl.h"

#include <math.h>

ds_tid ds_opt_state(ds_graph *g, ds_tid param, const char *suffix)
{
	const ds_tensor *p = ds_g_tensor(g, param);
	ds_shape s = { p->dtype, p->rank, { 0 } };
	for (int i = 0; i < p->rank; i++)
		s.dims[i] = p->dims[i];
	const ds_part *part = p->part;
	ds_tid t = ds_g_new(g, DS_CLASS_OPT, &s, ds_arena_fmt(g->mem, "%s.%s", p->name, suffix).at);
	if (t)
		g->tensors[t].part = part;
	return t;
}

void ds_opt_moments(ds_graph *g, const ds_compile *c, ds_op_kind op, ds_tid param, ds_tid scale)
{
	ds_tid m = ds_opt_state(g, param, "m"), v = ds_opt_state(g, param, "v");
	const ds_tensor *p = ds_g_tensor(g, param);
	ds_adamw_attr a = { .beta1 = c->beta1,
		.beta2 = c->beta2,
		.eps = c->eps,
		.decay = p->flags & DS_TENSOR_NO_DECAY ? 0 : c->decay };
	ds_g_node(g, (ds_node){ .op = op,
			     .attr.adamw = a,
			     .in = { param, p->grad, m, v, g->hyper, scale },
			     .out = { param, m, v } });
}

void ds_opt_unbias(float out[4], const ds_compile *c, int64_t step, double lr)
{
	out[0] = (float)lr;
	out[1] = (float)(1 / (1 - pow(c->beta1, (double)step)));
	out[2] = (float)(1 / (1 - pow(c->beta2, (double)step)));
	out[3] = 1;
}
