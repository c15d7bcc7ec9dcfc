/*
 * words.h - where words and sentences begin and end (ICU: Unicode Annex 29, dictionaries for Chinese,
 * Japanese, Thai, Lao, Khmer and Burmese)
 *
 * A cutter belongs to one thread. Pieces cover the text from end to end; bytes that are not UTF-8 are
 * in pieces of their own kind, DS_PIECE_OTHER.
 */
#ifndef DS_TEXT_WORDS_H
#define DS_TEXT_WORDS_H

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
/*
 * Off the front of *rest, at most `most` bytes (more than 8): all of it, else up to behind a line end, a blank or
 * a Han full stop or comma, where no word goes on, else up to the end of a character. What takes memory for every
 * word of a text takes it for a stretch at a time.
 */
ds_str ds_words_stretch(ds_str *rest, size_t most);
DS_AUTO_WITH(ds_cutter, ds_cutter_free)

#endif
