/*
 * show.c - what would be trained: --dump and --dry-run
 */
#include "run.h"

static ds_rc print(ds_buf *b, ds_err *e)
{
	size_t n = fwrite(b->at, 1, b->n, stdout);
	bool ok = n == b->n && fflush(stdout) == 0;
	ds_buf_free(b);
	return ok ? DS_OK : ds_fail_errno(e, "cannot write stdout");
}

static void summary(const train_run *r, const ds_plan *p, ds_buf *b)
{
	int64_t trained, all = ds_graph_params(r->train->g, &trained);
	double flops = ds_graph_flops(r->train->g, DS_PHASE_FWD) +
		       ds_graph_flops(r->train->g, DS_PHASE_BWD);
	ds_buf_fmt(b,
		"model       %s, %lld layers, hidden size %lld, %lld heads, vocabulary %lld\n",
		r->plan.config.arch->name, (long long)r->plan.config.n_layers,
		(long long)r->plan.config.hidden_size, (long long)r->plan.config.n_heads,
		(long long)r->plan.config.vocab_size);
	ds_buf_fmt(b, "parameters  %lld, trained %lld (%.2f %%)\n", (long long)all,
		(long long)trained, 100.0 * (double)trained / (double)all);
	if (r->rows)
		ds_buf_fmt(b, "data        %lld row%s of %lld tokens\n", (long long)r->n_rows,
			ds_s((uint64_t)r->n_rows), (long long)r->plan.seq);
	ds_buf_fmt(b, "step        %lld row%s of %lld tokens in %lld micro-batch%s, %.4g GFLOP\n",
		(long long)r->plan.step_rows, ds_s((uint64_t)r->plan.step_rows),
		(long long)r->plan.seq, (long long)r->plan.n_micro,
		r->plan.n_micro == 1 ? "" : "es", flops * (double)r->plan.n_micro * 1e-9);
	if (r->plan.steps)
		ds_buf_fmt(b, "run         %lld step%s, %s from %g\n", (long long)r->plan.steps,
			ds_s((uint64_t)r->plan.steps), r->plan.schedule.name, r->plan.schedule.lr);
	ds_plan_explain(p, r->train->g, b);
}

/* What the ranks of a layout take and send, those that are alike together. */
static ds_rc show_ranks(const train_run *r, const ds_train_budget *budget, ds_buf *b, ds_err *e)
{
	const ds_layout *l = &r->plan.layout;
	int n = ds_layout_ranks(l);
	char bytes[16], out[16];
	ds_train_rank *all = ds_arena_zero(r->mem, (size_t)n * sizeof(*all));
	if (n < 2)
		return DS_OK;
	DS_TRY(ds_train_plan_ranks(&r->plan, budget, all, e));
	ds_buf_fmt(b, "ranks       %d: dp=%d pp=%d tp=%d, every message has its receiver\n", n,
		l->dp, l->pp, l->tp);
	for (int k = 0, to; k < l->tp * l->pp; k = to) {
		for (to = k + 1; to < l->tp * l->pp && all[to].bytes == all[k].bytes &&
				 all[to].sent == all[k].sent;
			to++)
			;
		ds_buf_fmt(b, "  rank %d", k);
		if (to > k + 1)
			ds_buf_fmt(b, " to %d", to - 1);
		ds_buf_fmt(b, ": %s of memory (%llu), a step %.4g GFLOP, sends %s\n",
			ds_human_bytes(bytes, (double)all[k].bytes),
			(unsigned long long)all[k].bytes, all[k].flops * 1e-9,
			ds_human_bytes(out, all[k].sent));
	}
	if (l->dp > 1)
		ds_buf_fmt(
			b, "  and the same in %d more cop%s\n", l->dp - 1, l->dp > 2 ? "ies" : "y");
	return DS_OK;
}

