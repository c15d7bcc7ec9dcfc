/*
 * words.c - from ICU's pieces to words: protected spans and punctuation become gaps
 */
#include "words.h"

#include "text/protect.h"
#include "text/unicode.h"
#include "text/utf8.h"

static uint32_t first_char(ds_str s, unsigned *len)
{
	uint32_t c = 0;
	*len = s.n ? ds_utf8_get((const uint8_t *)s.at, (const uint8_t *)s.at + s.n, &c) : 0;
	return c;
}

static word_case case_of(ds_str s, ds_str lower)
{
	unsigned len, low;
	uint32_t c = first_char(s, &len);
	if (!len || c == first_char(lower, &low))
		return CASE_LOWER;
	size_t capitals = 0, letters = 0;
	for (size_t i = 0; i < s.n; i++) {
		capitals += s.at[i] >= 'A' && s.at[i] <= 'Z';
		letters += (s.at[i] >= 'A' && s.at[i] <= 'Z') || (s.at[i] >= 'a' && s.at[i] <= 'z');
	}
	return letters > 1 && capitals == letters ? CASE_ALL : CASE_FIRST;
}

static ds_str upper(ds_str s, size_t most, ds_arena *mem)
{
	char *to = ds_arena_bytes(mem, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		to[i] = i < most && s.at[i] >= 'a' && s.at[i] <= 'z' ? (char)(s.at[i] - 32)
								     : s.at[i];
	return (ds_str){ to, s.n };
}

ds_str words_cased(ds_str lower, word_case letters, ds_arena *mem)
{
	return letters == CASE_LOWER ? lower : upper(lower, letters == CASE_ALL ? lower.n : 1, mem);
}

ds_str words_uncapped(const word *w, ds_arena *mem)
{
	bool i = w->lower.at[0] == 'i' && (w->lower.n < 2 || w->lower.at[1] == '\'');
	if (w->letters != CASE_FIRST || i)
		return w->text; /* I, I'm and NATO stay */
	return w->lower;
}

/* By its letters: h is silent in five words, and u, eu and one often begin with the sound of you and won. */
bool words_vowel(ds_str s)
{
	static const char *const vowels[] = { "hour", "honest", "honor", "honour", "heir", NULL };
	static const char *const others[] = { "eu", "ewe", "one-", "once", "uni", "use", "usu",
		"usa", "ute", "uti", "uto", "ubi", "ura", NULL };
	char low[8] = "";
	for (size_t i = 0; i < s.n && i < sizeof(low) - 1; i++)
		low[i] = s.at[i] | (s.at[i] >= 'A' && s.at[i] <= 'Z' ? 32 : 0);
	for (unsigned i = 0; vowels[i]; i++)
		if (strncmp(low, vowels[i], strlen(vowels[i])) == 0)
			return true;
	if (strcmp(low, "one") == 0)
		return false;
	for (unsigned i = 0; others[i]; i++)
		if (strncmp(low, others[i], strlen(others[i])) == 0)
			return low[0] == 'u' && low[1] == 'n' &&
			       strchr("dmn", low[3]); /* un-identified, but uni-t */
	return low[0] && strchr("aeiou", low[0]);
}

/* A sentence ends in a gap with one of these. */
static bool ends_sentence(ds_str gap)
{
	static const char *const marks[] = { "。", "！", "？", "…", NULL };
	bool ascii = true;
	for (size_t i = 0; i < gap.n; i++) {
		char c = gap.at[i];
		if (c == '.' || c == '!' || c == '?' || c == '\n' || c == ':')
			return true;
		ascii &= (unsigned char)c < 0x80;
	}
	for (unsigned i = 0; !ascii && marks[i]; i++)
		if (memmem(gap.at, gap.n, marks[i], strlen(marks[i])))
			return true;
	return false;
}

/* Well-known is one word, and so is and/or. */
static bool joins(const ds_piece *p, size_t i, size_t n)
{
	return i + 1 < n && p[i].text.n == 1 &&
	       (p[i].text.at[0] == '-' || p[i].text.at[0] == '/') &&
	       p[i + 1].kind == DS_PIECE_LETTER;
}

/* XIV is a number. */
static bool is_roman(ds_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("IVXLCM", s.at[i]))
			return false;
	return s.n > 1;
}

typedef struct {
	ds_text_span *at;
	size_t n, i;
} spans;

static bool is_protected(spans *s, size_t from, size_t to)
{
	while (s->i < s->n && s->at[s->i].to <= from)
		s->i++;
	return s->i < s->n && s->at[s->i].from < to;
}

void words_of(words *out, ds_cutter *c, ds_str text, const stopwords *stop, ds_arena *mem)
{
	size_t n, last = 0; /* last: the end of the word before */
	spans keep = { 0 };
	ds_piece *p = ds_cutter_run(c, text, mem, &n);
	keep.at = ds_protect(text, mem, &keep.n);
	*out = (words){ { text.at, text.n }, ds_arena_get(mem, (n + 1) * sizeof(*out->at)), 0 };
	for (size_t i = 0; i < n; i++) {
		if (p[i].kind != DS_PIECE_LETTER && p[i].kind != DS_PIECE_IDEO)
			continue;
		size_t from = (size_t)(p[i].text.at - text.at), to = from + p[i].text.n;
		bool ideo = p[i].kind == DS_PIECE_IDEO;
		for (; !ideo && joins(p, i + 1, n); i += 2)
			to = (size_t)(p[i + 2].text.at - text.at) + p[i + 2].text.n;
		if (is_protected(&keep, from, to) ||
			is_roman((ds_str){ text.at + from, to - from }))
			continue;
		ds_str gap = { text.at + last, from - last };
		if (out->n)
			out->at[out->n - 1].gap = gap;
		else
			out->head = gap;
		word *w = &out->at[out->n++];
		*w = (word){ .text = { text.at + from, to - from }, .ideo = ideo };
		w->first = out->n == 1 || ends_sentence(gap);
		w->lower = ds_utf8_lower(w->text, mem);
		w->letters = ideo ? CASE_LOWER : case_of(w->text, w->lower);
		w->stop = stopwords_have(stop, w->lower);
		last = to;
	}
	if (out->n)
		out->at[out->n - 1].gap = (ds_str){ text.at + last, text.n - last };
	/* Among small letters, a capital within a sentence is a name; in headlines it is nothing. */
	size_t capitals = 0;
	for (size_t i = 0; i < out->n; i++)
		capitals += out->at[i].letters == CASE_FIRST && !out->at[i].first;
	for (size_t i = 0; i < out->n && 2 * capitals < out->n; i++)
		out->at[i].stop |= out->at[i].letters == CASE_FIRST && !out->at[i].first;
}
