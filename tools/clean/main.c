/*
 * dsclean - rules over the text and the labels of records
 */
#include <stdlib.h>

#include "base/mem.h"
#include "base/progress.h"
#include "clean.h"
#include "rejected.h"

#define UNMAPPED "keep|drop|stop" /* in the order of rule_unmapped */

enum { SAMPLE_MAX = 10000 };

static rules noted; /* filled while options are parsed, in their order */

static struct {
	const char *unmapped, *label_table, *rejected;
	bool explain, tag, markdown;
	int64_t sample;
} opt = { .unmapped = "keep" };

static ds_rc note(void *context, const char *name, const char *value, ds_err *e)
{
	ds_buf where = { 0 };
	ds_buf_fmt(&where, "--%s", name);
	ds_rc rc = rules_note(&noted, ds_buf_text(&where), ds_str_of(name), value, e);
	ds_buf_free(&where);
	return rc;
}

static void *scratch_new(void *state)
{
	return worker_new(state);
}

static void scratch_free(void *scratch)
{
	worker_free(scratch);
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	return worker_block(ds_work_scratch(w), w, b, e);
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	cleaner *c = state;
	worker *k = ds_work_scratch(w);
	for (size_t i = 0; i < c->rules.n; i++)
		if (c->rules.at[i].rule->gather)
			c->rules.at[i].rule->gather(c->rules.at[i].state, k->threads[i]);
	if (k->rejected.n_rows)
		DS_TRY_AT(rejected_write(c->rejected, &k->rejected, e), e, "%s", opt.rejected);
	if (c->explain) {
		DS_TRY(ds_out_write(c->explain_out, k->shown.at, k->shown.n, e));
		sample_merge(&c->sample, &k->sample);
		ds_work_swallow(w);
	}
	return DS_OK;
}

/* Names the rules that were not asked for, and without which what came in is not mended. */
static ds_rc end(void *state, ds_work *w, ds_err *e)
{
	cleaner *c = state;
	const char *format = NULL;
	for (size_t i = 0; ds_rules[i]; i++) {
		const ds_rule *rule = ds_rules[i];
		if (!rule->mends || rules_off(&c->rules, rule) || rules_have(&c->rules, rule) ||
			!ds_work_saw(w, rule->mends))
			continue;
		if (!format)
			ds_buf_fmt(&c->left_out, "%s came in and no rule was ", rule->mends);
		ds_buf_fmt(&c->left_out, "%s--%s", format ? " or " : "", rule->name);
		format = rule->mends;
	}
	if (format)
		ds_buf_add_c(&c->left_out, " (--default adds them)");
	return DS_OK;
}

static void add_sentence(ds_buf *out, ds_buf *more, bool *first)
{
	if (more->n && !*first)
		ds_buf_add_c(out, "; ");
	*first &= more->n == 0;
	ds_buf_add_str(out, ds_buf_view(more));
	ds_buf_free(more);
}

static void summary(void *state, ds_buf *out)
{
	const cleaner *c = state;
	bool first = true;
	for (size_t i = 0; i < c->rules.n; i++) {
		ds_buf more = { 0 };
		if (c->rules.at[i].rule->summary)
			c->rules.at[i].rule->summary(c->rules.at[i].state, &more);
		add_sentence(out, &more, &first);
	}
	ds_buf more = { 0 };
	ds_buf_add_str(&more, ds_buf_view(&c->left_out));
	add_sentence(out, &more, &first);
}

static void say_rules(const ds_common *c, const rules *r)
{
	ds_buf line = { 0 };
	for (size_t i = 0; i < r->n; i++) {
		ds_buf_fmt(&line, "%s--%s", i ? " " : "", r->at[i].rule->name);
		if (r->at[i].value)
			ds_buf_fmt(&line, " %s", r->at[i].value);
	}
	ds_say(&c->who, "rules: %s", ds_buf_text(&line));
	ds_buf_free(&line);
}

static rule_unmapped unmapped_of(const char *word)
{
	return strcmp(word, "keep") == 0   ? RULE_UNMAPPED_KEEP
	       : strcmp(word, "drop") == 0 ? RULE_UNMAPPED_DROP
					   : RULE_UNMAPPED_STOP;
}

