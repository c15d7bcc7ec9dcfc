/*
 * pipe.c - blocks through the gates
 *
 * A ticket is a block's place in the stream. Every thread takes one after the other and carries its
 * block through all steps; those that must be in order lie behind gates, which let tickets pass one
 * by one. So memory is bounded by one block a thread, and what happens in which order depends on the
 * input alone. When a ticket fails, later ones only walk on through the gates; the write gate sees
 * the first failure in stream order and what came before it is written.
 */
#include "record/pipe_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/outs.h"

static bool failed_before(const ds_work *w)
{
	return atomic_load(&w->pipe->failed) < w->ticket;
}

static bool alive(const ds_work *w)
{
	return w->rc == DS_OK && !failed_before(w);
}

/* Notes the result of a step; the first failure of the ticket stays. */
static void note(ds_work *w, ds_rc rc)
{
	if (rc == DS_OK || w->rc != DS_OK)
		return;
	w->rc = rc;
	unsigned long long lowest = atomic_load(&w->pipe->failed);
	while (w->ticket < lowest &&
		!atomic_compare_exchange_weak(&w->pipe->failed, &lowest, w->ticket))
		;
}

static bool wanted(const ds_pipe *p, uint16_t kind)
{
	for (size_t i = 0; i < p->n_without; i++)
		if (p->without[i] == kind)
			return false;
	return true;
}

/* Optional blocks that the input had before this chunk go out before it. */
static void take_opts(ds_pipe *p, ds_work *w)
{
	w->seen = ds_source_opts(p->source, &w->n_seen);
	for (; p->n_opts < w->n_seen; p->n_opts++)
		if (wanted(p, w->seen[p->n_opts].kind))
			ds_work_opt(w, w->seen[p->n_opts]);
}

/* Once, when the first chunk or the end is known: then so are chain and optional blocks. */
static ds_rc begin(ds_pipe *p, ds_work *w, ds_err *e)
{
	if (p->begun)
		return DS_OK;
	p->begun = true;
	w->seen = ds_source_opts(p->source, &w->n_seen);
	if (p->s->begin)
		DS_TRY(p->s->begin(p->s->state, w, e));
	p->ready = true;
	if (!p->o->out)
		return DS_OK;
	const ds_chain *head = ds_report_chain(p, false);
	if (!p->o->out->shard_bytes)
		return ds_sink_open(&p->sink, p->o->out, head, e);
	ds_shard_file *first;
	p->shards = ds_shards_new(p->o->out, head);
	DS_TRY(ds_shards_next(p->shards, &first, e));
	p->sink = first->sink;
	return DS_OK;
}

/* Behind `in`. */
static ds_rc take_chunk(ds_pipe *p, ds_work *w, ds_err *e)
{
	if (p->ended || atomic_load(&p->failed) != UINT64_MAX) {
		p->ended = true;
		return DS_OK;
	}
	ds_rc rc = ds_source_chunk(p->source, w->mem, &w->chunk, e);
	p->ended = rc != DS_OK || !w->chunk;
	if (rc != DS_OK)
		return rc;
	if (w->chunk) {
		DS_TRY(begin(p, w, e));
		take_opts(p, w);
	}
	return DS_OK;
}

static ds_rc parse(ds_pipe *p, ds_work *w, ds_err *e)
{
	ds_bad *bad = NULL;
	DS_TRY(ds_chunk_parse(w->chunk, &w->block, &bad, e));
	w->block->compressor = w->compressor;
	DS_TRY(ds_block_check(w->block, e));
	w->n_records = w->block->n_rows;
	w->bad = bad;
	for (w->last_bad = &w->bad; *w->last_bad; w->last_bad = &(*w->last_bad)->next)
		w->n_records++;
	return DS_OK;
}

static ds_rc work(ds_pipe *p, ds_work *w, ds_err *e)
{
	DS_TRY(ds_reads_block(w, e));
	if (p->s->work)
		DS_TRY(p->s->work(p->s->state, w, w->block, e));
	return ds_work_select(w, e);
}

static ds_rc encode(ds_pipe *p, ds_work *w, ds_err *e)
{
	for (outgoing *o = w->out.first; o && p->sink; o = o->next) {
		o->b->compressor = w->compressor;
		DS_TRY(ds_sink_encode(p->sink, o->b, w->compressor, &o->part, e));
	}
	return DS_OK;
}

static uint64_t bytes_of(const outgoing *o)
{
	return o->part.frame.parts ? o->part.frame.raw_bytes
	       : o->part.text.n    ? o->part.text.n
				   : ds_block_raw_bytes(o->b);
}

static ds_rc write_bad(ds_pipe *p, ds_work *w, ds_err *e)
{
	for (const ds_bad *b = w->bad; b; b = b->next) {
		p->counts[p->n_counters]++;
		if (p->rejects)
			DS_TRY(ds_bad_write(b, p->rejects, e));
	}
	return DS_OK;
}

