/*
 * stage_band.c - dsdedup band: for each band, who shares its keys, sorted by key and number
 *
 * A key has 40 bits. Members are gathered by the upper 8 of them, as many such groups at a time as
 * memory allows, and each group is sorted as lower bits << 32 | number. So a band is read from its column
 * as often as its members exceed the memory, and nothing is spilled. A key that only one record has is left
 * out. It is a plain sort by key, which any engine that sorts can do instead.
 */
#include "options.h"
#include "stage.h"

#include "base/mem.h"
#include "base/sort.h"

#include <stdio.h>

enum { GROUPS = 256, OUT_ROWS = 1 << 16, LEAST_MEMBERS = 1 << 16 };

typedef struct {
	const ds_common *c;
	const signs *s;
	size_t most; /* members in memory, of a thread */
	ds_rc *rc;   /* a band each */
	ds_err *err;
} band_run;

/* Keys of a block: one for each row that has any. */
static bool key_of(const ds_col *col, uint32_t row, uint64_t *key)
{
	if (!col || !ds_col_has(col, row) || ds_col_null(col, row))
		return false;
	if (col->type == DS_T_I64) {
		*key = (uint64_t)ds_col_i64(col, row);
		return true;
	}
	ds_h128 whole;
	ds_str bytes = ds_col_bytes(col, row);
	if (bytes.n != sizeof(whole))
		return false;
	memcpy(&whole, bytes.at, sizeof(whole));
	*key = ds_seen_bucket(whole);
	return true;
}

static const ds_col *column_of(const signs *s, size_t block, const char *name)
{
	return ds_block_find(s->blocks[block].block, name);
}

static void count(const signs *s, const char *name, uint64_t n[GROUPS])
{
	for (size_t i = 0; i < s->n_blocks; i++) {
		const ds_col *col = column_of(s, i, name);
		uint64_t key;
		for (uint32_t row = 0; row < s->blocks[i].block->n_rows; row++)
			if (key_of(col, row, &key))
				n[key >> 32 & (GROUPS - 1)]++;
	}
}

/* Members of groups first to last - 1 into at, group by group. */
static void gather(
	const signs *s, const char *name, unsigned first, unsigned last, uint64_t *const at[GROUPS])
{
	uint64_t *to[GROUPS];
	memcpy(to, at, sizeof(to));
	for (size_t i = 0; i < s->n_blocks; i++) {
		const ds_col *col = column_of(s, i, name);
		uint64_t key;
		for (uint32_t row = 0; row < s->blocks[i].block->n_rows; row++) {
			if (!key_of(col, row, &key))
				continue;
			unsigned group = key >> 32 & (GROUPS - 1);
			if (group >= first && group < last)
				*to[group]++ = key << 32 | (s->blocks[i].first + row);
		}
	}
}

static ds_rc put_rows(
	stage_out *o, const int64_t *keys, const int64_t *numbers, uint32_t n, ds_err *e)
{
	ds_block *b = ds_block_new(o->mem, n);
	ds_colb *key = ds_colb_new(b, "key", DS_T_I64),
		*number = ds_colb_new(b, "number", DS_T_I64);
	for (uint32_t i = 0; i < n; i++) {
		ds_colb_i64(key, keys[i]);
		ds_colb_i64(number, numbers[i]);
	}
	DS_TRY(ds_colb_put(key, e));
	DS_TRY(ds_colb_put(number, e));
	return stage_put(o, b, e);
}

typedef struct {
	int64_t key[OUT_ROWS], number[OUT_ROWS];
	uint32_t n;
} rows_out;

static ds_rc write_group(
	stage_out *o, rows_out *r, unsigned group, const uint64_t *m, size_t n, ds_err *e)
{
	for (size_t i = 0; i < n;) {
		size_t end = i + 1;
		while (end < n && m[end] >> 32 == m[i] >> 32)
			end++;
		for (size_t k = i; end - i > 1 && k < end; k++) {
			r->key[r->n] = (int64_t)((uint64_t)group << 32 | m[k] >> 32);
			r->number[r->n++] = (int64_t)(m[k] & UINT32_MAX);
			if (r->n == OUT_ROWS) {
				DS_TRY(put_rows(o, r->key, r->number, r->n, e));
				r->n = 0;
			}
		}
		i = end;
	}
	return DS_OK;
}

