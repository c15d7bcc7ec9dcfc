/*
 * terms.h - words as quality rules count them
 *
 * Two ways of cutting, each after the tokenizer that the published thresholds were made with. Words in
 * spaces (spaCy's English rules): pieces between white space, of which punctuation at the ends, clitics
 * ('s, n't, 'll) and joints (hyphens between letters) become words of their own. Han (jieba's shape):
 * runs of Han are cut by a dictionary, runs of ASCII letters and digits stay whole, all else is a word a
 * character. One reader for each thread; what it gives lives until the next text.
 */
#ifndef DS_TEXT_TERMS_H
#define DS_TEXT_TERMS_H

#include "base/err.h"
#include "base/str.h"

typedef struct {
	const char *at;
	uint32_t n, chars;
} ds_word;

typedef struct ds_words ds_words;
ds_words *ds_words_new(void);
void ds_words_free(ds_words *w);
size_t ds_words_spaced(ds_words *w, ds_str text, const ds_word **out);
size_t ds_words_han(ds_words *w, ds_str text, const ds_word **out);
/* Of such words: a sentence ends with . ! ? or the like, and what punctuation follows it. */
size_t ds_words_sentences(const ds_word *words, size_t n);

bool ds_char_ends_sentence(uint32_t c); /* . ! ? and their like in all scripts */
bool ds_char_is_symbol(uint32_t c); /* ASCII and common punctuation and controls, letters never */
bool ds_char_is_space(uint32_t c);  /* white space, U+001C to U+001F included */
DS_AUTO_WITH(ds_words, ds_words_free)

#endif
