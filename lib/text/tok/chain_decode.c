/*
 * ds_chain_decode.c - decoders of tokenizer.json, one after the other, over a list of tokens
 *
 * As tokenizers does it, but that bytes which are not UTF-8 come back as they were and not as U+FFFD.
 */
#include "text/grow.h"
#include "text/tok/chain.h"
#include "text/tok/wordpiece.h"

typedef struct {
	ds_str *at;
	size_t n;
	ds_arena *mem;
} tokens;

static ds_str replaced(ds_str s, ds_str what, ds_str with, size_t limit, ds_arena *mem)
{
	ds_grow g = { .mem = mem };
	if (what.n == 0 || !memmem(s.at, s.n, what.at, what.n))
		return s;
	for (size_t at = 0; at < s.n;)
		if (limit && s.n - at >= what.n && memcmp(s.at + at, what.at, what.n) == 0) {
			ds_grow_add(&g, with.at, with.n);
			at += what.n;
			limit--;
		} else {
			ds_grow_byte(&g, s.at[at++]);
		}
	return ds_grow_view(&g);
}

static ds_str cleaned(ds_str s, ds_arena *mem)
{
	static const char *const pairs[][2] = { { " .", "." }, { " ?", "?" }, { " !", "!" },
		{ " ,", "," }, { " ' ", "'" }, { " n't", "n't" }, { " 'm", "'m" },
		{ " do not", " don't" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" } };
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		s = replaced(s, ds_str_of(pairs[i][0]), ds_str_of(pairs[i][1]), SIZE_MAX, mem);
	return s;
}

static ds_str joined(const tokens *x)
{
	ds_grow g = { .mem = x->mem };
	for (size_t i = 0; i < x->n; i++)
		ds_grow_add(&g, x->at[i].at, x->at[i].n);
	return ds_grow_view(&g);
}

static void become_one(tokens *x, ds_str s)
{
	if (x->n)
		x->at[0] = s;
	x->n = x->n ? 1 : 0;
}

/* ByteLevel: characters to the bytes they stand for; a token with another in it is itself. */
static void join_bytes(tokens *x)
{
	for (size_t i = 0; i < x->n; i++) {
		char *out = ds_arena_bytes(x->mem, x->at[i].n + 1);
		size_t n;
		if (ds_tok_unspell(x->at[i], out, &n))
			x->at[i] = (ds_str){ out, n };
	}
	become_one(x, joined(x));
}

static void wordpiece(const chain_step *s, tokens *x)
{
	for (size_t i = 0; i < x->n; i++) {
		ds_str v = x->at[i];
		ds_grow g = { .mem = x->mem };
		if (i > 0 && ds_str_starts(v, s->text)) {
			v = (ds_str){ v.at + s->text.n, v.n - s->text.n };
		} else if (i > 0) {
			ds_grow_byte(&g, ' ');
			ds_grow_add(&g, v.at, v.n);
			v = ds_grow_view(&g);
		}
		x->at[i] = s->flag ? cleaned(v, x->mem) : v;
	}
}

static void metaspace(const chain_step *s, tokens *x)
{
	for (size_t i = 0; i < x->n; i++)
		x->at[i] = replaced(x->at[i], s->text,
			i == 0 && s->when != PREPEND_NEVER ? DS_S("") : DS_S(" "), SIZE_MAX,
			x->mem);
}

static void ctc(const chain_step *s, tokens *x)
{
	size_t k = 0;
	ds_str before = { "", 0 };
	for (size_t i = 0; i < x->n; i++) {
		ds_str v = x->at[i];
		bool same = i > 0 && ds_str_eq(v, before);
		before = v;
		if (same)
			continue;
		v = replaced(v, s->text, DS_S(""), SIZE_MAX, x->mem);
		if (s->flag)
			v = replaced(cleaned(v, x->mem), s->other, DS_S(" "), SIZE_MAX, x->mem);
		if (v.n)
			x->at[k++] = v;
	}
	x->n = k;
}

static void trim(const chain_step *s, tokens *x)
{
	for (size_t i = 0; i < x->n; i++) {
		ds_str v = x->at[i];
		for (size_t k = 0; k < s->start && ds_str_starts(v, s->text); k++)
			v = (ds_str){ v.at + s->text.n, v.n - s->text.n };
		for (size_t k = 0; k < s->stop && ds_str_ends(v, s->text); k++)
			v.n -= s->text.n;
		x->at[i] = v;
	}
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* <0xNN> is that byte; runs of them become one token. */
static void fallback(tokens *x)
{
	size_t k = 0;
	bool run = false;
	ds_grow g = { .mem = x->mem };
	for (size_t i = 0; i < x->n; i++) {
		ds_str v = x->at[i];
		bool byte = v.n == 6 && memcmp(v.at, "<0x", 3) == 0 && v.at[5] == '>' &&
			    hex(v.at[3]) >= 0 && hex(v.at[4]) >= 0;
		if (run && !byte)
			x->at[k++] = ds_grow_view(&g);
		if (byte && !run)
			g = (ds_grow){ .mem = x->mem };
		run = byte;
		if (byte)
			ds_grow_byte(&g, (char)(hex(v.at[3]) * 16 + hex(v.at[4])));
		else
			x->at[k++] = v;
	}
	if (run)
		x->at[k++] = ds_grow_view(&g);
	x->n = k;
}

static ds_rc step(const chain_step *s, chain_mem *m, tokens *x, ds_err *e)
{
	switch (s->kind) {
	case STEP_JOIN_BYTES:
		join_bytes(x);
		break;
	case STEP_WORDPIECE:
		wordpiece(s, x);
		break;
	case STEP_SPACES:
		metaspace(s, x);
		break;
	case STEP_SUFFIX:
		for (size_t i = 0; i < x->n; i++)
			x->at[i] = replaced(x->at[i], s->text, i + 1 < x->n ? DS_S(" ") : DS_S(""),
				SIZE_MAX, x->mem);
		break;
	case STEP_CTC:
		ctc(s, x);
		break;
	case STEP_FUSE:
		become_one(x, joined(x));
		break;
	case STEP_TRIM:
		trim(s, x);
		break;
	case STEP_FALLBACK:
		fallback(x);
		break;
	default:
		for (size_t i = 0; i < x->n; i++)
			DS_TRY(ds_chain_replace(
				ds_chain_run(m, s), x->at[i], s->text, x->mem, &x->at[i], e));
	}
	return DS_OK;
}

/* A token as the file spells it. */
static ds_str spelled(const ds_tok *t, uint32_t id, ds_arena *mem)
{
	ds_buf text = { 0 };
	for (size_t i = 0; t->flags[id] & TOK_ADDED && i < t->n_added; i++)
		if (t->added[i].id == id)
			return t->added[i].content; /* normalized, where it is looked for so */
	if (!t->chain->bytes)
		return t->bytes[id];
	ds_tok_spell(t->bytes[id], &text);
	ds_str s = ds_arena_str(mem, ds_buf_view(&text));
	ds_buf_free(&text);
	return s;
}

static ds_rc collect(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip, tokens *x, ds_err *e)
{
	x->at = ds_arena_get(x->mem, (n + 1) * sizeof(*x->at));
	for (size_t i = 0; i < n; i++) {
		if (ids[i] >= t->n_ids || !t->flags[ids[i]])
			return ds_fail(e, DS_BAD, "id %u is not in the tokenizer", ids[i]);
		if (!(skip && t->flags[ids[i]] & TOK_SPECIAL))
			x->at[x->n++] = spelled(t, ids[i], x->mem);
	}
	return DS_OK;
}

ds_rc ds_chain_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	tokens x = { .mem = mem };
	const step_list *list = &t->chain->decode;
	ds_rc rc = DS_OK;
	DS_TRY(collect(t, ids, n, skip_special, &x, e));
	chain_mem *m = ds_chain_mem_new(t);
	for (size_t i = 0; i < list->n && rc == DS_OK; i++)
		rc = step(&list->at[i], m, &x, e);
	ds_chain_mem_free(m);
	for (size_t i = 0; i < x.n && rc == DS_OK; i++) {
		if (i > 0 && !t->chain->has_decoder)
			ds_buf_add_byte(out, ' ');
		ds_buf_add_str(out, x.at[i]);
	}
	return rc;
}
