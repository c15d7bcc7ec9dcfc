/*
 * fill.h - prompts made of a record's fields: "Translate: {text}\nGerman:"
 *
 * {path} stands for what ds_field.h's path ends at: texts as they are, several joined by LF, other values as JSON; {{ and }}
 * are braces; \n, \t and \\ are what they are in C. A template is read once and used by one thread.
 */
#ifndef DS_GENERATE_FILL_H
#define DS_GENERATE_FILL_H

#include "record/block.h"

typedef struct filler filler;
/* DS_USAGE: a brace that stands alone, or a path that is wrong. */
DS_MUST ds_rc filler_open(filler **f, const char *template, ds_err *e);
void filler_close(filler *f); /* NULL is fine */
/* In mem. *lacks: the path of a field that the record has not, then *out is open; NULL: it has all. */
DS_MUST ds_rc filler_text(filler *f, ds_block *b, uint32_t row, ds_arena *mem, ds_str *out,
	const char **lacks, ds_err *e);

#endif
