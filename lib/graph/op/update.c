/*
 * update.c - the optimizer's ops: norms of gradients, clipping, AdamW
 *
 * sqnorm: in: a gradient; out: the sum of its squares, f64. clip: in: all those sums side by side;
 * out: the factor for every gradient, min(1, max_norm / (norm + 1e-6)) as PyTorch has it, and the
 * norm; sums are taken in the order of the parameters, so the bits do not depend on a layout. A norm
 * that is not finite gives the factor 0, and then an update changes nothing.
 * adamw (Loshchilov and Hutter, 2019): in: p, g, m, v, hyper = { lr, 1/(1-beta1^t), 1/(1-beta2^t) },
 * the factor; out: p, m, v themselves.
 */
#include "graph/op/op_impl.h"

#include <math.h>

ds_rc sh_sqnorm(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(sh_same(g, n, out, e));
	out[0] = matrix(DS_F64, 1, 1);
	return DS_OK;
}

ds_rc sh_clip(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(need_shape(g, n, 0, 1, -1, e));
	out[0] = out[1] = vector(DS_F32, 1);
	return DS_OK;
}

ds_rc sh_adamw(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e)
{
	DS_TRY(sh_same(g, n, out, e));
	const ds_tensor *p = in_of(g, n, 0);
	for (int i = 1; i <= 3; i++)
		DS_TRY(need_shape(g, n, i, p->rank == 1 ? 0 : ds_t_rows(p), ds_t_cols(p), e));
	DS_TRY(need_shape(g, n, 4, 0, 4, e));
	DS_TRY(need_shape(g, n, 5, 0, 1, e));
	out[1] = out[2] = out[0];
	return DS_OK;
}

void ref_sqnorm(const ds_ref *r)
{
	double sum = 0;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++)
		sum += r->in[0].at[i] * r->in[0].at[i];
	r->out[0].at[0] = sum;
}

void ref_clip(const ds_ref *r)
{
	double sum = 0, max_norm = r->node->attr.max_norm;
	for (int64_t i = 0; i < r->in[0].cols; i++)
		sum += r->in[0].at[i];
	double norm = sqrt(sum), factor = max_norm > 0 ? max_norm / (norm + 1e-6) : 1;
	r->out[0].at[0] = !isfinite(norm) ? 0 : factor < 1 ? factor : 1;
	r->out[1].at[0] = norm;
}

void ref_adamw(const ds_ref *r)
{
	const ds_adamw_attr *a = &r->node->attr.adamw;
	const double *hyper = r->in[4].at;
	double factor = r->in[5].at[0];
	for (int k = 0; k < 3 && factor == 0; k++)
		memcpy(r->out[k].at, r->in[k == 0 ? 0 : k + 1].at,
			(size_t)(r->in[0].rows * r->in[0].cols) * sizeof(double));
	if (factor == 0)
		return;
	for (int64_t i = 0; i < r->in[0].rows * r->in[0].cols; i++) {
		double g = r->in[1].at[i] * factor, p = r->in[0].at[i];
		double m = a->beta1 * r->in[2].at[i] + (1 - a->beta1) * g;
		double v = a->beta2 * r->in[3].at[i] + (1 - a->beta2) * g * g;
		double step = m * hyper[1] / (sqrt(v * hyper[2]) + a->eps);
		r->out[0].at[i] = p - hyper[0] * (step + a->decay * p);
		r->out[1].at[i] = m;
		r->out[2].at[i] = v;
	}
}