static ds_rc write_block(ds_pipe *p, outgoing *o, ds_err *e)
{
	ds_shard_file *to;
	if (!p->sink)
		return DS_OK;
	if (!p->shards)
		return ds_sink_write(p->sink, &o->part, e);
	DS_TRY(ds_shards_next(p->shards, &to, e));
	to->records += o->b->n_rows;
	to->bytes += bytes_of(o);
	return ds_sink_write(to->sink, &o->part, e);
}

/* Behind `write`, or while ending. */
static ds_rc write_out(ds_pipe *p, ds_work *w, ds_err *e)
{
	for (size_t i = 0; p->sink && i < w->n_opts; i++)
		DS_TRY(p->shards ? ds_shards_opt(p->shards, w->opts[i], e)
				 : ds_sink_opt(p->sink, w->opts[i], e));
	for (outgoing *o = w->out.first; o; o = o->next) {
		p->bytes_out += bytes_of(o);
		p->records_out += o->b->n_rows;
		DS_TRY(write_block(p, o, e));
	}
	DS_TRY(write_bad(p, w, e));
	for (size_t i = 0; i <= p->n_counters; i++)
		p->counts[i] += w->counts[i];
	ds_reads_merge(w);
	uint64_t bytes = w->block ? w->block->input_bytes : 0;
	p->records_in += w->n_records;
	p->bytes_in += bytes;
	ds_progress_add(p->progress, w->n_records, bytes);
	return DS_OK;
}

ds_rc ds_pipe_write(ds_work *w, ds_err *e)
{
	ds_pipe *p = w->pipe;
	DS_TRY(encode(p, w, e));
	DS_TRY(write_out(p, w, e));
	for (outgoing *o = w->out.first; o; o = o->next)
		ds_arena_free(o->own);
	w->out = (outgoing_list){ NULL, NULL };
	w->n_opts = 0;
	w->bad = NULL;
	w->last_bad = &w->bad;
	memset(w->counts, 0, (p->n_counters + 1) * sizeof(*w->counts));
	return DS_OK;
}

/* One ticket from gate to gate; false at the end of the input. */
static bool trip(ds_pipe *p, ds_work *w)
{
	ds_err *e = &w->err;
	ds_gate_enter(p->in, w->ticket);
	note(w, take_chunk(p, w, e));
	ds_gate_leave(p->in, w->ticket);
	if (!w->chunk && w->rc == DS_OK)
		return false;
	if (alive(w))
		note(w, parse(p, w, e));
	ds_gate_enter(p->number, w->ticket);
	if (alive(w))
		ds_source_number(p->source, w->chunk, w->block, w->n_records);
	ds_gate_leave(p->number, w->ticket);
	if (alive(w))
		note(w, work(p, w, e));
	ds_gate_enter(p->order, w->ticket);
	if (alive(w) && p->s->order)
		note(w, p->s->order(p->s->state, w, w->block, e));
	ds_gate_leave(p->order, w->ticket);
	if (alive(w))
		note(w, ds_work_select(w, e));
	ds_gate_enter(p->join, w->ticket);
	if (alive(w))
		note(w, ds_join_pass(p, w, e));
	ds_gate_leave(p->join, w->ticket);
	if (alive(w))
		note(w, encode(p, w, e));
	ds_gate_enter(p->write, w->ticket);
	if (alive(w))
		note(w, write_out(p, w, e));
	if (p->rc == DS_OK && w->rc != DS_OK) {
		p->rc = w->rc;
		p->err = w->err;
	}
	ds_gate_leave(p->write, w->ticket);
	return true;
}

static void carry(void *context)
{
	ds_pipe *p = context;
	ds_work w;
	ds_work_open(&w, p);
	do {
		ds_work_reset(&w);
		w.ticket = atomic_fetch_add(&p->tickets, 1);
	} while (trip(p, &w));
	ds_work_close(&w);
}

static ds_rc run_threads(ds_pipe *p, ds_err *e)
{
	size_t n = p->o->jobs > 1 ? (size_t)p->o->jobs - 1 : 0;
	ds_thread **threads = DS_NEW(ds_thread *, n + 1);
	/* Fewer threads do the same; this one always runs. */
	for (size_t i = 0; i < n && ds_thread_start(&threads[i], carry, p, e) == DS_OK; i++)
		;
	carry(p);
	for (size_t i = 0; i < n; i++)
		ds_thread_join(threads[i]);
	ds_mem_free(threads);
	if (p->rc != DS_OK)
		*e = p->err;
	return p->rc;
}

/* The stage's end and what waits in the pipe, on this thread alone. */
static ds_rc finish_stage(ds_pipe *p, ds_work *w, ds_err *e)
{
	DS_TRY(begin(p, w, e));
	take_opts(p, w);
	if (p->s->end) {
		ds_rc rc = p->s->end(p->s->state, w, e);
		if (w->rc != DS_OK) { /* what was emitted could not be written */
			*e = w->err;
			return w->rc;
		}
		DS_TRY(rc);
	}
	DS_TRY(ds_join_flush(p, w, e));
	return ds_pipe_write(w, e);
}

