/*
 * ranks.c - processes that train together: how many, started, agreed, told of
 */
#include "run.h"

#include "base/mem.h"
#include "base/outs.h"
#include "base/temp.h"

#include <unistd.h>

ds_rc train_ranks_layout(train_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	int given = ds_mpi_ranks();
	if (given > 1 && k->procs > 1 && k->procs != given)
		return ds_fail(e, DS_USAGE, "num_gpus=%lld, but mpirun or srun started %d ranks",
			(long long)k->procs, given);
	DS_TRY(ds_strategy_parse(&r->plan.layout, k->strategy, given > 1 ? given : k->procs, e));
	k->procs = ds_layout_ranks(&r->plan.layout);
	if (k->procs > DS_MAX_RANKS && !r->o->dry_run)
		return ds_fail(e, DS_USAGE, "parallel_strategy: %lld ranks, the limit is %d",
			(long long)k->procs, DS_MAX_RANKS);
	return DS_OK;
}

/* The most that a stage of a plan takes. */
static ds_rc fullest(const train_run *r, const ds_train_plan *p, uint64_t *most, ds_err *e)
{
	ds_train_budget budget = train_budget(r);
	*most = 0;
	for (int stage = 0; stage < p->layout.pp; stage++) {
		ds_train_plan one = *p;
		uint64_t bytes, eval;
		ds_train_plan_rank(&one, stage * p->layout.tp);
		DS_TRY(ds_train_plan_bytes(&one, &budget, &bytes, e));
		DS_TRY(ds_train_plan_eval_bytes(&one, &budget, &eval, e));
		*most = bytes + eval > *most ? bytes + eval : *most;
	}
	return DS_OK;
}

ds_rc train_ranks_auto(train_run *r, ds_err *e)
{
	const char *words = r->o->ask.keys.strategy;
	int n = ds_layout_ranks(&r->plan.layout);
	ds_train_budget budget = train_budget(r);
	double have = (budget.have > 0 ? budget.have : ds_machine_bytes()) / n;
	if (!words || strcmp(words, "auto") != 0 || n < 2)
		return DS_OK;
	ds_layout first = r->plan.layout;
	bool any = false;
	for (int i = 0; ds_strategy_candidate(&r->plan.layout, n, i); i++) {
		ds_train_plan p = r->plan;
		ds_settings k = r->o->ask.keys;
		ds_err why;
		uint64_t most;
		if (ds_train_plan_batch(&p, &k, &why) != DS_OK ||
			fullest(r, &p, &most, &why) != DS_OK)
			continue;
		first = any ? first : r->plan.layout;
		any = true;
		if ((double)most > have)
			continue;
		ds_tell(&r->c->who, "parallel_strategy=auto: dp=%d,tp=%d,pp=%d", p.layout.dp,
			p.layout.tp, p.layout.pp);
		return DS_OK;
	}
	r->plan.layout = first; /* what is wrong with it is said by what comes next */
	return DS_OK;
}

/* Ranks share the cores; one of them speaks for all. */
static void settle_rank(train_run *r)
{
	int n = ds_world_size(r->world), jobs = r->c->jobs / n;
	r->told = !r->c->who.quiet;
	r->common = *r->c;
	r->common.jobs = jobs > 1 ? jobs : 1;
	r->common.who.quiet |= !train_is_first(r);
	r->common.stats_path = train_is_first(r) ? r->common.stats_path : NULL;
	r->c = &r->common;
	ds_world_limit(r->world, r->o->ask.keys.comm_timeout);
}

ds_rc train_ranks_start(train_run *r, bool *waited, ds_err *e)
{
	int by;
	*waited = false;
	DS_TRY(train_ranks_layout(r, e));
	int n = ds_layout_ranks(&r->plan.layout);
	if (n == 1)
		return DS_OK;
	if (ds_mpi_ranks() > 1) {
		DS_TRY(ds_mpi_open(&r->world, e));
		settle_rank(r);
		return DS_OK;
	}
	for (int64_t left = r->o->restarts;; left--) {
		ds_rc rc = ds_launch(n, &r->world, &r->launched, &by, e);
		*waited = !r->launched;
		if (r->world)
			settle_rank(r);
		if (rc != DS_IO || by < 0 || left <= 0)
			return rc;
		ds_warn(&r->c->who,
			"%s; the ranks begin again at the last checkpoint, %lld time%s left",
			e->msg, (long long)left - 1, ds_s((uint64_t)left - 1));
		r->o->resume = true;
	}
}