/* A table of where a step's time goes, over a few of them with all ids 0. */
static ds_rc explain_time(train_run *r, const ds_train_budget *budget, ds_buf *b, ds_err *e)
{
	enum { STEPS = 3 };
	ds_engine *t = r->train;
	ds_buf first = { 0 };
	DS_TRY(ds_device_open(&r->device, r->o->device, (unsigned)r->c->jobs, e));
	DS_TRY(ds_train_plan_fit(&r->plan, budget, e));
	DS_TRY(ds_exec_new(&t->x, t->g, r->device, (ds_exec_opts){ .profile = true }, e));
	DS_TRY(ds_exec_init(t->x, (uint64_t)r->o->ask.keys.seed, e));
	*(float *)ds_exec_input(t->x, t->b.inv) = 1 / (float)(r->plan.micro_rows * r->plan.seq);
	for (int64_t step = 1; step <= STEPS; step++) {
		ds_hyper(ds_exec_input(t->x, t->g->hyper), &r->plan.compile, step, 1e-5);
		for (int phase = 0; phase < DS_N_PHASES; phase++)
			DS_TRY(ds_exec_run(t->x, (ds_phase)phase, &(ds_run){ .step = step }, e));
		if (step == 1) /* it touches all memory for the first time */
			ds_exec_profile(t->x, 1, &first);
	}
	ds_buf_free(&first);
	ds_buf_fmt(b, "a step of %lld tokens, the mean of %d\n",
		(long long)(r->plan.micro_rows * r->plan.seq), STEPS - 1);
	ds_exec_profile(t->x, STEPS - 1, b);
	return DS_OK;
}

/* The plan's bytes, evaluation's, and what the process holds beside them. */
static ds_rc explain_memory(
	const train_run *r, const ds_train_budget *budget, const ds_plan *p, ds_buf *b, ds_err *e)
{
	char human[16];
	uint64_t eval;
	double beside = ds_process_bytes();
	ds_plan_explain(p, r->train->g, b);
	DS_TRY(ds_train_plan_eval_bytes(&r->plan, budget, &eval, e));
	if (eval)
		ds_buf_fmt(b, "evaluation takes %s more (%llu)\n",
			ds_human_bytes(human, (double)eval), (unsigned long long)eval);
	ds_buf_fmt(b, "beside it the process holds %s now: program, libraries, data\n",
		ds_human_bytes(human, beside));
	return ds_train_plan_ways(&r->plan, budget, p->bytes[DS_CLASS_ACT], b, e);
}

ds_rc train_show(train_run *r, ds_err *e)
{
	ds_train_budget budget = train_budget(r);
	ds_buf b = { 0 };
	ds_plan p;
	ds_rc rc = DS_OK;
	if (r->o->memory.bytes)
		DS_TRY(ds_train_plan_fit(&r->plan, &budget, e));
	ds_engine_opts o = ds_train_plan_engine(&r->plan, true, (ds_exec_opts){ 0 });
	DS_TRY(ds_engine_plan(&r->train, budget.backend, &o, e));
	const ds_engine *t = r->train;
	ds_plan_make(&p, t->g, budget.backend, budget.threads);
	if (r->o->explain && strcmp(r->o->explain, "time") == 0) {
		rc = explain_time(r, &budget, &b, e);
	} else if (r->o->explain) {
		rc = explain_memory(r, &budget, &p, &b, e);
	} else if (!r->o->dump) {
		summary(r, &p, &b);
		rc = show_ranks(r, &budget, &b, e);
	} else if (strcmp(r->o->dump, "graph") == 0)
		ds_graph_dump(t->g, &b);
	else if (strcmp(r->o->dump, "plan") == 0)
		ds_plan_dump(&p, t->g, &b);
	else
		ds_sched_dump(t->g, &b);
	ds_plan_release(&p);
	if (rc != DS_OK)
		ds_buf_free(&b);
	return rc == DS_OK ? print(&b, e) : rc;
}
