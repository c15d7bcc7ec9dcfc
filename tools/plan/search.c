/*
 * search.c - every layout of so many ranks, as the trainer itself would have it
 *
 * Bytes are those of the trainer's own graphs, made and not allocated. Seconds are a roofline: products at EFFICIENCY of the
 * accelerator's peak, or all operands once through its memory, whichever is longer; what ranks say to one another in full, at
 * the links' speed; stages that wait for one another.
 */
#include "plan.h"

#include "graph/backend.h"
#include "train/trainer.h"

#include <stdlib.h>

static const double EFFICIENCY = 0.5, LINK_EFFICIENCY = 0.7;

static void add(plan_run *r, plan_row row)
{
	if (r->n_rows == r->cap_rows) {
		size_t cap = r->cap_rows ? 2 * r->cap_rows : 32;
		plan_row *more = ds_arena_get(r->mem, cap * sizeof(row));
		if (r->n_rows)
			memcpy(more, r->rows, r->n_rows * sizeof(row));
		r->rows = more;
		r->cap_rows = cap;
	}
	r->rows[r->n_rows++] = row;
}

static plan_row row_of(const ds_train_plan *p, uint64_t bytes)
{
	return (plan_row){ .layout = p->layout,
		.recompute = p->compile.recompute,
		.micro_rows = p->micro_rows,
		.n_micro = p->n_micro,
		.bytes = bytes };
}

/* The most that a stage takes; no further than a first one that has no room. */
static ds_rc fullest(const plan_run *r, const ds_train_plan *p, const ds_train_budget *m,
	uint64_t *most, ds_err *e)
{
	*most = 0;
	for (int stage = 0; stage < p->layout.pp && (double)*most <= r->have; stage++) {
		ds_train_plan one = *p;
		uint64_t bytes;
		ds_train_plan_rank(&one, stage * p->layout.tp);
		DS_TRY(ds_train_plan_bytes(&one, m, &bytes, e));
		*most = bytes > *most ? bytes : *most;
	}
	return DS_OK;
}

/* Seconds of one micro-batch in a stage, but for what it says. */
static ds_rc stage_time(const plan_run *r, const ds_train_plan *p, const ds_train_budget *m,
	int stage, double *seconds, ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	ds_train_plan one = *p;
	ds_train_plan_rank(&one, stage * p->layout.tp);
	ds_engine_opts o = ds_train_plan_engine(&one, true, (ds_exec_opts){ 0 });
	DS_TRY(ds_engine_plan(&n, m->backend, &o, e));
	double flops = ds_graph_flops(n->g, DS_PHASE_FWD) + ds_graph_flops(n->g, DS_PHASE_BWD);
	double moved = ds_graph_moved(n->g, DS_PHASE_FWD) + ds_graph_moved(n->g, DS_PHASE_BWD);
	double a = flops / (r->gpu->flops * EFFICIENCY), b = moved / r->gpu->bandwidth;
	*seconds = a > b ? a : b;
	return DS_OK;
}

static ds_rc speed_of(const plan_run *r, const ds_train_plan *p, const ds_train_budget *m,
	double *speed, ds_err *e)
{
	const ds_layout *l = &p->layout;
	double slowest = 0, tokens = (double)(p->micro_rows * p->seq);
	double row = 4 * tokens * (double)p->config.hidden_size; /* fp32, as the trainer sends */
	double near = r->gpu->link * LINK_EFFICIENCY,
	       far = (r->n > PLAN_NODE ? r->gpu->net : r->gpu->link) * LINK_EFFICIENCY;
	for (int stage = 0; stage < l->pp; stage++) {
		double t;
		DS_TRY(stage_time(r, p, m, stage, &t, e));
		slowest = t > slowest ? t : slowest;
	}
	double layers = (double)p->config.n_layers / l->pp;
	double sums = p->compile.recompute == DS_RECOMPUTE_LAYERS ? 6 : 4;
	double cuts = sums * layers * row * 2 * (l->tp - 1) / l->tp / near;
	double stages = l->pp > 1 ? 2 * row / far : 0;
	double held = (double)r->params / (l->tp * l->pp);
	double copies = 2.0 * (l->dp - 1) / l->dp * 4 * held / far;
	double update = 28 * held / (l->zero ? l->dp : 1) / r->gpu->bandwidth;
	double step =
		(double)(p->n_micro + l->pp - 1) * (slowest + cuts + stages) + copies + update;
	*speed = (double)(p->step_rows * p->seq) / step;
	return DS_OK;
}

