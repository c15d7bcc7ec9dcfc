/*
 * encode.c - a rendered conversation as ids and a mask
 *
 * Text between two special tokens is encoded in one piece, as the published tokenizers do it. Where in it targets
 * begin or end is found by encoding what comes before as well: ids that both have in common belong to that,
 * so a token that reaches over the border counts to what comes behind.
 */
#include "text/chat/layout.h"

#include "base/mem.h"

#include <string.h>

struct ds_chat {
	const ds_chat_layout *l;
	const ds_tok *tok;
	ds_str bos, eos; /* their names */
	uint32_t bos_id, eos_id, end;
};

/* The next special token in a layout's string, at NULL: none; *p goes behind it. */
static ds_str next_marker(const char **p, bool *must, bool *is_eos)
{
	for (; *p && **p; ++*p) {
		char mark = **p;
		*is_eos = strncmp(*p, "{e}", 3) == 0;
		if (*is_eos) {
			*p += 3;
			return DS_S("{e}");
		}
		if (mark != '\x01' && mark != '\x02')
			continue;
		const char *from = *p + 1, *to = strchr(from, mark);
		*must = mark == '\x01';
		*p = to + 1;
		return (ds_str){ from, (size_t)(to - from) };
	}
	return (ds_str){ 0 };
}

static ds_rc check_string(ds_chat *c, const char *p, ds_err *e)
{
	for (;;) {
		bool must = false, is_eos;
		ds_str name = next_marker(&p, &must, &is_eos);
		if (!name.at)
			return DS_OK;
		if (is_eos || !must || ds_tok_find(c->tok, name) != (uint32_t)DS_TOK_NONE)
			continue;
		return ds_fail(e, DS_USAGE, "chat %s: the tokenizer has no token '%.*s'",
			c->l->name, DS_FMT(name));
	}
}

static ds_rc check(ds_chat *c, ds_err *e)
{
	const ds_chat_layout *l = c->l;
	const char *const all[] = { l->begin, l->system, l->user, l->open, l->lead, l->end, l->tool,
		l->tools_begin, l->tools_end };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		DS_TRY(check_string(c, all[i], e));
	bool must, is_eos;
	const char *p = l->end;
	ds_str end = next_marker(&p, &must, &is_eos);
	c->end = is_eos ? c->eos_id : ds_tok_find(c->tok, end);
	if (c->end == (uint32_t)DS_TOK_NONE)
		return ds_fail(e, DS_USAGE,
			"chat %s: the tokenizer has no eos token, so nothing would end an answer",
			l->name);
	return DS_OK;
}

static ds_str name_of(const ds_tok *t, uint32_t id)
{
	return id == (uint32_t)DS_TOK_NONE ? DS_S("") : ds_tok_bytes(t, id);
}

ds_rc ds_chat_open(ds_chat **out, const ds_chat_layout *l, const ds_tok *t, ds_err *e)
{
	uint32_t bos = ds_tok_special(t, DS_TOK_BOS), eos = ds_tok_special(t, DS_TOK_EOS);
	ds_chat c = { .l = l,
		.tok = t,
		.bos = name_of(t, bos),
		.eos = name_of(t, eos),
		.bos_id = bos,
		.eos_id = eos };
	if (check(&c, e) != DS_OK) {
		if (!(l->flags & DS_CHAT_STANDS_IN))
			return DS_USAGE;
		DS_TRY(ds_chat_find(&c.l, "roles", e));
		DS_TRY(check(&c, e));
	}
	*out = DS_NEW(ds_chat, 1);
	**out = c;
	return DS_OK;
}

void ds_chat_close(ds_chat *c)
{
	ds_mem_free(c);
}

const ds_chat_layout *ds_chat_of(const ds_chat *c)
{
	return c->l;
}

uint32_t ds_chat_end(const ds_chat *c)
{
	return c->end;
}

/* The id of a special token; DS_TOK_NONE: it is written as text. */
static uint32_t id_of(const ds_chat *c, const ds_chat_run *r)
{
	if (!r->marker)
		return DS_TOK_NONE;
	if (r->text.at == c->bos.at)
		return c->bos_id;
	if (r->text.at == c->eos.at)
		return c->eos_id;
	uint32_t id = ds_tok_find(c->tok, r->text);
	return r->must || (id != (uint32_t)DS_TOK_NONE && ds_tok_is_special(c->tok, id))
		       ? id
		       : (uint32_t)DS_TOK_NONE;
}

