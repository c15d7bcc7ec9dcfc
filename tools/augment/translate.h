/*
 * translate.h - lines translated there and back by workers, each with its own two programs
 */
#ifndef DS_AUGMENT_TRANSLATE_H
#define DS_AUGMENT_TRANSLATE_H

#include "base/arena.h"

typedef struct {
	const char *there, *back; /* commands */
	const char *cache;        /* a file, NULL: none */
	bool persistent;
	int workers, batch, timeout_s;
} translate_plan;

typedef struct translator translator;
DS_MUST ds_rc translator_open(translator **t, const translate_plan *plan, ds_err *e);
void translator_close(translator *t);
/*
 * n lines without line ends, there and back, in mem; from any thread, which waits. A batch is always the
 * same lines, whatever runs beside it. A batch that fails three times is DS_IO, and then nothing more is begun.
 */
DS_MUST ds_rc translator_run(
	translator *t, const ds_str *lines, size_t n, ds_arena *mem, ds_str *out, ds_err *e);
DS_AUTO_WITH(translator, translator_close)

#endif
