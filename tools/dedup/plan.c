/*
 * plan.c - what the user asked for, checked
 */
#include "options.h"

#include "base/progress.h"
#include "text/simhash.h"

#include <limits.h>
#include <math.h>

/* What stands here until the user says something, so that a preset can tell. */
#define UNSAID INT_MIN

options opt = { .method = "exact,minhash",
	.unit = "auto",
	.keep = "first",
	.scope = "text",
	.threshold = -INFINITY,
	.ngram = UNSAID,
	.perm = UNSAID,
	.bands = UNSAID,
	.distance = 3,
	.bits = "64",
	.shard = -1,
	.part = -1,
	.parts = 1,
	.memory = { (uint64_t)1 << 30 } };

/*
 * What others published of their runs: units in a shingle, permutations, bands, and the Jaccard index that these
 * aim at (datatrove and olmo name none: where half of the pairs meet, about (1 / bands)^(1 / rows)). A band of
 * redpajama's is 13 values of its 128, so 117 of them count.
 */
static const struct {
	const char *name;
	int ngram, perm, bands;
	double threshold;
} presets[] = {
	{ "none", 5, 256, 0, 0.8 },
	{ "datatrove", 5, 112, 14, 0.72 },
	{ "fineweb", 5, 112, 14, 0.75 },
	{ "redpajama", 13, 117, 9, 0.8 },
	{ "olmo", 5, 286, 26, 0.74 },
};

/* What was not said is as the preset has it; bands only while permutations are. */
static void read_preset(void)
{
	size_t i = 0;
	while (opt.preset && i < sizeof(presets) / sizeof(*presets) &&
		strcmp(presets[i].name, opt.preset) != 0)
		i++;
	if (opt.bands == UNSAID)
		opt.bands = opt.perm == UNSAID && opt.threshold < 0 ? presets[i].bands : 0;
	if (opt.ngram == UNSAID)
		opt.ngram = presets[i].ngram;
	if (opt.perm == UNSAID)
		opt.perm = presets[i].perm;
	if (isinf(opt.threshold))
		opt.threshold = presets[i].threshold;
}

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
bool wants_report(const ds_common *c)
{
	return c->stats_path || (c->who.verbose && !c->who.quiet);
}

static void say_curve(const plan *p, const ds_common *c)
{
	ds_bands b = p->seen.bands;
	ds_buf line = { 0 };
	ds_say(&c->who,
		"%u unit%s a shingle, %u band%s of %u value%s; alike from a jaccard index of %g",
		p->seen.ngram, ds_s(p->seen.ngram), b.bands, ds_s(b.bands), b.rows, ds_s(b.rows),
		p->seen.threshold);
	ds_buf_add_c(&line, "a pair shares a band at");
	for (unsigned percent = 50; percent < 100; percent += 5)
		ds_buf_fmt(
			&line, " %.2f: %.3f", percent / 100.0, ds_bands_recall(b, percent / 100.0));
	ds_say(&c->who, "%s", ds_buf_text(&line));
	ds_buf_free(&line);
}

ds_rc read_plan(plan *p, const ds_common *c, ds_err *e)
{
	read_preset();
	DS_TRY(read_methods(&p->seen, e));
	DS_TRY(read_number("ngram", opt.ngram, 1, DS_NGRAM_MAX, e));
	DS_TRY(read_number("perm", opt.perm, 1, DS_PERM_MAX, e));
	DS_TRY(read_number("distance", opt.distance, 0, DS_SIMHASH_FAR, e));
	if (!(opt.threshold > 0 && opt.threshold <= 1))
		return ds_fail(
			e, DS_USAGE, "--threshold %g: it is over 0 and at most 1", opt.threshold);
	if (opt.share && !(opt.share > 0 && opt.share <= 1))
		return ds_fail(e, DS_USAGE, "--share %g: it is over 0 and at most 1", opt.share);
	if (opt.share && !opt.against)
		return ds_fail(e, DS_USAGE,
			"--share is of the texts of --against FILE, which is not given");
	p->share = opt.share;
	p->seen.unit = (ds_unit)place_of(opt.unit, UNITS);
	p->seen.ngram = (unsigned)opt.ngram;
	p->seen.n_perm = (unsigned)opt.perm;
	p->seen.threshold = opt.threshold;
	p->seen.distance = (unsigned)opt.distance;
	p->seen.bits = strcmp(opt.bits, "128") == 0 ? 128 : 64;
	p->seen.seed = c->seed;
	p->seen.verify = opt.verify;
	p->seen.labels = opt.keep_labels;
	p->seen.join = opt.clusters || strcmp(opt.keep, "first") != 0 || wants_report(c);
	p->scope = (scope)place_of(opt.scope, SCOPES);
	p->mark = opt.mark || opt.tag;
	p->tag = opt.tag;
	p->seen.scope = p->scope;
	p->add_id = p->mark || opt.clusters;
	p->named = p->add_id || opt.index;
	if (p->scope != SCOPE_TEXT && p->add_id)
		return ds_fail(e, DS_USAGE,
			"--scope %s cuts texts, so there is nothing for --%s to name", opt.scope,
			opt.tag    ? "tag"
			: opt.mark ? "mark"
				   : "clusters");
	if (strcmp(opt.keep, "first") != 0 && (p->scope != SCOPE_TEXT || opt.index))
		return ds_fail(
			e, DS_USAGE, "--keep %s goes with neither --scope nor --index", opt.keep);
	DS_TRY(read_bands(&p->seen, e));
	if (c->who.verbose && p->seen.near && !p->seen.simhash)
		say_curve(p, c);
	return DS_OK;
}
