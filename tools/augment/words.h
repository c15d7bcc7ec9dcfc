/*
 * words.h - a text as words with what stands between them, and what may take a word's place
 */
#ifndef DS_AUGMENT_WORDS_H
#define DS_AUGMENT_WORDS_H

#include "augment.h"
#include "text/words.h"

typedef enum { CASE_LOWER, CASE_FIRST, CASE_ALL } word_case;

typedef struct {
	ds_str text, lower;
	ds_str gap; /* what follows the word, up to the next: untouched */
	word_case letters;
	bool first; /* of a sentence */
	bool stop;  /* gets no synonym */
	bool ideo;  /* no blanks around it */
} word;

typedef struct {
	ds_str head; /* what precedes the first word */
	word *at;
	size_t n;
} words;

/* Views of the text, and bytes in mem. What is protected is part of the gaps. */
void words_of(words *out, ds_cutter *c, ds_str text, const stopwords *stop, ds_arena *mem);
/* A word of a list in the letters of a place. */
ds_str words_cased(ds_str lower, word_case letters, ds_arena *mem);
bool words_vowel(ds_str s); /* it is said with a vowel first: an hour, a unit */
/* A word that leaves the beginning of a sentence. */
ds_str words_uncapped(const word *w, ds_arena *mem);

typedef struct choices choices; /* remembers what it looked up; of one thread */
choices *choices_new(const eda_plan *plan);
void choices_free(choices *c);
/* What may stand in the place of the i-th word, in lower case; lives until the next words_of's text. */
DS_MUST ds_rc choices_find(
	choices *c, const words *w, size_t i, const ds_str **out, size_t *n, ds_err *e);
void choices_trim(choices *c); /* between texts: forgets when it knows too much */

#endif