/* As many groups from `first` on as fit, at least one. */
static unsigned fit(const uint64_t n[GROUPS], unsigned first, size_t most, size_t *total)
{
	unsigned last = first;
	*total = 0;
	while (last < GROUPS && (last == first || *total + n[last] <= most))
		*total += n[last++];
	return last;
}

static ds_rc write_band(
	const band_run *r, const char *name, stage_out *o, rows_out *rows, ds_err *e)
{
	uint64_t n[GROUPS] = { 0 }, *at[GROUPS + 1];
	size_t total;
	count(r->s, name, n);
	for (unsigned first = 0, last; first < GROUPS; first = last) {
		last = fit(n, first, r->most, &total);
		uint64_t *all = ds_mem_get((total + 1) * sizeof(*all));
		at[first] = all;
		for (unsigned g = first; g < last; g++)
			at[g + 1] = at[g] + n[g];
		gather(r->s, name, first, last, at);
		ds_rc rc = DS_OK;
		for (unsigned g = first; g < last && rc == DS_OK; g++) {
			ds_sort_u64(at[g], n[g]);
			rc = write_group(o, rows, g, at[g], n[g], e);
		}
		ds_mem_free(all);
		DS_TRY(rc);
	}
	return rows->n ? put_rows(o, rows->key, rows->number, rows->n, e) : DS_OK;
}

static ds_rc make_band(const band_run *r, unsigned band, const signs *s, ds_err *e)
{
	char file[32], name[32];
	stage_head head = stage_head_of(STAGE_BAND, band, &s->plan, s->keep);
	snprintf(file, sizeof(file), "band-%05u.dsr", band);
	head.from = s->sum;
	if (stage_is_done(s->dir, file, &head))
		return DS_OK;
	bool exact = s->plan.exact && band + 1 == signs_bands(s);
	stage_out o;
	rows_out *rows = DS_NEW(rows_out, 1);
	ds_rc rc = stage_create(&o, r->c, s, file, &head, e);
	if (rc == DS_OK)
		rc = write_band(r, exact ? "key" : signs_band_name(band, name), &o, rows, e);
	if (rc == DS_OK)
		rc = stage_finish(&o, e);
	stage_discard(&o);
	ds_mem_free(rows);
	return rc;
}

static void one_band(void *context, size_t task, unsigned worker)
{
	band_run *r = context;
	signs view = *r->s;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	view.mem = mem;
	r->rc[task] = make_band(r, (unsigned)task, &view, &r->err[task]);
}

ds_rc signs_band_columns(const char *dir, ds_arena *mem, const char ***out, ds_err *e)
{
	static const char *const none[] = { NULL };
	DS_AUTO(signs) s = NULL;
	DS_TRY(signs_open(&s, dir, none, e));
	unsigned n = 0, bands = s->plan.near ? s->plan.bands.bands : 0;
	*out = ds_arena_get(mem, (bands + 2) * sizeof(**out));
	for (; n < bands; n++)
		(*out)[n] = signs_band_name(n, ds_arena_bytes(mem, 32));
	if (s->plan.exact)
		(*out)[n++] = "key";
	(*out)[n] = NULL;
	return DS_OK;
}

ds_rc run_band(const ds_common *c, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	DS_AUTO(signs) s = NULL;
	const char *dir, **columns;
	DS_TRY(stage_dir(c, &dir, e));
	DS_TRY(signs_band_columns(dir, mem, &columns, e));
	DS_TRY(signs_open(&s, dir, columns, e));
	unsigned n = signs_bands(s);
	DS_AUTO(ds_pool) pool = ds_pool_new((unsigned)c->jobs);
	size_t most = opt.memory.bytes / sizeof(uint64_t) / (unsigned)c->jobs;
	band_run r = {
		.c = c,
		.s = s,
		.most = most > LEAST_MEMBERS ? most : LEAST_MEMBERS,
		.rc = ds_arena_zero(mem, (n + 1) * sizeof(*r.rc)),
		.err = ds_arena_zero(mem, (n + 1) * sizeof(*r.err)),
	};
	ds_pool_run(pool, n, one_band, &r);
	for (unsigned i = 0; i < n; i++)
		if (r.rc[i] != DS_OK) {
			*e = r.err[i];
			return r.rc[i];
		}
	return DS_OK;
}
