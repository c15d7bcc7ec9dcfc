/*
 * pipe_work.c - what a stage may call while it has a block
 */
#include "record/pipe_impl.h"

#include "base/mem.h"
#include "record/export.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { FIRST_BYTES = 2 << 20 };

static void forget(ds_work *w)
{
	w->chunk = NULL;
	w->block = NULL;
	w->bad = NULL;
	w->last_bad = &w->bad;
	w->n_records = 0;
	w->dropped = NULL;
	w->n_dropped = 0;
	w->swallowed = false;
	w->emitted = (outgoing_list){ NULL, NULL };
	w->out = (outgoing_list){ NULL, NULL };
	w->opts = NULL;
	w->n_opts = 0;
	w->rc = DS_OK;
	memset(w->counts, 0, (w->pipe->n_counters + 1) * sizeof(*w->counts));
	memset(w->read.at, 0, w->pipe->n_reads * sizeof(*w->read.at));
	ds_field_names_free(&w->read.names);
	w->texts_counted = false;
}

void ds_work_open(ds_work *w, ds_pipe *p)
{
	*w = (ds_work){ .pipe = p };
	w->mem = ds_arena_new(FIRST_BYTES);
	w->compressor = ds_compressor_new(p->o->out ? p->o->out->level : 0);
	w->counts = DS_NEW(uint64_t, p->n_counters + 1);
	w->read.at = DS_NEW(ds_field_count, p->n_reads);
	forget(w);
}

static void free_list(outgoing_list *l)
{
	for (outgoing *o = l->first; o; o = o->next)
		ds_arena_free(o->own);
}

void ds_work_close(ds_work *w)
{
	free_list(&w->emitted);
	free_list(&w->out);
	if (w->scratch && w->pipe->s->scratch_free)
		w->pipe->s->scratch_free(w->scratch);
	ds_mem_free(w->counts);
	ds_mem_free(w->read.at);
	ds_field_names_free(&w->read.names);
	ds_compressor_free(w->compressor);
	ds_arena_free(w->mem);
}

void ds_work_reset(ds_work *w)
{
	free_list(&w->emitted);
	free_list(&w->out);
	ds_arena_reset(w->mem);
	forget(w);
}

/* Made at its first use: what it refers to may be what begin put there. */
void *ds_work_scratch(ds_work *w)
{
	const ds_stage *s = w->pipe->s;
	assert(w->pipe->ready);
	if (!w->scratch && s->scratch_new)
		w->scratch = s->scratch_new(s->state);
	return w->scratch;
}

ds_arena *ds_work_mem(ds_work *w)
{
	return w->mem;
}

void ds_work_count(ds_work *w, unsigned counter, uint64_t n)
{
	assert(counter < w->pipe->n_counters);
	w->counts[counter] += n;
}

void ds_work_drop(ds_work *w, uint32_t row, int counter)
{
	assert(w->block && row < w->block->n_rows);
	if (!w->dropped)
		w->dropped = ds_arena_zero(w->mem, ((size_t)w->block->n_rows + 7) / 8);
	uint8_t bit = (uint8_t)(1u << (row & 7));
	if (w->dropped[row >> 3] & bit)
		return;
	w->dropped[row >> 3] |= bit;
	w->n_dropped++;
	if (counter >= 0)
		w->counts[counter]++;
}

ds_rc ds_work_select(ds_work *w, ds_err *e)
{
	ds_block *b = w->block;
	if (!w->n_dropped)
		return DS_OK;
	uint32_t *rows = ds_arena_get(w->mem, (b->n_rows - w->n_dropped) * sizeof(*rows)), n = 0;
	for (uint32_t i = 0; i < b->n_rows; i++)
		if (!ds_bit(w->dropped, i))
			rows[n++] = i;
	w->dropped = NULL;
	w->n_dropped = 0;
	return ds_block_select(b, rows, n, e);
}

