/*
 * main.c - dseval: metrics over records and models
 *
 * Operands: names of metrics, then files. `dseval merge` adds up states that earlier runs wrote.
 */
#include "gather.h"
#include "own.h"
#include "plots.h"
#include "report.h"
#include "state.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/progress.h"

enum { EVAL_BATCH = 8 };
enum { DEFAULT_TRIALS = 1000, DEFAULT_SWAPS = 10000 };

static struct {
	const char *model, *fit, *by, *state, *classes, *tok, *baseline, *paired;
	int64_t seq, stride, bootstrap, trials;
	uint64_t seed;
	bool markdown, ignore_keys, any_tokenizer;
	ds_strs plugins;
	const char *exec, *device, *plots;
} opt = { .seed = 12345, .device = "auto" };

typedef struct {
	plugin *at[MAX_METRICS];
	size_t n;
} plugins;

static void close_plugins(plugins *p)
{
	for (size_t i = 0; p && i < p->n; i++)
		plugin_close(p->at[i]);
}
DS_AUTO_WITH(plugins, close_plugins)

static ds_rc open_plugins(plugins *p, ds_err *e)
{
	if (opt.plugins.n > MAX_METRICS)
		return ds_fail(e, DS_USAGE, "more than %d plugins", MAX_METRICS);
	for (size_t i = 0; i < opt.plugins.n; i++) {
		ds_rc rc = plugin_open(&p->at[i], opt.plugins.at[i], e);
		p->n = i + 1;
		DS_TRY(rc);
	}
	return DS_OK;
}

/* The metric of an operand; args gets the library that it is in. NULL: it names none. */
static const metric *named(const void *context, const char *typed, metric_args *args)
{
	const plugins *p = context;
	ds_str rest, name = ds_str_cut(ds_str_of(typed), ':', &rest);
	args->name = typed;
	for (size_t i = 0; i < p->n; i++)
		if (ds_str_is(name, plugin_name(p->at[i]))) {
			args->plugin = p->at[i];
			return &own_plugin;
		}
	return metric_find(ds_str_of(typed));
}

static ds_rc add_exec(wanted_list *l, const ds_common *c, ds_err *e)
{
	metric_args a = { .name = "exec", .command = opt.exec, .common = c };
	return opt.exec ? wanted_add(l, &own_exec, &a, e) : DS_OK;
}

/* Leading operands that name metrics; the rest are files. */
static ds_rc take_metrics(wanted_list *l, const plugins *p, ds_common *c, ds_err *e)
{
	size_t n = 0;
	metric_args a;
	while (n < c->in.n_files && named(p, c->in.files[n], &a))
		n++;
	if (n == 0 && !opt.exec) {
		ds_buf all = { 0 };
		metric_list(&all);
		ds_rc rc = ds_fail(e, DS_USAGE, "%s%s%s; there are %s", c->in.n_files ? "'" : "",
			c->in.n_files ? c->in.files[0] : "name a metric",
			c->in.n_files ? "' is no metric" : "", ds_buf_text(&all));
		ds_buf_free(&all);
		return rc;
	}
	for (size_t i = 0; i < n; i++) {
		a = (metric_args){ .model = opt.model,
			.ignore_keys = opt.ignore_keys,
			.any_tokenizer = opt.any_tokenizer,
			.device = opt.device,
			.fit = opt.fit,
			.tok = opt.tok,
			.seq = opt.seq,
			.stride = opt.stride,
			.common = c };
		const metric *m = named(p, c->in.files[i], &a);
		DS_TRY(wanted_add(l, m, &a, e));
	}
	c->in.files += n;
	c->in.n_files -= n;
	return add_exec(l, c, e);
}

