/*
 * train_words.c - what training a WordPiece adds: words out of pieces, and the alphabet of characters
 *
 * As Hugging Face's trainer has it: text is cleaned and split into words as BERT does; characters are
 * ordered by code point; those inside words are symbols of their own, with "##" before them. Of the
 * alphabet's limit the most frequent characters stay, of equal ones the lower code point; a word loses
 * the others. Counted pieces are cleaned one by one, which is once for each distinct one.
 */
#include "base/mem.h"
#include "text/tok/train_impl.h"
#include "text/tok/wordpiece.h"
#include "text/utf8.h"

#include <stdlib.h>

enum { N_CHARS = 0x110000 };

typedef struct {
	const tok_bert *bert;
	ds_tok_counter *words;
	ds_arena *mem;
} cleaning;

static ds_rc add_piece(void *context, ds_str piece, uint64_t count, ds_err *e)
{
	cleaning *x = context;
	ds_arena_reset(x->mem);
	ds_str s = ds_wp_normalize(x->bert, x->mem, piece);
	size_t at = 0;
	for (ds_str w; ds_wp_next_word(s, &at, &w);)
		DS_TRY(ds_counter_put(x->words, w, count, e));
	return DS_OK;
}

ds_rc ds_words_count(ds_tok_counter *raw, const ds_tok *like, ds_tok_counter **words, ds_err *e)
{
	cleaning x = { &like->bert, ds_counter_new(raw->limit), ds_arena_new(1 << 12) };
	ds_rc rc = ds_counter_each(raw, add_piece, &x, e);
	ds_arena_free(x.mem);
	*words = x.words;
	return rc;
}

typedef struct {
	uint64_t *count; /* by character */
	uint8_t *inside;
} occurrences;

static ds_rc count_chars(void *context, ds_str word, uint64_t count, ds_err *e)
{
	occurrences *x = context;
	unsigned len;
	for (size_t at = 0; at < word.n; at += len) {
		uint32_t c = ds_utf8_at((const uint8_t *)word.at + at, word.n - at, &len);
		x->count[c] += count;
		x->inside[c] |= at > 0;
	}
	return DS_OK;
}

static int by_count(const void *va, const void *vb, void *context)
{
	const uint32_t *a = va, *b = vb;
	const uint64_t *count = context;
	if (count[*a] != count[*b])
		return count[*a] > count[*b] ? -1 : 1;
	return *a < *b ? -1 : 1;
}

/* All but the most frequent ones are as if they had not occurred. */
static size_t limit_chars(occurrences *x, size_t limit)
{
	uint32_t *order = ds_mem_get(N_CHARS * sizeof(*order));
	size_t n = 0;
	for (uint32_t c = 0; c < N_CHARS; c++)
		if (x->count[c])
			order[n++] = c;
	if (limit && n > limit) {
		qsort_r(order, n, sizeof(*order), by_count, x->count);
		for (size_t i = limit; i < n; i++)
			x->count[order[i]] = 0;
		n = limit;
	}
	ds_mem_free(order);
	return n;
}

static ds_rc put_char(ds_tok *out, uint32_t c, bool inside, uint32_t *id, ds_err *e)
{
	char text[8] = "##";
	size_t before = inside ? 2 : 0;
	unsigned n = ds_utf8_put((uint8_t *)text + before, c);
	*id = out->n_ids;
	return ds_tok_put(out, *id, (ds_str){ text, before + n }, 0, e);
}

static ds_rc put_chars(ds_tok *out, const occurrences *x, train_alphabet *a, bool inside, ds_err *e)
{
	for (uint32_t c = 0; c < N_CHARS; c++)
		if (x->count[c] && (!inside || x->inside[c]))
			DS_TRY(put_char(out, c, inside, &a->char_id[c][inside], e));
	return DS_OK;
}

ds_rc ds_words_alphabet(ds_tok *out, ds_tok_counter *words, const ds_tok_train_options *o,
	train_alphabet *a, ds_err *e)
{
	occurrences x = { DS_NEW(uint64_t, N_CHARS), DS_NEW(uint8_t, N_CHARS) };
	ds_rc rc = ds_counter_each(words, count_chars, &x, e);
	size_t n = rc == DS_OK ? limit_chars(&x, o->limit_alphabet) : 0, inside = 0;
	for (uint32_t c = 0; c < N_CHARS; c++)
		inside += x.count[c] && x.inside[c];
	if (rc == DS_OK && o->n_special + n + inside > o->n_ids)
		rc = ds_fail(e, DS_USAGE,
			"a vocabulary of %u: special tokens and %zu characters alone take %zu ids: "
			"--limit-alphabet",
			o->n_ids, n, o->n_special + n + inside);
	if (rc == DS_OK)
		rc = put_chars(out, &x, a, false, e);
	if (rc == DS_OK)
		rc = put_chars(out, &x, a, true, e);
	ds_mem_free(x.count);
	ds_mem_free(x.inside);
	return rc;
}
