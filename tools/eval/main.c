/*
 * main.c - dseval: metrics over records and models
 *
 * Operands: names of metrics, then files. Blocks are read one after another; their rows are cut into
 * slices of a size that does not depend on the threads, each slice fills a part of its own, and parts are
 * merged in order, so that sums of doubles come out the same for any -j.
 */
#include "metric.h"

#include "base/arena.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/thread.h"
#include "record/json.h"
#include "record/source.h"

#include <math.h>
#include <stdlib.h>

enum { SLICE_ROWS = 512, MAX_METRICS = 32 };

static const metric *const table[] = {
#define METRIC(name) &metric_##name,
#include "metrics.def"
#undef METRIC
};
enum { N_TABLE = sizeof(table) / sizeof(table[0]) };

static struct {
	const char *model, *fit;
	int64_t seq;
	bool ignore_keys;
} opt;

typedef struct {
	const metric *m;
	char *name; /* as typed */
	void *state, *total;
	metric_result result;
} wanted;

typedef struct {
	wanted at[MAX_METRICS];
	size_t n;
} wanted_list;

static void wanted_list_free(wanted_list *l)
{
	for (size_t i = 0; l && i < l->n; i++) {
		wanted *w = &l->at[i];
		if (w->total)
			w->m->part_free(w->total);
		if (w->m->close && w->state)
			w->m->close(w->state);
		ds_buf_free(&w->result.signature);
		ds_buf_free(&w->result.detail);
		ds_mem_free(w->name);
	}
	ds_mem_free(l);
}
DS_AUTO_WITH(wanted_list, wanted_list_free)

static const metric *find(ds_str typed)
{
	ds_str rest, name = ds_str_cut(typed, ':', &rest);
	for (size_t i = 0; i < N_TABLE; i++)
		if (ds_str_is(name, table[i]->name))
			return table[i];
	return NULL;
}

/* Leading operands that name metrics; the rest are files. */
static ds_rc take_metrics(wanted_list *l, ds_common *c, ds_err *e)
{
	size_t n = 0;
	while (n < c->n_files && find(ds_str_of(c->files[n])))
		n++;
	if (n == 0) {
		ds_buf all = { 0 };
		for (size_t i = 0; i < N_TABLE; i++)
			ds_buf_fmt(&all, "%s%s", i ? ", " : "", table[i]->name);
		ds_rc rc = ds_fail(e, DS_USAGE, "%s%s%s; there are %s", c->n_files ? "'" : "",
			c->n_files ? c->files[0] : "name a metric",
			c->n_files ? "' is no metric" : "", ds_buf_text(&all));
		ds_buf_free(&all);
		return rc;
	}
	if (n > MAX_METRICS)
		return ds_fail(e, DS_USAGE, "%zu metrics, the limit is %d", n, MAX_METRICS);
	for (size_t i = 0; i < n; i++) {
		wanted *w = &l->at[l->n++];
		w->name = ds_mem_text(c->files[i]);
		w->m = find(ds_str_of(w->name));
	}
	c->files += n;
	c->n_files -= n;
	return DS_OK;
}

static ds_rc open_all(wanted_list *l, const ds_common *c, ds_err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		wanted *w = &l->at[i];
		const char *colon = strchr(w->name, ':');
		metric_args a = { .name = w->name,
			.variant = colon ? colon + 1 : "",
			.model = opt.model,
			.fit = opt.fit,
			.seq = opt.seq,
			.ignore_keys = opt.ignore_keys,
			.common = c };
		if (colon && !w->m->open)
			return ds_fail(e, DS_USAGE, "%s has no variants", w->m->name);
		if (w->m->open)
			DS_TRY(w->m->open(&w->state, &a, e));
		w->total = w->m->part_new(w->state);
	}
	return DS_OK;
}

typedef struct {
	wanted *w;
	ds_block *b;
	void **parts;
	ds_err *errs;
	ds_rc *rcs;
	ds_arena **mems; /* one a worker */
} slices;

static void run_slice(void *context, size_t i, unsigned worker)
{
	slices *s = context;
	uint32_t from = (uint32_t)i * SLICE_ROWS, to = from + SLICE_ROWS;
	to = to < s->b->n_rows ? to : s->b->n_rows;
	s->parts[i] = s->w->m->part_new(s->w->state);
	ds_arena *mem = s->mems[worker];
	ds_arena_reset(mem);
	s->rcs[i] = s->w->m->update(
		s->w->state, s->parts[i], ds_block_lend(s->b, mem), from, to, mem, &s->errs[i]);
}

static ds_rc update_sliced(wanted *w, ds_block *b, ds_pool *pool, ds_arena **mems, ds_err *e)
{
	size_t n = (b->n_rows + SLICE_ROWS - 1) / SLICE_ROWS;
	slices s = { w, b, DS_NEW(void *, n), DS_NEW(ds_err, n), DS_NEW(ds_rc, n), mems };
	ds_rc rc = DS_OK;
	ds_pool_run(pool, n, run_slice, &s);
	for (size_t i = 0; i < n; i++) {
		if (rc == DS_OK && (rc = s.rcs[i]) != DS_OK)
			*e = s.errs[i];
		if (rc == DS_OK)
			rc = w->m->merge(w->state, w->total, s.parts[i], e);
		w->m->part_free(s.parts[i]);
	}
	ds_mem_free(s.parts);
	ds_mem_free(s.errs);
	ds_mem_free(s.rcs);
	return rc;
}

