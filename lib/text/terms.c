/*
 * terms.c - cutting texts into words
 */
#include "text/terms_impl.h"

#include "base/mem.h"
#include "text/utf8.h"

ds_words *ds_words_new(void)
{
	ds_words *w = DS_NEW(ds_words, 1);
	w->han = ds_han_cutter_new();
	return w;
}

void ds_words_free(ds_words *w)
{
	if (!w)
		return;
	ds_han_cutter_free(w->han);
	ds_buf_free(&w->words);
	ds_mem_free(w);
}

void ds_words_add(ds_words *w, const char *at, size_t n)
{
	ds_word one = { at, (uint32_t)n, 0 };
	for (size_t i = 0; i < n; i++)
		one.chars += ((unsigned char)at[i] & 0xc0) != 0x80;
	if (n)
		ds_buf_add(&w->words, &one, sizeof(one));
}

static size_t finish(ds_words *w, const ds_word **out)
{
	*out = (const ds_word *)(const void *)w->words.at;
	return w->words.n / sizeof(ds_word);
}

/* Bytes of the white space at p; 0: none is there. */
static unsigned space_at(const uint8_t *p, const uint8_t *end)
{
	uint32_t c;
	if (*p < 0x80)
		return ds_char_is_space(*p);
	if (*p != 0xc2 && *p != 0xe1 && *p != 0xe2 && *p != 0xe3)
		return 0;
	unsigned n = ds_utf8_get(p, end, &c);
	return n && ds_char_is_space(c) ? n : 0;
}

size_t ds_words_spaced(ds_words *w, ds_str text, const ds_word **out)
{
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	ds_buf_clear(&w->words);
	while (p < end) {
		unsigned n = space_at(p, end);
		if (n) {
			p += n;
			continue;
		}
		const uint8_t *start = p++;
		while (p < end && !space_at(p, end))
			p++;
		ds_words_piece(w, (const char *)start, (size_t)(p - start));
	}
	return finish(w, out);
}

static bool is_han(uint32_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf);
}

static bool is_ascii_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '+' ||
	       c == '#' || c == '&' || c == '.' || c == '_' || c == '%' || c == '-';
}

static const uint8_t *cut_han(ds_words *w, const uint8_t *p, const uint8_t *end)
{
	const uint8_t *q = p;
	uint32_t c;
	while (q < end && q - p < 3 * DS_HAN_RUN && ds_utf8_get(q, end, &c) == 3 && is_han(c))
		q += 3;
	size_t n = ds_han_cut(w->han, (ds_str){ (const char *)p, (size_t)(q - p) }, w->ends);
	for (size_t i = 0, from = 0; i < n; from = w->ends[i++])
		ds_words_add(w, (const char *)p + from, w->ends[i] - from);
	return q;
}

size_t ds_words_han(ds_words *w, ds_str text, const ds_word **out)
{
	const uint8_t *p = (const uint8_t *)text.at, *end = p + text.n;
	uint32_t c;
	ds_buf_clear(&w->words);
	while (p < end) {
		unsigned n = ds_utf8_get(p, end, &c);
		if (n == 3 && is_han(c)) {
			p = cut_han(w, p, end);
			continue;
		}
		const uint8_t *start = p;
		p += n ? n : 1;
		if (n && ds_char_is_space(c))
			continue;
		while (is_ascii_word(*start) && p < end && is_ascii_word(*p))
			p++;
		ds_words_add(w, (const char *)start, (size_t)(p - start));
	}
	return finish(w, out);
}

static bool all_punctuation(const ds_word *word)
{
	const uint8_t *p = (const uint8_t *)word->at, *end = p + word->n;
	uint32_t c = 0;
	for (unsigned n; p < end; p += n) {
		n = ds_utf8_get(p, end, &c);
		if (!n || !ds_char_is_punct(c))
			return false;
	}
	return true;
}

size_t ds_words_sentences(const ds_word *words, size_t n)
{
	size_t count = n > 0;
	bool ended = false;
	for (size_t i = 0; i < n; i++) {
		uint32_t c = 0;
		const uint8_t *p = (const uint8_t *)words[i].at;
		bool ends = words[i].chars == 1 && ds_utf8_get(p, p + words[i].n, &c) &&
			    ds_char_ends_sentence(c);
		if (ended && !ends && !all_punctuation(&words[i])) {
			count++;
			ended = false;
		}
		ended |= ends;
	}
	return count;
}
