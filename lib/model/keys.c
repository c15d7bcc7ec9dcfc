/*
 * keys.c - settings by name
 *
 * Nearest is by edit distance with a swap as one step (optimal string alignment), the table's order
 * breaking ties, so the answer is the same everywhere.
 */
#include "model/keys.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_NAME = 63 };

static bool same_name(const char *have, ds_str name)
{
	size_t n = strlen(have);
	if (n != name.n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (have[i] != (name.at[i] == '-' ? '_' : name.at[i]))
			return false;
	return true;
}

const ds_key *ds_key_find(const ds_key *table, ds_str name)
{
	for (const ds_key *k = table; k && k->name; k++) {
		if (same_name(k->name, name))
			return k;
		for (int i = 0; i < 3 && k->also[i]; i++)
			if (same_name(k->also[i], name))
				return k;
	}
	return NULL;
}

static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;
	return m < c ? m : c;
}

static int distance(const char *a, ds_str b)
{
	int row[3][MAX_NAME + 2];
	int n = (int)(b.n < MAX_NAME ? b.n : MAX_NAME);
	int m = (int)strlen(a);
	for (int j = 0; j <= n; j++)
		row[0][j] = j;
	for (int i = 1; i <= m; i++) {
		int *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
		now[0] = i;
		for (int j = 1; j <= n; j++) {
			int cost = a[i - 1] != b.at[j - 1];
			now[j] = min3(up[j] + 1, now[j - 1] + 1, up[j - 1] + cost);
			bool swapped = i > 1 && j > 1 && a[i - 1] == b.at[j - 2] &&
				       a[i - 2] == b.at[j - 1];
			if (swapped && up2[j - 2] + 1 < now[j])
				now[j] = up2[j - 2] + 1;
		}
	}
	return row[m % 3][n];
}

static void nearest_in(const ds_key *table, ds_str name, const char **best, int *least)
{
	for (const ds_key *k = table; k && k->name; k++) {
		const char *names[] = { k->name, k->also[0], k->also[1], k->also[2], NULL };
		for (int i = 0; names[i]; i++) {
			int d = distance(names[i], name);
			if (d < *least) {
				*least = d;
				*best = names[i];
			}
		}
	}
}

const char *ds_key_nearest(const ds_key *a, const ds_key *b, ds_str name)
{
	const char *best = NULL;
	int least = INT_MAX;
	nearest_in(a, name, &best, &least);
	nearest_in(b, name, &best, &least);
	return best;
}

/* The index of word among "a|b|c", or -1. */
static int choice_of(const char *choices, ds_str word)
{
	ds_str rest = ds_str_of(choices ? choices : "");
	for (int i = 0; rest.at && rest.n; i++) {
		ds_str one = ds_str_cut(rest, '|', &rest);
		if (ds_str_eq(one, word))
			return i;
	}
	return -1;
}

static ds_str choice_at(const char *choices, int i)
{
	ds_str rest = ds_str_of(choices), one = { 0 };
	for (; i >= 0 && rest.at; i--)
		one = ds_str_cut(rest, '|', &rest);
	return one;
}

static ds_rc wrong(const ds_key *k, ds_str value, const char *wanted, ds_err *e)
{
	return ds_fail(e, DS_USAGE, "%s='%.*s': wanted %s", k->name, DS_FMT(value), wanted);
}

static ds_rc in_range(const ds_key *k, ds_str value, double v, ds_err *e)
{
	if (v < k->min)
		return ds_fail(
			e, DS_USAGE, "%s=%.*s: the least is %.16g", k->name, DS_FMT(value), k->min);
	if (v > k->max)
		return ds_fail(
			e, DS_USAGE, "%s=%.*s: the most is %.16g", k->name, DS_FMT(value), k->max);
	return DS_OK;
}

static ds_rc set_i64(const ds_key *k, int64_t *out, ds_str value, ds_err *e)
{
	int64_t v;
	int word = choice_of(k->choices, value);
	if (word >= 0) {
		*out = -1 - word;
		return DS_OK;
	}
	if (!ds_str_i64(value, &v)) {
		double f;
		/* 1e6 is a whole number too */
		if (!ds_str_f64(value, &f) || !(fabs(f) < 9e15) || f != floor(f))
			return wrong(k, value, k->choices ? k->choices : "a whole number", e);
		v = (int64_t)f;
	}
	DS_TRY(in_range(k, value, (double)v, e));
	*out = v;
	return DS_OK;
}

static ds_rc set_bool(const ds_key *k, bool *out, ds_str value, ds_err *e)
{
	int i = choice_of("true|1|yes|on|false|0|no|off", value);
	if (i < 0)
		return wrong(k, value, "true or false", e);
	*out = i < 4;
	return DS_OK;
}

