/*
 * words_impl.h - between words.c and words_spaced.c
 */
#ifndef DS_TEXT_WORDS_IMPL_H
#define DS_TEXT_WORDS_IMPL_H

#include "text/unicode.h"
#include "text/words.h"

struct ds_words {
	ds_buf words; /* of ds_word */
	ds_han_cutter *han;
	uint32_t ends[DS_HAN_RUN];
};

void ds_words_add(ds_words *w, const char *at, size_t n);
/* A piece between white space, taken apart. */
void ds_words_piece(ds_words *w, const char *at, size_t n);

#endif
