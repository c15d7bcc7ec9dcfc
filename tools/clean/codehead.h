/*
 * codehead.h - what is at the top of a source file
 */
#ifndef DS_CLEAN_CODEHEAD_H
#define DS_CLEAN_CODEHEAD_H

#include "base/arena.h"
#include "base/str.h"

typedef struct {
	size_t from,
		to; /* the licence comments, and the empty lines after them; equal: there are none */
} codehead;

/* Lines that must stay first (#!, coding, <?xml, <?php) are before `from`. Scratch from mem. */
codehead codehead_find(ds_str text, ds_arena *mem);
/* Whether the licence comments, or the five lines after them, say that a program wrote the file. */
bool codehead_generated(ds_str text, codehead h, ds_arena *mem);

#endif
