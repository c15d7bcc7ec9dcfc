/*
 * import_text.c - text: a record a line, or a paragraph
 *
 * LF alone ends a line; CR, NUL, a BOM and bytes that are not UTF-8 stay as they are, and an empty
 * line is an empty record. A paragraph is a run of lines that are not blank; the LFs within it stay.
 * With --split file the file is one record, see import_files.c.
 */
#include "record/block_impl.h"
#include "record/import.h"

static bool by_paragraph(const ds_input *in)
{
	return in->how->split && strcmp(in->how->split, "para") == 0;
}

/* Behind the line end of the last blank line. */
static size_t last_para(void *state, ds_str bytes)
{
	for (size_t end = bytes.n;;) {
		const char *lf = end ? memrchr(bytes.at, '\n', end) : NULL;
		if (!lf)
			return 0;
		size_t line_end = (size_t)(lf - bytes.at);
		const char *before = line_end ? memrchr(bytes.at, '\n', line_end) : NULL;
		size_t first = before ? (size_t)(before - bytes.at) + 1 : 0;
		if (ds_is_blank((ds_str){ bytes.at + first, line_end - first }))
			return line_end + 1;
		end = line_end;
	}
}

/* To behind the first blank line. state: whether the line that goes on in bytes has text already. */
static size_t para_walk(void *state, ds_str bytes, bool first, bool *ended)
{
	bool *text = state;
	ds_str rest = bytes, line;
	*ended = false;
	if (first)
		*text = false;
	while (!*ended && ds_next_line(&rest, &line)) {
		bool whole = line.at + line.n < bytes.at + bytes.n;
		*text = *text || !ds_is_blank(line);
		*ended = whole && !*text;
		if (whole)
			*text = false;
	}
	return (size_t)(rest.at - bytes.at);
}

static const ds_ends para_ends = { last_para, para_walk, false };

static ds_rc open_text(ds_input *in, ds_err *e)
{
	in->state = ds_arena_zero(ds_source_mem(in->source), sizeof(bool));
	return DS_OK;
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	if (!by_paragraph(in))
		return ds_cut_lines(in, ch, more, e);
	DS_TRY(ds_cut(in, ch, &para_ends, in->state, more, e));
	ds_str rest = ch->bytes, para;
	while (ds_next_para(&rest, &para))
		ch->n_records++;
	in->n_records += ch->n_records;
	return DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	bool (*next)(ds_str *, ds_str *) = by_paragraph(ch->input) ? ds_next_para : ds_next_line;
	uint32_t *off = ds_arena_get(ch->mem, sizeof(*off) * (ch->n_records + 1));
	bool rejects = ch->input->how->on_error == DS_ON_REJECT;
	ds_good_rows rows = { 0 };
	ds_str rest = ch->bytes, record;
	/* The chunk's own memory becomes the column: records move together over the line ends. */
	char *data = (char *)(uintptr_t)ch->bytes.at, *w = data;
	for (uint64_t i = 0; next(&rest, &record); i++) {
		bool fits;
		if (rejects && (ch->input->charset || record.n > ch->input->how->max_record))
			record = ds_arena_str(ch->mem, record); /* later ones move over it */
		DS_TRY(ds_check_record(ch, ch->first_record + i, record, &fits, e));
		if (!fits)
			continue;
		off[rows.n] = (uint32_t)(w - data);
		memmove(w, record.at, record.n);
		w += record.n;
		ds_good_rows_add(&rows, ch->mem, i);
	}
	off[rows.n] = (uint32_t)(w - data);
	ds_block *b = ds_block_new(ch->mem, (uint32_t)rows.n);
	ds_col col = { .name = ds_str_of(ch->input->how->field.column),
		.type = DS_T_UTF8,
		.decoded = true,
		.off = off,
		.data = data };
	ds_block_add(b, &col);
	b->row_of = rows.row_of;
	*out = b;
	return DS_OK;
}

const ds_importer ds_import_text = {
	.name = "text",
	.what = "a record a line (--split line|para|file)",
	.suffixes = ".txt .text",
	.open = open_text,
	.of_text = true,
	.cut = cut,
	.parse = parse,
};
