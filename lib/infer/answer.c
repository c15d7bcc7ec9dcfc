/*
 * answer.c - a window of the last tokens, decoded at every token
 *
 * The window keeps a few tokens that are in the text already, as context; it is moved when it has grown.
 */
#include "infer/answer.h"

enum { CONTEXT = 4, WINDOW = 12, REPLACED_MOST = 9 };

void ds_answer_init(ds_answer *a, const ds_answer_opts *o)
{
	*a = (ds_answer){ .o = *o };
	size_t n = o->n_after < CONTEXT ? o->n_after : CONTEXT;
	ds_err e;
	ds_buf_add(&a->ids, o->after + (o->n_after - n), n * sizeof(uint32_t));
	if (o->tok && n &&
		ds_tok_decode(o->tok, (const uint32_t *)a->ids.at, n, !o->specials, &a->piece,
			&e) != DS_OK)
		a->ids.n = a->piece.n = 0; /* ids beyond the tokenizer are no context */
	a->done = a->piece.n;
}

void ds_answer_release(ds_answer *a)
{
	ds_buf_free(&a->text);
	ds_buf_free(&a->ids);
	ds_buf_free(&a->piece);
}

/* Bytes at the end that are the beginning of a character. */
static size_t cut_character(const ds_buf *b)
{
	for (size_t n = 1; n <= 3 && n <= b->n; n++) {
		uint8_t c = (uint8_t)b->at[b->n - n];
		size_t needs = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1;
		if ((c & 0xc0) != 0x80)
			return c < 0xf5 && needs > n ? n : 0;
	}
	return 0;
}

/* Decoders of single bytes write U+FFFD for what is not whole yet. */
static size_t replaced(const ds_buf *b)
{
	size_t n = 0;
	while (n + 3 <= b->n && n <= REPLACED_MOST &&
		memcmp(b->at + b->n - n - 3, "\xef\xbf\xbd", 3) == 0)
		n += 3;
	return n <= REPLACED_MOST ? n : 0;
}

static ds_rc decode(ds_answer *a, ds_err *e)
{
	a->piece.n = 0;
	return ds_tok_decode(a->o.tok, (const uint32_t *)a->ids.at + a->from,
		a->ids.n / sizeof(uint32_t) - a->from, !a->o.specials, &a->piece, e);
}

/* The window becomes the last few tokens, all of which are in the text. */
static ds_rc move(ds_answer *a, ds_err *e)
{
	a->from = a->ids.n / sizeof(uint32_t) - CONTEXT;
	DS_TRY(decode(a, e));
	a->done = a->piece.n;
	return DS_OK;
}

/* The first stop string that what came at `before` made whole. */
static void find_stop(ds_answer *a, size_t before)
{
	size_t best = SIZE_MAX, n = 0;
	for (size_t i = 0; i < a->o.n_stops; i++) {
		ds_str s = a->o.stops[i];
		size_t from = before + 1 > s.n ? before + 1 - s.n : 0;
		const char *at = a->text.n > from
					 ? memmem(a->text.at + from, a->text.n - from, s.at, s.n)
					 : NULL;
		if (at && (size_t)(at - a->text.at) < best) {
			best = (size_t)(at - a->text.at);
			n = s.n;
		}
	}
	a->stopped = best != SIZE_MAX;
	if (a->stopped)
		a->text.n = best + (a->o.with_stop ? n : 0);
}

/* Bytes at the text's end that a stop string may begin with. */
static size_t may_stop(const ds_answer *a)
{
	size_t most = 0;
	for (size_t i = 0; i < a->o.n_stops; i++) {
		ds_str s = a->o.stops[i];
		for (size_t n = s.n - 1; n > most; n--)
			if (n <= a->text.n && memcmp(a->text.at + a->text.n - n, s.at, n) == 0)
				most = n;
	}
	return most;
}

ds_rc ds_answer_add(ds_answer *a, uint32_t id, ds_err *e)
{
	size_t before = a->text.n;
	a->n_tokens++;
	if (!a->o.tok || a->stopped)
		return DS_OK;
	ds_buf_add(&a->ids, &id, sizeof(id));
	DS_TRY(decode(a, e));
	size_t open = cut_character(&a->piece);
	open = open ? open : replaced(&a->piece);
	size_t whole = a->piece.n - open;
	if (whole > a->done) {
		ds_buf_add(&a->text, a->piece.at + a->done, whole - a->done);
		a->done = whole;
	}
	if (a->n_tokens >= a->o.min_tokens)
		find_stop(a, before);
	a->sure = a->stopped ? a->text.n : a->text.n - may_stop(a);
	if (open || a->stopped || a->ids.n / sizeof(uint32_t) - a->from < WINDOW)
		return DS_OK;
	return move(a, e);
}

void ds_answer_finish(ds_answer *a)
{
	if (!a->stopped && a->piece.n > a->done)
		ds_buf_add(&a->text, a->piece.at + a->done, a->piece.n - a->done);
	a->done = a->piece.n;
	a->sure = a->text.n;
}
