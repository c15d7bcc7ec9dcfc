/*
 * fuzz_terms.c - texts of any bytes cut into words, which lie in the text in order and do not overlap
 */
#include "fuzz.h"

#include "text/terms.h"

#include <stdlib.h>

static void check(const ds_word *w, size_t n, ds_str text)
{
	const char *at = text.at;
	for (size_t i = 0; i < n; i++) {
		if (w[i].at < at || w[i].n == 0 || w[i].chars > w[i].n)
			abort();
		at = w[i].at + w[i].n;
	}
	if (at > text.at + text.n)
		abort();
	(void)ds_words_sentences(w, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_words) words = ds_words_new();
	ds_str text = { (const char *)data, n };
	const ds_word *w;
	size_t found = ds_words_spaced(words, text, &w);
	check(w, found, text);
	found = ds_words_han(words, text, &w);
	check(w, found, text);
	return 0;
}
