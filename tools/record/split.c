/*
 * split.c - records to several outputs by the hash of their content
 *
 * A record's side is a function of its text (of all its fields where it has no text) and the seed: it
 * stays the same when other records come or go, and equal texts never end on two sides.
 */
#include "copy.h"

#include "base/hash.h"
#include "base/mem.h"
#include "record/export.h"

#include <stdlib.h>

enum { MAX_PARTS = 64 };

typedef struct {
	uint64_t below
		[MAX_PARTS]; /* hashes below it, and not below the one before, are of this part */
	const char *paths[MAX_PARTS];
	size_t n;
	char *names; /* what paths point into */
	uint64_t seed;
	ds_field *field;
} plan;

static ds_rc read_shares(plan *p, const char *by, ds_err *e)
{
	double shares[MAX_PARTS], sum = 0, upto = 0;
	ds_str rest = ds_str_of(by ? by : "");
	while (rest.at && by) {
		ds_str one = ds_str_trim(ds_str_cut(rest, ',', &rest));
		if (p->n == MAX_PARTS)
			return ds_fail(e, DS_USAGE, "'--by': more than %d parts", MAX_PARTS);
		if (!ds_str_f64(one, &shares[p->n]) || !(shares[p->n] >= 0 && shares[p->n] < 1e300))
			return ds_fail(e, DS_USAGE, "'--by': '%.*s' is not a share", DS_FMT(one));
		sum += shares[p->n++];
	}
	if (!(sum > 0) || p->n < 2)
		return ds_fail(e, DS_USAGE, "'--by %s': two shares or more, such as 0.9,0.1",
			by ? by : "");
	for (size_t i = 0; i < p->n; i++) {
		upto += shares[i] / sum;
		/* 2^64 itself does not fit; the last part takes what is left. */
		p->below[i] = upto >= 1 || i + 1 == p->n ? UINT64_MAX : (uint64_t)(upto * 0x1p64);
	}
	return DS_OK;
}

static ds_rc read_names(plan *p, const char *out, ds_err *e)
{
	size_t n = 0;
	if (!out)
		return ds_fail(
			e, DS_USAGE, "'-o' wants a name for each part, such as train.dsr,held.dsr");
	p->names = ds_mem_text(out);
	for (char *at = p->names; at; n++) {
		char *comma = strchr(at, ',');
		if (n < MAX_PARTS)
			p->paths[n] = at;
		if (comma)
			*comma = '\0';
		if (!*at || strcmp(at, "-") == 0)
			return ds_fail(
				e, DS_USAGE, "'-o %s': each part wants the name of a file", out);
		at = comma ? comma + 1 : NULL;
	}
	if (n != p->n)
		return ds_fail(e, DS_USAGE, "'-o' names %zu files, '--by' has %zu shares", n, p->n);
	return DS_OK;
}

static bool one_file(const char *a, const char *b)
{
	char *x = ds_file_real(a), *y = b ? ds_file_real(b) : NULL;
	bool same = x && y && strcmp(x, y) == 0;
	ds_mem_free(x);
	ds_mem_free(y);
	return same;
}

/* What ds_main does for an output of one name. */
static ds_rc check_names(const plan *p, const ds_common *c, ds_err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		for (size_t k = 0; k < i; k++)
			if (one_file(p->paths[i], p->paths[k]))
				return ds_fail(e, DS_USAGE, "'-o' names %s twice", p->paths[i]);
		if (one_file(p->paths[i], c->stats_path) ||
			one_file(p->paths[i], c->in.reject_path))
			return ds_fail(e, DS_USAGE, "'-o' and another output are one file: %s",
				p->paths[i]);
	}
	return DS_OK;
}

static int by_name(const void *a, const void *b)
{
	return ds_str_cmp((*(const ds_col *const *)a)->name, (*(const ds_col *const *)b)->name);
}

