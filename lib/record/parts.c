/*
 * parts.c - --split line|para on records: each one's text is cut, its other fields go with every part
 *
 * Lines and paragraphs are what import_text.c takes for them in a file. A record whose field is absent, null
 * or no string passes as it is; one of blank lines has no paragraph and goes.
 */
#include "record/parts.h"

#include "record/import.h"
#include "json/json.h"

typedef struct {
	ds_str *text; /* at NULL: the row has none, or passes */
	uint32_t *row;
	uint32_t n, cap;
} parts;

static ds_rc add(parts *p, ds_arena *mem, uint32_t row, ds_str text, ds_err *e)
{
	if (p->n == DS_MAX_ROWS)
		return ds_fail(e, DS_BAD, "more than %u parts in a block", DS_MAX_ROWS);
	if (p->n == p->cap) {
		uint32_t cap = p->cap ? 2 * p->cap : 1024;
		ds_str *t = ds_arena_get(mem, cap * sizeof(*t));
		uint32_t *r = ds_arena_get(mem, cap * sizeof(*r));
		if (p->n) {
			memcpy(t, p->text, p->n * sizeof(*t));
			memcpy(r, p->row, p->n * sizeof(*r));
		}
		*p = (parts){ t, r, p->n, cap };
	}
	p->text[p->n] = text;
	p->row[p->n++] = row;
	return DS_OK;
}

static ds_rc cut_row(parts *p, ds_block *b, const ds_col *c, uint32_t row, bool by_para, ds_err *e)
{
	ds_str text, part;
	bool has = false;
	ds_err ignored;
	if (ds_block_text(b, c, row, &text, &has, &ignored) != DS_OK || !has)
		return add(p, b->mem, row, (ds_str){ NULL, 0 }, e);
	if (!by_para && text.n == 0)
		return add(p, b->mem, row, DS_S(""), e);
	while (by_para ? ds_next_para(&text, &part) : ds_next_line(&text, &part))
		DS_TRY(add(p, b->mem, row, part, e));
	return DS_OK;
}

/* The field again: a part where there is one, else what was there. */
static ds_rc put_field(ds_block *to, const char *field, const parts *p, ds_err *e)
{
	ds_col *old = ds_block_find(to, field);
	DS_TRY(ds_col_decode(to, old, e));
	ds_colb *c = ds_colb_new(to, field, old->type == DS_T_JSON ? DS_T_JSON : DS_T_UTF8);
	ds_buf json = { 0 };
	for (uint32_t i = 0; i < p->n; i++) {
		json.n = 0;
		if (p->text[i].at && old->type == DS_T_JSON) {
			ds_json_add_str(&json, p->text[i]);
			ds_colb_bytes(c, ds_buf_view(&json));
		} else if (p->text[i].at) {
			ds_colb_bytes(c, p->text[i]);
		} else if (!ds_col_has(old, i)) {
			ds_colb_absent(c);
		} else if (ds_col_null(old, i)) {
			ds_colb_null(c);
		} else {
			ds_colb_bytes(c, ds_col_bytes(old, i));
		}
	}
	ds_buf_free(&json);
	return ds_colb_put(c, e);
}

ds_rc ds_parts_cut(ds_block **block, const char *field, bool by_para, ds_err *e)
{
	ds_block *b = *block, *to;
	const ds_col *c;
	parts p = { 0 };
	DS_TRY(ds_block_get(b, field, &c, e));
	if (!c || (c->type != DS_T_UTF8 && c->type != DS_T_BYTES && c->type != DS_T_JSON))
		return DS_OK;
	for (uint32_t i = 0; i < b->n_rows; i++)
		DS_TRY(cut_row(&p, b, c, i, by_para, e));
	DS_TRY(ds_block_copy(&to, b->mem, b, p.row, p.n, e));
	to->row_of = NULL; /* parts are records of their own and counted as such */
	if (p.n)
		DS_TRY(put_field(to, field, &p, e));
	*block = to;
	return DS_OK;
}
