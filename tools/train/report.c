/*
 * report.c - log.jsonl, TensorBoard, the live line, the summary
 */
#include "run.h"

#include "graph/backend.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double wall(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The lines before the checkpoint stay as they are, those after it go. */
static ds_rc open_log(train_run *r, ds_err *e)
{
	const char *path = ds_arena_fmt(r->mem, "%s/log.jsonl", r->out).at;
	struct stat st;
	r->report.log = fopen(path, "ab");
	if (!r->report.log || fstat(fileno(r->report.log), &st) != 0)
		return ds_fail_errno(e, "%s: cannot open", path);
	int64_t keep = r->state.step ? r->state.log_bytes : 0;
	if (st.st_size < keep)
		keep = st.st_size;
	if (ftruncate(fileno(r->report.log), keep) != 0)
		return ds_fail_errno(e, "%s: cannot cut", path);
	r->report.log_bytes = keep;
	return DS_OK;
}

static void say_memory(const train_run *r)
{
	const ds_plan *plan = ds_exec_plan(r->train->x);
	char bytes[16];
	ds_buf b = { 0 };
	for (int c = 0; c < DS_N_CLASSES; c++)
		if (plan->bytes[c])
			ds_buf_fmt(&b, "%s %s, ", ds_class_name((ds_class)c),
				ds_human_bytes(bytes, (double)plan->bytes[c]));
	ds_buf_fmt(&b, "scratch %s", ds_human_bytes(bytes, (double)plan->scratch_bytes));
	ds_tell(&r->c->who, "memory: %s (%s)", ds_human_bytes(bytes, (double)plan->total_bytes),
		ds_buf_text(&b));
	ds_buf_free(&b);
}

/* Of all ranks together, measured at once: they share the machine. */
static ds_rc measure_rates(train_run *r, ds_err *e)
{
	train_report *p = &r->report;
	ds_group all = ds_world_all(r->world);
	DS_TRY(ds_device_rate(r->device, r->plan.compile.product, 0.2, &p->gemm_flops, e));
	p->step_flops =
		(double)r->plan.n_micro * (ds_graph_flops(r->train->g, DS_PHASE_FWD) +
						  ds_graph_flops(r->train->g, DS_PHASE_BWD));
	double sums[] = { p->gemm_flops, p->step_flops };
	if (r->world)
		DS_TRY(ds_world_all_reduce(r->world, &all, sums, 2, DS_NUM_F64, e));
	p->gemm_flops = sums[0];
	p->step_flops = sums[1];
	return DS_OK;
}

static void say_widened(const train_run *r)
{
	const ds_traits *t = &ds_device_backend(r->device)->traits;
	ds_dtype product = r->plan.compile.product;
	if (t->widens && t->widens(product))
		ds_tell(&r->c->who,
			"%s is how values are stored: without instructions for it, this CPU "
			"computes in fp32",
			ds_dtype_name(product));
}

static ds_rc measure(train_run *r, ds_err *e)
{
	train_report *p = &r->report;
	char params[16];
	if (!r->told)
		return DS_OK;
	DS_TRY(measure_rates(r, e));
	if (!train_is_first(r))
		return DS_OK;
	say_widened(r);
	bool shown = ds_progress_live(p->progress) || r->c->who.verbose;
	int64_t trained, all = ds_graph_params(r->train->g, &trained);
	if (shown)
		ds_tell(&r->c->who,
			"%s: %s parameters, matrix products at %.1f GFLOP/s, %lld step%s of %lld "
			"token%s",
			r->plan.config.arch->name, ds_human_count(params, (double)all),
			p->gemm_flops * 1e-9, (long long)r->plan.steps,
			ds_s((uint64_t)r->plan.steps), (long long)(r->plan.step_rows * r->plan.seq),
			ds_s((uint64_t)(r->plan.step_rows * r->plan.seq)));
	if (shown || r->adapts)
		ds_tell(&r->c->who, "trained: %lld of %lld parameters (%.2f %%)",
			(long long)trained, (long long)all, 100.0 * (double)trained / (double)all);
	if (shown)
		say_memory(r);
	return DS_OK;
}

ds_rc train_report_open(train_run *r, ds_err *e)
{
	train_report *p = &r->report;
	if (!train_is_first(r))
		return measure(r, e);
	p->progress = ds_progress_new(&r->c->who);
	DS_TRY(open_log(r, e));
	const char *dir = ds_arena_fmt(r->mem, "%s/tb", r->out).at;
	DS_TRY(ds_tb_open(&p->tb, dir, r->state.step + 1, wall(), e));
	DS_TRY(measure(r, e));
	p->first_step = r->state.step + 1;
	p->tokens_before = r->state.tokens;
	p->loss = p->first_loss = p->eval_loss = NAN;
	p->started = p->last = ds_now();
	return DS_OK;
}