static ds_rc open_scores(score_opts *o, const ds_common *c, ds_arena *mem, ds_err *e)
{
	bool swap = opt.paired && strcmp(opt.paired, "swap") == 0;
	*o = (score_opts){ .resamples = opt.bootstrap,
		.swap = swap,
		.seed = opt.seed,
		.threads = (unsigned)c->jobs };
	o->trials = opt.trials ? opt.trials : swap ? DEFAULT_SWAPS : DEFAULT_TRIALS;
	if (opt.bootstrap < 0 || opt.trials < 0 || opt.bootstrap > 1000000 || opt.trials > 1000000)
		return ds_fail(e, DS_USAGE, "resamples go from 0 to 1000000");
	if (opt.paired && !opt.baseline)
		return ds_fail(e, DS_USAGE, "--paired needs --baseline FILE");
	if (!opt.classes)
		return DS_OK;
	ds_str rest = ds_str_of(opt.classes);
	ds_str *order = ds_arena_get(mem, (rest.n + 1) * sizeof(*order));
	while (rest.at)
		order[o->n_order++] = ds_str_cut(rest, ',', &rest);
	o->order = order;
	return DS_OK;
}

static ds_rc write_report(const report *r, const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	ds_buf text = { 0 };
	report_form form = REPORT_TABLE;
	if (opt.markdown)
		form = REPORT_MARKDOWN;
	else if (c->json || (c->out.to && strcmp(c->out.to, "json") == 0))
		form = REPORT_JSON;
	else if (c->out.to && strcmp(c->out.to, "tsv") == 0)
		form = REPORT_TSV;
	report_print(&text, r, form);
	ds_rc rc = ds_out_open(&out, c->out.path, e);
	if (rc == DS_OK)
		rc = ds_out_write(out, text.at, text.n, e);
	if (rc == DS_OK)
		rc = ds_out_deliver(out, e);
	ds_buf_free(&text);
	return rc;
}

typedef struct {
	scored *at;
	size_t n;
} scored_list;

static void scored_list_free(scored_list *l)
{
	if (!l)
		return;
	scored_release(l->at, l->n);
	ds_mem_free(l->at);
	ds_mem_free(l);
}
DS_AUTO_WITH(scored_list, scored_list_free)

static scored_list *scored_list_new(size_t n)
{
	scored_list *l = DS_NEW(scored_list, 1);
	l->n = n;
	l->at = DS_NEW(scored, n + 1);
	return l;
}

static ds_rc show(const wanted_list *l, const gathered *g, const gathered *baseline, const char *by,
	const score_opts *o, const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	DS_AUTO(scored_list) all = scored_list_new(l->n);
	DS_AUTO(scored_list) groups = scored_list_new(g->n * l->n);
	uint64_t *counts = ds_arena_get(mem, (g->n + 1) * sizeof(*counts));
	report r = { .l = l,
		.all = all->at,
		.by = by,
		.values = g->values,
		.n_groups = g->n,
		.groups = groups->at,
		.counts = counts,
		.n = g->all->n };
	DS_TRY(score_all(all->at, l, g->all, o, e));
	if (o->resamples)
		DS_TRY(score_intervals(all->at, l, g->all, o, e));
	if (baseline)
		DS_TRY(score_paired(all->at, l, g->all, baseline->all, o, e));
	for (uint32_t i = 0; i < g->n; i++) {
		counts[i] = g->by[i]->n;
		DS_TRY_AT(score_all(groups->at + i * l->n, l, g->by[i], o, e), e, "%s '%.*s'", by,
			DS_FMT(names_get(g->values, i)));
		if (o->resamples)
			DS_TRY(score_intervals(groups->at + i * l->n, l, g->by[i], o, e));
	}
	if (g->values)
		r.order = names_sorted(g->values, NULL, mem);
	if (opt.plots)
		DS_TRY(plots_write(opt.plots, g->all, o, e));
	return write_report(&r, c, e);
}

typedef struct { /* a model that predicts what is measured */
	ds_model *m;
	ds_device *device;
	ds_predictor *p; /* NULL: the records have it already */
} asked_model;

static void close_model(asked_model *a)
{
	ds_predictor_close(a->p);
	ds_device_close(a->device);
	ds_model_close(a->m);
}
DS_AUTO_WITH(asked_model, close_model)

static bool any_blocks(const wanted_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].m->update)
			return true;
	return false;
}

