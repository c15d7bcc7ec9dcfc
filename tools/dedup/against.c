/*
 * against.c - the 13-grams of an evaluation set, by 64-bit hashes; or, with a share, its texts (overlap.c)
 *
 * Open addressing in a table at most half full, read by all threads. A text's hashes are looked up in
 * parts, the slots of a part prefetched before the first of them is looked at.
 */
#include "options.h"

#include "base/mem.h"
#include "base/progress.h"

struct against {
	uint64_t *slot; /* 0: empty; a hash of 0 is kept as 1 */
	size_t mask, n;
	ds_unit unit;
	overlap *overlap; /* instead, or NULL */
};

struct against_reader {
	const against *set;
	ds_ngram *units;
	overlap_reader *overlap;
};

static void put(against *a, uint64_t h)
{
	size_t i = h & a->mask;
	while (a->slot[i] && a->slot[i] != h)
		i = (i + 1) & a->mask;
	a->n += !a->slot[i];
	a->slot[i] = h;
}

static void add(against *a, uint64_t h)
{
	if (2 * (a->n + 1) > a->mask) {
		against was = *a;
		a->mask = a->slot ? 2 * a->mask + 1 : 1023;
		a->n = 0;
		a->slot = DS_NEW(uint64_t, a->mask + 1);
		for (size_t i = 0; was.slot && i <= was.mask; i++)
			if (was.slot[i])
				put(a, was.slot[i]);
		ds_mem_free(was.slot);
	}
	put(a, h ? h : 1);
}

void against_free(against *a)
{
	if (!a)
		return;
	ds_mem_free(a->slot);
	overlap_free(a->overlap);
	ds_mem_free(a);
}

static unsigned units_of(const against *a)
{
	return a->overlap ? OVERLAP_UNITS : AGAINST_UNITS;
}

against_reader *against_reader_new(const against *a)
{
	against_reader *r = DS_NEW(against_reader, 1);
	r->set = a;
	r->units = ds_ngram_new(a->unit, units_of(a));
	r->overlap = a->overlap ? overlap_reader_new(a->overlap) : NULL;
	return r;
}

void against_reader_free(against_reader *r)
{
	if (!r)
		return;
	ds_ngram_free(r->units);
	overlap_reader_free(r->overlap);
	ds_mem_free(r);
}

static void add_text(against *a, ds_ngram *units, ds_str text)
{
	uint64_t x[DS_NGRAM_BATCH];
	size_t n;
	if (a->overlap) {
		overlap_add(a->overlap, units, text);
		return;
	}
	ds_ngram_start(units, text);
	while ((n = ds_ngram_next64(units, x)))
		/* A text of fewer units has one shingle all the same, which is none of 13. */
		for (size_t i = 0; i < n && ds_ngram_units(units) >= AGAINST_UNITS; i++)
			add(a, x[i]);
}

/* The one column of strings that is no name, number or label of something; NULL where there are more, or none. */
static const char *only_text(const ds_block *b)
{
	static const char *const others[] = { "id", "source", "url", "lang", "label", "split",
		"date", "timestamp", "type", "category", "subject", "task", "task_id" };
	const char *found = NULL;
	for (uint32_t i = 0; i < b->n_cols; i++) {
		bool other = b->cols[i].type != DS_T_UTF8;
		for (size_t k = 0; k < sizeof(others) / sizeof(*others); k++)
			other |= ds_str_is(b->cols[i].name, others[k]);
		if (other)
			continue;
		if (found)
			return NULL;
		found = ds_arena_str(b->mem, b->cols[i].name).at;
	}
	return found;
}

typedef struct { /* the texts of the other file */
	ds_field *field;
	ds_field_count n;
	ds_field_names names;
} reading;

static void reading_close(reading *r)
{
	ds_field_free(r->field);
	ds_field_names_free(&r->names);
}

