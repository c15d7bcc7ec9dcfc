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
	return in->common->split && strcmp(in->common->split, "para") == 0;
}

/* Behind the line end of a blank line. Before `from` there was none. */
static size_t para_end(void *state, ds_str bytes, size_t from, bool last)
{
	size_t end = last ? bytes.n : from;
	while (last) {
		const char *lf = memrchr(bytes.at, '\n', end);
		if (!lf)
			return 0;
		size_t line_end = (size_t)(lf - bytes.at);
		const char *before = memrchr(bytes.at, '\n', line_end);
		size_t first = before ? (size_t)(before - bytes.at) + 1 : 0;
		if (ds_is_blank((ds_str){ bytes.at + first, line_end - first }))
			return line_end + 1;
		end = line_end;
	}
	/* The line that was cut by the last look is looked at again. */
	const char *before = from ? memrchr(bytes.at, '\n', from) : NULL;
	size_t at = before ? (size_t)(before - bytes.at) + 1 : 0;
	ds_str rest = { bytes.at + at, bytes.n - at }, line;
	while (memchr(rest.at, '\n', rest.n) && ds_next_line(&rest, &line))
		if (ds_is_blank(line))
			return (size_t)(rest.at - bytes.at);
	return 0;
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	if (!by_paragraph(in))
		return ds_cut_lines(in, ch, more, e);
	DS_TRY(ds_cut(in, ch, para_end, NULL, more, e));
	ds_str rest = ch->bytes, para;
	while (ds_next_para(&rest, &para))
		ch->n_records++;
	in->n_records += ch->n_records;
	return DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	bool (*next)(ds_str *, ds_str *) = by_paragraph(ch->input) ? ds_next_para : ds_next_line;
	uint32_t *off = ds_arena_get(ch->mem, sizeof *off * (ch->n_records + 1));
	ds_rows rows = { 0 };
	ds_str rest = ch->bytes, record;
	/* The chunk's own memory becomes the column: records move together over the line ends. */
	char *data = (char *)(uintptr_t)ch->bytes.at, *w = data;
	for (uint64_t i = 0; next(&rest, &record); i++) {
		bool fits;
		DS_TRY(ds_check_size(ch, ch->first_record + i, record, &fits, e));
		if (!fits)
			continue;
		off[rows.n] = (uint32_t)(w - data);
		memmove(w, record.at, record.n);
		w += record.n;
		ds_rows_add(&rows, ch->mem, i);
	}
	off[rows.n] = (uint32_t)(w - data);
	ds_block *b = ds_block_new(ch->mem, (uint32_t)rows.n);
	ds_col col = { .name = ds_str_of(ch->input->common->field),
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
	.cut = cut,
	.parse = parse,
};
