/*
 * keep.c - which member of a cluster stays, where it is not the first
 *
 * Clusters are known when all is read, so the input is read twice: the first time records are compared
 * and their values learned, the second time all but the best of each cluster are left out. Of equals
 * the earlier stays. 12 bytes a record.
 */
#include "base/mem.h"
#include "dedup.h"

#include <math.h>
#include <sys/stat.h>

struct keeper {
	const char *which;
	ds_buf values;  /* double, by record number */
	uint32_t *best; /* by record number of a cluster's first */
	uint64_t n, at; /* texts learned, and met again */
};

static ds_rc check_twice(const ds_common *c, ds_err *e)
{
	for (size_t i = 0; i < c->in.n_files; i++) {
		struct stat st;
		bool is_stdin = strcmp(c->in.files[i], "-") == 0;
		if (is_stdin || (stat(c->in.files[i], &st) == 0 && !S_ISREG(st.st_mode) &&
					!S_ISDIR(st.st_mode)))
			return ds_fail(e, DS_USAGE,
				"--keep reads its input twice, and %s can be read once",
				is_stdin ? "stdin" : c->in.files[i]);
	}
	return DS_OK;
}

const char *keep_field(const char *which)
{
	return strncmp(which, "max:", 4) == 0 && which[4] ? which + 4 : NULL;
}

ds_rc keep_check(const char *which, ds_err *e)
{
	if (keep_field(which) || strcmp(which, "longest") == 0 || strcmp(which, "first") == 0)
		return DS_OK;
	return ds_fail(e, DS_USAGE, "--keep '%s': it is first, longest or max:FIELD", which);
}

ds_rc keeper_new(keeper **out, const char *which, const ds_common *c, ds_err *e)
{
	DS_TRY(keep_check(which, e));
	DS_TRY(check_twice(c, e));
	*out = DS_NEW(keeper, 1);
	(*out)->which = which;
	return DS_OK;
}

void keeper_free(keeper *k)
{
	if (!k)
		return;
	ds_buf_free(&k->values);
	ds_mem_free(k->best);
	ds_mem_free(k);
}

static ds_rc number_of(const char *field, const ds_col *col, uint32_t row, double *v, ds_err *e)
{
	if (!col || !ds_col_has(col, row) || ds_col_null(col, row))
		return DS_OK;
	if (col->type == DS_T_I64)
		*v = (double)ds_col_i64(col, row);
	else if (col->type == DS_T_F64)
		*v = ds_col_f64(col, row);
	else if (col->type != DS_T_JSON || !ds_str_f64(ds_col_bytes(col, row), v))
		return ds_fail(e, DS_BAD, "field '%s' is no number", field);
	return DS_OK;
}

ds_rc keep_values(const char *which, ds_block *b, const signed_block *s, double *v, ds_err *e)
{
	const ds_col *col = NULL;
	const char *field = keep_field(which);
	if (field)
		DS_TRY(ds_block_get(b, field, &col, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const row_items *r = &s->rows[row];
		v[row] = field || !r->n ? -INFINITY : (double)s->texts[r->first].n;
		if (field && r->n)
			DS_TRY_AT(number_of(field, col, row, &v[row], e), e, "%s: record %llu",
				b->origin, (unsigned long long)ds_block_record(b, row));
	}
	return DS_OK;
}

ds_rc keeper_learn(keeper *k, ds_block *b, const signed_block *s, ds_err *e)
{
	double *v = ds_arena_get(b->mem, (b->n_rows + 1) * sizeof(*v));
	DS_TRY(keep_values(k->which, b, s, v, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		if (!s->rows[row].n)
			continue;
		ds_buf_add(&k->values, &v[row], sizeof(v[row]));
		k->n++;
	}
	return DS_OK;
}

void keeper_choose(keeper *k, ds_seen *seen)
{
	const double *v = (const double *)(const void *)k->values.at;
	k->best = DS_NEW(uint32_t, k->n + 1);
	for (uint32_t i = 0; i < k->n; i++) {
		uint32_t first = ds_seen_first(seen, i);
		if (first == i || v[i] > v[k->best[first]])
			k->best[first] = i;
	}
}

ds_rc keeper_decide(keeper *k, ds_seen *seen, signed_block *s, ds_err *e)
{
	if (s->n_items > k->n - k->at)
		return ds_fail(e, DS_BAD, "the input has changed between its two readings");
	s->first = k->at;
	for (size_t i = 0; i < s->n_items; i++) {
		uint32_t number = (uint32_t)k->at++, best = k->best[ds_seen_first(seen, number)];
		s->items[i].dup_of = best == number ? DS_NO_TEXT : best;
		s->items[i].same = best != number && ds_seen_same(seen, best, number);
	}
	return DS_OK;
}
