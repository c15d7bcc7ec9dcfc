/*
 * tally.c - adding records and tallies, and storing them
 */
#include "tally.h"

#include "base/mem.h"

tally *tally_new(const tally_shape *shape)
{
	tally *t = DS_NEW(tally, 1);
	t->shape = *shape;
	t->sums = DS_NEW(double, shape->n_sums + 1);
	t->classes = names_new();
	return t;
}

void tally_free(tally *t)
{
	if (!t)
		return;
	names_free(t->classes);
	ds_mem_free(t->sums);
	ds_mem_free(t->cells);
	ds_mem_free(t->sum_rows);
	ds_mem_free(t->labels);
	ds_mem_free(t->preds);
	ds_mem_free(t->scores);
	ds_mem_free(t->pairs);
	ds_mem_free(t);
}

static tally_cell *find(const tally *t, uint32_t label, uint32_t pred)
{
	uint64_t h = ((uint64_t)label << 32 | pred) * 0x9E3779B97F4A7C15u >> 32;
	for (;; h++) {
		tally_cell *c = &t->cells[h & (t->n_slots - 1)];
		if (!c->n || (c->label == label && c->pred == pred))
			return c;
	}
}

static void add_cell(tally *t, uint32_t label, uint32_t pred, uint64_t n)
{
	if (2 * (t->n_cells + 1) > t->n_slots) {
		tally_cell *old = t->cells;
		uint32_t was = t->n_slots;
		t->n_slots = was ? 2 * was : 16;
		t->cells = DS_NEW(tally_cell, t->n_slots);
		for (uint32_t i = 0; i < was; i++)
			if (old[i].n)
				*find(t, old[i].label, old[i].pred) = old[i];
		ds_mem_free(old);
	}
	tally_cell *c = find(t, label, pred);
	t->n_cells += !c->n;
	c->label = label;
	c->pred = pred;
	c->n += n;
}

static void *grow(void *p, uint64_t from, uint64_t to, size_t size)
{
	return ds_mem_grow(p, from * size, to * size);
}

/* Memory for n more rows. */
static void reserve(tally *t, uint64_t n)
{
	const tally_shape *s = &t->shape;
	uint64_t was = t->cap, cap = was ? was : 64;
	if (t->n + n <= was || !(s->rows || s->scores || s->numbers))
		return;
	while (cap < t->n + n)
		cap *= 2;
	if (s->rows && s->n_sums)
		t->sum_rows = grow(t->sum_rows, was, cap, s->n_sums * sizeof(double));
	if ((s->rows && s->classes) || s->scores)
		t->labels = grow(t->labels, was, cap, sizeof(*t->labels));
	if (s->rows && s->classes)
		t->preds = grow(t->preds, was, cap, sizeof(*t->preds));
	if (s->scores)
		t->scores = grow(t->scores, was, cap, t->n_scores * sizeof(double));
	if (s->numbers)
		t->pairs = grow(t->pairs, was, cap, 2 * sizeof(double));
	t->cap = cap;
}

static ds_rc same_scores(tally *t, size_t n, ds_err *e)
{
	if (t->n == 0)
		t->n_scores = (uint32_t)n;
	if (t->n_scores != n)
		return ds_fail(e, DS_BAD, "field 'score' has %zu values, the records before had %u",
			n, t->n_scores);
	return DS_OK;
}

static void add_sums(tally *t, const double *sums)
{
	double *at = t->sums;
	for (uint32_t p = 0; p < t->shape.n_parts; p++) {
		const tally_sums *part = &t->shape.parts[p];
		if (part->merge)
			part->merge(at, sums);
		for (uint32_t i = 0; !part->merge && i < part->n; i++)
			at[i] += sums[i];
		at += part->n;
		sums += part->n;
	}
}

