/*
 * print.c - what was found: a table, lines with tabs, JSON
 */
#include "plan.h"

#include "base/io.h"
#include "base/progress.h"
#include "model/arch.h"

static int64_t step_tokens(const plan_run *r)
{
	const plan_row *w = &r->rows[0];
	return w->layout.dp * w->n_micro * w->micro_rows * r->plan.seq;
}

/* Of the peak, attention counted in full and as a causal one needs it. */
static double mfu(const plan_run *r, const plan_row *w, int causal)
{
	return r->gpu ? w->speed * r->flops[causal] / (r->n * r->gpu->flops) : 0;
}

static double days(const plan_run *r, const plan_row *w)
{
	return r->tokens / w->speed / 86400;
}

static double cost(const plan_run *r, const plan_row *w)
{
	return days(r, w) * 24 * r->n * r->o->price;
}

static const char *class_word(int c)
{
	return c < DS_N_CLASSES ? ds_class_name((ds_class)c) : "scratch";
}

static void print_time(const plan_run *r, const plan_row *w, ds_buf *b)
{
	const plan_time *t = &w->time;
	if (t->step <= 0)
		return;
	ds_buf_fmt(b,
		", \"mfu\": %.4f, \"mfu_causal\": %.4f, \"time\": {\"step\": %.6g, \"compute\": "
		"%.6g, \"cuts\": %.6g, \"stages\": %.6g, \"bubble\": %.6g, \"copies\": %.6g, "
		"\"copies_hidden\": %.6g, \"update\": %.6g}",
		mfu(r, w, 0), mfu(r, w, 1), t->step, t->compute, t->cuts, t->sends, t->bubble,
		t->copies, t->hidden, t->update);
	if (r->tokens > 0)
		ds_buf_fmt(b, ", \"days\": %.6g", days(r, w));
	if (r->tokens > 0 && r->o->price > 0)
		ds_buf_fmt(b, ", \"cost\": %.6g", cost(r, w));
}

static void print_classes(const plan_row *w, ds_buf *b)
{
	const char *comma = "";
	ds_buf_add_c(b, ", \"bytes_by_class\": {");
	for (int c = 0; c < DS_TRAIN_CLASSES; c++)
		if (w->by_class[c]) {
			ds_buf_fmt(b, "%s\"%s\": %llu", comma, class_word(c),
				(unsigned long long)w->by_class[c]);
			comma = ", ";
		}
	ds_buf_add_c(b, "}");
}

static void print_json(const plan_run *r, ds_buf *b)
{
	const ds_config *c = &r->plan.config;
	ds_buf_fmt(b,
		"{\"parameters\": %lld, \"trained\": %lld, \"architecture\": \"%s\", "
		"\"num_hidden_layers\": %lld, "
		"\"hidden_size\": %lld, \"intermediate_size\": %lld, \"num_attention_heads\": "
		"%lld, "
		"\"num_key_value_heads\": %lld, \"vocab_size\": %lld, \"seq\": %lld, "
		"\"batch_tokens\": %lld, \"flops_per_token\": %.6g, \"flops_per_token_causal\": "
		"%.6g, \"gpu\": \"%s\", \"gpus\": %d, \"bytes_there\": %.0f,\n"
		" \"layouts\": [",
		(long long)r->params, (long long)r->trained, c->arch->name, (long long)c->n_layers,
		(long long)c->hidden_size, (long long)c->intermediate_size, (long long)c->n_heads,
		(long long)c->n_kv_heads, (long long)c->vocab_size, (long long)r->plan.seq,
		(long long)step_tokens(r), r->flops[0], r->flops[1], r->gpu ? r->gpu->name : "host",
		r->n, r->have);
	for (size_t i = 0; i < r->n_rows; i++) {
		const plan_row *w = &r->rows[i];
		ds_buf_fmt(b,
			"%s\n  {\"fits\": %s, \"bytes_per_gpu\": %llu, \"tokens_per_second\": ",
			i ? "," : "", w->fits ? "true" : "false", (unsigned long long)w->bytes);
		ds_buf_fmt(b, w->speed > 0 ? "%.6g" : "null", w->speed);
		ds_buf_fmt(b,
			", \"tp\": %d, \"pp\": %d, \"dp\": %d, \"ep\": %d, \"zero\": %d, "
			"\"checkpointing\": \"%s\", \"micro_rows\": %lld, \"micro_batches\": %lld, "
			"\"free_bytes\": %.0f",
			w->layout.tp, w->layout.pp, w->layout.dp, w->layout.ep, w->layout.zero,
			ds_recompute_word(w->recompute), (long long)w->micro_rows,
			(long long)w->n_micro, w->fits ? r->have - (double)w->bytes : 0);
		print_time(r, w, b);
		if (r->gpu)
			print_classes(w, b);
		ds_buf_add_c(b, "}");
	}
	ds_buf_add_c(b, "]}\n");
}

static void print_tabs(const plan_run *r, ds_buf *b)
{
	ds_buf_add_c(b, "fits\ttp\tpp\tdp\tep\tzero\tcheckpointing\trows\tparts\tbytes\t"
			"tokens_per_second\tmfu\n");
	for (size_t i = 0; i < r->n_rows; i++) {
		const plan_row *w = &r->rows[i];
		ds_buf_fmt(b, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%lld\t%lld\t%llu\t",
			w->fits ? "yes" : "no", w->layout.tp, w->layout.pp, w->layout.dp,
			w->layout.ep, w->layout.zero, ds_recompute_word(w->recompute),
			(long long)w->micro_rows, (long long)w->n_micro,
			(unsigned long long)w->bytes);
		if (w->speed > 0)
			ds_buf_fmt(b, "%.0f\t%.4f\n", w->speed, mfu(r, w, 0));
		else
			ds_buf_add_c(b, "-\t-\n");
	}
}

