/*
 * joined.c - see joined.h
 */
#include "joined.h"

#include "record/block.h"

#include <string.h>

typedef struct {
	ds_texts texts[2];
	unsigned n_texts;
	ds_colb *tokens, *types, *docs, *mask;
} columns;

static void add(uint64_t *count, uint64_t n)
{
	__atomic_fetch_add(count, n, __ATOMIC_RELAXED);
}

/* A text's ids, kept beyond the next call with the scratch. */
static ds_rc encode(const joined *j, ds_work *w, ds_str text, ds_tok_text *out, ds_err *e)
{
	const uint32_t *ids;
	DS_TRY(ds_tok_encode(
		j->tok, ds_work_scratch(w), text, j->flags & DS_TOK_SPECIALS, &ids, &out->n, e));
	uint32_t *to = ds_arena_get(ds_work_mem(w), (out->n + 1) * sizeof(*to));
	if (out->n)
		memcpy(to, ids, out->n * sizeof(*to));
	out->ids = to;
	return DS_OK;
}

static ds_rc join(const joined *j, ds_work *w, columns *c, uint32_t row, ds_tok_joined *out,
	bool *has, ds_err *e)
{
	ds_tok_text texts[2];
	unsigned n = 0;
	size_t around = (j->before != DS_TOK_NONE) + (j->after != DS_TOK_NONE);
	ds_tok_join_options o = {
		.add_special = j->flags & DS_TOK_ADD_SPECIAL,
		.limit = j->row ? j->row - around : 0,
		.cut = j->cut,
	};
	*has = false;
	if (j->row && j->row <= around)
		return ds_fail(e, DS_USAGE, "--seq %u has no room for a text", j->row);
	for (; n < c->n_texts; n++) {
		ds_str text;
		DS_TRY(ds_texts_get(&c->texts[n], row, &text, has, e));
		if (!*has)
			break;
		DS_TRY(encode(j, w, text, &texts[n], e));
	}
	*has = n > 0;
	if (!*has)
		return DS_OK;
	return ds_tok_join(j->tok, texts, n, &o, ds_work_mem(w), out, e);
}

static void put_id(void *to, bool wide, size_t at, uint32_t id)
{
	if (wide)
		((uint32_t *)to)[at] = id;
	else
		((uint16_t *)to)[at] = (uint16_t)id;
}

static void put_tokens(const joined *j, ds_colb *col, const ds_tok_joined *x, size_t all)
{
	void *to = ds_colb_reserve(col, all);
	size_t k = 0;
	if (j->before != DS_TOK_NONE)
		put_id(to, j->wide, k++, j->before);
	for (size_t i = 0; i < x->n; i++)
		put_id(to, j->wide, k++, x->ids[i]);
	if (j->after != DS_TOK_NONE)
		put_id(to, j->wide, k++, j->after);
	while (k < all)
		put_id(to, j->wide, k++, j->pad);
	ds_colb_wrote(col, all);
}

/* Of padding it is 0, of the ids around it that of the nearest text. */
static void put_types(const joined *j, ds_colb *col, const ds_tok_joined *x, size_t all)
{
	char *to = ds_colb_reserve(col, all);
	size_t before = j->before != DS_TOK_NONE;
	memset(to, 0, all);
	memcpy(to + before, x->types, x->n);
	if (j->after != DS_TOK_NONE)
		to[before + x->n] = x->n ? (char)x->types[x->n - 1] : 0;
	ds_colb_wrote(col, all);
}

static void put_row(joined *j, columns *c, const ds_tok_joined *x)
{
	size_t n = x->n + (j->before != DS_TOK_NONE) + (j->after != DS_TOK_NONE);
	size_t all = j->row ? j->row : n;
	put_tokens(j, c->tokens, x, all);
	if (c->types)
		put_types(j, c->types, x, all);
	if (j->row) {
		ds_colb_list(c->docs, &(uint16_t){ 0 }, 1);
		char *m = n < all ? ds_colb_reserve(c->mask, all) : NULL;
		if (m) {
			memset(m, 1, n);
			memset(m + n, 0, all - n);
			ds_colb_wrote(c->mask, all);
		} else {
			ds_colb_absent(c->mask);
		}
	}
	add(&j->n_tokens, n);
	add(&j->n_rows, 1);
}

static void no_row(columns *c)
{
	ds_colb *all[] = { c->tokens, c->types, c->docs, c->mask };
	for (int i = 0; i < 4; i++)
		if (all[i])
			ds_colb_absent(all[i]);
}

static ds_rc put_columns(columns *c, ds_err *e)
{
	ds_colb *all[] = { c->tokens, c->types, c->docs, c->mask };
	for (int i = 0; i < 4; i++)
		if (all[i])
			DS_TRY(ds_colb_put(all[i], e));
	return DS_OK;
}

ds_rc joined_block(joined *j, ds_work *w, ds_block *b, ds_err *e)
{
	columns c = { 0 };
	DS_TRY(ds_work_texts(w, &c.texts[c.n_texts++], e));
	if (j->second)
		DS_TRY(ds_texts_open(&c.texts[c.n_texts++], j->second, b, NULL, e));
	c.tokens = ds_colb_new(b, "tokens", j->wide ? DS_T_U32S : DS_T_U16S);
	c.types = j->second ? ds_colb_new(b, "types", DS_T_BYTES) : NULL;
	c.docs = j->row ? ds_colb_new(b, "docs", DS_T_U16S) : NULL;
	c.mask = j->row ? ds_colb_new(b, "mask", DS_T_BYTES) : NULL;
	for (uint32_t row = 0; row < b->n_rows; row++) {
		ds_tok_joined x;
		bool has;
		ds_err why;
		ds_rc rc = join(j, w, &c, row, &x, &has, &why);
		if (rc == DS_OK && has) {
			put_row(j, &c, &x);
			add(&j->n_cut, x.n_cut > 0);
			continue;
		}
		no_row(&c);
		if (rc == DS_USAGE)
			return ds_fail(e, rc, "%s", why.msg);
		if (rc != DS_OK)
			DS_TRY(ds_work_bad(w, b, row, e, "%s", why.msg));
	}
	DS_TRY(put_columns(&c, e));
	for (unsigned i = 0; i < c.n_texts && !j->keep_text; i++)
		ds_texts_remove(&c.texts[i]);
	return DS_OK;
}
