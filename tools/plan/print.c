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

static void print_json(const plan_run *r, ds_buf *b)
{
	const ds_config *c = &r->plan.config;
	ds_buf_fmt(b,
		"{\"parameters\": %lld, \"architecture\": \"%s\", \"num_hidden_layers\": %lld, "
		"\"hidden_size\": %lld, \"intermediate_size\": %lld, \"num_attention_heads\": "
		"%lld, "
		"\"num_key_value_heads\": %lld, \"vocab_size\": %lld, \"seq\": %lld, "
		"\"batch_tokens\": %lld, \"gpu\": \"%s\", \"gpus\": %d, \"bytes_there\": %.0f,\n"
		" \"layouts\": [",
		(long long)r->params, c->arch->name, (long long)c->n_layers,
		(long long)c->hidden_size, (long long)c->intermediate_size, (long long)c->n_heads,
		(long long)c->n_kv_heads, (long long)c->vocab_size, (long long)r->plan.seq,
		(long long)step_tokens(r), r->gpu ? r->gpu->name : "host", r->n, r->have);
	for (size_t i = 0; i < r->n_rows; i++) {
		const plan_row *w = &r->rows[i];
		ds_buf_fmt(b,
			"%s\n  {\"fits\": %s, \"bytes_per_gpu\": %llu, \"tokens_per_second\": ",
			i ? "," : "", w->fits ? "true" : "false", (unsigned long long)w->bytes);
		ds_buf_fmt(b, w->fits ? "%.6g" : "null", w->speed);
		ds_buf_fmt(b,
			", \"tp\": %d, \"pp\": %d, \"dp\": %d, \"ep\": %d, \"zero\": %d, "
			"\"checkpointing\": \"%s\", \"micro_rows\": %lld, \"micro_batches\": %lld}",
			w->layout.tp, w->layout.pp, w->layout.dp, w->layout.ep, w->layout.zero,
			ds_recompute_word(w->recompute), (long long)w->micro_rows,
			(long long)w->n_micro);
	}
	ds_buf_add_c(b, "]}\n");
}

static void print_rows(const plan_run *r, bool tabs, ds_buf *b)
{
	const char *head = "fits\ttp\tpp\tdp\tep\tzero\tcheckpointing\trows\tparts\tbytes\ttokens_"
			   "per_second\n";
	ds_buf_fmt(b, tabs ? head : "%-5s %3s %3s %4s %3s %4s %-13s %4s %5s %8s %9s\n", "fits",
		"tp", "pp", "dp", "ep", "zero", "checkpointing", "rows", "parts", "bytes",
		"tokens/s");
	for (size_t i = 0; i < r->n_rows; i++) {
		const plan_row *w = &r->rows[i];
		char bytes[24], speed[24] = "-";
		if (tabs)
			snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)w->bytes);
		else
			ds_human_bytes(bytes, (double)w->bytes);
		if (w->fits)
			snprintf(speed, sizeof(speed), "%.0f", w->speed);
		ds_buf_fmt(b,
			tabs ? "%s\t%d\t%d\t%d\t%d\t%d\t%s\t%lld\t%lld\t%s\t%s\n"
			     : "%-5s %3d %3d %4d %3d %4d %-13s %4lld %5lld %8s %9s\n",
			w->fits ? "yes" : "no", w->layout.tp, w->layout.pp, w->layout.dp,
			w->layout.ep, w->layout.zero, ds_recompute_word(w->recompute),
			(long long)w->micro_rows, (long long)w->n_micro, bytes, speed);
	}
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
	ds_buf_fmt(b, "step      %lld tokens in rows of %lld\n", (long long)step_tokens(r),
		(long long)r->plan.seq);
	ds_buf_fmt(b, "machine   %d × %s with %s each\n", r->n, r->gpu ? r->gpu->name : "process",
		ds_human_bytes(have, r->have));
	ds_buf_add_c(b, "tokens/s are an estimate: products at half the peak\n");
	print_rows(r, false, b);
}

ds_rc plan_print(const plan_run *r, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	const ds_common *c = r->c;
	ds_buf b = { 0 };
	if (c->json || (c->out.to && strcmp(c->out.to, "json") == 0))
		print_json(r, &b);
	else if (c->out.to && strcmp(c->out.to, "tsv") == 0)
		print_rows(r, true, &b);
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
