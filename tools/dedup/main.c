/*
 * dsdedup - drops exact and near duplicates
 */
#include "base/mem.h"
#include "base/progress.h"
#include "dedup.h"
#include "text/simhash.h"

/* In the order of ds_unit and scope. */
#define UNITS "auto|word|char"
#define SCOPES "text|line|para"

static struct {
	const char *method, *unit, *keep, *scope, *clusters, *against, *index;
	double threshold;
	int ngram, perm, bands, distance;
	bool verify, mark;
} opt = { .method = "exact,minhash",
	.unit = "auto",
	.keep = "first",
	.scope = "text",
	.threshold = 0.8,
	.ngram = 5,
	.perm = 256,
	.distance = 3 };

typedef struct {
	plan plan;
	ds_minhash *perm;
	against *evil;
	applier applier;
	keeper *keeper;
	report *report;
} dedup;

static ds_rc read_methods(ds_seen_plan *p, ds_err *e)
{
	bool minhash = false;
	for (ds_str rest = ds_str_of(opt.method), word; rest.at;) {
		word = ds_str_cut(rest, ',', &rest);
		if (ds_str_is(word, "exact"))
			p->exact = true;
		else if (ds_str_is(word, "minhash"))
			minhash = true;
		else if (ds_str_is(word, "simhash"))
			p->simhash = true;
		else
			return ds_fail(e, DS_USAGE,
				"--method '%.*s': it is exact, minhash or simhash, several with "
				"commas",
				DS_FMT(word));
	}
	if (minhash && p->simhash)
		return ds_fail(e, DS_USAGE,
			"--method %s: near is by minhash or by simhash, not both", opt.method);
	p->near = minhash || p->simhash;
	return DS_OK;
}

/* Where a word stands in "a|b|c", which the table of options has checked. */
static unsigned place_of(const char *word, const char *words)
{
	unsigned place = 0;
	for (ds_str rest = ds_str_of(words);
		rest.at && !ds_str_is(ds_str_cut(rest, '|', &rest), word);)
		place++;
	return place;
}

static ds_rc read_number(const char *option, int v, int least, int most, ds_err *e)
{
	if (v >= least && v <= most)
		return DS_OK;
	return ds_fail(e, DS_USAGE, "--%s %d: it is %d to %d", option, v, least, most);
}

static ds_rc read_bands(ds_seen_plan *p, ds_err *e)
{
	if (p->simhash) {
		p->bands = (ds_bands){ ds_simhash_tables(p->distance), 0 };
		return DS_OK;
	}
	p->bands = ds_bands_choose(p->n_perm, p->threshold);
	if (!opt.bands)
		return DS_OK;
	DS_TRY(read_number("bands", opt.bands, 1, (int)p->n_perm, e));
	p->bands = (ds_bands){ (unsigned)opt.bands, p->n_perm / (unsigned)opt.bands };
	return DS_OK;
}

/* Clusters cost some time, so only who asks is told of them. */
static bool wants_report(const ds_common *c)
{
	return c->stats_path || (c->verbose && !c->quiet);
}

static ds_rc read_plan(plan *p, const ds_common *c, ds_err *e)
{
	DS_TRY(read_methods(&p->seen, e));
	DS_TRY(read_number("ngram", opt.ngram, 1, DS_NGRAM_MAX, e));
	DS_TRY(read_number("perm", opt.perm, 1, DS_PERM_MAX, e));
	DS_TRY(read_number("distance", opt.distance, 0, DS_SIMHASH_FAR, e));
	if (!(opt.threshold > 0 && opt.threshold <= 1))
		return ds_fail(
			e, DS_USAGE, "--threshold %g: it is over 0 and at most 1", opt.threshold);
	p->seen.unit = (ds_unit)place_of(opt.unit, UNITS);
	p->seen.ngram = (unsigned)opt.ngram;
	p->seen.n_perm = (unsigned)opt.perm;
	p->seen.threshold = opt.threshold;
	p->seen.distance = (unsigned)opt.distance;
	p->seen.seed = c->seed;
	p->seen.verify = opt.verify;
	p->seen.join = opt.clusters || strcmp(opt.keep, "first") != 0 || wants_report(c);
	p->scope = (scope)place_of(opt.scope, SCOPES);
	p->mark = opt.mark;
	p->seen.scope = p->scope;
	p->add_id = opt.mark || opt.clusters;
	p->named = p->add_id || opt.index;
	if (p->scope != SCOPE_TEXT && p->add_id)
		return ds_fail(e, DS_USAGE,
			"--scope %s cuts texts, so there is nothing for --%s to name", opt.scope,
			p->mark ? "mark" : "clusters");
	if (strcmp(opt.keep, "first") != 0 && (p->scope != SCOPE_TEXT || opt.index))
		return ds_fail(
			e, DS_USAGE, "--keep %s goes with neither --scope nor --index", opt.keep);
	return read_bands(&p->seen, e);
}