static ds_rc write_log(train_run *r, ds_buf *line, ds_err *e)
{
	FILE *log = r->report.log;
	size_t n = fwrite(line->at, 1, line->n, log);
	bool ok = n == line->n && fflush(log) == 0;
	r->report.log_bytes += (int64_t)line->n;
	ds_buf_free(line);
	return ok ? DS_OK : ds_fail_errno(e, "%s/log.jsonl: cannot write", r->out);
}

static double mfu(const train_run *r, double seconds)
{
	const train_report *p = &r->report;
	return p->gemm_flops > 0 && seconds > 0 ? p->step_flops / seconds / p->gemm_flops * 100 : 0;
}

static void show(train_run *r, const ds_figures *f, double speed, double seconds)
{
	train_report *p = &r->report;
	char rate[16], bytes[16], eval[32] = "";
	double each = (ds_now() - p->started) / (double)(r->state.step - p->first_step + 1);
	long left = (long)(each * (double)(r->plan.steps - r->state.step) + 0.5);
	if (isfinite(p->eval_loss))
		snprintf(eval, sizeof(eval), ", eval %.4f", p->eval_loss);
	ds_progress_line(p->progress,
		"step %lld/%lld, loss %.4f%s, %s tokens/s, MFU %.0f%%, %s, ETA %ld:%02ld",
		(long long)r->state.step, (long long)r->plan.steps, f->loss, eval,
		ds_human_count(rate, speed), mfu(r, seconds),
		ds_human_bytes(bytes, (double)ds_exec_plan(r->train->x)->total_bytes), left / 60,
		left % 60);
}

/* A number, or null: JSON has no infinity. */
static void put(ds_buf *line, const char *name, double v)
{
	if (isfinite(v))
		ds_buf_fmt(line, ", \"%s\": %.9g", name, v);
	else
		ds_buf_fmt(line, ", \"%s\": null", name);
}

static void print_router(const ds_router_figures *f, ds_buf *line)
{
	put(line, "aux_loss", f->balance);
	put(line, "router_z_loss", f->z);
	put(line, "expert_load_max", f->load_max);
	ds_buf_add_c(line, ", \"expert_load\": ");
	for (int64_t i = 0; i < f->experts; i++)
		ds_buf_fmt(line, "%s%.4g", i ? ", " : "[", f->load[i]);
	ds_buf_add_byte(line, ']');
}

static void print_step(const train_run *r, const ds_figures *f, double speed, ds_buf *line)
{
	ds_buf_fmt(line, "{\"step\": %lld", (long long)r->state.step);
	put(line, "loss", f->empty ? NAN : f->loss);
	put(line, "lr", f->lr);
	put(line, "grad_norm", f->empty ? NAN : f->grad_norm);
	if (f->scale > 0)
		put(line, "loss_scale", f->scale);
	if (f->z > 0)
		put(line, "outlier_z", f->z);
	if (f->router.experts && !f->empty)
		print_router(&f->router, line);
	if (f->skipped || f->empty)
		ds_buf_add_c(line, ", \"skipped\": true");
	ds_buf_fmt(line, ", \"tokens\": %lld, \"tokens_per_second\": %.1f}\n",
		(long long)r->state.tokens, speed);
}

ds_rc train_report_step(train_run *r, const ds_figures *f, ds_err *e)
{
	train_report *p = &r->report;
	if (!train_is_first(r))
		return DS_OK;
	double now = ds_now(), seconds = now - p->last;
	double speed =
		(double)(r->plan.step_rows * r->plan.seq) / (seconds > 1e-9 ? seconds : 1e-9);
	ds_buf line = { 0 };
	p->last = now;
	if (f->z > 0)
		ds_warn(&r->c->who, "step %lld: loss %.4f, %.1f deviations above those before",
			(long long)r->state.step, f->loss, f->z);
	if (f->skipped)
		ds_warn(&r->c->who,
			"step %lld: gradients over the range of fp16, skipped; loss scale %g -> %g",
			(long long)r->state.step, f->scale, r->state.scale);
	if (!f->empty) {
		p->loss = f->loss;
		if (!isfinite(p->first_loss))
			p->first_loss = f->loss;
	}
	show(r, f, speed, seconds);
	if (r->state.step % r->o->ask.keys.log_every)
		return DS_OK;
	print_step(r, f, speed, &line);
	DS_TRY(write_log(r, &line, e));
	if (f->empty)
		return DS_OK;
	ds_tb_scalar s[] = { { "train/loss", (float)f->loss },
		{ "train/learning_rate", (float)f->lr }, { "train/grad_norm", (float)f->grad_norm },
		{ "train/tokens_per_second", (float)speed },
		{ "train/aux_loss", (float)f->router.balance },
		{ "train/expert_load_max", (float)f->router.load_max } };
	return ds_tb_add(p->tb, r->state.step, wall(), s, f->router.experts ? 6 : 4, e);
}