/* The least that is computed again with which this layout fits. */
static ds_rc try_gpu(plan_run *r, ds_layout l, int64_t zero, ds_err *e)
{
	ds_train_plan p = r->plan;
	ds_settings k = r->o->ask.keys;
	ds_train_budget budget = {
		.backend = ds_backend_find("cuda"), .threads = 1, .have = r->have
	};
	bool chosen = ds_request_gave(
		&r->o->ask, ds_key_find(ds_setting_keys, DS_S("gradient_checkpointing")));
	int64_t rows = k.batch_tokens / p.seq;
	uint64_t bytes = 0;
	p.layout = l;
	k.zero = zero;
	if (!ds_request_gave(&r->o->ask,
		    ds_key_find(ds_setting_keys, DS_S("gradient_accumulation_steps"))) &&
		rows >= l.dp)
		k.accumulation = rows / l.dp;
	DS_TRY(ds_train_plan_batch(&p, &k, e));
	for (int again = chosen ? (int)p.compile.recompute : DS_RECOMPUTE_NONE;
		again <= DS_RECOMPUTE_LAYERS; again++) {
		p.compile.recompute = (ds_recompute)again;
		DS_TRY(fullest(r, &p, &budget, &bytes, e));
		if (chosen || (double)bytes <= r->have)
			break;
	}
	if (p.compile.recompute > DS_RECOMPUTE_LAYERS)
		p.compile.recompute = DS_RECOMPUTE_LAYERS;
	plan_row row = row_of(&p, bytes);
	row.fits = (double)bytes <= r->have;
	if (row.fits)
		DS_TRY(speed_of(r, &p, &budget, &row.speed, e));
	add(r, row);
	return DS_OK;
}

/* Exactly what dstrain has, ranks sharing this machine's threads. */
static ds_rc try_host(plan_run *r, ds_layout l, double rate, ds_err *e)
{
	ds_train_plan p = r->plan;
	ds_settings k = r->o->ask.keys;
	int jobs = r->c->jobs / r->n;
	ds_train_budget budget = { .backend = ds_backend_find("cpu"),
		.threads = jobs > 1 ? (unsigned)jobs : 1 };
	ds_train_rank *all = ds_arena_zero(r->mem, (size_t)r->n * sizeof(*all));
	uint64_t most = 0;
	double flops = 0;
	p.layout = l;
	DS_TRY(ds_train_plan_batch(&p, &k, e));
	DS_TRY(ds_train_plan_ranks(&p, &budget, all, e));
	for (int i = 0; i < r->n; i++) {
		most = all[i].bytes > most ? all[i].bytes : most;
		flops += all[i].flops;
	}
	plan_row row = row_of(&p, most);
	row.fits = (double)most <= r->have;
	row.speed = (double)(p.step_rows * p.seq) / (flops / (rate * EFFICIENCY));
	add(r, row);
	return DS_OK;
}

static ds_rc measure(const plan_run *r, double *rate, ds_err *e)
{
	DS_AUTO(ds_device) d = NULL;
	DS_TRY(ds_device_open(&d, "cpu", (unsigned)r->c->jobs, e));
	return ds_device_rate(d, r->plan.compile.product, 0.2, rate, e);
}

static int better(const void *a, const void *b)
{
	const plan_row *x = a, *y = b;
	if (x->fits != y->fits)
		return x->fits ? -1 : 1;
	if (x->fits && x->speed != y->speed)
		return x->speed > y->speed ? -1 : 1;
	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* Parameters of the whole model. */
static ds_rc count(plan_run *r, ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	ds_train_plan p = r->plan;
	p.layout = ds_layout_whole((ds_layout){ 0 });
	p.micro_rows = 1;
	p.wide = p.seq;
	ds_train_plan_rank(&p, 0);
	ds_engine_opts o = ds_train_plan_engine(&p, true, (ds_exec_opts){ 0 });
	DS_TRY(ds_engine_plan(&n, ds_backend_find("cpu"), &o, e));
	r->params = ds_graph_params(n->g, NULL);
	return DS_OK;
}

ds_rc plan_search(plan_run *r, ds_err *e)
{
	const ds_settings *k = &r->o->ask.keys;
	bool any = !k->strategy || strcmp(k->strategy, "auto") == 0;
	bool zero = ds_request_gave(&r->o->ask, ds_key_find(ds_setting_keys, DS_S("zero")));
	double rate = 0;
	ds_layout l = r->plan.layout;
	ds_rc rc = DS_OK;
	DS_TRY(count(r, e));
	if (!r->gpu)
		DS_TRY(measure(r, &rate, e));
	for (int i = 0; any ? ds_strategy_candidate(&l, r->n, i) : i < 1; i++) {
		if (r->gpu && any && l.tp > PLAN_NODE)
			continue;
		bool both = r->gpu && !zero && l.dp > 1 && strcmp(k->optimizer, "adamw") == 0;
		rc = r->gpu ? try_gpu(r, l, k->zero, e) : try_host(r, l, rate, e);
		if (rc == DS_OK && both)
			rc = try_gpu(r, l, 1, e);
		if (rc != DS_OK && (!any || rc != DS_USAGE))
			return rc;
	}
	if (!r->n_rows)
		return rc;
	qsort(r->rows, r->n_rows, sizeof(*r->rows), better);
	return DS_OK;
}
