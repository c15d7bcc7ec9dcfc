/*
 * gather.c - blocks one after another, their rows in slices of a size that does not depend on threads
 *
 * Each slice fills a part of its own and parts are merged in order, so that sums of doubles come out the
 * same for any -j.
 */
#include "gather.h"

#include "value.h"

#include "base/mem.h"
#include "base/progress.h"
#include "base/thread.h"
#include "record/field.h"
#include "record/source.h"

enum { SLICE_ROWS = 512, MAX_GROUPS = 1 << 16 };

gathered *gathered_new(const tally_shape *shape, bool by)
{
	gathered *g = DS_NEW(gathered, 1);
	g->all = tally_new(shape);
	if (by)
		g->values = names_new();
	return g;
}

void gathered_free(gathered *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->n; i++)
		tally_free(g->by[i]);
	tally_free(g->all);
	names_free(g->values);
	ds_mem_free(g->by);
	ds_mem_free(g);
}

static ds_rc group(gathered *g, ds_str value, tally **out, ds_err *e)
{
	uint32_t id = names_put(g->values, value);
	if (id >= MAX_GROUPS)
		return ds_fail(e, DS_BAD, "--by finds more than %d groups", MAX_GROUPS);
	if (id == g->cap) {
		uint32_t more = g->cap ? 2 * g->cap : 16;
		g->by = ds_mem_grow(g->by, g->cap * sizeof(*g->by), more * sizeof(*g->by));
		g->cap = more;
	}
	if (id == g->n)
		g->by[g->n++] = tally_new(&g->all->shape);
	*out = g->by[id];
	return DS_OK;
}

ds_rc gathered_merge(gathered *into, const gathered *from, ds_err *e)
{
	DS_TRY(tally_merge(into->all, from->all, e));
	for (uint32_t i = 0; i < from->n; i++) {
		tally *t;
		DS_TRY(group(into, names_get(from->values, i), &t, e));
		DS_TRY(tally_merge(t, from->by[i], e));
	}
	return DS_OK;
}

typedef struct {
	const wanted_list *l;
	const wanted *blocks; /* a metric that reads blocks itself; NULL: the tallies */
	const char *by;
	ds_block *b;
	void **parts; /* gathered, or the metric's own */
	ds_err *errs;
	ds_rc *rcs;
	ds_arena **mems; /* one a worker */
} slices;

static ds_rc add_row(slices *s, gathered *g, uint32_t row, ds_arena *mem, ds_err *e)
{
	metric_record r;
	double *sums = ds_arena_zero(mem, (s->l->shape.n_sums + 1) * sizeof(*sums));
	DS_TRY(value_record(&r, s->b, row, s->l->needs, mem, e));
	for (size_t i = 0; i < s->l->n; i++) {
		const wanted *w = &s->l->at[i];
		if (w->m->record)
			DS_TRY_AT(w->m->record(w->state, &r, sums + w->first_sum, mem, e), e,
				"record %llu", (unsigned long long)ds_block_record(s->b, row));
	}
	DS_TRY_AT(tally_add(g->all, &r, sums, e), e, "record %llu",
		(unsigned long long)ds_block_record(s->b, row));
	if (s->by) {
		ds_str value;
		tally *t;
		DS_TRY(value_class(&value, s->b, row, s->by, mem, e));
		DS_TRY(group(g, value, &t, e));
		DS_TRY(tally_add(t, &r, sums, e));
	}
	return DS_OK;
}

static ds_rc add_rows(slices *s, gathered *g, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	for (uint32_t row = from; row < to; row++) {
		ds_arena_reset(mem);
		DS_TRY(add_row(s, g, row, mem, e));
	}
	return DS_OK;
}

static void run_slice(void *context, size_t i, unsigned worker)
{
	slices *s = context;
	uint32_t from = (uint32_t)i * SLICE_ROWS, to = from + SLICE_ROWS;
	to = to < s->b->n_rows ? to : s->b->n_rows;
	ds_arena *mem = s->mems[worker];
	ds_arena_reset(mem);
	if (s->blocks) {
		const metric *m = s->blocks->m;
		s->parts[i] = m->part_new(s->blocks->state);
		s->rcs[i] = m->update(s->blocks->state, s->parts[i], ds_block_lend(s->b, mem), from,
			to, mem, &s->errs[i]);
		return;
	}
	s->parts[i] = gathered_new(&s->l->shape, s->by != NULL);
	s->rcs[i] = add_rows(s, s->parts[i], from, to, mem, &s->errs[i]);
}

static ds_rc merge_part(const slices *s, void *total, size_t i, ds_err *e)
{
	if (s->blocks)
		return s->blocks->m->merge(s->blocks->state, total, s->parts[i], e);
	return gathered_merge(total, s->parts[i], e);
}

static void free_part(const slices *s, size_t i)
{
	if (s->blocks)
		s->blocks->m->part_free(s->parts[i]);
	else
		gathered_free(s->parts[i]);
}