/* Names and values of all fields in byte order of their names: the order of columns is no content. */
static ds_rc hash_fields(ds_block *b, uint32_t row, uint64_t seed, uint64_t *hash, ds_err *e)
{
	const ds_col **cols = ds_arena_get(b->mem, (b->n_cols + 1) * sizeof(*cols));
	ds_text text = ds_text_new(b->mem, 256);
	for (uint32_t i = 0; i < b->n_cols; i++) {
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
		cols[i] = &b->cols[i];
	}
	qsort(cols, b->n_cols, sizeof(*cols), by_name);
	for (uint32_t i = 0; i < b->n_cols; i++) {
		if (!ds_col_has(cols[i], row))
			continue;
		ds_text_add(&text, cols[i]->name.at, cols[i]->name.n);
		ds_text_byte(&text, '\0');
		ds_text_plain(&text, cols[i], row);
		ds_text_byte(&text, '\0');
	}
	*hash = ds_hash64_seed(text.at, text.n, seed);
	return DS_OK;
}

/* The bytes of a column as they are stored, or what a path leads to. */
static ds_rc content_of(ds_texts *t, uint32_t row, ds_str *out, bool *has, ds_err *e)
{
	const ds_col *c = t->n_cols ? &t->cols[0] : NULL;
	if (!ds_field_is_column(t->field))
		return ds_texts_get(t, row, out, has, e);
	*has = c && ds_col_has(c, row) && !ds_col_null(c, row) &&
	       (c->type == DS_T_UTF8 || c->type == DS_T_BYTES || c->type == DS_T_JSON);
	if (*has)
		*out = ds_col_bytes(c, row);
	return DS_OK;
}

static ds_rc part_of(const plan *p, ds_texts *t, uint32_t row, size_t *part, ds_err *e)
{
	uint64_t hash;
	ds_str s;
	bool has;
	DS_TRY(content_of(t, row, &s, &has, e));
	if (has)
		hash = ds_hash64_seed(s.at, s.n, p->seed);
	else
		DS_TRY(hash_fields(t->b, row, p->seed, &hash, e));
	*part = 0;
	while (*part + 1 < p->n && hash >= p->below[*part])
		++*part;
	return DS_OK;
}

static ds_rc split_block(const plan *p, copy_run *r, ds_block *b, ds_err *e)
{
	ds_texts texts;
	uint32_t *rows[MAX_PARTS], n[MAX_PARTS] = { 0 };
	DS_TRY(ds_texts_open(&texts, p->field, b, NULL, e));
	for (size_t i = 0; i < p->n; i++)
		rows[i] = ds_arena_get(b->mem, b->n_rows * sizeof(uint32_t));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		size_t part;
		DS_TRY(part_of(p, &texts, row, &part, e));
		rows[part][n[part]++] = row;
	}
	for (size_t i = 0; i < p->n; i++)
		DS_TRY(copy_rows(r, &r->outs[i], b, rows[i], n[i], e));
	return DS_OK;
}

static ds_rc split_all(const plan *p, copy_run *r, ds_arena *mem, ds_err *e)
{
	for (;;) {
		ds_block *b;
		ds_arena_reset(mem);
		DS_TRY(copy_next(r, mem, &b, e));
		if (!b)
			break;
		DS_TRY(split_block(p, r, b, e));
	}
	return copy_finish(r, "in other parts", e);
}

static ds_rc split(plan *p, const ds_common *c, ds_err *e)
{
	DS_AUTO(copy_run) r = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	p->seed = c->seed;
	DS_TRY(ds_field_of(&p->field, &c->in.field, e));
	DS_TRY(read_shares(p, opt.by, e));
	DS_TRY(read_names(p, c->out.path, e));
	DS_TRY(check_names(p, c, e));
	DS_TRY(copy_open(&r, c, p->paths, p->n, e));
	DS_TRY(copy_abort(r, split_all(p, r, mem, e), e));
	ds_buf line = { 0 };
	for (size_t i = 0; i < p->n; i++) {
		ds_buf_add_c(&line, i ? ", " : "");
		add_grouped(&line, r->outs[i].records);
		ds_buf_fmt(&line, " to %s", p->paths[i]);
	}
	copy_summary(r, ds_buf_text(&line));
	ds_buf_free(&line);
	return DS_OK;
}

ds_rc run_split(const ds_common *c, ds_err *e)
{
	plan p = { 0 };
	ds_rc rc = split(&p, c, e);
	ds_field_free(p.field);
	ds_mem_free(p.names);
	return rc;
}
