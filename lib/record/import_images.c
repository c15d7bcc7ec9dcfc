/*
 * import_images.c - pictures: a record a file, with its caption
 *
 * `image` is the file's bytes, never decoded here, `source` its name. The caption is NAME.txt beside
 * it, without the line end at its end, else the picture's line in the folder's metadata.jsonl, whose
 * members become fields (Hugging Face's image folders; `file_name` says which picture it is of).
 */
#include "record/import.h"
#include "record/json_columns.h"

#include "base/hash.h"
#include "json/json.h"

#include <sys/stat.h>

enum { CAPTION_LIMIT = 16 << 20, TABLE_LIMIT = 1 << 30 };

typedef struct {
	ds_chunk *ch;
	ds_block *b;
	ds_buf bytes, caption;
	ds_buf folder; /* of the table that is loaded */
	ds_buf table;  /* metadata.jsonl */
	ds_map *lines; /* file_name -> offset in table */
	ds_colb *image, *source, *text;
	ds_buf json; /* a line for every record, {} where the table has none */
	size_t *json_end;
	ds_good_rows rows;
} work;

static bool is_there(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The folder's table, if it has one. */
static ds_rc load_table(work *w, ds_str folder, ds_err *e)
{
	if (w->lines && ds_str_eq(ds_buf_view(&w->folder), folder))
		return DS_OK;
	ds_map_free(w->lines);
	w->lines = ds_map_new(64);
	ds_buf_clear(&w->table);
	ds_buf_clear(&w->folder);
	ds_buf_add_str(&w->folder, folder);
	ds_str path = ds_arena_fmt(w->ch->mem, "%.*smetadata.jsonl", (int)folder.n, folder.at);
	if (!is_there(path.at))
		return DS_OK;
	DS_TRY(ds_file_read(path.at, TABLE_LIMIT, &w->table, e));
	ds_str rest = ds_buf_view(&w->table), line;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	for (uint64_t n = 1; ds_next_line(&rest, &line); n++) {
		const ds_json *v;
		if (!ds_str_trim(line).n)
			continue;
		ds_arena_reset(mem);
		DS_TRY_AT(ds_json_parse(&v, mem, line, e), e, "%s:%llu", path.at,
			(unsigned long long)n);
		ds_str name = ds_json_text(v, "file_name", NULL);
		if (!name.at)
			return ds_fail(e, DS_BAD, "%s:%llu: no 'file_name'", path.at,
				(unsigned long long)n);
		*ds_map_put(w->lines, name, NULL) = (uint64_t)(line.at - w->table.at);
	}
	return DS_OK;
}

static ds_rc add_text(work *w, const char *path, ds_err *e)
{
	const char *dot = strrchr(path, '.');
	ds_str name = ds_arena_fmt(w->ch->mem, "%.*s.txt", (int)(dot - path), path);
	if (!is_there(name.at)) {
		ds_colb_absent(w->text);
		return DS_OK;
	}
	ds_buf_clear(&w->caption);
	DS_TRY(ds_file_read(name.at, CAPTION_LIMIT, &w->caption, e));
	ds_str s = ds_buf_view(&w->caption);
	if (s.n && s.at[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.at[s.n - 1] == '\r')
		s.n--;
	ds_colb_bytes(w->text, s);
	return DS_OK;
}

static void add_line(work *w, ds_str folder, const char *path)
{
	uint64_t *at = ds_map_find(w->lines, ds_str_of(path + folder.n));
	if (!at) {
		ds_buf_add(&w->json, "{}", 2);
	} else {
		ds_str rest = { w->table.at + *at, w->table.n - *at }, line;
		if (ds_next_line(&rest, &line))
			ds_buf_add_str(&w->json, line);
	}
	w->json_end[w->rows.n] = w->json.n;
}

static ds_rc add_image(work *w, size_t i, ds_err *e)
{
	const char *path = w->ch->names[i], *slash = strrchr(path, '/');
	ds_str folder = { path, slash ? (size_t)(slash + 1 - path) : 0 };
	bool fits;
	ds_buf_clear(&w->bytes);
	DS_TRY(ds_read_whole(w->ch, path, &w->bytes, &fits, e));
	if (!fits)
		return ds_reject_named(
			w->ch, path, 1, ds_arena_str(w->ch->mem, ds_buf_view(&w->bytes)), e);
	ds_colb_bytes(w->image, ds_buf_view(&w->bytes));
	ds_colb_bytes(w->source, ds_str_of(path));
	if (w->ch->opened) {
		ds_colb_absent(w->text);
		w->lines = w->lines ? w->lines : ds_map_new(1);
	} else {
		DS_TRY(add_text(w, path, e));
		DS_TRY(load_table(w, folder, e));
	}
	add_line(w, folder, path);
	ds_good_rows_add(&w->rows, w->ch->mem, i);
	return DS_OK;
}

/* Fields of the tables behind those that every picture has. */
static ds_rc add_fields(work *w, ds_err *e)
{
	DS_AUTO(ds_json_columns) columns = ds_json_columns_new(w->ch->mem, w->json.at, w->rows.n);
	ds_block *fields;
	uint64_t lone = 0;
	for (size_t i = 0; i < w->rows.n; i++) {
		ds_json_scan s = {
			.text = w->json.at, .at = i ? w->json_end[i - 1] : 0, .end = w->json_end[i]
		};
		if (!ds_json_columns_add(columns, &s))
			return ds_json_scan_fail(
				&s, e); /* it was parsed before; a file that changed */
	}
	DS_TRY(ds_json_columns_finish(columns, &fields, &lone, e));
	ds_source_count_lone(w->ch->input->source, lone);
	for (uint32_t i = 0; i < fields->n_cols; i++)
		DS_TRY(ds_fill_column(w->b, &fields->cols[i], e));
	return DS_OK;
}

static ds_rc add_all(work *w, ds_err *e)
{
	ds_chunk *ch = w->ch;
	w->b = ds_block_new(ch->mem, (uint32_t)ch->n_names);
	w->image = ds_colb_new(w->b, "image", DS_T_BYTES);
	w->source = ds_colb_new(w->b, "source", DS_T_UTF8);
	w->text = ds_colb_new(w->b, ch->input->how->field.column, DS_T_UTF8);
	w->json_end = ds_arena_get(ch->mem, ch->n_names * sizeof(*w->json_end));
	for (size_t i = 0; i < ch->n_names; i++)
		DS_TRY(add_image(w, i, e));
	w->b->n_rows = (uint32_t)w->rows.n;
	w->b->row_of = w->rows.row_of;
	DS_TRY(ds_colb_put(w->image, e));
	DS_TRY(ds_colb_put(w->source, e));
	DS_TRY(ds_colb_put(w->text, e));
	return add_fields(w, e);
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	work w = { .ch = ch };
	ds_rc rc = add_all(&w, e);
	*out = w.b;
	ds_buf_free(&w.bytes);
	ds_buf_free(&w.caption);
	ds_buf_free(&w.folder);
	ds_buf_free(&w.table);
	ds_buf_free(&w.json);
	ds_map_free(w.lines);
	return rc;
}

static bool looks(ds_str head)
{
	return ds_str_starts(head, DS_S("\x89PNG\r\n\x1A\n")) ||
	       ds_str_starts(head, DS_S("\xFF\xD8\xFF")) || ds_str_starts(head, DS_S("GIF87a")) ||
	       ds_str_starts(head, DS_S("GIF89a")) ||
	       (ds_str_starts(head, DS_S("RIFF")) && head.n > 11 &&
		       memcmp(head.at + 8, "WEBP", 4) == 0);
}

const ds_importer ds_import_images = {
	.name = "images",
	.what = "pictures, a record a file, captions beside them",
	.suffixes = DS_IMAGE_SUFFIXES,
	.a_file_a_record = true,
	.magic = looks,
	.parse = parse,
};