static void add_row(tally *t, const double *sums, uint32_t label, uint32_t pred,
	const double *scores, const double *pair)
{
	add_sums(t, sums);
	if (t->sum_rows)
		memcpy(t->sum_rows + t->n * t->shape.n_sums, sums, t->shape.n_sums * sizeof(*sums));
	if (t->shape.classes)
		add_cell(t, label, pred, 1);
	if (t->labels)
		t->labels[t->n] = label;
	if (t->preds)
		t->preds[t->n] = pred;
	if (t->scores && t->n_scores)
		memcpy(t->scores + t->n * t->n_scores, scores, t->n_scores * sizeof(*scores));
	if (t->pairs)
		memcpy(t->pairs + 2 * t->n, pair, 2 * sizeof(*pair));
	t->n++;
}

ds_rc tally_add(tally *t, const metric_record *r, const double *sums, ds_err *e)
{
	uint32_t label = 0, pred = 0;
	double pair[2] = { r->x, r->y };
	if (t->shape.scores)
		DS_TRY(same_scores(t, r->n_scores, e));
	reserve(t, 1);
	if (t->shape.classes || t->shape.scores)
		label = names_put(t->classes, r->label);
	if (t->shape.classes)
		pred = names_put(t->classes, r->pred_class);
	add_row(t, sums, label, pred, r->scores, pair);
	return DS_OK;
}

ds_rc tally_merge(tally *t, const tally *from, ds_err *e)
{
	const tally_shape *s = &t->shape;
	uint32_t n_names = names_count(from->classes), *ids = DS_NEW(uint32_t, n_names + 1);
	if (from->n == 0) {
		ds_mem_free(ids);
		return DS_OK;
	}
	ds_rc rc = s->scores ? same_scores(t, from->n_scores, e) : DS_OK;
	if (rc == DS_OK)
		reserve(t, from->n);
	for (uint32_t i = 0; rc == DS_OK && i < n_names; i++)
		ids[i] = names_put(t->classes, names_get(from->classes, i));
	if (rc == DS_OK)
		add_sums(t, from->sums);
	for (uint32_t i = 0; rc == DS_OK && i < from->n_slots; i++)
		if (from->cells[i].n)
			add_cell(t, ids[from->cells[i].label], ids[from->cells[i].pred],
				from->cells[i].n);
	for (uint64_t i = 0; rc == DS_OK && i < from->n; i++) {
		if (t->labels)
			t->labels[t->n + i] = ids[from->labels[i]];
		if (t->preds)
			t->preds[t->n + i] = ids[from->preds[i]];
	}
	ds_mem_free(ids);
	if (rc != DS_OK)
		return rc;
	if (t->sum_rows)
		memcpy(t->sum_rows + t->n * s->n_sums, from->sum_rows,
			from->n * s->n_sums * sizeof(double));
	if (t->scores && t->n_scores)
		memcpy(t->scores + t->n * t->n_scores, from->scores,
			from->n * t->n_scores * sizeof(double));
	if (t->pairs)
		memcpy(t->pairs + 2 * t->n, from->pairs, from->n * 2 * sizeof(double));
	t->n += from->n;
	return DS_OK;
}

tally *tally_resample(const tally *t, const uint32_t *rows, uint64_t n)
{
	tally *o = tally_new(&t->shape);
	static const double none[2];
	for (uint32_t i = 0; i < names_count(t->classes); i++)
		names_put(o->classes, names_get(t->classes, i));
	o->n_scores = t->n_scores;
	reserve(o, n);
	for (uint64_t i = 0; i < n; i++) {
		uint32_t r = rows[i];
		add_row(o, t->sum_rows ? t->sum_rows + (uint64_t)r * t->shape.n_sums : none,
			t->labels ? t->labels[r] : 0, t->preds ? t->preds[r] : 0,
			t->scores ? t->scores + (uint64_t)r * t->n_scores : none,
			t->pairs ? t->pairs + 2 * (uint64_t)r : none);
	}
	return o;
}

/* ---- stored ---- */

static void put(ds_buf *o, const void *p, uint64_t n, size_t size)
{
	if (p && n)
		ds_buf_add(o, p, n * size);
}

