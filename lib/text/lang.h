/*
 * lang.h - what language a text is in
 */
#ifndef DS_TEXT_LANG_H
#define DS_TEXT_LANG_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
	const char *code; /* "zh", "zh-Hant", "en"; "un" where there is too little to tell */
	double share;     /* of the text that is in it, 0 to 1 */
} ds_lang;

/* The language that most of the text is in, as far as it is UTF-8; 4 MiB at most are looked at. */
ds_lang ds_lang_of(const char *text, size_t n);
/* Whether there is a language of that code. */
bool ds_lang_known(const char *code);

#ifdef __cplusplus
}
#endif

#endif
