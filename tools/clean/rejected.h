/*
 * rejected.h - --rejected FILE: dropped records as they came, with `rejected`, the rule, and their id
 *
 * A stream where the name ends in .dsr, else JSONL. Encoded by any thread, written in order.
 */
#ifndef DS_CLEAN_REJECTED_H
#define DS_CLEAN_REJECTED_H

#include "base/args.h"
#include "record/sink.h"

typedef struct rejected rejected;
typedef struct {
	const uint32_t *rows;
	const unsigned *reasons;
	uint32_t n;
	const char *const *names; /* of the reasons */
} rejected_rows;

DS_MUST ds_rc rejected_open(rejected **r, const ds_common *c, const char *path, ds_err *e);
DS_MUST ds_rc rejected_encode(
	rejected *r, ds_block *b, const rejected_rows *rows, ds_sink_part *out, ds_err *e);
DS_MUST ds_rc rejected_write(rejected *r, ds_sink_part *part, ds_err *e);
DS_MUST ds_rc rejected_finish(rejected *r, ds_err *e);
void rejected_close(rejected *r); /* without finish: no file */
DS_AUTO_WITH(rejected, rejected_close)

#endif