static ds_rc run_all(cleaner *c, const ds_common *common, ds_err *e)
{
	DS_AUTO(rejected) dropped = NULL;
	DS_AUTO(ds_out) shown = NULL;
	ds_common quiet = *common;
	if (opt.sample < 0 || opt.sample > SAMPLE_MAX)
		return ds_fail(e, DS_USAGE, "--sample %lld: it is 1 to %d", (long long)opt.sample,
			SAMPLE_MAX);
	rule_env env = { unmapped_of(opt.unmapped), opt.label_table, opt.markdown };
	DS_TRY(rules_open(&c->rules, &env, e));
	c->tag = opt.tag;
	cleaner_prepare(c);
	if (common->who.verbose)
		say_rules(common, &c->rules);
	ds_buf_add_str(&c->recorded, common->recorded);
	ds_buf_add_str(&c->recorded, ds_buf_view(&c->rules.inner));
	quiet.recorded = ds_buf_view(&c->recorded);
	if (opt.rejected)
		DS_TRY(rejected_open(&dropped, &quiet, opt.rejected, e));
	c->rejected = dropped;
	if (opt.explain ||
		opt.sample) { /* no record is written; what is shown goes where they would */
		DS_TRY(ds_out_open(&shown, common->out.path, e));
		c->explain = true;
		c->explain_out = shown;
		c->sample.max = (size_t)opt.sample;
		c->colour = ds_out_is_terminal(shown) && !getenv("NO_COLOR");
	}
	const char *reads[3] = { NULL };
	size_t n_reads = 0;
	if (c->reads & RULE_NEEDS_LABEL)
		reads[n_reads++] = "label";
	if (c->reads & RULE_NEEDS_URL)
		reads[n_reads++] = "url";
	const ds_stage stage = { .name = "clean",
		.state = c,
		.reads_field = c->reads & RULE_NEEDS_TEXT ? DS_FIELD_NEEDED : DS_FIELD_UNREAD,
		.reads = reads,
		.counters = (const char *const *)c->counters,
		.scratch_new = scratch_new,
		.scratch_free = scratch_free,
		.work = work,
		.order = order,
		.end = end,
		.summary = summary };
	ds_pipe_opts pipe = ds_pipe_of(&quiet);
	if (shown)
		pipe.out = NULL;
	DS_TRY(ds_pipe_run(&pipe, &stage, e));
	for (size_t i = 0; i < c->rules.n; i++)
		if (c->rules.at[i].rule->finish)
			DS_TRY(c->rules.at[i].rule->finish(c->rules.at[i].state, e));
	if (shown) {
		DS_TRY(sample_write(&c->sample, shown, e));
		DS_TRY(ds_out_deliver(shown, e));
	}
	return dropped ? rejected_finish(dropped, e) : DS_OK;
}

static ds_rc run(const ds_common *common, ds_err *e)
{
	cleaner c = { .c = common, .rules = noted };
	noted = (rules){ 0 };
	ds_rc rc = run_all(&c, common, e);
	cleaner_release(&c);
	return rc;
}

static const ds_arg *more_args(void)
{
	static ds_arg table[64];
	static ds_call call = { note, NULL };
	size_t n = 0;
	for (; ds_rules[n]; n++)
		table[n] = (ds_arg)DS_ARG_F(0, ds_rules[n]->name, &call, ds_rules[n]->value,
			ds_rules[n]->help, ds_rules[n]->flags);
	table[n++] = (ds_arg)DS_ARG_F(
		0, "rules", &call, "FILE", "rules from a file, one a line", DS_ARG_FILE);
	table[n++] = (ds_arg)DS_ARG(0, "default", &call, NULL,
		"html auto, entities, utf8 fix, nfc, control, space, drop-empty");
	table[n] = (ds_arg){ 0 };
	return table;
}

static const ds_arg args[] = {
	DS_ARG(0, "unmapped", &opt.unmapped, UNMAPPED, "a label that is not in the map"),
	DS_ARG_F(0, "label-table", &opt.label_table, "FILE", "what became of each label, as TSV",
		DS_ARG_UNRECORDED | DS_ARG_HIDDEN | DS_ARG_OUT),
	DS_ARG_F(0, "rejected", &opt.rejected, "FILE", "keep what is dropped, with its rule",
		DS_ARG_UNRECORDED | DS_ARG_OUT),
	DS_ARG(0, "markdown", &opt.markdown, NULL,
		"Markdown instead of plain text, by --html strip and auto"),
	DS_ARG(0, "tag", &opt.tag, NULL, "drop nothing: rules write what they found as fields"),
	DS_ARG_F('x', "explain", &opt.explain, NULL, "show before and after, write no records",
		DS_ARG_UNRECORDED),
	DS_ARG_F(0, "sample", &opt.sample, "N",
		"show what each rule did to N of the records, by --seed", DS_ARG_UNRECORDED),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const ds_tool tool = { .name = "dsclean",
		.what = "clean text and labels by rules, in the order given",
		.args = args,
		.takes = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_JOBS | DS_TAKES_SEED,
		.run = run,
		.failed = ds_run_failed,
		.examples = { "dsclean pages/*.html | dsdedup -o text.dsr",
			"dsclean --default --regex 's/\\d{11}/[number]/g' --min-chars 20 "
			"notes.jsonl",
			"dsclean --labels sentiment --unmapped drop --to jsonl reviews.csv" },
		.more_args = more_args };
	return ds_main(&tool, argc, argv);
}