static void *scratch_new(void *state)
{
	dedup *d = state;
	return signer_new(&d->plan, d->perm, d->evil);
}

static void scratch_free(void *scratch)
{
	signer_free(scratch);
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	return signer_block(ds_work_scratch(w), w, b, e);
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	dedup *d = state;
	return apply_block(&d->applier, w, b, signer_result(ds_work_scratch(w)), e);
}

static ds_rc learn(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	dedup *d = state;
	return apply_learn(&d->applier, w, b, signer_result(ds_work_scratch(w)), e);
}

static void summary(void *state, ds_buf *out)
{
	const dedup *d = state;
	const applier *a = &d->applier;
	double found = (double)(a->n_exact + a->n_near);
	if (d->plan.scope == SCOPE_TEXT && a->n_records)
		ds_buf_fmt(out, "%.1f %% duplicates", 100 * found / (double)a->n_records);
}

static ds_rc end(void *state, ds_work *w, ds_err *e)
{
	dedup *d = state;
	if (d->report)
		report_finish(d->report, d->applier.seen);
	return DS_OK;
}

static void stats(void *state, ds_buf *out)
{
	const dedup *d = state;
	if (d->report)
		report_stats(d->report, out);
}

static void say_curve(const ds_common *c, ds_bands b)
{
	ds_buf line = { 0 };
	ds_buf_fmt(&line, "%u bands of %u values; a pair shares one at jaccard", b.bands, b.rows);
	for (double j = 0.5; j < 0.99; j += 0.05)
		ds_buf_fmt(&line, " %.2f: %.3f", j, ds_bands_recall(b, j));
	ds_say(c, "%s", ds_buf_text(&line));
	ds_buf_free(&line);
}

/* Reads all to learn what is alike; then texts need not be signed again. */
static ds_rc read_first(dedup *d, const ds_common *c, ds_err *e)
{
	const ds_stage stage = {
		.name = "dedup",
		.state = d,
		.scratch_new = scratch_new,
		.scratch_free = scratch_free,
		.work = work,
		.order = learn,
	};
	ds_common first = *c;
	first.out_path = "/dev/null";
	first.stats_path = NULL;
	first.quiet = true;
	first.on_error = c->on_error == DS_ON_REJECT ? DS_ON_SKIP : c->on_error;
	DS_TRY(keeper_new(&d->keeper, opt.keep, c, e));
	d->applier.keeper = d->keeper;
	DS_TRY(ds_pipe_run(&first, &stage, e));
	keeper_choose(d->keeper, d->applier.seen);
	d->plan.seen.exact = d->plan.seen.near = false;
	return DS_OK;
}

