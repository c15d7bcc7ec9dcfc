/*
 * router.c - what routers did in a step: their losses, and how even the experts' loads were
 *
 * All is gathered as sums over the micro-batches and ranks, in one array, as the loss is.
 */
#include "train/trainer.h"

#include "base/mem.h"

enum { BALANCE, Z, LOADS }; /* places in `sums`; the loads are [layer][expert] */

struct ds_router {
	int64_t layers, experts, chosen;
	double *sums, *load; /* load: [experts] */
	float *share;        /* [experts] */
};

ds_router *ds_router_new(const ds_engine *n, const ds_config *c)
{
	if (!n->b.moe.n)
		return NULL;
	ds_router *r = DS_NEW(ds_router, 1);
	r->layers = n->b.moe.n;
	r->experts = c->n_experts;
	r->chosen = c->n_chosen;
	r->sums = DS_NEW(double, (size_t)(LOADS + r->layers * r->experts));
	r->load = DS_NEW(double, (size_t)r->experts);
	r->share = DS_NEW(float, (size_t)r->experts);
	return r;
}

void ds_router_free(ds_router *r)
{
	if (!r)
		return;
	ds_mem_free(r->share);
	ds_mem_free(r->load);
	ds_mem_free(r->sums);
	ds_mem_free(r);
}

void ds_router_begin(ds_router *r)
{
	if (r)
		memset(r->sums, 0, (size_t)(LOADS + r->layers * r->experts) * sizeof(double));
}

/* The losses are where the model's is, a layer's loads in its stage. */
ds_rc ds_router_add(ds_router *r, const ds_trainer *t, const ds_engine *n, ds_err *e)
{
	if (!r)
		return DS_OK;
	for (int i = BALANCE; i <= Z && ds_train_has_loss(&t->plan->layout); i++) {
		float v;
		DS_TRY(ds_exec_read(
			n->x, i == BALANCE ? n->b.moe.balance : n->b.moe.z, 0, 1, &v, e));
		r->sums[i] += (double)v;
	}
	for (int64_t i = 0; i < r->layers; i++) {
		double *load = r->sums + LOADS + i * r->experts;
		if (ds_g_tensor(n->g, n->b.moe.shares[i])->flags & DS_TENSOR_ELSEWHERE)
			continue;
		DS_TRY(ds_exec_read(n->x, n->b.moe.shares[i], 0, r->experts, r->share, e));
		for (int64_t k = 0; k < r->experts; k++)
			load[k] += (double)r->share[k];
	}
	return DS_OK;
}

ds_rc ds_router_finish(ds_router *r, const ds_trainer *t, double scale, ds_figures *f, ds_err *e)
{
	if (!r)
		return DS_OK;
	int64_t copies = ds_layout_whole(t->plan->layout).dp;
	double most = 0, alone = t->plan->layout.apart ? (double)copies : 1;
	DS_TRY(ds_train_sum_stages(t, r->sums, (int)(LOADS + r->layers * r->experts), e));
	/* A share is of a micro-batch's rows, of which each has as many choices. */
	double each = 1 / (double)(t->plan->n_micro * copies * r->chosen);
	memset(r->load, 0, (size_t)r->experts * sizeof(*r->load));
	for (int64_t i = 0; i < r->layers * r->experts; i++) {
		double load = r->sums[LOADS + i] * each;
		most = load > most ? load : most;
		r->load[i % r->experts] += load / (double)r->layers;
	}
	f->router.experts = r->experts;
	f->router.load = r->load;
	f->router.load_max = most * (double)r->experts;
	f->router.balance = r->sums[BALANCE] / scale / alone;
	f->router.z = r->sums[Z] / scale / alone;
	return DS_OK;
}