ds_rc train_report_eval(train_run *r, double loss, ds_err *e)
{
	ds_buf line = { 0 };
	if (!train_is_first(r))
		return DS_OK;
	r->report.eval_loss = loss;
	ds_buf_fmt(
		&line, "{\"step\": %lld, \"eval_loss\": %.9g}\n", (long long)r->state.step, loss);
	DS_TRY(write_log(r, &line, e));
	DS_TRY(ds_tb_add(r->report.tb, r->state.step, wall(),
		&(ds_tb_scalar){ "eval/loss", (float)loss }, 1, e));
	/* Evaluation is no part of a step's time. */
	double now = ds_now();
	r->report.started += now - r->report.last;
	r->report.last = now;
	return DS_OK;
}

/* "communication": of all ranks together, by kind. */
static void print_traffic(const ds_traffic traffic[DS_N_MOVES], ds_buf *b)
{
	const char *comma = "";
	ds_buf_add_c(b, ", \"communication\": {");
	for (int m = 0; m < DS_N_MOVES; m++) {
		const ds_traffic *t = &traffic[m];
		if (!t->calls)
			continue;
		ds_buf_fmt(b,
			"%s\"%s\": {\"calls\": %lld, \"bytes\": %lld, \"seconds\": %.3f, "
			"\"waited\": %.3f}",
			comma, ds_move_name((ds_move)m), (long long)t->calls, (long long)t->bytes,
			t->seconds, t->waited);
		comma = ", ";
	}
	ds_buf_add_c(b, "}");
}

/* ", 3.1 MB between ranks, which waited 12 % of the time" */
static void say_traffic(
	const train_run *r, const ds_traffic traffic[DS_N_MOVES], double seconds, char out[96])
{
	double bytes = 0, waited = 0, time = seconds * ds_world_size(r->world);
	char human[16];
	out[0] = 0;
	for (int m = 0; m < DS_N_MOVES; m++) {
		bytes += (double)traffic[m].bytes;
		waited += traffic[m].waited;
	}
	if (r->world && time > 0)
		snprintf(out, 96, ", %s between ranks, which waited %.0f %% of the time",
			ds_human_bytes(human, bytes), 100 * waited / time);
}

static ds_rc write_stats(
	const train_run *r, double seconds, const ds_traffic traffic[DS_N_MOVES], ds_err *e)
{
	ds_buf b = { 0 };
	const train_report *p = &r->report;
	if (!r->c->stats_path)
		return DS_OK;
	ds_buf_fmt(&b, "{\"program\": \"%s\", \"steps\": %lld, \"tokens\": %lld, \"seconds\": %.3f",
		r->c->who.program, (long long)r->state.step, (long long)r->state.tokens, seconds);
	if (isfinite(p->loss))
		ds_buf_fmt(&b, ", \"loss\": %.9g", p->loss);
	if (isfinite(p->eval_loss))
		ds_buf_fmt(&b, ", \"eval_loss\": %.9g", p->eval_loss);
	if (r->world)
		print_traffic(traffic, &b);
	ds_buf_add_c(&b, "}\n");
	ds_rc rc = ds_file_deliver(r->c->stats_path, ds_buf_view(&b), e);
	ds_buf_free(&b);
	return rc;
}

ds_rc train_report_end(train_run *r, const char *how, ds_err *e)
{
	train_report *p = &r->report;
	ds_traffic traffic[DS_N_MOVES];
	DS_TRY(train_ranks_traffic(r, traffic, e));
	if (!train_is_first(r))
		return DS_OK;
	int64_t steps = r->state.step - p->first_step + 1;
	double seconds = p->last - p->started, each = steps > 0 ? seconds / (double)steps : 0;
	double tokens = (double)(r->state.tokens - p->tokens_before);
	char rate[16], eval[96] = "", empty[64] = "", sent[96];
	DS_TRY(write_stats(r, seconds, traffic, e));
	say_traffic(r, traffic, seconds, sent);
	ds_progress_clear(p->progress);
	if (isfinite(p->eval_loss))
		snprintf(eval, sizeof(eval), ", eval loss %.4f, the best %.4f at step %lld",
			p->eval_loss, r->state.best, (long long)r->state.best_step);
	if (r->state.empty)
		snprintf(empty, sizeof(empty), ", %lld step%s without a target skipped",
			(long long)r->state.empty, ds_s((uint64_t)r->state.empty));
	if (steps < 1)
		ds_say(&r->c->who, "%s at step %lld, nothing left to do", how,
			(long long)r->state.step);
	else
		ds_say(&r->c->who,
			"%s: step %lld of %lld, loss %.4f -> %.4f%s%s, %.1f s, %s tokens/s, MFU "
			"%.0f%% of %.1f GFLOP/s%s",
			how, (long long)r->state.step, (long long)r->plan.steps, p->first_loss,
			p->loss, eval, empty, seconds,
			ds_human_count(rate, seconds > 0 ? tokens / seconds : 0), mfu(r, each),
			p->gemm_flops * 1e-9, sent);
	return DS_OK;
}

void train_report_close(train_run *r)
{
	if (r->report.log)
		fclose(r->report.log);
	ds_tb_close(r->report.tb);
	ds_progress_free(r->report.progress);
}
