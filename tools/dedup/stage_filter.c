/*
 * stage_filter.c - dsdedup filter: the inputs once more, without what was found to repeat
 */
#include "options.h"
#include "rehydrate.h"
#include "stage.h"

#include "base/mem.h"

struct verdicts {
	signs *s;
	stage_file file;
	uint64_t at; /* records met */
};

static const ds_col *column(const verdicts *v, uint64_t number, const char *name, uint32_t *row)
{
	*row = (uint32_t)(number % STAGE_ROWS);
	const ds_col *col = ds_block_find(v->file.blocks[number / STAGE_ROWS], name);
	return col && ds_col_has(col, *row) ? col : NULL;
}

static ds_rc check_rows(const verdicts *v, ds_err *e)
{
	const stage_file *f = &v->file;
	bool whole = f->n == v->s->n && memcmp(&f->head.from, &v->s->sum, sizeof(v->s->sum)) == 0;
	for (size_t i = 0; i < f->n_blocks; i++) {
		const ds_col *dup = ds_block_find(f->blocks[i], "dup_of"),
			     *why = ds_block_find(f->blocks[i], "why"),
			     *size = ds_block_find(f->blocks[i], "size"),
			     *cluster = ds_block_find(f->blocks[i], "cluster"),
			     *far = ds_block_find(f->blocks[i], "dup_far");
		whole &= !far || far->type == DS_T_I64;
		whole &= !size || size->type == DS_T_I64;
		whole &= !cluster || cluster->type == DS_T_I64;
		whole &= i + 1 == f->n_blocks || f->blocks[i]->n_rows == STAGE_ROWS;
		whole &= (!dup || dup->type == DS_T_I64) && (!why || why->type == DS_T_UTF8);
	}
	return whole ? DS_OK
		     : ds_fail(e, DS_BAD,
			       "%s: made from other signatures, run `dsdedup cluster` again",
			       f->path);
}

static ds_rc verdicts_open(verdicts *v, const char *dir, ds_err *e)
{
	static const char *const of_signs[] = { "hash", "id", "record", NULL },
				 *const of_clusters[] = { "dup_of", "dup_far", "why", "size",
					 "cluster", NULL };
	DS_TRY(signs_open(&v->s, dir, of_signs, e));
	DS_TRY(stage_open(&v->file, dir, "cluster.dsr", STAGE_CLUSTER, of_clusters, e));
	return check_rows(v, e);
}

/* The text is the one that was signed. */
static bool is_signed(const verdicts *v, uint64_t number, const signed_block *s, const row_items *r)
{
	uint32_t row;
	size_t at = signs_find(v->s, number, &row);
	const ds_col *hash = ds_block_find(v->s->blocks[at].block, "hash");
	if (!hash || hash->type != DS_T_I64 || !ds_col_has(hash, row))
		return !r->n;
	return r->n && (uint64_t)ds_col_i64(hash, row) ==
			       ds_hash64(s->texts[r->first].at, s->texts[r->first].n);
}

ds_rc verdicts_decide(verdicts *v, ds_arena *mem, ds_block *b, signed_block *s, ds_err *e)
{
	for (uint32_t i = 0; i < b->n_rows; i++) {
		uint32_t row;
		uint64_t number = v->at++;
		row_items *r = &s->rows[i];
		if (number >= v->s->n)
			return ds_fail(e, DS_BAD, "%s: more records than were signed", b->origin);
		const ds_col *why = column(v, number, "why", &row),
			     *dup = column(v, number, "dup_of", &row),
			     *far = column(v, number, "dup_far", &row),
			     *size = column(v, number, "size", &row);
		r->contaminated = why && ds_str_is(ds_col_bytes(why, row), "against");
		if (!r->contaminated && !is_signed(v, number, s, r))
			return ds_fail(e, DS_BAD, "%s: record %llu is not the one that was signed",
				b->origin, (unsigned long long)ds_block_record(b, i));
		if (size)
			r->cluster = (uint32_t)ds_col_i64(size, row);
		if ((!dup && !far) || !r->n)
			continue;
		/* A record of another shard has no number here; its own says that there is one. */
		int64_t of = dup ? ds_col_i64(dup, row) : (int64_t)number;
		if (of < 0 || (uint64_t)of >= v->s->n)
			return ds_fail(e, DS_BAD, "%s: a number that no record has", v->file.path);
		s->items[r->first].dup_of = (uint32_t)of;
		s->items[r->first].same = why && ds_str_is(ds_col_bytes(why, row), "exact");
	}
	return DS_OK;
}

ds_seen_id verdicts_name(const verdicts *v, uint32_t number)
{
	ds_seen_id id;
	ds_err ignored;
	if (signs_id(v->s, number, v->s->mem, &id, &ignored) != DS_OK)
		return (ds_seen_id){ { "", 0 }, false };
	return id;
}

typedef struct {
	plan plan;
	verdicts verdicts;
	applier applier;
	rehydrate_rule rule;
	uint64_t n_added;
} filter_run;

static uint32_t first_of(void *context, uint32_t number)
{
	uint32_t row;
	const verdicts *v = context;
	const ds_col *cluster = column(v, number, "cluster", &row);
	int64_t first = cluster ? ds_col_i64(cluster, row) : number;
	return first >= 0 && first <= number ? (uint32_t)first : number;
}