static ds_rc end_run(ds_pipe *p, ds_err *e)
{
	ds_work w;
	ds_work_open(&w, p);
	w.ending = true;
	w.ticket = UINT64_MAX;
	ds_rc rc = finish_stage(p, &w, e);
	ds_work_close(&w);
	return rc;
}

/* What waited when a later block failed is whole, and goes out before the reason is said. */
static void write_waiting(ds_pipe *p)
{
	ds_work w;
	ds_err unused;
	if (!p->sink || p->rc == DS_PIPE || p->rc == DS_IO || !p->pending.mem ||
		p->pending.ticket >= atomic_load(&p->failed))
		return;
	ds_work_open(&w, p);
	w.ending = true;
	if (ds_join_flush(p, &w, &unused) == DS_OK && ds_pipe_write(&w, &unused) != DS_OK)
		DS_LOG(DS_LOG_IO, "%s", unused.msg);
	ds_work_close(&w);
}

/* Each shard tells of its own records, and of those elsewhere. */
static ds_rc finish_sinks(ds_pipe *p, ds_err *e)
{
	if (!p->sink)
		return DS_OK;
	if (!p->shards)
		return ds_sink_finish(p->sink, ds_report_chain(p, true), e);
	uint64_t records = p->records_out, bytes = p->bytes_out;
	for (size_t i = 0; i < p->shards->n; i++) {
		const ds_shard_file *s = p->shards->at[i];
		p->records_out = s->records;
		p->bytes_out = s->bytes;
		p->elsewhere = records - s->records;
		DS_TRY(ds_sink_finish(s->sink, ds_report_chain(p, true), e));
	}
	p->records_out = records;
	p->bytes_out = bytes;
	p->elsewhere = 0;
	return DS_OK;
}

static ds_rc run(ds_pipe *p, ds_err *e)
{
	ds_progress_total(p->progress, ds_source_total_bytes(p->source));
	ds_rc rc = run_threads(p, e);
	if (rc != DS_OK) {
		write_waiting(p);
		return rc;
	}
	DS_TRY(end_run(p, e));
	DS_TRY(ds_reads_check(p, e));
	DS_TRY(finish_sinks(p, e));
	if (p->rejects)
		DS_TRY(ds_out_deliver(p->rejects, e));
	DS_TRY(ds_report_stats(p, e));
	p->committed = true;
	return ds_outs_with(ds_source_tell(p->source, e), e);
}

/* A reader downstream learns why, even where nothing was written yet. */
static void abort_run(ds_pipe *p, const char *reason)
{
	ds_err unused;
	const ds_output_opts *out = p->o->out;
	if (!p->sink && out && !out->path && !out->to)
		if (ds_sink_open(&p->sink, out, ds_report_chain(p, false), &unused) != DS_OK)
			return;
	if (p->sink)
		ds_sink_abort(p->sink, reason);
}

static void open_pipe(ds_pipe *p, const ds_pipe_opts *o, const ds_stage *s)
{
	*p = (ds_pipe){ .o = o, .s = s, .small_bytes = ds_block_target() / 4 };
	while (s->counters && s->counters[p->n_counters])
		p->n_counters++;
	p->counts = DS_NEW(uint64_t, p->n_counters + 1);
	p->mem = ds_arena_new(4096);
	ds_gate **gates[] = { &p->in, &p->number, &p->order, &p->join, &p->write };
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++)
		*gates[i] = ds_gate_new();
	atomic_store(&p->failed, UINT64_MAX);
	p->progress = ds_progress_new(o->who);
}

static void close_pipe(ds_pipe *p)
{
	ds_gate *gates[] = { p->in, p->number, p->order, p->join, p->write };
	for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++)
		ds_gate_free(gates[i]);
	ds_reads_close(p);
	ds_join_free(p);
	if (p->shards)
		ds_shards_free(p->shards);
	else
		ds_sink_close(p->sink);
	ds_out_close(p->rejects);
	ds_source_close(p->source);
	ds_progress_free(p->progress);
	ds_arena_free(p->mem);
	ds_mem_free(p->counts);
}

ds_rc ds_pipe_run(const ds_pipe_opts *o, const ds_stage *s, ds_err *e)
{
	ds_pipe p;
	open_pipe(&p, o, s);
	ds_rc rc = o->out ? ds_sink_check(o->out, e) : DS_OK;
	if (rc == DS_OK && o->out)
		rc = ds_shards_check(o->out, e);
	if (rc == DS_OK)
		rc = ds_reads_open(&p, e);
	if (rc == DS_OK && o->in->on_error == DS_ON_REJECT)
		rc = ds_out_open(&p.rejects, o->in->reject_path, e);
	if (rc == DS_OK)
		rc = ds_source_open(&p.source, o->in, e);
	if (rc == DS_OK) {
		rc = run(&p, e);
		if (rc == DS_OK)
			ds_report_summary(&p);
		else if (rc != DS_PIPE && !p.committed)
			abort_run(&p, e->msg);
	}
	close_pipe(&p);
	return rc;
}