static void print_rows(const plan_run *r, ds_buf *b)
{
	ds_buf_fmt(b, "%-4s %3s %3s %4s %3s %4s %-9s %4s %5s %8s %8s %9s %5s\n", "fits", "tp", "pp",
		"dp", "ep", "zero", "again", "rows", "parts", "bytes", "free", "tokens/s", "MFU");
	for (size_t i = 0; i < r->n_rows; i++) {
		const plan_row *w = &r->rows[i];
		char bytes[16], room[16], speed[24] = "-", of_peak[24] = "-";
		if (w->speed > 0)
			snprintf(speed, sizeof(speed), "%.0f", w->speed);
		if (w->speed > 0 && r->gpu)
			snprintf(of_peak, sizeof(of_peak), "%.0f %%", 100 * mfu(r, w, 0));
		ds_buf_fmt(b, "%-4s %3d %3d %4d %3d %4d %-9s %4lld %5lld %8s %8s %9s %5s\n",
			w->fits ? "yes" : "no", w->layout.tp, w->layout.pp, w->layout.dp,
			w->layout.ep, w->layout.zero, ds_recompute_word(w->recompute),
			(long long)w->micro_rows, (long long)w->n_micro,
			ds_human_bytes(bytes, (double)w->bytes),
			w->fits ? ds_human_bytes(room, r->have - (double)w->bytes) : "-", speed,
			of_peak);
	}
}

/* Where the bytes and the seconds of one layout go. */
static void print_best(const plan_run *r, ds_buf *b)
{
	const plan_row *w = &r->rows[0];
	const plan_time *t = &w->time;
	char bytes[16];
	ds_buf_add_c(b, "bytes    ");
	for (int c = 0; c < DS_TRAIN_CLASSES; c++)
		if (w->by_class[c])
			ds_buf_fmt(b, " %s %s", class_word(c),
				ds_human_bytes(bytes, (double)w->by_class[c]));
	ds_buf_add_c(b, "\n");
	if (t->step <= 0)
		return;
	ds_buf_fmt(b,
		"seconds   step %.3g: computing %.3g, cuts %.3g, stages %.3g, bubble %.3g, "
		"copies %.3g (%.3g more are hidden), update %.3g\n",
		t->step, t->compute, t->cuts, t->sends, t->bubble, t->copies, t->hidden, t->update);
	if (r->tokens > 0)
		ds_buf_fmt(b, "run       %.3g days", days(r, w));
	if (r->tokens > 0 && r->o->price > 0)
		ds_buf_fmt(b, ", %.0f at %g for an accelerator's hour", cost(r, w), r->o->price);
	if (r->tokens > 0)
		ds_buf_add_c(b, "\n");
}

static void print_table(const plan_run *r, ds_buf *b)
{
	const ds_config *c = &r->plan.config;
	char have[16], all[16];
	ds_buf_fmt(b,
		"model     %s, %s parameters: %lld layers, hidden size %lld, inside %lld, %lld "
		"heads, "
		"%lld for keys, vocabulary %lld\n",
		c->arch->name, ds_human_count(all, (double)r->params), (long long)c->n_layers,
		(long long)c->hidden_size, (long long)c->intermediate_size, (long long)c->n_heads,
		(long long)c->n_kv_heads, (long long)c->vocab_size);
	ds_buf_fmt(b,
		"step      %lld tokens in rows of %lld; %.3g GFLOP a token, %.3g with causal "
		"attention\n",
		(long long)step_tokens(r), (long long)r->plan.seq, 1e-9 * r->flops[0],
		1e-9 * r->flops[1]);
	if (r->trained < r->params)
		ds_buf_fmt(b, "trained   %s of the parameters\n",
			ds_human_count(all, (double)r->trained));
	ds_buf_fmt(b, "machine   %d × %s with %s each\n", r->n, r->gpu ? r->gpu->name : "process",
		ds_human_bytes(have, r->have));
	print_rows(r, b);
	if (r->gpu)
		print_best(r, b);
}

ds_rc plan_print(const plan_run *r, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	const ds_common *c = r->c;
	ds_buf b = { 0 };
	if (c->json || (c->out.to && strcmp(c->out.to, "json") == 0))
		print_json(r, &b);
	else if (c->out.to && strcmp(c->out.to, "tsv") == 0)
		print_tabs(r, &b);
	else
		print_table(r, &b);
	ds_rc rc = ds_out_open(&out, c->out.path, e);
	if (rc == DS_OK)
		rc = ds_out_write(out, b.at, b.n, e);
	if (rc == DS_OK)
		rc = ds_out_deliver(out, e);
	ds_buf_free(&b);
	return rc;
}

ds_rc plan_emit(const plan_run *r, const char *path, ds_err *e)
{
	const plan_row *w = &r->rows[0];
	const ds_layout *l = &w->layout;
	ds_request ask = r->o->ask;
	ds_buf ini = { 0 };
	ds_str words = ds_arena_fmt(r->mem, "dp=%d,tp=%d,pp=%d,ep=%d", l->dp, l->tp, l->pp, l->ep);
	ask.keys.strategy = words.at;
	ask.keys.zero = l->zero;
	ask.keys.recompute = w->recompute;
	ask.keys.accumulation = w->n_micro;
	ask.keys.seq = r->plan.seq;
	ds_train_plan plan = r->plan;
	DS_TRY(ds_train_plan_steps(&plan, &ask.keys, 0, false, e)); /* the learning rate */
	ds_request_print(&ask, &r->plan.config, NULL, 0, &ini);
	ds_rc rc = ds_file_deliver(path, ds_buf_view(&ini), e);
	ds_buf_free(&ini);
	return rc;
}