static void *scratch_new(void *state)
{
	filter_run *r = state;
	return signer_new(&r->plan, NULL, NULL);
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	filter_run *r = state;
	signed_block *s = signer_result(ds_work_scratch(w));
	DS_TRY(apply_block(&r->applier, w, b, s, e));
	return r->rule.n ? rehydrate_block(&r->rule, w, b, s, &r->n_added, e) : DS_OK;
}

static ds_rc end(void *state, ds_work *w, ds_err *e)
{
	filter_run *r = state;
	if (strcmp(r->verdicts.s->keep, "first") == 0) /* else one run counts none either */
		ds_work_count(w, COUNT_FULL, r->verdicts.file.head.full);
	if (r->applier.report)
		report_finish(r->applier.report, r->verdicts.s->n);
	if (r->verdicts.at == r->verdicts.s->n)
		return DS_OK;
	return ds_fail(e, DS_BAD, "%llu record%s, but %llu signed",
		(unsigned long long)r->verdicts.at, ds_s(r->verdicts.at),
		(unsigned long long)r->verdicts.s->n);
}

static void summary(void *state, ds_buf *out)
{
	const filter_run *r = state;
	apply_summary(&r->applier, out);
	if (r->rule.n && r->applier.n_records)
		ds_buf_fmt(out, ", %llu cop%s added", (unsigned long long)r->n_added,
			r->n_added == 1 ? "y" : "ies");
}

static void stats(void *state, ds_buf *out)
{
	const filter_run *r = state;
	if (r->applier.report)
		report_stats(r->applier.report, out);
}

static bool is_far(const verdicts *v)
{
	for (size_t i = 0; i < v->file.n_blocks; i++)
		if (ds_block_find(v->file.blocks[i], "dup_far"))
			return true;
	return false;
}

static ds_rc read_rule(filter_run *r, ds_err *e)
{
	DS_TRY(rehydrate_read(&r->rule, opt.rehydrate, e));
	if (opt.mark)
		return ds_fail(e, DS_USAGE, "--mark drops nothing, so --rehydrate has no use");
	if (!r->verdicts.file.head.sizes)
		return ds_fail(e, DS_USAGE,
			"%s: has no sizes for --rehydrate, run `dsdedup cluster --sizes` again",
			r->verdicts.file.path);
	return DS_OK;
}

/* What one run of all would record: the options that sign had, and those of this stage; their first words are names. */
static ds_str one_run(const filter_run *r, const ds_common *c)
{
	const ds_chain *chain = r->verdicts.s->files[0].chain;
	ds_str signed_with = { "", 0 }, here = { "", 0 };
	if (chain->n)
		ds_str_cut(chain->stages[chain->n - 1].args, ' ', &signed_with);
	ds_str_cut(c->recorded, ' ', &here);
	return ds_arena_fmt(r->verdicts.s->mem, "%.*s%s%.*s", (int)signed_with.n, signed_with.at,
		signed_with.n && here.n ? " " : "", (int)here.n, here.at);
}

static ds_rc filter(filter_run *r, const ds_common *c, ds_err *e)
{
	static const char *const from_stdin = "-";
	const char *dir, *first = from_stdin;
	DS_TRY(stage_dir(c, &dir, e));
	DS_TRY(verdicts_open(&r->verdicts, dir, e));
	if (opt.rehydrate)
		DS_TRY(read_rule(r, e));
	r->plan = (plan){ .mark = opt.mark,
		.named = opt.mark || opt.clusters,
		.add_id = opt.mark || opt.clusters };
	if (opt.mark && is_far(&r->verdicts))
		return ds_fail(e, DS_USAGE,
			"%s: what dsdedup exchange made names no records for --mark",
			r->verdicts.file.path);
	r->applier = (applier){ .plan = &r->plan, .verdicts = &r->verdicts };
	if (wants_report(c) && r->verdicts.file.head.sizes)
		r->applier.report = report_new((report_of){ first_of, &r->verdicts, true }, 0);
	const ds_stage stage = {
		.name = "filter",
		.state = r,
		.counters = apply_counters,
		.scratch_new = scratch_new,
		.scratch_free = signer_free,
		.reads_field = DS_FIELD_NEEDED,
		.work = signer_work,
		.order = order,
		.end = end,
		.summary = summary,
		.stats = stats,
	};
	ds_common inputs = *c;
	if (c->who.command) /* else the options are already those of the whole */
		inputs.recorded = one_run(r, c);
	inputs.in.files = c->in.n_files > 1 ? c->in.files + 1 : &first;
	inputs.in.n_files = c->in.n_files > 1 ? c->in.n_files - 1 : 1;
	DS_TRY(ds_run_stage(&inputs, &stage, e));
	if (r->applier.report && c->who.verbose)
		report_say(r->applier.report, c);
	return DS_OK;
}

ds_rc run_filter(const ds_common *c, ds_err *e)
{
	filter_run r = { 0 };
	ds_rc rc = filter(&r, c, e);
	report_free(r.applier.report);
	stage_close(&r.verdicts.file);
	signs_close(r.verdicts.s);
	return rc;
}