static ds_rc update_block(wanted_list *l, ds_block *b, ds_pool *pool, ds_arena **mems, ds_err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		wanted *w = &l->at[i];
		for (int f = 0; f < 4 && w->m->fields[f]; f++) {
			const ds_col *c;
			DS_TRY(ds_block_get(b, w->m->fields[f], &c, e));
		}
		if (w->m->serial)
			DS_TRY(w->m->update(w->state, w->total, b, 0, b->n_rows, mems[0], e));
		else
			DS_TRY(update_sliced(w, b, pool, mems, e));
	}
	return DS_OK;
}

static ds_rc read_all(wanted_list *l, const ds_common *c, uint64_t *records, ds_err *e)
{
	DS_AUTO(ds_source) s = NULL;
	DS_AUTO(ds_progress) progress = ds_progress_new(c);
	DS_AUTO(ds_pool) pool = ds_pool_new((unsigned)c->jobs);
	DS_AUTO(ds_arena) mem = ds_arena_new(DS_BLOCK_BYTES);
	unsigned n = ds_pool_threads(pool);
	ds_arena **mems = DS_NEW(ds_arena *, n);
	ds_rc rc;
	for (unsigned i = 0; i < n; i++)
		mems[i] = ds_arena_new(DS_BLOCK_BYTES);
	rc = ds_source_open(&s, c, e);
	while (rc == DS_OK) {
		ds_block *b;
		ds_arena_reset(mem);
		rc = ds_source_next(s, mem, &b, e);
		if (rc != DS_OK || !b)
			break;
		rc = update_block(l, b, pool, mems, e);
		*records += b->n_rows;
		ds_progress_add(progress, b->n_rows, b->input_bytes);
	}
	for (unsigned i = 0; i < n; i++)
		ds_arena_free(mems[i]);
	ds_mem_free(mems);
	return rc;
}

static void print_json(ds_buf *o, const wanted_list *l)
{
	ds_buf_add_c(o, "{\"metrics\":[");
	for (size_t i = 0; i < l->n; i++) {
		const wanted *w = &l->at[i];
		char number[32];
		ds_buf_add_c(o, i ? ",{\"name\":" : "{\"name\":");
		ds_json_add_str(o, ds_str_of(w->name));
		ds_buf_add_c(o, ",\"score\":");
		ds_buf_add(o, number, ds_f64_print(number, w->result.score));
		ds_buf_add_c(o, ",\"signature\":");
		ds_json_add_str(o, ds_buf_view(&w->result.signature));
		ds_buf_add_c(o, ",\"detail\":");
		ds_json_add_str(o, ds_buf_view(&w->result.detail));
		ds_buf_add_byte(o, '}');
	}
	ds_buf_add_c(o, "]}\n");
}

static void print_rows(ds_buf *o, wanted_list *l, bool tsv)
{
	if (tsv)
		ds_buf_add_c(o, "metric\tscore\tsignature\n");
	for (size_t i = 0; i < l->n; i++) {
		wanted *w = &l->at[i];
		char number[32];
		ds_str full = { number, ds_f64_print(number, w->result.score) };
		if (tsv)
			ds_buf_fmt(o, "%s\t%.*s\t%s\n", w->name, DS_FMT(full),
				ds_buf_text(&w->result.signature));
		else
			ds_buf_fmt(o, "%-12s %12.4f  %s\n", w->name, w->result.score,
				ds_buf_text(&w->result.detail));
	}
}

static ds_rc report(wanted_list *l, const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	ds_buf text = { 0 };
	if (c->json || (c->to && strcmp(c->to, "json") == 0))
		print_json(&text, l);
	else
		print_rows(&text, l, c->to && strcmp(c->to, "tsv") == 0);
	ds_rc rc = ds_out_open(&out, c->out_path, e);
	if (rc == DS_OK)
		rc = ds_out_write(out, text.at, text.n, e);
	if (rc == DS_OK)
		rc = ds_out_finish(out, e);
	ds_buf_free(&text);
	return rc;
}

static ds_rc run(const ds_common *given, ds_err *e)
{
	static const char *const from_stdin[] = { "-" };
	ds_common c = *given;
	uint64_t records = 0;
	DS_AUTO(wanted_list) l = DS_NEW(wanted_list, 1);
	DS_TRY(take_metrics(l, &c, e));
	if (c.n_files == 0) {
		c.files = (const char **)from_stdin;
		c.n_files = 1;
	}
	DS_TRY(open_all(l, &c, e));
	DS_TRY(read_all(l, &c, &records, e));
	for (size_t i = 0; i < l->n; i++) {
		wanted *w = &l->at[i];
		DS_TRY(w->m->compute(w->state, w->total, &w->result, e));
		if (!isfinite(w->result.score))
			return ds_fail(e, DS_BAD, "%s: the score is %g", w->name, w->result.score);
	}
	DS_TRY(report(l, &c, e));
	ds_say(&c, "%llu records", (unsigned long long)records);
	return DS_OK;
}

static const ds_arg args[] = {
	DS_ARG('m', "model", &opt.model, "DIR", "the model that ppl asks"),
	DS_ARG(0, "fit", &opt.fit, "FILE", "the tokens that unigram counts"),
	DS_ARG(0, "seq", &opt.seq, "N", "tokens that ppl sees at once (the model's, at most 1024)"),
	DS_ARG(0, "ignore-keys", &opt.ignore_keys, NULL,
		"leave out what a model has and this program does not"),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const ds_tool tool = {
		.name = "dseval",
		.usage = "[options] METRIC… [FILE...]",
		.what = "metrics over records and models",
		.args = args,
		.takes = DS_TAKES_INPUT | DS_TAKES_REPORT | DS_TAKES_JOBS,
		.run = run,
		.examples = {
			"dseval bleu accuracy answers.jsonl",
			"dseval ppl -m run/ held.dsr",
			"dsgen -m run/ questions.jsonl | dseval bleu:zh --json",
		},
	};
	return ds_main(&tool, argc, argv);
}
