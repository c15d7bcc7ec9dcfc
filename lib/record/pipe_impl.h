/*
 * pipe_impl.h - what the files of the pipe share
 *
 * pipe.c moves blocks through the gates, pipe_work.c is what a stage calls meanwhile, pipe_join.c
 * joins small blocks, pipe_report.c counts and reports. A ds_work belongs to the thread that carries
 * it; the fields of a ds_pipe say behind which gate they are.
 */
#ifndef DS_RECORD_PIPE_IMPL_H
#define DS_RECORD_PIPE_IMPL_H

#include "record/pipe.h"
#include "record/shards.h"

#include "base/codec.h"
#include "base/progress.h"
#include "base/thread.h"

#include <stdatomic.h>

typedef struct outgoing { /* a block on its way to the sink */
	ds_block *b;
	ds_arena *own; /* given back once it is written; NULL: the work's */
	ds_sink_part part;
	struct outgoing *next;
} outgoing;

typedef struct {
	outgoing *first, **last;
} outgoing_list;

typedef struct {       /* small blocks that wait for others */
	ds_arena *mem; /* NULL: none waits */
	ds_block **parts;
	size_t n, cap;
	uint64_t raw_bytes, n_rows;
	ds_block *shape; /* names and types of their columns */
	uint64_t ticket; /* the last one that has rows here */
} pending;

typedef struct { /* who has the fields that the stage reads: [0] --field, then reads */
	ds_field_count *at;
	ds_field_names names; /* fields that there are, while none of the first kind was found */
} readings;

typedef struct ds_pipe ds_pipe;

struct ds_work {
	ds_pipe *pipe;
	ds_arena *mem;
	ds_compressor *compressor;
	void *scratch;
	uint64_t ticket;
	ds_chunk *chunk;
	ds_block *block;
	ds_bad *bad, **last_bad;
	uint64_t n_records; /* of the chunk, those that could not be read included */
	uint64_t *counts;   /* of the stage's counters, then "bad" */
	uint8_t *dropped;   /* bitmap of the block's rows; NULL: none */
	uint32_t n_dropped;
	bool swallowed, ending, texts_counted;
	readings read;
	outgoing_list emitted, out;
	ds_opt *opts; /* to be written before the block */
	size_t n_opts;
	const ds_opt *seen; /* the inputs', when the chunk was taken */
	size_t n_seen;
	ds_rc rc;
	ds_err err;
};

struct ds_pipe {
	const ds_pipe_opts *o;
	const ds_stage *s;
	size_t n_counters; /* of the stage */
	ds_field **
		fields; /* that the stage reads: [0] is --field, NULL where it does not; then reads */
	size_t n_reads; /* of them */
	ds_arena *mem;  /* the run's; behind the gate `in`, then the main thread's */
	ds_gate *in, *number, *order, *join, *write;
	atomic_ullong tickets, failed; /* failed: the lowest ticket that did */
	/* behind `in` */
	ds_source *source;
	bool begun, ended;
	bool committed;    /* all is written; what is told now is what was lost on the way */
	bool ready;        /* the stage has begun: its state is what work will see */
	size_t n_opts;     /* of the source's, those that were passed on */
	uint16_t *without; /* kinds that the stage swallowed, in begin */
	size_t n_without;
	/* behind `join` */
	pending pending;
	uint64_t small_bytes;
	/* behind `write` */
	ds_shards *
		shards; /* NULL: sink alone is the output, else it is the first of them, which encodes for all */
	ds_sink *sink;      /* NULL: not begun, or nothing is written */
	uint64_t elsewhere; /* records in other shards, while a chain is made for one */
	ds_out *rejects;
	uint64_t *counts;
	readings read;
	uint64_t records_in, records_out, bytes_in, bytes_out;
	ds_rc rc;
	ds_err err;
	ds_progress *progress;
};

/* pipe_work.c */
void ds_work_open(ds_work *w, ds_pipe *p);
void ds_work_close(ds_work *w);
void ds_work_reset(ds_work *w);                      /* for the next block */
DS_MUST ds_rc ds_work_select(ds_work *w, ds_err *e); /* takes dropped rows out of the block */
void ds_list_add(outgoing_list *l, ds_work *w, ds_block *b, ds_arena *own);

/* pipe_reads.c */
DS_MUST ds_rc ds_reads_open(ds_pipe *p, ds_err *e);
void ds_reads_close(ds_pipe *p);
DS_MUST ds_rc ds_reads_block(
	ds_work *w, ds_err *e);  /* counts in the block, before the stage changes it */
void ds_reads_merge(ds_work *w); /* behind `write` */
DS_MUST ds_rc ds_reads_check(
	ds_pipe *p, ds_err *e); /* at the end: DS_BAD where no record had one */
const char *ds_reads_name(const ds_pipe *p, size_t i);

/* pipe_join.c: behind the gate `join` */
/* Moves what goes on now from the block and those emitted to w->out; small ones wait. */
DS_MUST ds_rc ds_join_pass(ds_pipe *p, ds_work *w, ds_err *e);
DS_MUST ds_rc ds_join_flush(ds_pipe *p, ds_work *w, ds_err *e);
void ds_join_free(ds_pipe *p);

/* pipe.c */
DS_MUST ds_rc ds_pipe_write(
	ds_work *w, ds_err *e); /* while ending: encodes and writes what is in w->out */

/* pipe_report.c */
/* The stage's entry in the chain; with counts once all is read. */
ds_chain *ds_report_chain(ds_pipe *p, bool with_counts);
DS_MUST ds_rc ds_report_stats(ds_pipe *p, ds_err *e); /* --stats FILE */
void ds_report_summary(ds_pipe *p);

#endif
