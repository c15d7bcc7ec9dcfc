/*
 * update.c - the optimizer's ops: norms of gradients, clipping, AdamW, LAMB
 *
 * sqnorm: in: a gradient; out: the sum of its squares, f64. clip: in: all those sums side by side,
 * hyper, whose last number takes a loss scale out of the gradients; out: the factor for every gradient,
 * that number times min(1, max_norm / (norm + 1e-6)) as PyTorch has it, and the norm without the loss
 * scale; sums are taken in the order of the parameters, so the bits do not depend on a layout. A norm
 * that is not finite gives the factor 0, and then an update changes nothing.
 * adamw (Loshchilov and Hutter, 2019): in: p, g, m, v, hyper = { lr, 1/(1-beta1^t), 1/(1-beta2^t),
 * the loss scale's inverse }, the factor; out: p, m, v themselves.
 * lamb (You et al., 2020, algorithm 2 of version 3): the same in and out; AdamW's step u with its decay,
 * times |p| / |u| over the tensor where neither is 0.
 */
#include "graph/op/op_impl.h"

#include <math.h>

const char ds_sd_sqnorm[] = "r>P c>P";
const char ds_sd_adamw[] = "rrrrRR>rrr ccccRR>ccc";

ds_rc ds_sh_sqnorm(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_same(g, n, out, e));
	out[0] = matrix(DS_F64, 1, 1);
	return DS_OK;
}

ds_rc ds_sh_clip(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_need_shape(g, n, 0, 1, -1, e));
	DS_TRY(ds_need_shape(g, n, 1, 0, 4, e));
	out[0] = out[1] = vector(DS_F32, 1);
	return DS_OK;
}

ds_rc ds_sh_adamw(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(ds_sh_same(g, n, out, e));
	const ds_tensor *p = in_of(g, n, 0);
	for (int i = 1; i <= 3; i++)
		DS_TRY(ds_need_shape(g, n, i, p->rank == 1 ? 0 : ds_t_rows(p), ds_t_cols(p), e));
	DS_TRY(ds_need_shape(g, n, 4, 0, 4, e));
	DS_TRY(ds_need_shape(g, n, 5, 0, 1, e));
	out[1] = out[2] = out[0];
	return DS_OK;
}

void ds_ref_sqnorm(const ds_ref *r)
{
	double sum = 0;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		sum += r->in[0].at[i] * r->in[0].at[i];
	r->out[0].at[0] = sum;
}

void ds_ref_clip(const ds_ref *r)
{
	double sum = 0, max_norm = r->node->attr.max_norm;
	for (int64_t i = 0; i < r->in[0].cols; i++)
		sum += r->in[0].at[i];
	double unscale = r->in[1].at[3], norm = sqrt(sum) * unscale;
	double factor = max_norm > 0 ? max_norm / (norm + 1e-6) : 1;
	r->out[0].at[0] = !isfinite(norm) ? 0 : unscale * (factor < 1 ? factor : 1);
	r->out[1].at[0] = norm;
}

/* Makes the new means; 0 where the gradients are not to be used: nothing changes. */
static double moments(const ds_ref *r)
{
	const ds_adamw_attr *a = &r->node->attr.adamw;
	double factor = r->in[5].at[0];
	int64_t n = r->in[0].rows * r->in[0].cols;
	for (int k = 0; k < 3 && factor == 0; k++)
		memcpy(r->out[k].at, r->in[k == 0 ? 0 : k + 1].at, (size_t)n * sizeof(double));
	for (int64_t i = 0; i < n && factor != 0; i++) {
		double g = r->in[1].at[i] * factor;
		r->out[1].at[i] = a->beta1 * r->in[2].at[i] + (1 - a->beta1) * g;
		r->out[2].at[i] = a->beta2 * r->in[3].at[i] + (1 - a->beta2) * g * g;
	}
	return factor;
}

/* AdamW's step for element i, before the rate. */
static double step_of(const ds_ref *r, int64_t i)
{
	const ds_adamw_attr *a = &r->node->attr.adamw;
	const double *hyper = r->in[4].at;
	return r->out[1].at[i] * hyper[1] / (sqrt(r->out[2].at[i] * hyper[2]) + a->eps) +
	       a->decay * r->in[0].at[i];
}

void ds_ref_adamw(const ds_ref *r)
{
	if (moments(r) == 0)
		return;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		r->out[0].at[i] = r->in[0].at[i] - r->in[4].at[0] * step_of(r, i);
}

void ds_ref_lamb(const ds_ref *r)
{
	double weights = 0, steps = 0;
	if (moments(r) == 0)
		return;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++) {
		double u = step_of(r, i);
		weights += r->in[0].at[i] * r->in[0].at[i];
		steps += u * u;
	}
	double trust = weights > 0 && steps > 0 ? sqrt(weights / steps) : 1;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		r->out[0].at[i] = r->in[0].at[i] - r->in[4].at[0] * trust * step_of(r, i);
}
