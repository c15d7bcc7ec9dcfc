/*
 * lines.h - which lines of a text keep their blanks, line by line
 *
 * Fenced code and its fences, code that is indented by four columns, lines of tables with '|', what follows the
 * prompts >>> and ... and the marks of quotes, hunks of a patch. Blanks do not decide it but for those that a line
 * begins with, so that a text of which blanks are gone is read in the same way.
 */
#ifndef DS_CLEAN_LINES_H
#define DS_CLEAN_LINES_H

#include "base/str.h"

enum { LINES_CODE = 4 }; /* columns of an indent that makes code */

typedef struct {       /* start with { 0 } */
	uint8_t fence; /* '`' or '~' while one is open */
	size_t length; /* of the fence */
	bool hunk;
} lines_state;

typedef struct {
	bool whole;        /* all of its blanks stay */
	bool fenced;       /* inside a fence, or one */
	const uint8_t *at; /* where blanks begin to count: behind what leads it */
} lines_kind;

/* The line from p, its first character that is no blank, to stop, its end; columns: of the blanks before it. */
lines_kind lines_next(lines_state *s, const uint8_t *p, const uint8_t *stop, unsigned columns);
/* The columns of the blanks from p on: a tab takes four, wide blanks none. */
unsigned lines_columns(const uint8_t *p, const uint8_t *end);

#endif