void train_ranks_end(train_run *r, ds_rc rc, const ds_err *e)
{
	bool rank = r->launched != NULL;
	if (!rank && r->world) { /* what is wrong with the request, one rank says */
		bool says = train_is_first(r) || rc != DS_USAGE;
		if (rc != DS_OK && says)
			fprintf(stderr, "%s: rank %d: %s\n", r->c->who.program,
				ds_world_rank(r->world), e->msg);
		ds_mpi_end(r->world, rc, says);
		return;
	}
	ds_launch_end(r->launched, r->world, rc, e);
	if (!rank || rc == DS_OK)
		return;
	ds_outs_discard();
	ds_temp_discard();
	_exit((int)rc);
}

/* Of ranks that were forked here it is the same. */
static ds_rc hash_program(const train_run *r, uint64_t *h, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	ds_str bytes = { "", 0 };
	if (r->launched)
		return DS_OK;
	DS_TRY(ds_in_open(&in, "/proc/self/exe", e));
	if (ds_in_map(in, &bytes))
		*h = ds_hash64(bytes.at, bytes.n);
	return DS_OK;
}

ds_rc train_ranks_agree(train_run *r, ds_err *e)
{
	enum { PROGRAM, SETTINGS, DATA, N };
	static const char *const what[N] = { "program", "setting", "set of data" };
	uint64_t mine[N] = { 0 }, all[N * DS_MAX_RANKS];
	int n = ds_world_size(r->world);
	ds_group everybody = ds_world_all(r->world);
	int64_t starts[DS_MAX_RANKS + 1];
	ds_buf ini = { 0 };
	if (n < 2)
		return DS_OK;
	DS_TRY(hash_program(r, &mine[PROGRAM], e));
	ds_request_print(&r->o->ask, &r->plan.config, r->data, r->n_data, &ini);
	mine[SETTINGS] = ds_hash64(ini.at, ini.n);
	ds_buf_free(&ini);
	mine[DATA] = train_data_identity(r);
	for (int k = 0; k <= n; k++)
		starts[k] = (int64_t)N * k;
	memcpy(&all[N * ds_world_rank(r->world)], mine, sizeof(mine));
	ds_world_say(r->world, "comparing", "settings");
	DS_TRY(ds_world_all_gather(r->world, &everybody, all, starts, DS_NUM_I64, e));
	for (int k = 1; k < n; k++)
		for (int i = 0; i < N; i++)
			if (all[N * k + i] != all[i])
				return ds_fail(e, DS_USAGE, "rank %d has another %s than rank 0", k,
					what[i]);
	return DS_OK;
}

/* Of this rank's executors. */
static uint64_t arenas(const train_run *r, uint64_t by_class[DS_N_CLASSES + 1])
{
	const ds_plan *p = ds_exec_plan(r->train->x);
	for (int c = 0; c < DS_N_CLASSES; c++)
		by_class[c] = p->bytes[c];
	by_class[DS_N_CLASSES] = p->scratch_bytes;
	uint64_t sum = ds_exec_bytes(r->train->x) + (r->eval ? ds_exec_bytes(r->eval->x) : 0);
	for (int64_t i = 1; i < ds_train_slots(&r->plan); i++)
		sum += ds_exec_bytes(r->slots[i - 1]->x);
	return sum;
}

