/*
 * chain_norm.c - normalizers of tokenizer.json, one after the other
 *
 * As tokenizers does it, odd as that may be: Precompiled replaces a whole grapheme of up to five bytes by
 * what the shortest key at its front becomes.
 */
#include "text/grow.h"
#include "text/tok/chain.h"
#include "text/tok/sentencepiece.h"
#include "text/tok/wordpiece.h"

struct chain_mem {
	ds_regex_run **runs;
	unsigned n;
};

static void open_runs(chain_mem *m, const step_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i].regex)
			m->runs[list->at[i].run] = ds_regex_run_new(list->at[i].regex);
}

chain_mem *ds_chain_mem_new(const ds_tok *t)
{
	if (!t->chain)
		return NULL;
	chain_mem *m = DS_NEW(chain_mem, 1);
	m->n = t->chain->n_runs;
	m->runs = DS_NEW(ds_regex_run *, m->n + (size_t)1);
	open_runs(m, &t->chain->norm);
	open_runs(m, &t->chain->split);
	open_runs(m, &t->chain->decode);
	return m;
}

void ds_chain_mem_free(chain_mem *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->n; i++)
		ds_regex_run_free(m->runs[i]);
	ds_mem_free(m->runs);
	ds_mem_free(m);
}

ds_regex_run *ds_chain_run(chain_mem *m, const chain_step *s)
{
	return m->runs[s->run];
}

static void free_steps(step_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		ds_regex_free(list->at[i].regex);
	ds_mem_free(list->at);
}

void ds_chain_free(ds_tok *t)
{
	if (!t->chain)
		return;
	free_steps(&t->chain->norm);
	free_steps(&t->chain->split);
	free_steps(&t->chain->decode);
	ds_mem_free(t->chain->score);
}

ds_rc ds_chain_replace(
	ds_regex_run *run, ds_str text, ds_str with, ds_arena *mem, ds_str *out, ds_err *e)
{
	ds_grow grow = { .mem = mem };
	size_t done = 0, from = 0;
	bool any = false, empty = true;
	ds_match m;
	*out = text;
	while (from <= text.n) {
		DS_TRY(ds_regex_next(run, text, from, empty, &m, e));
		if (!m.found)
			break;
		any = true;
		ds_grow_add(&grow, text.at + done, m.begin - done);
		ds_grow_add(&grow, with.at, with.n);
		empty = m.end > m.begin;
		done = from = m.end;
	}
	if (!any)
		return DS_OK;
	ds_grow_add(&grow, text.at + done, text.n - done);
	*out = ds_grow_view(&grow);
	return DS_OK;
}

static bool white_at(const char *p, size_t n, unsigned *len)
{
	return ds_cat_white(ds_utf8_cat((const uint8_t *)p, n, len));
}

static ds_str strip(ds_str s, bool left, bool right, bool *moved)
{
	unsigned len;
	while (left && s.n && white_at(s.at, s.n, &len)) {
		s = (ds_str){ s.at + len, s.n - len };
		*moved = true;
	}
	while (right && s.n) {
		size_t k = 1;
		while (k < 4 && k < s.n && (s.at[s.n - k] & 0xc0) == 0x80)
			k++;
		if (!white_at(s.at + s.n - k, k, &len) || len != k)
			break;
		s.n -= k;
	}
	return s;
}

/* Characters that are left out, by kind of step. */
static bool goes(step_kind kind, uint32_t c)
{
	if (kind == STEP_ACCENTS)
		return c < 0x110000 && ds_cat_mark(ds_cat_of(c));
	return (c >= 1 && c <= 8) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f ||
	       c == 0x8f || c == 0x9f;
}