/* What was named, else the field of this run, else the only text that is there. */
static ds_rc choose_field(reading *r, const ds_common *c, ds_block *b, ds_err *e)
{
	ds_texts t;
	const char *other;
	if (opt.against_field)
		return ds_field_new(&r->field, &opt.against_field, 1, e);
	DS_TRY(ds_field_of(&r->field, &c->in.field, e));
	DS_TRY(ds_texts_open(&t, r->field, b, NULL, e));
	other = t.n_cols ? NULL : only_text(b);
	if (!other)
		return DS_OK;
	ds_field_free(r->field);
	return ds_field_new(&r->field, &other, 1, e);
}

static ds_rc add_block(
	against *a, ds_ngram *units, reading *r, const ds_common *c, ds_block *b, ds_err *e)
{
	ds_texts t;
	if (!r->field && b->n_rows)
		DS_TRY(choose_field(r, c, b, e));
	if (!r->n.n_with)
		DS_TRY(ds_field_names_add(&r->names, b, e));
	if (!b->n_rows)
		return DS_OK;
	DS_TRY(ds_texts_open(&t, r->field, b, &r->n, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		ds_str text;
		bool has;
		DS_TRY(ds_texts_get(&t, row, &text, &has, e));
		if (has)
			add_text(a, units, text);
	}
	return DS_OK;
}

static ds_rc add_all(against *a, reading *r, const ds_common *of, ds_err *e)
{
	DS_AUTO(ds_source) from = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	DS_AUTO(ds_ngram) units = ds_ngram_new(a->unit, units_of(a));
	DS_TRY(ds_source_open(&from, &of->in, e));
	for (ds_block *b;;) {
		ds_arena_reset(mem);
		DS_TRY(ds_source_next(from, mem, &b, e));
		if (!b)
			break;
		DS_TRY_AT(add_block(a, units, r, of, b, e), e, "%s", of->in.files[0]);
	}
	if (r->n.n_without && !r->n.n_with)
		return ds_at(e,
			ds_field_missing(ds_field_name(r->field), &r->names, "--against-field", e),
			"--against %s", of->in.files[0]);
	if (r->n.n_without)
		ds_warn(&of->who, "--against %s: %llu record%s no '%s'", of->in.files[0],
			(unsigned long long)r->n.n_without, r->n.n_without == 1 ? " has" : "s have",
			ds_field_name(r->field));
	return DS_OK;
}

ds_rc against_load(against **out, const ds_common *c, const char *path, const plan *p, ds_err *e)
{
	DS_AUTO(against) a = DS_NEW(against, 1);
	a->unit = p->seen.unit;
	a->overlap = p->share > 0 ? overlap_new(p->share) : NULL;
	ds_common of = *c;
	of.in.encoding = NULL; /* that of the input alone */
	of.in.files = &path;
	of.in.n_files = 1;
	of.in.on_error = DS_ON_STOP;
	reading r = { 0 };
	ds_rc rc = add_all(a, &r, &of, e);
	reading_close(&r);
	DS_TRY(rc);
	if (a->overlap)
		overlap_finish(a->overlap);
	*out = a;
	a = NULL;
	return DS_OK;
}

bool against_hits(against_reader *r, ds_str text)
{
	const against *a = r->set;
	ds_ngram *units = r->units;
	if (a->overlap)
		return overlap_hits(a->overlap, r->overlap, units, text);
	uint64_t x[DS_NGRAM_BATCH];
	size_t n;
	if (!a->slot)
		return false;
	ds_ngram_start(units, text);
	while ((n = ds_ngram_next64(units, x))) {
		for (size_t i = 0; i < n; i++)
			__builtin_prefetch(a->slot + (x[i] & a->mask));
		for (size_t i = 0; i < n && ds_ngram_units(units) >= AGAINST_UNITS; i++) {
			uint64_t h = x[i] ? x[i] : 1;
			for (size_t k = h & a->mask; a->slot[k]; k = (k + 1) & a->mask)
				if (a->slot[k] == h)
					return true;
		}
	}
	return false;
}
