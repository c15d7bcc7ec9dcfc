/*
 * search.c - every layout of so many ranks, as the trainer itself would have it
 *
 * Bytes are those of the trainer's own graphs, made and not allocated; seconds are price.c's.
 */
#include "plan.h"

#include "graph/backend.h"
#include "graph/op.h"
#include "train/trainer.h"

#include <stdlib.h>

enum { MOST_ROWS = 16 };              /* of a micro-batch */
static const double EFFICIENCY = 0.5; /* of this machine's rate of products */

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

/* What the fullest stage takes; no further than a first one that has no room. */
static ds_rc fullest(const plan_run *r, const ds_train_plan *p, const ds_train_budget *m,
	plan_row *row, ds_err *e)
{
	row->bytes = 0;
	for (int stage = 0; stage < p->layout.pp && (double)row->bytes <= r->have; stage++) {
		ds_train_plan one = *p;
		uint64_t by_class[DS_TRAIN_CLASSES], bytes = 0;
		if (plan_like_before(p, stage))
			continue;
		ds_train_plan_rank(&one, stage * p->layout.tp);
		DS_TRY(ds_train_plan_classes(&one, m, by_class, e));
		for (int c = 0; c < DS_TRAIN_CLASSES; c++)
			bytes += by_class[c];
		if (bytes > row->bytes) {
			row->bytes = bytes;
			memcpy(row->by_class, by_class, sizeof(by_class));
		}
	}
	return DS_OK;
}

static bool gave(const plan_run *r, const char *key)
{
	return ds_request_gave(&r->o->ask, ds_key_find(ds_setting_keys, ds_str_of(key)));
}

/* The least that is computed again with which these micro-batches fit. */
static ds_rc try_parts(plan_run *r, ds_train_plan *p, ds_settings k, plan_row *row, ds_err *e)
{
	ds_train_budget room = {
		.backend = ds_backend_find("cuda"), .threads = 1, .have = r->have
	};
	bool chosen = gave(r, "gradient_checkpointing");
	DS_TRY(ds_train_plan_batch(p, &k, e));
	for (int again = chosen ? (int)p->compile.recompute : DS_RECOMPUTE_NONE;
		again <= DS_RECOMPUTE_LAYERS; again++) {
		p->compile.recompute = (ds_recompute)again;
		*row = row_of(p, 0);
		DS_TRY(fullest(r, p, &room, row, e));
		if (chosen || (double)row->bytes <= r->have)
			break;
		bool hopeless = (double)(row->bytes - row->by_class[DS_CLASS_ACT]) > r->have;
		if (hopeless && again < DS_RECOMPUTE_LAYERS)
			again = DS_RECOMPUTE_LAYERS - 1; /* the least it can take, to tell */
	}
	row->fits = (double)row->bytes <= r->have;
	if (row->fits || !r->many) {
		DS_TRY(plan_price(r, p, &room, &row->time, e));
		row->speed = (double)(p->step_rows * p->seq) / row->time.step;
	}
	return DS_OK;
}

/* Unless said, micro-batches of as many rows as make a step shortest. */
static ds_rc try_gpu(plan_run *r, ds_layout l, int64_t zero, ds_err *e)
{
	ds_train_plan p = r->plan;
	ds_settings k = r->o->ask.keys;
	int64_t rows = k.batch_tokens / p.seq / l.dp;
	plan_row best, row;
	bool free = !gave(r, "gradient_accumulation_steps") && rows > 0;
	p.layout = l;
	k.zero = zero;
	if (free)
		k.accumulation = rows;
	DS_TRY(try_parts(r, &p, k, &best, e));
	for (int64_t n = 2; free && best.fits && n <= MOST_ROWS && rows % n == 0; n *= 2) {
		ds_train_plan wide = r->plan;
		wide.layout = l;
		k.accumulation = rows / n;
		DS_TRY(try_parts(r, &wide, k, &row, e));
		if (!row.fits || row.time.step >= best.time.step)
			break;
		best = row;
	}
	add(r, best);
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

/*
 * Parameters of the whole model, and what a token costs: products of the forward pass, and twice as much backward, or as much
 * where weights are frozen.
 */
static ds_rc count(plan_run *r, ds_err *e)
{
	double times = r->plan.lora.r ? 2 : 3;
	DS_AUTO(ds_engine) n = NULL;
	ds_train_plan p = r->plan;
	p.layout = ds_layout_whole((ds_layout){ 0 });
	p.micro_rows = 1;
	p.wide = p.seq;
	ds_train_plan_rank(&p, 0);
	ds_engine_opts o = ds_train_plan_engine(&p, false, (ds_exec_opts){ 0 });
	DS_TRY(ds_engine_plan(&n, ds_backend_find("cpu"), &o, e));
	r->params = ds_graph_params(n->g, &r->trained);
	for (int32_t i = 0; i < n->g->n_nodes; i++) {
		ds_node x = n->g->nodes[i];
		const ds_op *op = ds_op_of(x.op);
		if (!(op->traits & (DS_OP_PRODUCT | DS_OP_HEADS)))
			continue;
		r->flops[1] += times * op->flops(n->g, &x) / (double)p.seq;
		if (op->traits & DS_OP_HEADS)
			x.attr.attention.causal = false;
		r->flops[0] += times * op->flops(n->g, &x) / (double)p.seq;
	}
	return DS_OK;
}

/* Whether experts may be shared out among ep of the replicas. */
static bool shares_experts(const plan_run *r, const ds_layout *l, int ep)
{
	return l->dp % ep == 0 && r->plan.config.n_experts > 0 &&
	       r->plan.config.n_experts % ep == 0;
}

static ds_rc try_layout(plan_run *r, ds_layout l, double rate, ds_err *e)
{
	const ds_settings *k = &r->o->ask.keys;
	bool both = !gave(r, "zero") && l.dp > 1 && strcmp(k->optimizer, "adamw") == 0;
	if (!r->gpu)
		return try_host(r, l, rate, e);
	DS_TRY(try_gpu(r, l, k->zero, e));
	return both ? try_gpu(r, l, 1, e) : DS_OK;
}

ds_rc plan_search(plan_run *r, ds_err *e)
{
	const ds_settings *k = &r->o->ask.keys;
	bool any = !k->strategy || strcmp(k->strategy, "auto") == 0;
	double rate = 0;
	ds_layout l = r->plan.layout;
	ds_rc rc = DS_OK;
	r->many = any;
	DS_TRY(count(r, e));
	if (!r->gpu)
		DS_TRY(measure(r, &rate, e));
	for (int i = 0; any ? ds_strategy_candidate(&l, r->n, i) : i < 1; i++) {
		if (r->gpu && any && l.tp > PLAN_NODE)
			continue;
		for (int ep = 1; ep == 1 || (any && shares_experts(r, &l, ep)); ep *= 2) {
			l.ep = any ? ep : l.ep;
			rc = try_layout(r, l, rate, e);
			if (rc != DS_OK && (!any || rc != DS_USAGE))
				return rc;
		}
	}
	if (!r->n_rows)
		return rc;
	qsort(r->rows, r->n_rows, sizeof(*r->rows), better);
	return DS_OK;
}
