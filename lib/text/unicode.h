/*
 * unicode.h - UTF-8, normal forms, case, properties and charsets
 *
 * ICU is behind this door and no type of it leaves. Where a function gives text back, it is the view
 * that came in (the same pointer) when nothing had to change, else bytes in the arena. Invalid bytes
 * are passed along as they are, except where noted. Any thread may call.
 */
#ifndef DS_TEXT_UNICODE_H
#define DS_TEXT_UNICODE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* How many bytes from the start are valid UTF-8 (Unicode table 3-7); s.n where all are. */
size_t ds_utf8_valid(ds_str s);
/* How many bytes from the start are below 0x80. */
size_t ds_utf8_ascii(ds_str s);
/*
 * Each maximal ill-formed part becomes one U+FFFD, as the Unicode standard recommends (section 3.9),
 * the WHATWG requires and Python does. *n_repaired counts them.
 */
ds_str ds_utf8_repair(ds_str s, ds_arena *mem, size_t *n_repaired);
/* Characters of several bytes in s, and ill-formed parts; one that the end may have cut counts as neither. */
void ds_utf8_census(ds_str s, size_t *whole, size_t *broken);
/* Characters in s; every byte that is not part of one counts as one. */
size_t ds_utf8_count(ds_str s);

/*
 * Normalization form C. Runs of combining marks are normalised 1,024 characters at a time: real text
 * has fewer than 30 (UAX 15, section 13), and ICU takes quadratic time on a long one.
 */
ds_str ds_nfc(ds_str text, ds_arena *mem);
/*
 * Where two texts in form C are put together: the bytes at the beginning of the second that may join what is before
 * them, mostly none, and those at the end of the first that are joined. Only they need be normalised anew.
 */
size_t ds_nfc_joins(ds_str second);
size_t ds_nfc_joined(ds_str first);

/* Normalization form KC: compatibility forms go as well. */
ds_str ds_nfkc(ds_str text, ds_arena *mem);

/* Normalization form D of a word; what is not UTF-8 leaves the text as it is. */
ds_str ds_nfd(ds_str text, ds_arena *mem);
/* Any of the four forms; bytes that are not UTF-8 stay where they are. */
typedef enum { DS_NFC, DS_NFD, DS_NFKC, DS_NFKD } ds_form;
ds_str ds_normal_form(ds_str text, ds_form form, ds_arena *mem);
/*
 * Ends of extended grapheme clusters, ascending, the last one text.n: how many, at most text.n. Text that
 * is not UTF-8 is cut where it is not.
 */
size_t ds_graphemes(ds_str text, uint32_t *ends, ds_arena *mem);
/* The simple lower case of a character, itself where there is none. */
uint32_t ds_char_lower(uint32_t c);
/* The Unicode version, without what follows the point, that first has the character; 0: none has. */
unsigned ds_char_age(uint32_t c);

bool ds_char_is_letter(uint32_t c); /* Unicode's L categories */
bool ds_char_is_number(uint32_t c); /* the N categories */
bool ds_char_is_icon(uint32_t c);   /* So: other symbols, emoji among them */
bool ds_char_is_emoji(uint32_t c);  /* shown as a picture by default */
bool ds_char_is_punct(uint32_t c);  /* the P categories */

/* Lower case of the root locale, final sigma included. */
ds_str ds_utf8_lower(ds_str s, ds_arena *mem);
/* Full case folding, for comparing. */
ds_str ds_utf8_fold(ds_str s, ds_arena *mem);

/* Where the words of a run of Han end, by ICU's dictionary: ends[i] in bytes. One thread at a time. */
typedef struct ds_han_cutter ds_han_cutter;
ds_han_cutter *ds_han_cutter_new(void);
void ds_han_cutter_free(ds_han_cutter *c);
/* run holds characters of three bytes alone, at most DS_HAN_RUN; ends has room for as many. */
enum { DS_HAN_RUN = 1024 };
size_t ds_han_cut(ds_han_cutter *c, ds_str run, uint32_t *ends);

/* Decodes to UTF-8, what is wrong to U+FFFD. DS_USAGE: ICU knows no such charset. */
DS_MUST ds_rc ds_charset_decode(
	ds_str *out, ds_str bytes, const char *charset, ds_arena *mem, ds_err *e);
/* ICU's guesses, the likeliest first: how many. Names live for ever; confidence is of 100. */
enum { DS_CHARSET_GUESSES = 16 };
typedef struct {
	const char *name;
	int confidence;
} ds_charset_guess;
size_t ds_charset_guesses(ds_str bytes, ds_charset_guess out[DS_CHARSET_GUESSES]);

#endif
