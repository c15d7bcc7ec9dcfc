/*
 * answer.c - the order is the reference's: lower, punctuation, articles as words, white space
 */
#include "answer.h"

#include "tok_bleu.h"

#include "text/unicode.h"

static bool punct(char c)
{
	return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
	       (c >= '{' && c <= '~');
}

ds_str answer_normal(ds_str s, ds_arena *mem)
{
	ds_str low = ds_utf8_lower(s, mem), *words;
	char *out = ds_arena_bytes(mem, low.n + 1);
	size_t n = 0, n_words;
	for (size_t i = 0; i < low.n; i++)
		if (!punct(low.at[i]))
			out[n++] = low.at[i];
	bleu_tok_run(TOK_NONE, (ds_str){ out, n }, mem, &words, &n_words);
	char *joined = ds_arena_bytes(mem, n + 1);
	n = 0;
	for (size_t i = 0; i < n_words; i++) {
		if (ds_str_is(words[i], "a") || ds_str_is(words[i], "an") ||
			ds_str_is(words[i], "the"))
			continue;
		if (n)
			joined[n++] = ' ';
		memcpy(joined + n, words[i].at, words[i].n);
		n += words[i].n;
	}
	return (ds_str){ joined, n };
}