/* ---- into ids ---- */

typedef struct {
	const ds_chat *c;
	ds_tok_scratch *s;
	ds_arena *mem;
	ds_chat_tokens *out;
	size_t cap;
	ds_buf text; /* since the last special token */
} writer;

static void put(writer *w, const uint32_t *ids, size_t n, bool target)
{
	ds_chat_tokens *o = w->out;
	if (o->n + n > w->cap) {
		size_t cap = (o->n + n) * 2 + 64;
		uint32_t *to = ds_arena_get(w->mem, cap * sizeof(*to));
		uint8_t *mask = ds_arena_get(w->mem, cap);
		if (o->n) {
			memcpy(to, o->ids, o->n * sizeof(*to));
			memcpy(mask, o->mask, o->n);
		}
		o->ids = to;
		o->mask = mask;
		w->cap = cap;
	}
	if (n) {
		memcpy(o->ids + o->n, ids, n * sizeof(*ids));
		memset(o->mask + o->n, target, n);
	}
	o->n += n;
}

/* The first n bytes of the text, which goes on behind `before` ids. */
static ds_rc encode(
	writer *w, size_t before, size_t n, const uint32_t **ids, size_t *n_ids, ds_err *e)
{
	return ds_tok_encode(w->c->tok, w->s, (ds_str){ w->text.at, n }, before ? DS_TOK_INSIDE : 0,
		ids, n_ids, e);
}

/* How many of the last n ids of out what begins the text alone has as well. */
static ds_rc border(writer *w, size_t from, size_t text_n, size_t *n, ds_err *e)
{
	const uint32_t *ids, *have = w->out->ids + from;
	size_t n_ids, all = w->out->n - from;
	DS_TRY(encode(w, from, text_n, &ids, &n_ids, e));
	for (*n = 0; *n < n_ids && *n < all && ids[*n] == have[*n]; ++*n)
		;
	return DS_OK;
}

/* Runs [at, end) without a special token among them. */
static ds_rc put_text(writer *w, const ds_chat_runs *r, size_t at, size_t end, ds_err *e)
{
	const uint32_t *ids;
	size_t n, from = w->out->n, length = 0, common = 0;
	ds_buf_clear(&w->text);
	for (size_t i = at; i < end; i++)
		ds_buf_add_str(&w->text, r->at[i].text);
	if (!w->text.n)
		return DS_OK;
	DS_TRY(encode(w, from, w->text.n, &ids, &n, e));
	put(w, ids, n, r->at[at].target);
	for (size_t i = at; i < end; i++) {
		if (i > at && r->at[i].target != r->at[i - 1].target) {
			DS_TRY(border(w, from, length, &common, e));
			memset(w->out->mask + from + common, r->at[i].target,
				w->out->n - from - common);
		}
		length += r->at[i].text.n;
	}
	return DS_OK;
}

static ds_rc put_runs(writer *w, const ds_chat_runs *r, ds_err *e)
{
	size_t from = 0;
	for (size_t i = 0; i < r->n; i++) {
		uint32_t id = id_of(w->c, &r->at[i]);
		if (id == (uint32_t)DS_TOK_NONE)
			continue;
		DS_TRY(put_text(w, r, from, i, e));
		put(w, &id, 1, r->at[i].target);
		from = i + 1;
	}
	return put_text(w, r, from, r->n, e);
}

ds_rc ds_chat_encode(const ds_chat *c, ds_tok_scratch *s, const ds_chat_turns *t, bool open,
	ds_arena *mem, ds_chat_tokens *out, ds_err *e)
{
	ds_chat_how how = { open, c->bos, c->eos };
	ds_chat_runs runs;
	writer w = { .c = c, .s = s, .mem = mem, .out = out };
	*out = (ds_chat_tokens){ 0 };
	DS_TRY(ds_chat_render(c->l, t, &how, mem, &runs, e));
	ds_rc rc = put_runs(&w, &runs, e);
	ds_buf_free(&w.text);
	return rc;
}
