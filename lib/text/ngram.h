/*
 * ngram.h - units of text, and one hash for every n of them in a row (a shingle)
 *
 * A unit is a maximal run of letters, digits (Nd) and marks, lower-cased character by character
 * (simple mappings); each character of a script without spaces (Han, kana, Thai, Lao, Khmer, Burmese and the Tai
 * scripts) is a unit of its own, and so is each symbol (S*) and each run of ASCII operators
 * (! # $ % & * + - / < = > @ \ ^ | ~) that is no sentence's punctuation: marks that a line begins with, dashes but for
 * signs and differences of numbers, ! but before what it negates, and * of emphasis are none. Everything else,
 * invalid UTF-8 included, separates. A text of fewer than n units has no shingle. Nothing is allocated while
 * a text is read.
 *
 * The hashes are part of what two programs must agree on (index files, staged runs):
 *	unit     h = K0; for each 16 bytes of the lower-cased UTF-8, zero-padded, as two little-endian
 *	         words v, w: h = fold((v ^ h) * (w ^ K1)), fold = low ^ high half of the 128-bit product
 *	shingle  s = sum of h[i] * M^(n-1-i) mod 2^64; z = (s ^ s >> 32) * C; the hash is z ^ z >> 32,
 *	         and its short form the upper 32 bits of z
 */
#ifndef DS_TEXT_NGRAM_H
#define DS_TEXT_NGRAM_H

#include "base/err.h"
#include "base/str.h"

typedef enum {
	DS_UNIT_AUTO,    /* as above */
	DS_UNIT_WORD,    /* runs only: no character is a unit of its own */
	DS_UNIT_CHAR,    /* each letter, digit or mark is one */
	DS_UNIT_LETTERS, /* as auto, without symbols and operators: for counting words */
} ds_unit;

enum { DS_UNIT_RULES = 2 }; /* grows whenever texts have other units than before: kept in files */

enum { DS_NGRAM_MAX = 64, DS_NGRAM_BATCH = 1024 };

typedef struct ds_ngram ds_ngram;                 /* a reader of texts; one thread at a time */
ds_ngram *ds_ngram_new(ds_unit unit, unsigned n); /* 1 <= n <= DS_NGRAM_MAX */
void ds_ngram_free(ds_ngram *g);
void ds_ngram_start(ds_ngram *g, ds_str text); /* text must live until it is read */
/* Up to DS_NGRAM_BATCH further shingles, in order; 0: the text is at its end. */
size_t ds_ngram_next(ds_ngram *g, uint32_t out[DS_NGRAM_BATCH]);
size_t ds_ngram_next64(ds_ngram *g, uint64_t out[DS_NGRAM_BATCH]);
uint64_t ds_ngram_units(const ds_ngram *g); /* of the text, so far */
DS_AUTO_WITH(ds_ngram, ds_ngram_free)

/*
 * What exact comparison looks at, short of NFC: white-space runs (Unicode White_Space) become one
 * space, both ends are trimmed. out has room for text.n bytes and does not overlap the text. Returns the
 * length; *stable is false where a character may change under NFC.
 */
size_t ds_text_squeeze(char *out, ds_str text, bool *stable);

#endif
