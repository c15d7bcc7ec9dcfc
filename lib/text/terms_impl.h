/*
 * terms_impl.h - between terms.c and terms_spaced.c
 */
#ifndef DS_TEXT_TERMS_IMPL_H
#define DS_TEXT_TERMS_IMPL_H

#include "text/unicode.h"
#include "text/terms.h"

struct ds_words {
	ds_buf words; /* of ds_word */
	ds_han_cutter *han;
	uint32_t ends[DS_HAN_RUN];
};

void ds_words_add(ds_words *w, const char *at, size_t n);
/* A piece between white space, taken apart. */
void ds_words_piece(ds_words *w, const char *at, size_t n);

#endif
