/*
<<<<<<< HEAD
 * words.h - where words and sentences begin and end (ICU: Unicode Annex 29, dictionaries for Chinese,
 * Japanese, Thai, Lao, Khmer and Burmese)
 *
 * A cutter belongs to one thread. Pieces cover the text from end to end; bytes that are not UTF-8 are
 * in pieces of their own kind, DS_PIECE_OTHER.
=======
 * words.h - words as quality rules count them
 *
 * Two ways of cutting, each after the tokenizer that the published thresholds were made with. Words in
 * spaces (spaCy's English rules): pieces between white space, of which punctuation at the ends, clitics
 * ('s, n't, 'll) and joints (hyphens between letters) become words of their own. Han (jieba's shape):
 * runs of Han are cut by a dictionary, runs of ASCII letters and digits stay whole, all else is a word a
 * character. One reader for each thread; what it gives lives until the next text.
>>>>>>> 312353d (clean: --quality gopher, c4, fineweb, fineweb2; each rule counted, switched and limited by name)
 */
#ifndef DS_TEXT_WORDS_H
#define DS_TEXT_WORDS_H

<<<<<<< HEAD
#include "base/arena.h"

typedef enum { DS_CUT_WORDS, DS_CUT_SENTENCES } ds_cut;

typedef enum {
	DS_PIECE_OTHER,  /* blanks, punctuation, what is no word */
	DS_PIECE_NUMBER, /* digits */
	DS_PIECE_LETTER, /* a word of an alphabet */
	DS_PIECE_IDEO,   /* a word of ideographs or kana */
} ds_piece_kind;

typedef struct {
	ds_str text; /* a view of what was cut */
	ds_piece_kind kind;
} ds_piece;

typedef struct ds_cutter ds_cutter;
DS_MUST ds_rc ds_cutter_new(ds_cutter **c, ds_cut cut, ds_err *e);
void ds_cutter_free(ds_cutter *c);
/* The pieces of a text in mem, in order; a text ICU does not take is one piece. */
ds_piece *ds_cutter_run(ds_cutter *c, ds_str text, ds_arena *mem, size_t *n);
DS_AUTO_WITH(ds_cutter, ds_cutter_free)
=======
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
>>>>>>> 312353d (clean: --quality gopher, c4, fineweb, fineweb2; each rule counted, switched and limited by name)

#endif