static ds_rc run_all(dedup *d, const ds_common *c, ds_err *e)
{
	DS_TRY(read_plan(&d->plan, c, e));
	if (c->verbose && d->plan.seen.near && !d->plan.seen.simhash)
		say_curve(c, d->plan.seen.bands);
	if (opt.against)
		DS_TRY(against_load(&d->evil, c, opt.against, d->plan.seen.unit, e));
	d->perm = ds_minhash_new(d->plan.seen.n_perm, d->plan.seen.seed);
	d->applier = (applier){ .plan = &d->plan, .seen = ds_seen_new(&d->plan.seen) };
	const ds_stage stage = {
		.name = "dedup",
		.state = d,
		.counters = apply_counters,
		.scratch_new = scratch_new,
		.scratch_free = scratch_free,
		.work = work,
		.order = order,
		.end = end,
		.summary = summary,
		.stats = stats,
	};
	/* Opened first: a place that cannot be written is better known before the work than after it. */
	DS_AUTO(ds_out) clusters = NULL;
	DS_AUTO(ds_out) index = NULL;
	if (opt.clusters)
		DS_TRY(ds_out_open(&clusters, opt.clusters, e));
	if (opt.index) {
		DS_TRY(ds_out_open(&index, opt.index, e));
		DS_TRY(index_load(d->applier.seen, opt.index, e));
	}
	if (strcmp(opt.keep, "first") != 0)
		DS_TRY(read_first(d, c, e));
	if (wants_report(c))
		d->applier.report = d->report =
			report_new(d->keeper ? 0 : ds_seen_count(d->applier.seen));
	DS_TRY(ds_pipe_run(c, &stage, e));
	if (d->report && c->verbose)
		report_say(d->report, c);
	if (clusters) {
		DS_TRY_AT(ds_seen_write_clusters(d->applier.seen, clusters, e), e, "%s",
			opt.clusters);
		DS_TRY(ds_out_finish(clusters, e));
	}
	return index ? index_save(d->applier.seen, index, opt.index, e) : DS_OK;
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	dedup d = { 0 };
	ds_rc rc = run_all(&d, c, e);
	ds_seen_free(d.applier.seen);
	against_free(d.evil);
	keeper_free(d.keeper);
	report_free(d.report);
	ds_minhash_free(d.perm);
	return rc;
}

static const ds_arg args[] = {
	DS_ARG(0, "method", &opt.method, "LIST",
		"exact, minhash, simhash; exact,minhash unless said"),
	DS_ARG(0, "threshold", &opt.threshold, "J",
		"Jaccard from which texts are near, 0.8 unless said"),
	DS_ARG(0, "ngram", &opt.ngram, "N", "units in a shingle, 5 unless said"),
	DS_ARG(0, "unit", &opt.unit, UNITS, "what a unit is; auto: by script"),
	DS_ARG(0, "perm", &opt.perm, "N", "permutations, 256 unless said"),
	DS_ARG(0, "bands", &opt.bands, "N", "bands, by the threshold unless said"),
	DS_ARG(0, "distance", &opt.distance, "N",
		"bits that may differ with simhash, 3 unless said"),
	DS_ARG(0, "verify", &opt.verify, NULL, "confirm by all shingles, not by 512 of them"),
	DS_ARG(0, "keep", &opt.keep, "WHICH", "first, longest or max:FIELD stays of a cluster"),
	DS_ARG(0, "mark", &opt.mark, NULL, "drop nothing, name the earlier record in dup_of"),
	DS_ARG(0, "scope", &opt.scope, SCOPES, "compare and cut lines or paragraphs"),
	DS_ARG_F(0, "against", &opt.against, "FILE", "drop what shares 13 units in a row with FILE",
		DS_ARG_FILE),
	DS_ARG_F(0, "index", &opt.index, "FILE",
		"compare with earlier runs too, and remember this one", DS_ARG_FILE | DS_ARG_NEW),
	DS_ARG_F(0, "clusters", &opt.clusters, "FILE", "write who is alike, as TSV",
		DS_ARG_UNRECORDED),
	{ 0 },
};

static const ds_tool tool = {
	.name = "dsdedup",
	.usage = "[options] [FILE...]",
	.what = "drop exact and near duplicates",
	.args = args,
	.takes = DS_TAKES_INPUT | DS_TAKES_OUTPUT | DS_TAKES_SEED | DS_TAKES_JOBS | DS_TAKES_SALVAGE,
	.run = run,
	.examples = {
		"dsclean pages/*.html | dsdedup | dstok > shard.dsr",
		"dsdedup --threshold 0.7 --clusters alike.tsv --mark docs.jsonl --to jsonl",
		"dsdedup --method exact --scope line --to text notes.txt",
	},
};

int main(int argc, char **argv)
{
	return ds_main(&tool, argc, argv);
}
