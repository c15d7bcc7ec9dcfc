/*
 * sink.c - blocks on their way out
 */
#include "record/sink.h"

#include "base/mem.h"
#include "record/export.h"
#include "record/preview.h"

#define IMPORT(name)
#define EXPORT(name) extern const ds_exporter ds_export_##name;
#include "record/formats.def"
#undef EXPORT
#define EXPORT(name) &ds_export_##name,
const ds_exporter *const ds_exporters[] = {
#include "record/formats.def"
	NULL
};
#undef EXPORT
#undef IMPORT

struct ds_sink {
	const ds_common *common;
	const ds_exporter *exporter; /* NULL: dsr */
	ds_out *out;                 /* NULL: the exporter has its own files */
	ds_writer *writer;
	void *state;
	uint64_t n_rows, n_values, n_replaced;
};

const ds_exporter *ds_exporter_find(const char *name)
{
	for (size_t i = 0; ds_exporters[i]; i++)
		if (strcmp(ds_exporters[i]->name, name) == 0)
			return ds_exporters[i];
	return NULL;
}

static ds_rc find_exporter(ds_sink *s, ds_err *e)
{
	const char *to = s->common->to;
	ds_buf names = { 0 };
	if (!to || strcmp(to, "dsr") == 0)
		return DS_OK;
	s->exporter = ds_exporter_find(to);
	if (s->exporter)
		return DS_OK;
	for (size_t i = 0; ds_exporters[i]; i++)
		ds_buf_fmt(&names, ", %s", ds_exporters[i]->name);
	ds_fail(e, DS_USAGE, "--to '%s' is none of dsr%s", to, ds_buf_text(&names));
	ds_buf_free(&names);
	return DS_USAGE;
}

static ds_rc open_out(ds_sink *s, ds_err *e)
{
	ds_str name = s->common->out_path ? ds_str_of(s->common->out_path) : (ds_str){ "", 0 };
	DS_TRY(ds_out_open(&s->out, s->common->out_path, e));
	if (ds_str_ends(name, DS_S(".gz")))
		return ds_out_wrap(s->out, DS_GZIP, 0, e);
	if (ds_str_ends(name, DS_S(".zst")) || (s->exporter && s->common->level))
		return ds_out_wrap(s->out, DS_ZSTD, s->common->level, e);
	return DS_OK;
}

ds_rc ds_sink_open(ds_sink **out, const ds_common *c, const ds_chain *chain, ds_err *e)
{
	DS_AUTO(ds_sink) s = DS_NEW(ds_sink, 1);
	s->common = c;
	DS_TRY(find_exporter(s, e));
	if (!s->exporter || !s->exporter->own_files)
		DS_TRY(open_out(s, e));
	if (!s->exporter && ds_out_is_terminal(s->out) && !c->to)
		s->exporter = &ds_preview;
	if (!s->exporter)
		DS_TRY(ds_writer_open(&s->writer, s->out, chain, e));
	else if (s->exporter->open)
		DS_TRY(s->exporter->open(&s->state, c, s->out, e));
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
	ds_mem_free(s);
}

ds_rc ds_sink_encode(ds_sink *s, ds_block *b, struct ds_packer *p, ds_sink_part *out, ds_err *e)
{
	*out = (ds_sink_part){ .n_rows = b->n_rows, .block = b };
	if (!s->exporter)
		return ds_block_encode(&out->frame, b, s->common->level ? p : NULL, e);
	return s->exporter->encode ? s->exporter->encode(s->common, b, out, e) : DS_OK;
}

ds_rc ds_sink_write(ds_sink *s, ds_sink_part *part, ds_err *e)
{
	s->n_rows += part->n_rows;
	s->n_values += part->n_values;
	s->n_replaced += part->n_replaced;
	if (!s->exporter)
		return ds_writer_frame(s->writer, &part->frame, e);
	if (s->exporter->encode)
		return ds_out_write(s->out, part->text.at, part->text.n, e);
	return s->exporter->write(s->state, part->block, e);
}

ds_rc ds_sink_opt(ds_sink *s, ds_opt opt, ds_err *e)
{
	return s->writer ? ds_writer_opt(s->writer, opt, e) : DS_OK;
}

ds_rc ds_sink_finish(ds_sink *s, const ds_chain *final_chain, ds_err *e)
{
	extern const ds_exporter ds_export_text;
	if (!s->exporter)
		DS_TRY(ds_writer_finish(s->writer, final_chain, e));
	else if (s->exporter->finish)
		DS_TRY(s->exporter->finish(s->state, e));
	if (s->exporter == &ds_export_text && s->n_rows && !s->n_values)
		return ds_fail(e, DS_BAD, "no record has the field '%s' (--field names another)",
			s->common->field);
	return s->out ? ds_out_finish(s->out, e) : DS_OK;
}

/* Under -o nothing is left behind; a reader downstream gets what is whole, and is told in dsr. */
void ds_sink_abort(ds_sink *s, const char *reason)
{
	ds_err unused;
	if (s->common->out_path || !s->out)
		return;
	ds_rc rc = s->writer ? ds_writer_abort(s->writer, reason, &unused) : DS_OK;
	if (rc == DS_OK)
		rc = ds_out_flush(s->out, &unused);
	(void)rc; /* where the reader is gone there is nobody to tell */
}

bool ds_sink_is_dsr(const ds_sink *s)
{
	return s->writer != NULL;
}

uint64_t ds_sink_replaced(const ds_sink *s)
{
	return s->n_replaced;
}
