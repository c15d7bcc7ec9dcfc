/*
 * quality_repetition.c - Gopher's rules about what a text says twice
 *
 * Equal means of equal hash: 32 bits of it, and a place in the table by the other 32, so two different pieces of a
 * text of a hundred thousand share one once in ten thousand texts. Words come a stretch of the text at a time, with
 * the last ones of the stretch before in front, so that a long text costs a table and not its words as well.
 */
#include "quality.h"

#include "base/hash.h"
#include "base/mem.h"
#include "text/unicode.h"

enum { TABLE_LEAST = 64, TABLE_LOOSE = 1 << 16, LONGEST = 10 };

void quality_table_free(quality_table *t)
{
	ds_mem_free(t->keys);
	ds_mem_free(t->counts);
	*t = (quality_table){ 0 };
}

static size_t table_size(size_t n)
{
	/* Small ones are fast, large ones small. */
	return n < TABLE_LOOSE ? 2 * n + TABLE_LEAST : n + n / 3 + TABLE_LEAST;
}

/* For n keys, with a count for each or without. */
static void table_start(quality_table *t, size_t n, bool counts)
{
	size_t cap = table_size(n);
	if (cap > t->had || (counts && cap > t->counts_had) ||
		(t->had > 4 * table_size(TABLE_LOOSE) && cap < t->had / 4)) {
		quality_table_free(t);
		t->had = cap;
		t->counts_had = counts ? cap : 0;
		t->keys = ds_mem_get(cap * sizeof(*t->keys));
		t->counts = counts ? ds_mem_get(cap * sizeof(*t->counts)) : NULL;
	}
	t->cap = cap;
	memset(t->keys, 0, cap * sizeof(*t->keys));
}

static size_t table_put(quality_table *t, uint64_t hash, bool *is_new)
{
	uint32_t key = (uint32_t)hash + ((uint32_t)hash == 0);
	size_t i = (size_t)(((unsigned __int128)hash * t->cap) >> 64);
	while (t->keys[i] && t->keys[i] != key)
		i = i + 1 == t->cap ? 0 : i + 1;
	*is_new = !t->keys[i];
	t->keys[i] = key;
	return i;
}

/* Up to the next run of at least so many line feeds. */
static ds_str up_to_feeds(ds_str *rest, size_t least)
{
	const char *start = rest->at, *end = start + rest->n, *p = start, *q;
	while (p < end && (q = memchr(p, '\n', (size_t)(end - p)))) {
		for (p = q; p < end && *p == '\n'; p++)
			;
		if ((size_t)(p - q) < least)
			continue;
		*rest = (ds_str){ p, (size_t)(end - p) };
		return (ds_str){ start, (size_t)(q - start) };
	}
	*rest = (ds_str){ NULL, 0 };
	return (ds_str){ start, (size_t)(end - start) };
}

bool quality_piece(quality_pieces *p, ds_str *piece)
{
	if (p->least) {
		bool more = p->rest.at;
		if (more)
			*piece = up_to_feeds(&p->rest, p->least);
		return more;
	}
	while (p->rest.at) {
		*piece = ds_str_cut(p->rest, '\n', &p->rest);
		if (quality_trim(*piece).n)
			return true;
	}
	return false;
}

quality_count quality_duplicates(quality_run *x, quality_pieces all)
{
	quality_count k = { 0 };
	ds_str piece;
	for (quality_pieces p = all; quality_piece(&p, &piece);)
		k.n++;
	table_start(&x->table, k.n, false);
	while (quality_piece(&all, &piece)) {
		bool is_new;
		table_put(&x->table, ds_hash64(piece.at, piece.n), &is_new);
		k.again += !is_new;
		k.again_chars += is_new ? 0 : ds_utf8_count(piece);
	}
	return k;
}

static bool pieces_fail(quality_run *x, ds_str text, size_t least, quality_id share)
{
	quality_id chars = share + 1;
	if (!x->q->on[share] && !x->q->on[chars])
		return false;
	quality_count k = quality_duplicates(x, (quality_pieces){ text, least });
	return quality_fails(x, share, (double)k.again / (double)k.n) ||
	       quality_fails(x, chars, (double)k.again_chars / x->chars);
}

typedef struct { /* the words in a row: where each begins, in bytes and in characters */
	uint32_t byte, chars;
} place;

typedef struct { /* n words in a row, again and again; begin with the first three */
	quality_run *x;
	size_t n;
	bool blank;      /* between them */
	size_t first;    /* the number in the text of the first word here */
	const place *at; /* of those that are here, and of the end */
	size_t n_here;
	quality_words words;
	ds_word kept[LONGEST]; /* the last words, views of the text */
	size_t n_kept;
} series;

static void join(quality_run *x, place *to, const ds_word *word, size_t n, bool blank)
{
	for (size_t i = 0; i < n; i++) {
		ds_buf_add(&x->sums, to, sizeof(*to));
		ds_buf_add(&x->text, word[i].at, word[i].n);
		if (blank)
			ds_buf_add_byte(&x->text, ' ');
		to->byte += word[i].n + blank;
		to->chars += word[i].chars + blank;
	}
}