/* Little-endian, as everything of ours; state.c puts the frame and its hash around it. */
void tally_store(const tally *t, ds_buf *o)
{
	uint32_t n_names = names_count(t->classes);
	ds_buf_add(o, &t->n, 8);
	ds_buf_add(o, &t->n_scores, 4);
	put(o, t->sums, t->shape.n_sums, 8);
	ds_buf_add(o, &n_names, 4);
	for (uint32_t i = 0; i < n_names; i++) {
		ds_str s = names_get(t->classes, i);
		uint32_t n = (uint32_t)s.n;
		ds_buf_add(o, &n, 4);
		ds_buf_add_str(o, s);
	}
	ds_buf_add(o, &t->n_cells, 4);
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->cells[i].n) {
			ds_buf_add(o, &t->cells[i].label, 4);
			ds_buf_add(o, &t->cells[i].pred, 4);
			ds_buf_add(o, &t->cells[i].n, 8);
		}
	put(o, t->sum_rows, t->n * t->shape.n_sums, 8);
	put(o, t->labels, t->n, 4);
	put(o, t->preds, t->n, 4);
	put(o, t->scores, t->n * t->n_scores, 8);
	put(o, t->pairs, t->n * 2, 8);
}

static ds_rc damaged(ds_err *e)
{
	return ds_fail(e, DS_SHORT, "the state is damaged");
}

static ds_rc load_names(tally *t, ds_cur *c, ds_err *e)
{
	uint32_t n = ds_cur_u32(c);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = ds_cur_u32(c);
		ds_str s = ds_cur_bytes(c, len);
		if (!ds_cur_ok(c) || names_put(t->classes, s) != i)
			return damaged(e);
	}
	return DS_OK;
}

static ds_rc load_cells(tally *t, ds_cur *c, ds_err *e)
{
	uint32_t n = ds_cur_u32(c), n_names = names_count(t->classes);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t label = ds_cur_u32(c), pred = ds_cur_u32(c);
		uint64_t times = ds_cur_u64(c);
		if (!ds_cur_ok(c) || label >= n_names || pred >= n_names || !times)
			return damaged(e);
		add_cell(t, label, pred, times);
	}
	return DS_OK;
}

/* Rows lie in the file as in memory; what they take was checked against what is left of it. */
static ds_rc load_rows(tally *t, ds_cur *c, ds_err *e)
{
	const tally_shape *s = &t->shape;
	uint64_t n = t->n, a_row = 0;
	bool has_labels = (s->rows && s->classes) || s->scores;
	a_row += s->rows ? 8 * (uint64_t)s->n_sums : 0;
	a_row += has_labels ? 4 : 0;
	a_row += s->rows && s->classes ? 4 : 0;
	a_row += s->scores ? 8 * (uint64_t)t->n_scores : 0;
	a_row += s->numbers ? 16 : 0;
	if (!ds_cur_ok(c) || (a_row && n > ds_cur_left(c) / a_row))
		return damaged(e);
	t->n = 0;
	reserve(t, n);
	t->n = n;
	if (t->sum_rows)
		ds_cur_copy(c, t->sum_rows, n * s->n_sums * 8);
	if (t->labels)
		ds_cur_copy(c, t->labels, n * 4);
	if (t->preds)
		ds_cur_copy(c, t->preds, n * 4);
	if (t->scores)
		ds_cur_copy(c, t->scores, n * t->n_scores * 8);
	if (t->pairs)
		ds_cur_copy(c, t->pairs, n * 16);
	for (uint64_t i = 0; i < n; i++)
		if ((t->labels && t->labels[i] >= names_count(t->classes)) ||
			(t->preds && t->preds[i] >= names_count(t->classes)))
			return damaged(e);
	return ds_cur_ok(c) ? DS_OK : damaged(e);
}

ds_rc tally_load(tally **out, ds_cur *c, const tally_shape *shape, ds_err *e)
{
	tally *t = *out = tally_new(shape);
	t->n = ds_cur_u64(c);
	t->n_scores = ds_cur_u32(c);
	ds_cur_copy(c, t->sums, shape->n_sums * sizeof(double));
	DS_TRY(load_names(t, c, e));
	DS_TRY(load_cells(t, c, e));
	return load_rows(t, c, e);
}