/* An encoder is asked for pred and score; classes are its labels in their order. */
static ds_rc open_model(asked_model *a, const wanted_list *l, score_opts *o, const ds_common *c,
	ds_arena *mem, ds_err *e)
{
	unsigned predicted = METRIC_PRED | METRIC_LABEL | METRIC_SCORE;
	if (!opt.model || !(l->needs & predicted))
		return DS_OK;
	ds_model_opts how = { .soft = true, .ignore_keys = opt.ignore_keys };
	DS_TRY(ds_model_open_with(&a->m, opt.model, &how, e));
	const ds_config *config = ds_model_config(a->m);
	if (!(config->arch->traits & DS_ARCH_ENCODER) && any_blocks(l))
		return DS_OK; /* it is ppl's */
	DS_TRY(ds_device_open(&a->device, opt.device, (unsigned)c->jobs, e));
	DS_TRY(ds_predictor_open(&a->p, a->m, a->device, EVAL_BATCH, DS_PRECISION_FP32, e));
	if (opt.any_tokenizer)
		ds_predict_any_tokenizer(a->p);
	if (o->n_order || config->head != DS_HEAD_SEQ)
		return DS_OK;
	ds_str *order = ds_arena_get(mem, ((size_t)config->n_labels + 1) * sizeof(*order));
	for (int64_t i = 0; i < config->n_labels; i++)
		order[o->n_order++] = ds_str_of(config->labels[i]);
	o->order = order;
	return DS_OK;
}

static ds_rc run_metrics(const ds_common *given, ds_err *e)
{
	asked_model asked = { 0 };
	DS_AUTO(asked_model) model = &asked;
	static const char *const from_stdin[] = { "-" };
	ds_common c = *given, base = *given;
	score_opts o;
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	plugins loaded = { .n = 0 };
	DS_AUTO(plugins) p = &loaded;
	DS_AUTO(wanted_list) l = wanted_new();
	DS_AUTO(gathered) baseline = NULL;
	DS_TRY(open_plugins(p, e));
	DS_TRY(take_metrics(l, p, &c, e));
	if (c.in.n_files == 0) {
		c.in.files = (const char **)from_stdin;
		c.in.n_files = 1;
	}
	DS_TRY(open_scores(&o, &c, mem, e));
	if (any_blocks(l) && (opt.by || opt.bootstrap || opt.baseline))
		return ds_fail(e, DS_USAGE,
			"ppl, choice, unigram, inception-score, fid and --exec know no --by, "
			"--bootstrap and --baseline: run "
			"them alone");
	if (opt.state)
		DS_TRY(state_can_store(l, e));
	if (opt.plots && !opt.state) /* a state holds what its metrics need */
		l->shape.classes = l->shape.classes || (l->needs & METRIC_LABEL);
	if (opt.plots)
		DS_TRY(plots_can(l, e));
	l->shape.rows = o.resamples || opt.baseline;
	DS_AUTO(gathered) g = gathered_new(&l->shape, opt.by != NULL);
	DS_TRY(open_model(model, l, &o, &c, mem, e));
	DS_TRY(gather(g, l, &c, opt.by, model->p, e));
	if (opt.baseline) {
		baseline = gathered_new(&l->shape, false);
		base.in.files = &opt.baseline;
		base.in.n_files = 1;
		DS_TRY(gather(baseline, l, &base, NULL, NULL, e));
	}
	DS_TRY(show(l, g, baseline, opt.by, &o, &c, e));
	if (opt.state)
		DS_TRY(state_write(opt.state, l, g, &(state_opts){ opt.tok, opt.by }, e));
	ds_say(&c.who, "%llu record%s", (unsigned long long)g->all->n, ds_s(g->all->n));
	return DS_OK;
}

static void close_sum(state_sum *s)
{
	state_sum_release(s);
}
DS_AUTO_WITH(state_sum, close_sum)