/* The last n - 1 words, for those that begin here and end behind. */
static void keep(series *s)
{
	size_t wanted = s->n - 1, fresh = s->words.n < wanted ? s->words.n : wanted;
	size_t old = s->n_kept < wanted - fresh ? s->n_kept : wanted - fresh;
	memmove(s->kept, s->kept + s->n_kept - old, old * sizeof(*s->kept));
	memcpy(s->kept + old, s->words.at + s->words.n - fresh, fresh * sizeof(*s->kept));
	s->n_kept = old + fresh;
}

/* The words of the next stretch, one after another, with those that were kept in front. */
static bool next_words(series *s)
{
	quality_run *x = s->x;
	unsigned how = s->blank ? QUALITY_BLANKS : QUALITY_CLOSE;
	place at = { 0, 0 };
	s->first += s->n_here - s->n_kept;
	if (!quality_words_next(x, &s->words))
		return false;
	s->n_here = s->n_kept + s->words.n;
	if (s->n_here < x->n_words || x->joined != how) {
		ds_buf_clear(&x->text);
		ds_buf_clear(&x->sums);
		join(x, &at, s->kept, s->n_kept, s->blank);
		join(x, &at, s->words.at, s->words.n, s->blank);
		ds_buf_add(&x->sums, &at, sizeof(at));
		x->joined = s->n_here < x->n_words ? QUALITY_UNJOINED : how;
	}
	s->at = (const place *)(const void *)x->sums.at;
	keep(s);
	return true;
}

static uint64_t hash_words(const series *s, size_t i)
{
	return ds_hash64(
		s->x->text.at + s->at[i].byte, s->at[i + s->n].byte - s->blank - s->at[i].byte);
}

typedef struct { /* the commonest words in a row */
	uint32_t count;
	size_t first, chars;
} commonest;

/* Among those of which the hash is of a part. */
static commonest find_commonest(quality_run *x, size_t n, size_t part, size_t n_parts)
{
	size_t rows = x->n_words - n + 1;
	commonest top = { 0, 0, 0 };
	bool is_new;
	table_start(&x->table, n_parts == 1 ? rows : rows / n_parts + rows / 64 + 4096, true);
	for (series s = { .x = x, .n = n, .blank = true }; next_words(&s);)
		for (size_t i = 0; i + n <= s.n_here; i++) {
			uint64_t h = hash_words(&s, i);
			if (n_parts > 1 && (h >> 16) % n_parts != part)
				continue;
			uint32_t *count = &x->table.counts[table_put(&x->table, h, &is_new)];
			*count = is_new ? 1 : *count + 1;
			top.count = *count > top.count ? *count : top.count;
		}
	for (series s = { .x = x, .n = n, .blank = true };
		next_words(&s);) /* of several that came first */
		for (size_t i = 0; i + n <= s.n_here; i++) {
			uint64_t h = hash_words(&s, i);
			if (n_parts > 1 && (h >> 16) % n_parts != part)
				continue;
			if (x->table.counts[table_put(&x->table, h, &is_new)] < top.count)
				continue;
			top.first = s.first + i;
			top.chars = s.at[i + n].chars - 1 - s.at[i].chars;
			return top;
		}
	return top;
}

/* The characters that the commonest n words in a row take; of equals the first. */
static double top(quality_run *x, size_t n)
{
	size_t bytes = table_size(x->n_words) * 2 * sizeof(uint32_t), n_parts = 1;
	if (x->n_words > TABLE_LOOSE)
		n_parts += bytes / (x->r->text.n + 1);
	commonest best = { 0, 0, 0 };
	for (size_t part = 0; part < n_parts; part++) {
		commonest c = find_commonest(x, n, part, n_parts);
		if (c.count > best.count || (c.count == best.count && c.first < best.first))
			best = c;
	}
	return (double)best.chars * best.count;
}

/* The characters in n words in a row that were there before; none counts twice. */
static double repeated(quality_run *x, size_t n)
{
	size_t chars = 0, next = 0;
	table_start(&x->table, x->n_words, false);
	for (series s = { .x = x, .n = n }; next_words(&s);)
		for (size_t i = next - s.first; i + n <= s.n_here; i = next - s.first) {
			bool is_new;
			table_put(&x->table, hash_words(&s, i), &is_new);
			chars += is_new ? 0 : s.at[i + n].chars - s.at[i].chars;
			next += is_new ? 1 : n;
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
	if (pieces_fail(x, quality_trim(x->r->text), 2, Q_dup_paras) ||
		pieces_fail(x, x->r->text, 1, Q_dup_lines))
		return true;
	if (!any_on(q, Q_top_2gram, Q_dup_10gram))
		return false;
	quality_cut(x);
	for (unsigned n = 2; n <= 4; n++)
		if (q->on[Q_top_2gram + n - 2] && x->n_words >= n &&
			quality_fails(x, Q_top_2gram + n - 2, top(x, n) / x->chars))
			return true;
	for (unsigned n = 5; n <= 10; n++)
		if (q->on[Q_dup_5gram + n - 5] &&
			quality_fails(x, Q_dup_5gram + n - 5, repeated(x, n) / x->chars))
			return true;
	return false;
}