ds_rc ds_key_set(const ds_key *k, void *base, ds_str value, ds_arena *mem, ds_err *e)
{
	void *at = (char *)base + k->offset;
	value = ds_str_trim(value);
	switch (k->kind) {
	case DS_KEY_I64:
		return set_i64(k, at, value, e);
	case DS_KEY_F64: {
		double v;
		if (!ds_str_f64(value, &v) || !isfinite(v))
			return wrong(k, value, "a number", e);
		DS_TRY(in_range(k, value, v, e));
		*(double *)at = v;
		return DS_OK;
	}
	case DS_KEY_BOOL:
		return set_bool(k, at, value, e);
	case DS_KEY_CHOICE: {
		int i = choice_of(k->choices, value);
		if (i < 0)
			return wrong(k, value, k->choices, e);
		*(int *)at = i;
		return DS_OK;
	}
	case DS_KEY_NAME:
		if (choice_of(k->choices, value) < 0)
			return wrong(k, value, k->choices, e);
		*(const char **)at = ds_arena_str(mem, value).at;
		return DS_OK;
	case DS_KEY_TEXT:
		if (value.n && memchr(value.at, 0, value.n))
			return wrong(k, value, "text without NUL", e);
		*(const char **)at = value.n ? ds_arena_str(mem, value).at : NULL;
		return DS_OK;
	}
	return DS_OK;
}

ds_rc ds_key_set_json(const ds_key *k, void *base, const ds_json *v, ds_arena *mem, ds_err *e)
{
	switch (v->kind) {
	case DS_J_NULL:
		return DS_OK;
	case DS_J_BOOL:
		if (k->kind != DS_KEY_BOOL)
			return ds_fail(e, DS_USAGE, "%s is true or false, wanted a value", k->name);
		*(bool *)((char *)base + k->offset) = v->b;
		return DS_OK;
	case DS_J_I64:
	case DS_J_F64:
	case DS_J_BIG:
	case DS_J_STR:
		return ds_key_set(k, base, v->s, mem, e);
	default:
		return ds_fail(e, DS_USAGE, "%s is %s, wanted a value", k->name,
			v->kind == DS_J_ARR ? "an array" : "an object");
	}
}

void ds_key_print(const ds_key *k, const void *base, ds_buf *out)
{
	const void *at = (const char *)base + k->offset;
	char number[32];
	switch (k->kind) {
	case DS_KEY_I64: {
		int64_t v = *(const int64_t *)at;
		if (v < 0 && k->choices)
			ds_buf_add_str(out, choice_at(k->choices, (int)(-1 - v)));
		else
			ds_buf_fmt(out, "%lld", (long long)v);
		return;
	}
	case DS_KEY_F64:
		ds_buf_add(out, number, ds_f64_print(number, *(const double *)at));
		return;
	case DS_KEY_BOOL:
		ds_buf_add_c(out, *(const bool *)at ? "true" : "false");
		return;
	case DS_KEY_CHOICE:
		ds_buf_add_str(out, choice_at(k->choices, *(const int *)at));
		return;
	case DS_KEY_NAME:
	case DS_KEY_TEXT:
		if (*(const char *const *)at)
			ds_buf_add_c(out, *(const char *const *)at);
		return;
	}
}

bool ds_key_equal(const ds_key *k, const void *a, const void *b)
{
	const void *x = (const char *)a + k->offset, *y = (const char *)b + k->offset;
	switch (k->kind) {
	case DS_KEY_I64:
		return *(const int64_t *)x == *(const int64_t *)y;
	case DS_KEY_F64:
		return *(const double *)x == *(const double *)y;
	case DS_KEY_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case DS_KEY_CHOICE:
		return *(const int *)x == *(const int *)y;
	case DS_KEY_NAME:
	case DS_KEY_TEXT: {
		const char *s = *(const char *const *)x, *t = *(const char *const *)y;
		return strcmp(s ? s : "", t ? t : "") == 0;
	}
	}
	return false;
}

/* Where the pair that begins at `from` ends: the first comma before a known key and '='. */
static size_t pair_end(ds_str text, size_t from, bool (*known)(void *, ds_str), void *context)
{
	for (size_t i = from; i < text.n; i++) {
		if (text.at[i] != ',')
			continue;
		size_t eq = i + 1;
		while (eq < text.n && text.at[eq] != '=' && text.at[eq] != ',')
			eq++;
		if (eq == text.n || text.at[eq] != '=')
			continue;
		if (known(context, ds_str_trim((ds_str){ text.at + i + 1, eq - i - 1 })))
			return i;
	}
	return text.n;
}

ds_rc ds_pairs_each(
	ds_str text, bool (*known)(void *, ds_str), ds_pair_fn *fn, void *context, ds_err *e)
{
	size_t at = 0;
	do {
		size_t end = pair_end(text, at, known, context);
		ds_str value, pair = { text.at + at, end - at };
		ds_str name = ds_str_trim(ds_str_cut(pair, '=', &value));
		if (!value.at)
			return ds_fail(e, DS_USAGE, "--set '%.*s': wanted key=value", DS_FMT(pair));
		DS_TRY(fn(context, name, ds_str_trim(value), e));
		at = end + 1;
	} while (at < text.n);
	return DS_OK;
}

ds_rc ds_ini_each(ds_str text, ds_pair_fn *fn, void *context, ds_err *e)
{
	ds_str rest = text;
	for (unsigned line = 1; rest.at && rest.n; line++) {
		ds_str one = ds_str_trim(ds_str_cut(rest, '\n', &rest)), value;
		if (!one.n || one.at[0] == '#' || one.at[0] == ';' || one.at[0] == '[')
			continue;
		ds_str name = ds_str_trim(ds_str_cut(one, '=', &value));
		if (!value.at)
			return ds_fail(e, DS_USAGE, "line %u: '%.*s': wanted key = value", line,
				DS_FMT(one));
		DS_TRY_AT(fn(context, name, ds_str_trim(value), e), e, "line %u", line);
	}
	return DS_OK;
}
