/*
 * quality_repetition.c - Gopher's rules about what a text says twice
 *
 * Equal means of equal 64-bit hash: two different pieces of one text share one once in 10^9 texts of a
 * hundred thousand pieces.
 */
#include "quality.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/unicode.h"

enum { TABLE_LEAST = 64 };

void quality_table_start(quality_table *t, size_t n)
{
	size_t cap = TABLE_LEAST;
	while (cap < 2 * n)
		cap *= 2;
	if (cap > t->cap) {
		ds_mem_free(t->keys);
		ds_mem_free(t->values);
		t->keys = ds_mem_get(cap * sizeof(*t->keys));
		t->values = ds_mem_get(cap * sizeof(*t->values));
		t->cap = cap;
	}
	t->mask = cap - 1;
	memset(t->keys, 0, cap * sizeof(*t->keys));
}

uint32_t *quality_table_put(quality_table *t, uint64_t key, bool *is_new)
{
	key += key == 0;
	size_t i = key & t->mask;
	while (t->keys[i] && t->keys[i] != key)
		i = (i + 1) & t->mask;
	*is_new = !t->keys[i];
	t->keys[i] = key;
	return &t->values[i];
}

void quality_duplicates(quality_run *x, size_t *pieces, size_t *chars)
{
	const ds_str *piece = (const ds_str *)(const void *)x->lines.at;
	size_t n = x->lines.n / sizeof(*piece);
	*pieces = *chars = 0;
	quality_table_start(&x->table, n);
	for (size_t i = 0; i < n; i++) {
		bool is_new;
		quality_table_put(&x->table, ds_hash64(piece[i].at, piece[i].n), &is_new);
		*pieces += !is_new;
		*chars += is_new ? 0 : ds_utf8_count(piece[i]);
	}
}

/* Pieces between runs of at least so many line feeds. */
static void split(quality_run *x, ds_str text, size_t least)
{
	const char *p = text.at, *end = p + text.n, *start = p;
	ds_buf_clear(&x->lines);
	while (p < end) {
		const char *q = memchr(p, '\n', (size_t)(end - p));
		if (!q)
			break;
		p = q;
		while (p < end && *p == '\n')
			p++;
		if ((size_t)(p - q) < least)
			continue;
		ds_buf_add(&x->lines, &(ds_str){ start, (size_t)(q - start) }, sizeof(ds_str));
		start = p;
	}
	ds_buf_add(&x->lines, &(ds_str){ start, (size_t)(end - start) }, sizeof(ds_str));
}

static bool pieces_fail(quality_run *x, quality_id share, quality_id chars)
{
	size_t n, n_chars, n_lines = x->lines.n / sizeof(ds_str);
	if (!x->q->on[share] && !x->q->on[chars])
		return false;
	quality_duplicates(x, &n, &n_chars);
	return quality_fails(x, share, (double)n / (double)n_lines) ||
	       quality_fails(x, chars, (double)n_chars / x->chars);
}

typedef struct { /* the words in a row: where each begins, in bytes and in characters */
	uint32_t byte, chars;
} place;

/* All words one after another, with or without a blank between, in x->text. */
static const place *join(quality_run *x, bool blank)
{
	ds_buf_clear(&x->text);
	ds_buf_clear(&x->sums);
	place at = { 0, 0 };
	for (size_t i = 0; i < x->n_words; i++) {
		ds_buf_add(&x->sums, &at, sizeof(at));
		ds_buf_add(&x->text, x->word[i].at, x->word[i].n);
		if (blank)
			ds_buf_add_byte(&x->text, ' ');
		at.byte += x->word[i].n + blank;
		at.chars += x->word[i].chars + blank;
	}
	ds_buf_add(&x->sums, &at, sizeof(at));
	return (const place *)(const void *)x->sums.at;
}

/* The characters that the commonest n words in a row take; of equals the first. */
static double top(quality_run *x, const place *at, size_t n)
{
	size_t rows = x->n_words - n + 1, used = 0;
	uint32_t *first = ds_arena_get(x->r->mem, rows * sizeof(*first));
	uint32_t *count = ds_arena_get(x->r->mem, rows * sizeof(*count));
	quality_table_start(&x->table, rows);
	for (size_t i = 0; i < rows; i++) {
		bool is_new;
		size_t bytes = at[i + n].byte - 1 - at[i].byte;
		uint32_t *v = quality_table_put(
			&x->table, ds_hash64(x->text.at + at[i].byte, bytes), &is_new);
		if (is_new) {
			first[used] = (uint32_t)i;
			count[used] = 0;
			*v = (uint32_t)used++;
		}
		count[*v]++;
	}
	size_t best = 0;
	for (size_t i = 1; i < used; i++)
		best = count[i] > count[best] ? i : best;
	return (double)(at[first[best] + n].chars - 1 - at[first[best]].chars) * count[best];
}

/* The characters in n words in a row that were there before; none counts twice. */
static double repeated(quality_run *x, const place *at, size_t n)
{
	size_t chars = 0;
	quality_table_start(&x->table, x->n_words);
	for (size_t i = 0; i + n <= x->n_words;) {
		bool is_new;
		quality_table_put(&x->table,
			ds_hash64(x->text.at + at[i].byte, at[i + n].byte - at[i].byte), &is_new);
		chars += is_new ? 0 : at[i + n].chars - at[i].chars;
		i += is_new ? 1 : n;
	}
	return (double)chars;
}

static bool any_on(const quality *q, quality_id first, quality_id last)
{
	bool on = false;
	for (quality_id i = first; i <= last; i++)
		on |= q->on[i];
	return on;
}

bool quality_repetition(quality_run *x)
{
	const quality *q = x->q;
	if (!any_on(q, Q_dup_paras, Q_dup_10gram) || x->r->text.n == 0)
		return false;
	split(x, quality_trim(x->r->text), 2);
	if (pieces_fail(x, Q_dup_paras, Q_dup_para_chars))
		return true;
	split(x, x->r->text, 1);
	if (pieces_fail(x, Q_dup_lines, Q_dup_line_chars))
		return true;
	if (x->r->text.n > UINT32_MAX / 4 || !any_on(q, Q_top_2gram, Q_dup_10gram))
		return false;
	quality_cut(x);
	const place *at = join(x, true);
	for (unsigned n = 2; n <= 4; n++)
		if (q->on[Q_top_2gram + n - 2] && x->n_words >= n &&
			quality_fails(x, Q_top_2gram + n - 2, top(x, at, n) / x->chars))
			return true;
	at = join(x, false);
	for (unsigned n = 5; n <= 10; n++)
		if (q->on[Q_dup_5gram + n - 5] &&
			quality_fails(x, Q_dup_5gram + n - 5, repeated(x, at, n) / x->chars))
			return true;
	return false;
}