static ds_rc run_slices(slices *s, void *total, ds_pool *pool, ds_err *e)
{
	size_t n = (s->b->n_rows + SLICE_ROWS - 1) / SLICE_ROWS;
	ds_rc rc = DS_OK;
	s->parts = DS_NEW(void *, n);
	s->errs = DS_NEW(ds_err, n);
	s->rcs = DS_NEW(ds_rc, n);
	ds_pool_run(pool, n, run_slice, s);
	for (size_t i = 0; i < n; i++) {
		if (rc == DS_OK && (rc = s->rcs[i]) != DS_OK)
			*e = s->errs[i];
		if (rc == DS_OK)
			rc = merge_part(s, total, i, e);
		free_part(s, i);
	}
	ds_mem_free(s->parts);
	ds_mem_free(s->errs);
	ds_mem_free(s->rcs);
	return rc;
}

static ds_rc decode(ds_block *b, const wanted_list *l, const char *by, ds_err *e)
{
	static const struct {
		unsigned needs;
		const char *field;
	} fields[] = {
		{ METRIC_PRED | METRIC_LABEL | METRIC_NUMBERS, "pred" },
		{ METRIC_REF | METRIC_NUMBERS, "ref" },
		{ METRIC_LABEL | METRIC_SCORE | METRIC_NUMBERS, "label" },
		{ METRIC_SCORE, "score" },
	};
	const ds_col *c;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (l->needs & fields[i].needs)
			DS_TRY(ds_block_get(b, fields[i].field, &c, e));
	if (by)
		DS_TRY(ds_block_get(b, by, &c, e));
	for (size_t i = 0; i < l->n; i++)
		for (int f = 0; f < 4 && l->at[i].m->fields[f]; f++)
			DS_TRY(ds_block_get(b, l->at[i].m->fields[f], &c, e));
	return DS_OK;
}

static ds_rc add_block(gathered *g, wanted_list *l, const char *by, ds_block *b, ds_pool *pool,
	ds_arena **mems, ds_err *e)
{
	bool tallied = by != NULL;
	DS_TRY(decode(b, l, by, e));
	for (size_t i = 0; i < l->n; i++) {
		wanted *w = &l->at[i];
		slices s = { l, w, NULL, b, NULL, NULL, NULL, mems };
		if (!w->m->update)
			tallied = true;
		else if (w->m->serial)
			DS_TRY(w->m->update(w->state, w->total, b, 0, b->n_rows, mems[0], e));
		else
			DS_TRY(run_slices(&s, w->total, pool, e));
	}
	slices s = { l, NULL, by, b, NULL, NULL, NULL, mems };
	return tallied ? run_slices(&s, g, pool, e) : DS_OK;
}

static ds_rc meet(
	const wanted_list *l, const ds_predictor *model, ds_source *s, size_t *seen, ds_err *e)
{
	size_t n, known = *seen;
	const ds_opt *opts = ds_source_opts(s, &n);
	if (model)
		DS_TRY(ds_predict_meet(model, opts, n, &known, e));
	for (size_t i = 0; i < l->n && n > *seen; i++)
		if (l->at[i].m->meet)
			DS_TRY(l->at[i].m->meet(l->at[i].state, opts, n, e));
	*seen = n;
	return DS_OK;
}

static ds_rc refuse(void *block, uint32_t row, const char *why, ds_err *e)
{
	const ds_block *b = block;
	return ds_fail(e, DS_BAD, "%s:%llu: %s", b->origin,
		(unsigned long long)(b->origin_record + row), why);
}

ds_rc gather(gathered *g, wanted_list *l, const ds_common *c, const char *by, ds_predictor *model,
	ds_err *e)
{
	DS_AUTO(ds_source) s = NULL;
	DS_AUTO(ds_progress) progress = ds_progress_new(&c->who);
	DS_AUTO(ds_pool) pool = ds_pool_new((unsigned)c->jobs);
	DS_AUTO(ds_arena) mem = ds_arena_new(DS_BLOCK_BYTES);
	unsigned n = ds_pool_threads(pool);
	DS_AUTO(ds_field) field = NULL;
	size_t seen = 0; /* optional blocks */
	ds_arena **mems = DS_NEW(ds_arena *, n);
	ds_rc rc;
	for (unsigned i = 0; i < n; i++)
		mems[i] = ds_arena_new(DS_BLOCK_BYTES);
	rc = ds_field_of(&field, &c->in.field, e);
	if (rc == DS_OK)
		rc = ds_source_open(&s, &c->in, e);
	while (rc == DS_OK) {
		ds_block *b;
		ds_arena_reset(mem);
		rc = ds_source_next(s, mem, &b, e);
		if (rc != DS_OK || !b)
			break;
		rc = meet(l, model, s, &seen, e);
		if (rc == DS_OK && model)
			rc = ds_predict_block(model, b, field, mem, refuse, b, e);
		if (rc == DS_OK)
			rc = add_block(g, l, by, b, pool, mems, e);
		ds_progress_add(progress, b->n_rows, b->input_bytes);
	}
	for (unsigned i = 0; i < n; i++)
		ds_arena_free(mems[i]);
	ds_mem_free(mems);
	return rc;
}
