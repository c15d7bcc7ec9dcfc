/*
 * copy.h - records from the inputs of a run to one or several outputs, on one thread
 *
 * For subcommands that a block-by-block pipe does not fit: those that end early (head), have several
 * outputs (split) or change the order (shuf). Rows are gathered into blocks of the usual size, cut by
 * the bytes of the records alone, so the output does not depend on how they came.
 */
#ifndef DS_TOOLS_RECORD_COPY_H
#define DS_TOOLS_RECORD_COPY_H

#include "record.h"
#include "record/shards.h"

typedef struct copy_out {
	ds_output_opts how; /* the run's, with this output's name */
	ds_sink *sink;      /* of one file, or the first of the shards, which own it then */
	ds_shards *shards;  /* NULL: one file */
	ds_compressor *compressor;
	ds_arena *mem; /* of the parts that wait to make a block */
	ds_block **parts;
	size_t n_parts, cap_parts;
	uint64_t waiting_bytes, records, bytes;
	size_t n_opts; /* optional blocks written */
	bool finished;
} copy_out;

typedef struct {
	const ds_common *c;
	ds_source *source;
	ds_arena *chain_mem;
	ds_progress *progress;
	copy_out *outs;
	size_t n_outs;
	uint64_t records, bytes;
} copy_run;

/* paths[n]: NULL is stdout. The outputs open with copy_begin. */
DS_MUST ds_rc copy_open(
	copy_run **r, const ds_common *c, const char *const *paths, size_t n, ds_err *e);
void copy_close(copy_run *r);
/* The next block of the inputs, in mem; NULL at the end. Writes what outputs begin with once it is known. */
DS_MUST ds_rc copy_next(copy_run *r, ds_arena *mem, ds_block **b, ds_err *e);
/* Rows of a block (any order) to an output; b may go when it returns. */
DS_MUST ds_rc copy_rows(
	copy_run *r, copy_out *o, ds_block *b, const uint32_t *rows, uint32_t n, ds_err *e);
/* A whole block, as it is. */
DS_MUST ds_rc copy_block(copy_run *r, copy_out *o, ds_block *b, ds_err *e);
/* Trailers and renames; elsewhere names the count of records that are not in an output, NULL: none. */
DS_MUST ds_rc copy_finish(copy_run *r, const char *elsewhere, ds_err *e);
/* After a failure: tells readers downstream why. Gives rc back. */
ds_rc copy_abort(copy_run *r, ds_rc rc, const ds_err *e);
void copy_summary(copy_run *r, const char *more); /* the summary line; more may be NULL */
DS_AUTO_WITH(copy_run, copy_close)

#endif