/* The record as one line of JSON, for reject=FILE. */
static ds_rc as_line(ds_work *w, ds_block *b, uint32_t row, ds_str *out, ds_err *e)
{
	ds_block *one;
	ds_sink_part part = { 0 };
	ds_output_opts json = { .to = "jsonl" };
	DS_TRY(ds_block_copy(&one, w->mem, b, &row, 1, e));
	DS_TRY(ds_exporter_find("jsonl")->encode(&json, one, &part, e));
	*out = part.text;
	if (out->n && out->at[out->n - 1] == '\n')
		out->n--;
	return DS_OK;
}

ds_rc ds_work_bad(ds_work *w, ds_block *b, uint32_t row, ds_err *e, const char *fmt, ...)
{
	char why[DS_ERR_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	uint64_t record = b->origin_record + (b->row_of ? b->row_of[row] : row);
	if (b->origin)
		ds_fail(e, DS_BAD, "%s:%llu: %s", b->origin, (unsigned long long)record, why);
	else
		ds_fail(e, DS_BAD, "record %llu: %s", (unsigned long long)ds_block_record(b, row),
			why);
	if (w->pipe->o->in->on_error == DS_ON_STOP)
		return DS_BAD;
	ds_bad *bad = ds_arena_get(w->mem, sizeof(*bad));
	*bad = (ds_bad){ .why = ds_arena_str(w->mem, ds_str_of(e->msg)) };
	if (w->pipe->o->in->on_error == DS_ON_REJECT)
		DS_TRY(as_line(w, b, row, &bad->raw, e));
	*w->last_bad = bad;
	w->last_bad = &bad->next;
	ds_work_drop(w, row, -1);
	return DS_OK;
}

void ds_list_add(outgoing_list *l, ds_work *w, ds_block *b, ds_arena *own)
{
	outgoing *o = ds_arena_zero(w->mem, sizeof(*o));
	o->b = b;
	o->own = own;
	if (!l->last)
		l->last = &l->first;
	*l->last = o;
	l->last = &o->next;
}

void ds_work_emit(ds_work *w, ds_block *b, ds_arena *own_arena)
{
	ds_list_add(&w->emitted, w, b, own_arena);
	if (!w->ending || w->rc != DS_OK)
		return;
	/* Nothing else runs any more: written at once, however many there will be. */
	w->rc = ds_join_pass(w->pipe, w, &w->err);
	if (w->rc == DS_OK)
		w->rc = ds_pipe_write(w, &w->err);
}

void ds_work_swallow(ds_work *w)
{
	w->swallowed = true;
}

void ds_work_opt(ds_work *w, ds_opt opt)
{
	ds_opt *more = ds_arena_get(w->mem, (w->n_opts + 1) * sizeof(*more));
	if (w->n_opts)
		memcpy(more, w->opts, w->n_opts * sizeof(*more));
	more[w->n_opts++] = opt;
	w->opts = more;
}

void ds_work_swallow_opt(ds_work *w, uint16_t kind)
{
	ds_pipe *p = w->pipe;
	uint16_t *more = ds_arena_get(p->mem, (p->n_without + 1) * sizeof(*more));
	if (p->n_without)
		memcpy(more, p->without, p->n_without * sizeof(*more));
	more[p->n_without++] = kind;
	p->without = more;
}

const ds_opt *ds_work_opts(ds_work *w, size_t *n)
{
	*n = w->n_seen;
	return w->seen;
}

void ds_work_note(ds_work *w, const char *fmt, ...)
{
	char note[64];
	va_list ap;
	if (!ds_progress_live(w->pipe->progress))
		return;
	va_start(ap, fmt);
	vsnprintf(note, sizeof(note), fmt, ap);
	va_end(ap);
	ds_progress_note(w->pipe->progress, "%s", note);
}

bool ds_work_saw(ds_work *w, const char *format)
{
	return ds_source_saw(w->pipe->source, format);
}
