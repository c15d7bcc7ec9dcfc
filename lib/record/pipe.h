/*
 * pipe.h - one program in a pipe: source -> work on N threads -> in order -> sink
 *
 * Each of N threads carries a block all the way: it takes the next chunk (in order, under a gate),
 * parses it and runs `work` beside the others, waits for its turn for `order`, encodes beside the
 * others, waits for its turn to write. So memory is bounded by N blocks, and bytes do not depend on N.
 */
#ifndef DS_RECORD_PIPE_H
#define DS_RECORD_PIPE_H

#include "base/inout.h"
#include "record/block.h"
#include "record/chain.h"
#include "record/field.h"
#include "record/sink.h"
#include "record/source.h"

typedef struct ds_work ds_work; /* one block's trip; passed to the stage's functions */

typedef struct ds_stage {
	const char *name;
	void *state;                 /* shared; order and end may change it, work may not */
	const char *const *counters; /* names of counts beside in and out, NULL-ended; NULL: none */
	/* Per thread, when work first asks for it, so after begin; freed before the run returns. May be NULL. */
	void *(*scratch_new)(void *state);
	void (*scratch_free)(void *scratch);
	/* Any thread, any order. Changes the block; drops rows with ds_work_drop or ds_block_select. */
	ds_rc (*work)(void *state, ds_work *w, ds_block *b, ds_err *e);
	/* One at a time, in stream order, after work. */
	ds_rc (*order)(void *state, ds_work *w, ds_block *b, ds_err *e);
	/* Once, after the last block; b has no rows; ds_work_emit adds what is left. */
	ds_rc (*end)(void *state, ds_work *w, ds_err *e);
	/*
	 * Before the first block, when chain and optional blocks of the first input are known; the last place
	 * where state may be changed that work and scratches refer to. May be NULL.
	 */
	ds_rc (*begin)(void *state, ds_work *w, ds_err *e);
	/*
	 * It works on --field, by ds_work_texts: records without are counted unless it is optional, and where it is needed, there are
	 * records and none has it, the run fails. instead: a column that does as well. reads: paths of further
	 * fields that are needed in the same way; NULL-ended, or NULL.
	 */
	enum { DS_FIELD_UNREAD, DS_FIELD_OPTIONAL, DS_FIELD_COUNTED, DS_FIELD_NEEDED } reads_field;
	const char *instead;
	const char *const *reads;
	/* One more sentence for the summary line; may be NULL. */
	void (*summary)(void *state, ds_buf *out);
	/* More members for --stats, each with a comma in front; may be NULL. */
	void (*stats)(void *state, ds_buf *out);
} ds_stage;

typedef struct {
	const ds_voice *who;
	const ds_input_opts *in;
	const ds_output_opts *out; /* NULL: nothing is written */
	int jobs;
	ds_str args;            /* for the chain's entry */
	const char *stats_path; /* NULL: none */
} ds_pipe_opts;
DS_MUST ds_rc ds_pipe_run(const ds_pipe_opts *o, const ds_stage *s, ds_err *e);

void *ds_work_scratch(ds_work *w); /* not in begin */
ds_arena *ds_work_mem(ds_work *w); /* the block's arena */
/* The texts of the block at hand; counted where it is asked for first. For stages that read the field. */
DS_MUST ds_rc ds_work_texts(ds_work *w, ds_texts *t, ds_err *e);
const ds_field *ds_work_field(const ds_work *w);              /* NULL where the stage reads none */
void ds_work_count(ds_work *w, unsigned counter, uint64_t n); /* index into counters */
/* This row leaves the stream (after the call that says so returns). counter < 0: none. */
void ds_work_drop(ds_work *w, uint32_t row, int counter);
/* A record error: DS_OK where it is skipped or rejected (the row is dropped and counted as "bad"), else DS_BAD
 * with "file:record: " in front. The raw offender is the record as one JSON line. */
DS_MUST ds_rc ds_work_bad(ds_work *w, ds_block *b, uint32_t row, ds_err *e, const char *fmt, ...)
	DS_PRINTF(5, 6);
/* order and end only: one more block for the output, before/instead of b (ds_work_swallow: b is not written).
 * The emitted block must live in ds_work_mem(w) or be handed over with its own arena in own_arena (freed after). */
void ds_work_emit(ds_work *w, ds_block *b, ds_arena *own_arena);
void ds_work_swallow(ds_work *w);
/* order, begin and end only: an optional block for the output, once; inputs' optional blocks are passed by themselves
 * unless their kind was swallowed in begin. */
void ds_work_opt(ds_work *w, ds_opt opt);
void ds_work_swallow_opt(ds_work *w, uint16_t kind);
const ds_opt *ds_work_opts(ds_work *w, size_t *n); /* of the inputs so far (order, begin, end) */
/* order only: what the live line says besides, as ds_progress_note. */
void ds_work_note(ds_work *w, const char *fmt, ...) DS_PRINTF(2, 3);
bool ds_work_saw(ds_work *w, const char *format); /* ds_source_saw, in end/summary */

#endif
