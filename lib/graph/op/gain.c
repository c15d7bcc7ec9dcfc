/*
 * gain.c - a learned factor: y = x e^s, s one trained number (the temperature of a contrastive loss)
 *
 * in: x[rows, C], s[1]. Its gradient is gain once more for x, and the sum of dy y for s, which dot adds up:
 * in: a, b of one shape; out: [1].
 */
#include "graph/op/op_impl.h"

#include <math.h>

ds_rc ds_sh_gain(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_same(g, n, out, e));
	return ds_need_shape(g, n, 1, 0, 1, e);
}

ds_rc ds_sh_dot(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_same2(g, n, out, e));
	out[0] = vector(side_type(out[0].dtype), 1);
	return DS_OK;
}

const char ds_sd_gain[] = "rR>r cR>c";
const char ds_sd_dot[] = "rr>P cc>P";

void ds_gr_gain(ds_grad *c, const ds_node *n)
{
	ds_graph *g = ds_grad_graph(c);
	ds_tid dy = ds_grad_of(c, n->out[0]);
	if (ds_grad_needed(c, n->in[1])) {
		const ds_node *b =
			ds_g_node(g, (ds_node){ .op = DS_OP_dot, .in = { dy, n->out[0] } });
		ds_grad_give(c, n->in[1], b ? b->out[0] : 0);
	}
	if (ds_grad_needed(c, n->in[0])) {
		const ds_node *b = ds_g_node(g, (ds_node){ .op = DS_OP_gain,
							.in = { dy, n->in[1] },
							.out = { ds_grad_place(c, n->in[0]) } });
		ds_grad_give(c, n->in[0], b ? b->out[0] : 0);
	}
}

void ds_ref_gain(const ds_ref *r)
{
	for (int64_t i = 0; i < r->out[0].rows * r->out[0].cols; i++)
		r->out[0].at[i] = r->in[0].at[i] * exp(r->in[1].at[0]);
}

void ds_ref_dot(const ds_ref *r)
{
	double sum = 0;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		sum += r->in[0].at[i] * r->in[1].at[i];
	r->out[0].at[0] = sum;
}

void ds_sa_gain(ds_sample *s)
{
	ds_tid x = ds_sample_tensor(s, ds_sample_int(s, 1, 40), ds_sample_int(s, 1, 90));
	ds_tid by = ds_sample_tensor(s, 0, 1);
	ds_sample_output(s, ds_g_gain(s->g, ds_g_scale(s->g, x, 0.5f), by));
}