static ds_rc run_merge(const ds_common *c, ds_err *e)
{
	score_opts o;
	DS_AUTO(ds_arena) mem = ds_arena_new(0);
	plugins loaded = { .n = 0 };
	DS_AUTO(plugins) p = &loaded;
	state_sum sum = { .l = wanted_new(), .common = c, .named = named, .context = p };
	DS_AUTO(state_sum) s = &sum;
	DS_TRY(open_plugins(p, e));
	DS_TRY(open_scores(&o, c, mem, e));
	for (size_t i = 0; i < c->in.n_files; i++)
		DS_TRY(state_add(s, c->in.files[i], e));
	if (!s->g)
		return ds_fail(e, DS_USAGE, "merge needs files that --state wrote");
	if (o.resamples && !s->l->shape.rows)
		return ds_fail(e, DS_BAD,
			"the states have sums alone: --bootstrap needs it said when they are "
			"written");
	if (opt.plots)
		DS_TRY(plots_can(s->l, e));
	DS_TRY(show(s->l, s->g, NULL, s->by, &o, c, e));
	if (opt.state)
		DS_TRY(state_write(opt.state, s->l, s->g, &(state_opts){ s->tok, s->by }, e));
	ds_say(&c->who, "%llu record%s of %zu state%s", (unsigned long long)s->g->all->n,
		ds_s(s->g->all->n), c->in.n_files, ds_s(c->in.n_files));
	return DS_OK;
}

#define SHARED_ARGS \
	DS_ARG(0, "bootstrap", &opt.bootstrap, "N", \
		"95 % intervals from N resamples of the records"), \
		DS_ARG(0, "bootstrap-seed", &opt.seed, "N", "of resampling, default 12345"), \
		DS_ARG(0, "classes", &opt.classes, "A,B", \
			"the classes in the order of score's values"), \
		DS_ARG_F(0, "plugin", &opt.plugins, "FILE", "a library with a metric of your own", \
			DS_ARG_FILE), \
		DS_ARG(0, "plots", &opt.plots, "DIR", \
			"draw confusion, ROC and reliability there, as SVG"), \
		DS_ARG(0, "markdown", &opt.markdown, NULL, "the report as a Markdown table"), \
		DS_ARG(0, "state", &opt.state, "FILE", \
			"write what was gathered, for dseval merge")

static const ds_arg args[] = {
	DS_ARG('m', "model", &opt.model, "DIR",
		"the model that ppl and choice ask, or a classifier that predicts what is "
		"measured"),
	DS_ARG(0, "fit", &opt.fit, "FILE", "what unigram counts, and fid compares with"),
	DS_ARG(0, "seq", &opt.seq, "N", "tokens that ppl sees at once (the model's, at most 1024)"),
	DS_ARG(0, "stride", &opt.stride, "N",
		"by how many tokens the next window follows (--seq: no overlap)"),
	DS_ARG(0, "any-tokenizer", &opt.any_tokenizer, NULL,
		"take shards of another tokenizer than the model's, their ids as they are"),
	DS_ARG(0, "ignore-keys", &opt.ignore_keys, NULL,
		"leave out what a model has and this program does not"),
	DS_ARG(0, "tok", &opt.tok, "NAME",
		"tokenizer of rouge and bleu: zh, intl, char, 13a, none"),
	DS_ARG(0, "by", &opt.by, "FIELD", "scores for each value of a field as well"),
	DS_ARG(0, "baseline", &opt.baseline, "FILE",
		"another system's records: differences and p-values"),
	DS_ARG(0, "paired", &opt.paired, "bootstrap|swap",
		"the test of them: resampling, or randomization"),
	DS_ARG(0, "trials", &opt.trials, "N", "of that test, default 1000 and 10000"),
	DS_ARG(0, "device", &opt.device, "auto|cpu|cuda",
		"where the model runs (auto: an NVIDIA device if there is one)"),
	DS_ARG(0, "exec", &opt.exec, "CMD", "a metric of your own: JSON lines in, a score out"),
	SHARED_ARGS,
	{ 0 },
};

static const ds_arg merge_args[] = { SHARED_ARGS, { 0 } };

static const ds_cmd cmds[] = {
	{ "merge", "[OPTION...] FILE...", "adds up what --state wrote", merge_args,
		DS_TAKES_REPORT | DS_TAKES_JOBS | DS_TAKES_NO_STDIN, run_merge },
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
		.run = run_metrics,
		.cmds = cmds,
		.examples = {
			"dseval bleu chrf answers.jsonl --bootstrap 1000",
			"dseval ppl -m run/ held.dsr",
			"dsgen -m run/ questions.jsonl | dseval f1:macro accuracy --by lang --json",
		},
	};
	return ds_main(&tool, argc, argv);
}
