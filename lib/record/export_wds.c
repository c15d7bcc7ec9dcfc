/*
 * export_wds.c - WebDataset: a tar in which neighbouring files of one key are a record
 *
 * The key is the id where it can be one (letters, digits, - and _) and is none yet, else the record's number.
 * text is KEY.txt, image KEY.jpg or whatever it is, a label KEY.cls, all other fields are members of
 * KEY.json, and so is the id where the key does not say it. No times, no owners: the bytes depend on
 * the records alone.
 */
#include "record/export.h"
#include "record/json_columns.h"

#include "base/mem.h"
#include "record/keyset.h"
#include "record/tar.h"

#include <stdio.h>

typedef struct {
	const ds_output_opts *how;
	ds_out *out;
	uint64_t n;
	ds_keyset keys; /* that are in the archive: none comes twice */
} archive;

static ds_rc open_archive(void **state, const ds_output_opts *c, ds_out *out, ds_err *e)
{
	archive *a = DS_NEW(archive, 1);
	a->how = c;
	a->out = out;
	*state = a;
	return DS_OK;
}

static void close_archive(void *state)
{
	archive *a = state;
	if (a)
		ds_keyset_free(&a->keys);
	ds_mem_free(a);
}

static ds_rc add_file(archive *a, ds_str key, const char *suffix, ds_str bytes, ds_err *e)
{
	static const char zeros[DS_TAR_BLOCK];
	char header[DS_TAR_BLOCK], name[100];
	int n = snprintf(name, sizeof(name), "%.*s.%s", (int)key.n, key.at, suffix);
	ds_tar_header(header, (ds_str){ name, (size_t)n }, bytes.n);
	DS_TRY(ds_out_write(a->out, header, sizeof(header), e));
	DS_TRY(ds_out_write(a->out, bytes.at, bytes.n, e));
	return ds_out_write(a->out, zeros, -bytes.n % DS_TAR_BLOCK, e);
}

static bool fit_for_key(ds_str s)
{
	if (s.n == 0 || s.n > 80)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.at[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '_'))
			return false;
	}
	return true;
}

static bool has_value(const ds_col *c, uint32_t row)
{
	return ds_col_has(c, row) && !ds_col_null(c, row);
}

static const char *picture_suffix(ds_str s)
{
	return ds_str_starts(s, DS_S("\x89PNG"))              ? "png"
	       : ds_str_starts(s, DS_S("\xFF\xD8\xFF"))       ? "jpg"
	       : ds_str_starts(s, DS_S("GIF8"))               ? "gif"
	       : ds_str_starts(s, DS_S("BM"))                 ? "bmp"
	       : s.n > 11 && memcmp(s.at + 8, "WEBP", 4) == 0 ? "webp"
							      : "jpeg";
}

/* A label that comes back as it is: an integer, or text that does not read as one. */
static bool fit_for_cls(const ds_col *c, uint32_t row)
{
	int64_t number;
	if (c->type == DS_T_I64)
		return true;
	if (c->type != DS_T_UTF8)
		return false;
	ds_str s = ds_col_bytes(c, row);
	return s.n && ds_str_trim(s).n == s.n && !ds_str_i64(s, &number) &&
	       !memchr(s.at, '\n', s.n);
}

static ds_str key_of(archive *a, ds_block *b, const ds_col *id, uint32_t row, bool *said, ds_err *e)
{
	unsigned long long n = a->n;
	*said = id && has_value(id, row) && id->type == DS_T_UTF8 &&
		fit_for_key(ds_col_bytes(id, row)) &&
		ds_keyset_add(&a->keys, ds_col_bytes(id, row));
	if (*said)
		return ds_col_bytes(id, row);
	ds_str key = ds_arena_fmt(b->mem, "%09llu", n);
	/* Somebody's id may be a number too. */
	for (unsigned i = 1; !ds_keyset_add(&a->keys, key); i++)
		key = ds_arena_fmt(b->mem, "%09llu-%u", n, i);
	return key;
}

/* The suffix under which a value is a file of its own, or NULL: then it is a member of .json. */
static const char *file_suffix(const archive *a, const ds_col *c, uint32_t row)
{
	if (!has_value(c, row))
		return NULL;
	if (ds_str_is(c->name, a->how->field.column) && c->type == DS_T_UTF8)
		return "txt";
	if (ds_str_is(c->name, "image") && c->type == DS_T_BYTES)
		return picture_suffix(ds_col_bytes(c, row));
	return ds_str_is(c->name, "label") && fit_for_cls(c, row) ? "cls" : NULL;
}

static ds_rc add_record(archive *a, ds_block *b, uint32_t row, ds_err *e)
{
	ds_text json = ds_text_new(b->mem, 256), value = ds_text_new(b->mem, 256);
	uint64_t replaced = 0;
	bool said;
	ds_str key = key_of(a, b, ds_block_find(b, "id"), row, &said, e);
	uint64_t at = ds_out_offset(a->out);
	a->n++;
	for (uint32_t i = 0; i < b->n_cols; i++) {
		const ds_col *c = &b->cols[i];
		const char *suffix = file_suffix(a, c, row);
		if (suffix) {
			value.n = 0;
			ds_text_plain(&value, c, row);
			DS_TRY(add_file(a, key, suffix, (ds_str){ value.at, value.n }, e));
		} else if (ds_col_has(c, row) && !(said && ds_str_is(c->name, "id"))) {
			ds_json_field f = ds_json_field_of(c, 0);
			f.valid = false;
			ds_text_byte(&json, json.n ? ',' : '{');
			ds_text_json_str(&json, c->name, &replaced);
			ds_text_byte(&json, ':');
			ds_text_json_value(&json, &f, row, &replaced);
		}
	}
	bool empty = ds_out_offset(a->out) == at;
	if (!json.n && !empty)
		return DS_OK;
	if (!json.n)
		ds_text_byte(&json, '{');
	ds_text_byte(&json, '}');
	return add_file(a, key, "json", (ds_str){ json.at, json.n }, e);
}

static ds_rc write_block(void *state, ds_block *b, ds_err *e)
{
	for (uint32_t i = 0; i < b->n_cols; i++)
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
	for (uint32_t row = 0; row < b->n_rows; row++)
		DS_TRY(add_record(state, b, row, e));
	return DS_OK;
}

static ds_rc finish(void *state, ds_err *e)
{
	static const char end[2 * DS_TAR_BLOCK];
	archive *a = state;
	return ds_out_write(a->out, end, sizeof(end), e);
}

const ds_exporter ds_export_wds = {
	.name = "wds",
	.what = "WebDataset, a tar with a few files a record",
	.suffixes = ".tar .wds",
	.open = open_archive,
	.write = write_block,
	.finish = finish,
	.close = close_archive,
};