ds_rc train_ranks_plan(train_run *r, ds_err *e)
{
	enum { EACH = 2 + DS_N_CLASSES };
	uint64_t all[EACH * DS_MAX_RANKS];
	int n = ds_world_size(r->world), me = ds_world_rank(r->world), fullest = 0;
	ds_group everybody = ds_world_all(r->world);
	int64_t starts[DS_MAX_RANKS + 1];
	ds_buf b = { 0 };
	all[EACH * me] = arenas(r, &all[EACH * me + 1]);
	for (int k = 0; k <= n; k++)
		starts[k] = (int64_t)EACH * k;
	if (r->world)
		DS_TRY(ds_world_all_gather(r->world, &everybody, all, starts, DS_NUM_I64, e));
	if (me)
		return DS_OK;
	ds_buf_add_c(&b, "{\"bytes_by_rank\": [");
	for (int k = 0; k < n; k++) {
		ds_buf_fmt(&b, "%s%llu", k ? ", " : "", (unsigned long long)all[EACH * k]);
		fullest = all[EACH * k] > all[EACH * fullest] ? k : fullest;
	}
	ds_buf_fmt(&b, "],\n \"fullest_rank\": %d, \"by_class\": {", fullest);
	for (int c = 0; c <= DS_N_CLASSES; c++)
		ds_buf_fmt(&b, "%s\"%s\": %llu", c ? ", " : "",
			c < DS_N_CLASSES ? ds_class_name((ds_class)c) : "scratch",
			(unsigned long long)all[EACH * fullest + 1 + c]);
	ds_buf_add_c(&b, "}}\n");
	return train_write_in_out(r, "plan.json", &b, e);
}

/* ---- what was said, and when ---- */

ds_rc train_ranks_trace(train_run *r, ds_err *e)
{
	ds_buf all = { 0 };
	if (!r->trace)
		return DS_OK;
	if (r->world)
		ds_world_trace(r->world, NULL);
	ds_buf_add_c(&all, train_is_first(r) ? "{\"traceEvents\": [\n" : "");
	ds_trace_print(r->trace, ds_world_rank(r->world), &all);
	uint64_t bytes = all.n;
	if (!train_is_first(r)) {
		ds_rc rc = ds_world_send(r->world, 0, &bytes, sizeof(bytes), e);
		if (rc == DS_OK)
			rc = ds_world_send(r->world, 0, all.at, all.n, e);
		ds_buf_free(&all);
		return rc;
	}
	ds_rc rc = DS_OK;
	for (int k = 1; k < ds_world_size(r->world) && rc == DS_OK; k++) {
		rc = ds_world_recv(r->world, k, &bytes, sizeof(bytes), e);
		char *text = ds_mem_get(rc == DS_OK ? bytes : 1);
		if (rc == DS_OK)
			rc = ds_world_recv(r->world, k, text, bytes, e);
		if (rc == DS_OK)
			ds_buf_add(&all, text, bytes);
		ds_mem_free(text);
	}
	ds_buf_add_c(&all,
		"{\"ph\": \"M\", \"name\": \"process_sort_index\", \"pid\": 0, \"args\": "
		"{\"sort_index\": 0}}],\n\"displayTimeUnit\": \"ms\"}\n");
	if (rc == DS_OK)
		rc = ds_file_deliver(r->o->trace, ds_buf_view(&all), e);
	ds_buf_free(&all);
	return rc;
}

ds_rc train_ranks_traffic(train_run *r, ds_traffic out[DS_N_MOVES], ds_err *e)
{
	double v[4 * DS_N_MOVES];
	ds_group all = ds_world_all(r->world);
	for (int m = 0; m < DS_N_MOVES; m++) {
		ds_traffic t = ds_world_traffic(r->world, (ds_move)m);
		double each[] = { (double)t.calls, (double)t.bytes, t.seconds, t.waited };
		memcpy(&v[4 * m], each, sizeof(each));
	}
	if (r->world)
		DS_TRY(ds_world_all_reduce(r->world, &all, v, 4 * DS_N_MOVES, DS_NUM_F64, e));
	for (int m = 0; m < DS_N_MOVES; m++)
		out[m] = (ds_traffic){ (int64_t)v[4 * m], (int64_t)v[4 * m + 1], v[4 * m + 2],
			v[4 * m + 3] };
	return DS_OK;
}
