/*
 * sink.c - blocks on their way out
 */
#include "record/sink.h"

#include "base/mem.h"
#include "record/export.h"
#include "record/preview.h"

#include <string.h>
#include <unistd.h>

struct ds_sink {
	const ds_output_opts *how;
	const ds_exporter *exporter; /* NULL: dsr */
	ds_out *out;                 /* NULL: the exporter has its own files */
	ds_writer *writer;
	void *state;
	ds_field *field; /* where an exporter writes its text alone, or apart */
	ds_field_count count;
	ds_field_names names; /* while no record had it */
	uint64_t n_rows, n_replaced;
};

static ds_rc open_out(ds_sink *s, ds_wrap wrap, ds_err *e)
{
	DS_TRY(ds_out_open(&s->out, s->how->path, e));
	if (wrap == DS_RAW && s->exporter && !s->exporter->packs_itself && s->how->level)
		wrap = DS_ZSTD;
	return ds_out_wrap(s->out, wrap, wrap == DS_ZSTD ? s->how->level : 0, e);
}

ds_rc ds_sink_open(ds_sink **out, const ds_output_opts *c, const ds_chain *chain, ds_err *e)
{
	DS_AUTO(ds_sink) s = DS_NEW(ds_sink, 1);
	s->how = c;
	ds_sink_form form;
	DS_TRY(ds_sink_format(&form, c->to, c->path, NULL, e));
	s->exporter = form.exporter;
	DS_TRY(ds_field_of(&s->field, &c->field, e));
	if (!s->exporter || !s->exporter->own_files)
		DS_TRY(open_out(s, form.wrap, e));
	if (!s->exporter && ds_out_is_terminal(s->out) && !c->to)
		s->exporter = &ds_preview;
	if (!s->exporter)
		DS_TRY(ds_writer_open(&s->writer, s->out, chain, e));
	else if (s->exporter->open)
		DS_TRY(s->exporter->open(&s->state, c, s->out, e));
	if (s->exporter && s->exporter->head)
		DS_TRY(ds_out_write(s->out, s->exporter->head, strlen(s->exporter->head), e));
	*out = s;
	s = NULL;
	return DS_OK;
}

void ds_sink_close(ds_sink *s)
{
	if (!s)
		return;
	if (s->exporter && s->exporter->close)
		s->exporter->close(s->state);
	ds_writer_close(s->writer);
	ds_out_close(s->out);
	ds_field_free(s->field);
	ds_field_names_free(&s->names);
	ds_mem_free(s);
}

ds_rc ds_sink_encode(ds_sink *s, ds_block *b, struct ds_compressor *p, ds_sink_part *out, ds_err *e)
{
	*out = (ds_sink_part){ .n_rows = b->n_rows, .block = b, .field = s->field };
	if (!s->exporter)
		return ds_block_encode(&out->frame, b, s->how->level ? p : NULL, e);
	return s->exporter->encode ? s->exporter->encode(s->how, b, out, e) : DS_OK;
}

ds_rc ds_sink_write(ds_sink *s, ds_sink_part *part, ds_err *e)
{
	s->n_rows += part->n_rows;
	s->count.n_with += part->count.n_with;
	s->count.n_without += part->count.n_without;
	if (s->count.n_without && !s->count.n_with)
		DS_TRY(ds_field_names_add(&s->names, part->block, e));
	s->n_replaced += part->n_replaced;
	if (!s->exporter)
		return ds_writer_frame(s->writer, &part->frame, e);
	if (!s->exporter->encode)
		return s->exporter->write(s->state, part->block, e);
	if (s->exporter->between && part->n_rows && s->n_rows > part->n_rows)
		DS_TRY(ds_out_write(s->out, s->exporter->between, strlen(s->exporter->between), e));
	return ds_out_write(s->out, part->text.at, part->text.n, e);
}

ds_rc ds_sink_opt(ds_sink *s, ds_opt opt, ds_err *e)
{
	return s->writer ? ds_writer_opt(s->writer, opt, e) : DS_OK;
}

ds_rc ds_sink_finish(ds_sink *s, const ds_chain *final_chain, ds_err *e)
{
	if (s->exporter && s->exporter->chain)
		s->exporter->chain(s->state, final_chain);
	if (!s->exporter)
		DS_TRY(ds_writer_finish(s->writer, final_chain, e));
	else if (s->exporter->finish)
		DS_TRY(s->exporter->finish(s->state, e));
	if (s->exporter && s->exporter->tail)
		DS_TRY(ds_out_write(s->out, s->exporter->tail, strlen(s->exporter->tail), e));
	if (s->count.n_without && !s->count.n_with)
		return ds_field_missing(ds_field_name(s->field), &s->names, "--field", e);
	return s->out ? ds_out_deliver(s->out, e) : DS_OK;
}

/* The program that failed first, and its reason: another's where that is why this one fails. */
static void first_reason(ds_buf *b, const ds_output_opts *c, const char *reason)
{
	const char *first = NULL;
	for (const char *p = reason; (p = strstr(p, DS_WRITER_FAILED)); first = p)
		p += strlen(DS_WRITER_FAILED);
	if (first)
		ds_buf_add_c(b, first);
	else
		ds_buf_fmt(b, "%s: %s", c->program, reason);
}

/* Under -o nothing is left behind; a reader downstream gets what is whole, and is told in dsr. */
void ds_sink_abort(ds_sink *s, const char *reason)
{
	ds_err unused;
	if (s->how->path || !s->out)
		return;
	ds_buf first = { 0 };
	first_reason(&first, s->how, reason);
	ds_rc rc = s->writer ? ds_writer_abort(s->writer, ds_buf_text(&first), &unused) : DS_OK;
	ds_buf_free(&first);
	if (rc == DS_OK)
		rc = ds_out_flush(s->out, &unused);
	(void)rc; /* where the reader is gone there is nobody to tell */
}

void ds_sink_failed(const ds_output_opts *c, const ds_chain *chain, const char *reason)
{
	ds_err unused;
	DS_AUTO(ds_sink) s = NULL;
	bool to_stdout = !c->path || strcmp(c->path, "-") == 0;
	if (!to_stdout || (c->to && strcmp(c->to, "dsr") != 0) || isatty(STDOUT_FILENO))
		return;
	if (ds_sink_open(&s, c, chain, &unused) == DS_OK)
		ds_sink_abort(s, reason);
}

uint64_t ds_sink_replaced(const ds_sink *s)
{
	bool counts = s->exporter && s->exporter->replaced;
	return s->n_replaced + (counts ? s->exporter->replaced(s->state) : 0);
}

bool ds_sink_has_size(const ds_sink *s)
{
	return s->out != NULL;
}

uint64_t ds_sink_size(const ds_sink *s)
{
	return ds_out_offset(s->out);
}
