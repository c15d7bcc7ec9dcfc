/*
 * charset_impl.h - languages and the charsets they were written in (charset_data.c), and the guess by them
 */
#ifndef DS_TEXT_HTML_CHARSET_IMPL_H
#define DS_TEXT_HTML_CHARSET_IMPL_H

#include "base/str.h"

enum { DS_CHARSETS = 4 };
typedef struct {
	const char *language,
		*charsets[DS_CHARSETS]; /* the latter by ICU's names, NULL where no more */
	const char *common;             /* its commonest letters beyond ASCII, ascending */
} ds_charset_language;
extern const ds_charset_language ds_charset_languages[]; /* ends with NULLs */

/* ICU's name of a charset by any that the Encoding standard knows; NULL: it knows none. */
const char *ds_charset_named(ds_str label);
/* The charset in which the bytes, markup left out, read best; "windows-1252" where nothing tells. Lives for ever. */
const char *ds_charset_best(ds_str bytes);

#endif
