/*
 * import_files.c - HTML pages, Markdown, program text, and text as a whole: a record a file
 *
 * The file's bytes are the text, as they are; `source` is its name as given. Small files share a
 * block, so they are opened and read where blocks are parsed, on any thread.
 */
#include "record/import.h"

#include "base/mem.h"

#include <strings.h>

enum { PIECE = 256 << 10, STOP_COUNTING = 64 << 20 };

extern const ds_importer ds_import_html, ds_import_textfile;

/* The file goes on behind what is in `into`: counts the rest, and keeps it where records are rejected. */
static ds_rc read_rest(ds_chunk *ch, ds_in *in, uint64_t limit, uint64_t n, ds_err *e)
{
	const ds_input_opts *c = ch->input->how;
	bool over = false;
	char *piece = ds_mem_get(PIECE);
	ds_rc rc = DS_OK;
	for (size_t got = PIECE; rc == DS_OK && got == PIECE && !over; n += got) {
		rc = ds_in_read(in, piece, PIECE, &got, e);
		if (rc == DS_OK && c->on_error == DS_ON_REJECT)
			rc = ds_spill_add(ch, (ds_str){ piece, got }, e);
		over = c->on_error == DS_ON_STOP && got == PIECE && n > 2 * limit + STOP_COUNTING;
	}
	ds_mem_free(piece);
	DS_TRY(rc);
	ds_fail(e, DS_BAD, "%s%llu bytes, the limit is %llu (--max-record)", over ? "over " : "",
		(unsigned long long)n, (unsigned long long)limit);
	return DS_OK;
}

static ds_rc read_in(ds_chunk *ch, ds_in *in, ds_buf *into, bool *fits, ds_err *e)
{
	uint64_t limit = ch->input->how->max_record;
	size_t start = into->n, got;
	if (!limit || limit > UINT32_MAX / 2)
		limit = UINT32_MAX / 2;
	int64_t size = ds_in_file_size(in);
	ds_buf_reserve(into, size > 0 && size < (1 << 28) ? (size_t)size + 1 : PIECE);
	do {
		ds_buf_reserve(into, PIECE);
		size_t avail = into->cap - into->n;
		DS_TRY(ds_in_read(in, into->at + into->n, avail, &got, e));
		into->n += got;
		*fits = into->n - start <= limit;
		if (!*fits)
			return read_rest(ch, in, limit, into->n - start, e);
		if (got < avail)
			break;
	} while (true);
	return DS_OK;
}

ds_rc ds_read_whole(ds_chunk *ch, const char *path, ds_buf *into, bool *fits, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	if (!ch->opened)
		DS_TRY(ds_in_open(&in, path, e));
	ds_in *from = ch->opened ? ch->opened : in;
	const ds_importer *im = ch->input->importer;
	if (!ch->opened && im->of_text)
		DS_TRY(ds_decode_text(im, ch->input->how, from, &ch->input->charset, e));
	if (ch->input->charset && im == &ds_import_html) /* over what the page says of itself */
		ds_buf_add_c(into, "\xEF\xBB\xBF");
	size_t before = into->n;
	ds_rc rc = read_in(ch, from, into, fits, e);
	if (rc != DS_SHORT || !ds_goes_on(ch->input->how))
		return rc;
	/* Of a record that is a file, what came before the damage is no record. */
	ds_source_damaged(ch->input, e->msg, into->n - before + ds_in_unread(from));
	*fits = false;
	return DS_OK;
}

/* *fits false, with a reason in e, where the bytes are no record. */
static ds_rc get_file(ds_chunk *ch, const char *path, ds_buf *bytes, bool *fits, ds_err *e)
{
	ds_buf_clear(bytes);
	DS_TRY(ds_read_whole(ch, path, bytes, fits, e));
	if (*fits)
		*fits = ds_check_charset(ds_buf_view(bytes), ch->input->charset, e) == DS_OK;
	if (*fits && !ch->input->how->from && ch->input->importer == &ds_import_textfile)
		*fits = ds_check_text(ds_buf_view(bytes), e) == DS_OK;
	return DS_OK;
}

static ds_rc add_files(ds_chunk *ch, ds_block *b, ds_buf *bytes, ds_err *e)
{
	ds_colb *text = ds_colb_new(b, ch->input->how->field.column, DS_T_UTF8);
	ds_colb *source = ds_colb_new(b, "source", DS_T_UTF8);
	ds_good_rows rows = { 0 };
	for (size_t i = 0; i < ch->n_names; i++) {
		bool fits;
		DS_TRY(get_file(ch, ch->names[i], bytes, &fits, e));
		if (!fits) {
			ds_str raw = ds_arena_str(ch->mem, ds_buf_view(bytes));
			DS_TRY(ds_reject_named(ch, ch->names[i], 1, raw, e));
			continue;
		}
		ds_colb_bytes(text, ds_buf_view(bytes));
		ds_colb_bytes(source, ds_str_of(ch->names[i]));
		ds_good_rows_add(&rows, ch->mem, i);
	}
	b->n_rows = (uint32_t)rows.n;
	b->row_of = rows.row_of;
	DS_TRY(ds_colb_put(text, e));
	return ds_colb_put(source, e);
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	ds_buf bytes = { 0 };
	*out = ds_block_new(ch->mem, (uint32_t)ch->n_names);
	ds_rc rc = add_files(ch, *out, &bytes, e);
	ds_buf_free(&bytes);
	return rc;
}

static bool html_magic(ds_str head)
{
	static const char *const starts[] = { "<!doctype html", "<html" };
	head = ds_str_trim(head);
	if (ds_str_starts(head, DS_S("\xEF\xBB\xBF")))
		head = (ds_str){ head.at + 3, head.n - 3 };
	for (size_t i = 0; i < 2; i++)
		if (head.n > strlen(starts[i]) &&
			strncasecmp(head.at, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

const ds_importer ds_import_html = {
	.name = "html",
	.what = "HTML pages, a record a file",
	.suffixes = ".html .htm .xhtml",
	.magic = html_magic,
	.of_text = true,
	.a_file_a_record = true,
	.parse = parse,
};
const ds_importer ds_import_markdown = {
	.name = "markdown",
	.what = "Markdown, a record a file",
	.suffixes = ".md .markdown .mdown .mkd .rst",
	.of_text = true,
	.a_file_a_record = true,
	.parse = parse,
};
const ds_importer ds_import_code = {
	.name = "code",
	.what = "program text, a record a file",
	.of_text = true,
	.a_file_a_record = true,
	.parse = parse,
};
const ds_importer ds_import_textfile = {
	.name = "textfile",
	.what = "text, a record a file (--split file)",
	.of_text = true,
	.a_file_a_record = true,
	.parse = parse,
};
