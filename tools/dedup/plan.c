/*
 * plan.c - what the user asked for, checked
 */
#include "options.h"

#include "text/simhash.h"

options opt = { .method = "exact,minhash",
	.unit = "auto",
	.keep = "first",
	.scope = "text",
	.threshold = 0.8,
	.ngram = 5,
	.perm = 256,
	.distance = 3,
	.memory = { (uint64_t)1 << 30 } };

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
	return c->stats_path || (c->verbose && !c->quiet);
}

ds_rc read_plan(plan *p, const ds_common *c, ds_err *e)
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
