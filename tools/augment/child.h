/*
 * child.h - a translator: a program that answers lines with as many lines
 */
#ifndef DS_AUGMENT_CHILD_H
#define DS_AUGMENT_CHILD_H

#include "base/arena.h"

typedef struct {
	const char *option;  /* --translator, for messages */
	const char *command; /* for sh -c */
	bool persistent;     /* it answers line by line and goes on; else a batch is one run */
	int timeout_s;       /* without a sign of life */
} child_plan;

typedef struct child child; /* of one thread */
child *child_new(const child_plan *plan);
void child_free(child *c); /* ends what still runs */
/*
 * One try: n lines without line ends to n lines in mem. DS_IO: it died, hung, or printed too few or too many
 * lines; its last line on stderr is quoted. Then it is ended, and the next call starts it anew.
 */
DS_MUST ds_rc child_run(
	child *c, const ds_str *lines, size_t n, ds_arena *mem, ds_str *out, ds_err *e);

#endif