static bool nmt_space(uint32_t c)
{
	return c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
	       (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
	       c == 0xfeff || c == 0xfffd;
}

static ds_str filter(const chain_step *st, ds_str s, ds_arena *mem, bool *moved)
{
	ds_grow out = { .mem = mem };
	unsigned len;
	ds_grow_reserve(&out, s.n);
	for (size_t at = 0; at < s.n; at += len) {
		uint32_t c = ds_utf8_at((const uint8_t *)s.at + at, s.n - at, &len);
		if (goes(st->kind, c)) {
			*moved |= out.n == 0;
			continue;
		}
		if (st->kind == STEP_NMT && nmt_space(c))
			ds_grow_byte(&out, ' ');
		else
			ds_grow_add(&out, s.at + at, len);
	}
	return ds_grow_view(&out);
}

static ds_str spell(ds_str s, ds_arena *mem)
{
	ds_buf spelled = { 0 };
	ds_tok_spell(s, &spelled);
	ds_str out = ds_arena_str(mem, ds_buf_view(&spelled));
	ds_buf_free(&spelled);
	return out;
}

static ds_str precompiled(const struct tok_sp *map, ds_str s, ds_arena *mem, bool *moved)
{
	ds_grow out = { .mem = mem };
	uint32_t *ends = ds_arena_get(mem, (s.n + 1) * sizeof(*ends));
	size_t n = ds_graphemes(s, ends, mem), from = 0;
	ds_str to;
	unsigned len;
	ds_grow_reserve(&out, s.n + 16);
	for (size_t i = 0; i < n; from = ends[i++]) {
		ds_str g = { s.at + from, ends[i] - from };
		if (g.n < 6 && ds_sp_shortest_key(map, g, &to)) {
			*moved |= out.n == 0 && to.n == 0;
			ds_grow_add(&out, to.at, to.n);
			continue;
		}
		for (size_t at = 0; at < g.n; at += len) {
			ds_utf8_at((const uint8_t *)g.at + at, g.n - at, &len);
			ds_str c = { g.at + at, len };
			bool found = ds_sp_shortest_key(map, c, &to);
			*moved |= found && out.n == 0 && to.n == 0;
			ds_grow_add(&out, found ? to.at : c.at, found ? to.n : c.n);
		}
	}
	return ds_grow_view(&out);
}

static ds_str prepend(ds_str s, ds_str what, ds_arena *mem)
{
	char *out = ds_arena_bytes(mem, s.n + what.n + 1);
	memcpy(out, what.at, what.n);
	memcpy(out + what.n, s.at, s.n);
	return (ds_str){ out, s.n + what.n };
}

static ds_rc step(
	const chain_step *s, chain_mem *m, ds_str *text, ds_arena *mem, bool *moved, ds_err *e)
{
	size_t n = text->n;
	switch (s->kind) {
	case STEP_FORM:
		*text = ds_normal_form(*text, s->form, mem);
		break;
	case STEP_LOWER:
		*text = ds_wp_lower(mem, *text);
		break;
	case STEP_STRIP:
		*text = strip(*text, s->left, s->right, moved);
		break;
	case STEP_ACCENTS:
	case STEP_NMT:
		*text = filter(s, *text, mem, moved);
		break;
	case STEP_PREPEND:
		*text = n ? prepend(*text, s->text, mem) : *text;
		break;
	case STEP_REPLACE:
		return ds_chain_replace(ds_chain_run(m, s), *text, s->text, mem, text, e);
	case STEP_PRECOMPILED:
		*text = precompiled(s->map, *text, mem, moved);
		break;
	case STEP_BERT:
		*text = ds_wp_normalize(&s->bert, mem, *text);
		break;
	default:
		*text = spell(*text, mem);
		break;
	}
	return DS_OK;
}

ds_rc ds_chain_normalize(const ds_tok *t, chain_mem *m, ds_str text, ds_arena *mem, ds_str *out,
	bool *moved, ds_err *e)
{
	const step_list *list = &t->chain->norm;
	*moved = false;
	if (!text.at)
		text = DS_S("");
	for (size_t i = 0; i < list->n; i++)
		DS_TRY(step(&list->at[i], m, &text, mem, moved, e));
	*out = text;
	return DS_OK;
}
