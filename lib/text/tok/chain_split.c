/*
 * chain_split.c - pre-tokenizers of tokenizer.json, one after the other: a text into pieces
 *
 * A step finds what matches, by a regex or by kind of character; its behaviour says what becomes of
 * matches and of what lies between them. Empty pieces vanish.
 */
#include "text/grow.h"
#include "text/tok/chain.h"
#include "text/tok/wordpiece.h"

typedef struct {
	size_t from, to;
	bool match, gone;
} span;

typedef struct {
	span *at;
	size_t n, cap;
	ds_arena *mem;
} spans;

typedef struct {
	chain_piece *at;
	size_t n, cap;
	ds_arena *mem;
	ds_scan *scan; /* of ByteLevel, made once */
	uint32_t *ends;
	bool spell; /* bytes, in GPT-2's characters */
} pieces;

static void add_span(spans *s, size_t from, size_t to, bool match)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		span *at = ds_arena_get(s->mem, cap * sizeof(*at));
		if (s->n)
			memcpy(at, s->at, s->n * sizeof(*at));
		s->at = at;
		s->cap = cap;
	}
	s->at[s->n++] = (span){ from, to, match, false };
}

static void add_piece(pieces *p, ds_str text, bool first)
{
	if (text.n == 0)
		return;
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		chain_piece *at = ds_arena_get(p->mem, cap * sizeof(*at));
		if (p->n)
			memcpy(at, p->at, p->n * sizeof(*at));
		p->at = at;
		p->cap = cap;
	}
	p->at[p->n++] = (chain_piece){ text, first };
}

static bool kind_matches(match_by by, uint32_t c)
{
	if (c >= 0x110000)
		return false;
	ds_cat k = ds_cat_of(c);
	return by == BY_WHITE ? ds_cat_white(k) : by == BY_PUNCT ? wp_is_mark(c) : ds_cat_number(k);
}

static void find_kind(spans *out, match_by by, ds_str s)
{
	size_t done = 0;
	unsigned len;
	for (size_t at = 0; at < s.n; at += len) {
		if (!kind_matches(by, ds_utf8_at((const uint8_t *)s.at + at, s.n - at, &len)))
			continue;
		if (done < at)
			add_span(out, done, at, false);
		add_span(out, at, at + len, true);
		done = at + len;
	}
	if (done < s.n)
		add_span(out, done, s.n, false);
}

static ds_rc find_regex(spans *out, ds_regex_run *run, ds_str s, ds_err *e)
{
	size_t done = 0, from = 0;
	bool empty = true;
	ds_match m;
	while (from <= s.n) {
		DS_TRY(ds_regex_next(run, s, from, empty, &m, e));
		if (!m.found)
			break;
		if (done < m.begin)
			add_span(out, done, m.begin, false);
		add_span(out, m.begin, m.end, true);
		empty = m.end > m.begin;
		done = from = m.end;
	}
	if (done < s.n)
		add_span(out, done, s.n, false);
	return DS_OK;
}

/* Runs of matches and what is beside them become one, as the behaviour says; in place. */
static void behave(spans *s, split_how how)
{
	size_t k = 0;
	bool before = false;
	if (how == SPLIT_REMOVED || how == SPLIT_ISOLATED) {
		for (size_t i = 0; i < s->n; i++)
			s->at[i].gone = how == SPLIT_REMOVED && s->at[i].match;
		return;
	}
	if (how == SPLIT_WITH_NEXT) { /* from the end; what is joined lies at the end as well */
		k = s->n;
		for (size_t i = s->n; i-- > 0;) {
			span x = s->at[i];
			if (x.match && !before && k < s->n)
				s->at[k].from = x.from;
			else
				s->at[--k] = x;
			before = x.match;
		}
		s->at += k;
		s->n -= k;
		s->cap -= k;
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		span x = s->at[i];
		bool join = how == SPLIT_CONTIGUOUS ? x.match == before : x.match && !before;
		if (join && k)
			s->at[k - 1].to = x.to;
		else
			s->at[k++] = x;
		before = x.match;
	}
	s->n = k;
}

static ds_rc split(const chain_step *st, chain_mem *m, chain_piece in, pieces *out, ds_err *e)
{
	spans s = { .mem = out->mem };
	if (st->by == BY_REGEX)
		DS_TRY(find_regex(&s, ds_chain_run(m, st), in.text, e));
	else
		find_kind(&s, st->by, in.text);
	for (size_t i = 0; st->flag && i < s.n; i++)
		s.at[i].match = !s.at[i].match;
	behave(&s, st->how);
	for (size_t i = 0; i < s.n; i++)
		if (!s.at[i].gone)
			add_piece(out,
				(ds_str){ in.text.at + s.at[i].from, s.at[i].to - s.at[i].from },
				in.first && s.at[i].from == 0);
	return DS_OK;
}

static void metaspace(const chain_step *st, chain_piece in, pieces *out)
{
	ds_grow g = { .mem = out->mem };
	ds_str r = st->text, s = in.text;
	bool has = s.at[0] == ' ' || ds_str_starts(s, r);
	ds_grow_reserve(&g, s.n + s.n / 2 + r.n);
	if (!has && (st->when == PREPEND_ALWAYS || (st->when == PREPEND_FIRST && in.first)))
		ds_grow_add(&g, r.at, r.n);
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] == ' ')
			ds_grow_add(&g, r.at, r.n);
		else
			ds_grow_byte(&g, s.at[i]);
	s = ds_grow_view(&g);
	if (!st->flag) {
		add_piece(out, s, in.first);
		return;
	}
	size_t from = 0;
	for (size_t at = 1; at < s.n; at++)
		if (s.at[at] == r.at[0] && s.n - at >= r.n && memcmp(s.at + at, r.at, r.n) == 0) {
			add_piece(out, (ds_str){ s.at + from, at - from }, in.first && from == 0);
			from = at;
		}
	add_piece(out, (ds_str){ s.at + from, s.n - from }, in.first && from == 0);
}

static void fixed(const chain_step *st, chain_piece in, pieces *out)
{
	size_t from = 0, chars = 0;
	unsigned len;
	for (size_t at = 0; at < in.text.n; at += len) {
		ds_utf8_at((const uint8_t *)in.text.at + at, in.text.n - at, &len);
		if (chars && chars % st->start == 0) {
			add_piece(out, (ds_str){ in.text.at + from, at - from },
				in.first && from == 0);
			from = at;
		}
		chars++;
	}
	add_piece(out, (ds_str){ in.text.at + from, in.text.n - from }, in.first && from == 0);
}

static void add_bytes(pieces *out, ds_str s, bool first)
{
	ds_buf text = { 0 };
	if (!out->spell) {
		add_piece(out, s, first);
		return;
	}
	ds_tok_spell(s, &text);
	add_piece(out, ds_arena_str(out->mem, ds_buf_view(&text)), first);
	ds_buf_free(&text);
}

/* ByteLevel: a space in front where it is asked for; then GPT-2's pattern, by its own scanner. */
static void bytes(const chain_step *st, chain_piece in, pieces *out)
{
	ds_str s = in.text;
	if (st->left && s.at[0] != ' ') {
		char *spaced = ds_arena_bytes(out->mem, s.n + 1);
		spaced[0] = ' ';
		memcpy(spaced + 1, s.at, s.n);
		s = (ds_str){ spaced, s.n + 1 };
	}
	if (!st->flag) {
		add_bytes(out, s, in.first);
		return;
	}
	size_t from = 0, k;
	if (!out->scan) {
		out->scan = ds_arena_get(out->mem, sizeof(*out->scan));
		out->ends = ds_arena_get(out->mem, DS_SCAN_PIECES * sizeof(*out->ends));
	}
	ds_scan_begin(out->scan, ds_pattern_find("gpt2"), s.at, s.n);
	while ((k = ds_scan_next(out->scan, out->ends)) > 0)
		for (size_t i = 0; i < k; from = out->ends[i++])
			add_bytes(out, (ds_str){ s.at + from, out->ends[i] - from },
				in.first && from == 0);
}

ds_rc ds_chain_pieces(const ds_tok *t, chain_mem *m, chain_piece text, ds_arena *mem,
	const chain_piece **out, size_t *n, ds_err *e)
{
	const step_list *list = &t->chain->split;
	pieces now = { .mem = mem, .spell = !t->chain->bytes };
	add_piece(&now, text.text, text.first);
	for (size_t i = 0; i < list->n; i++) {
		const chain_step *s = &list->at[i];
		pieces next = {
			.mem = mem, .scan = now.scan, .ends = now.ends, .spell = now.spell
		};
		for (size_t k = 0; k < now.n; k++)
			if (s->kind == STEP_SPLIT)
				DS_TRY(split(s, m, now.at[k], &next, e));
			else if (s->kind == STEP_METASPACE)
				metaspace(s, now.at[k], &next);
			else if (s->kind == STEP_FIXED)
				fixed(s, now.at[k], &next);
			else
				bytes(s, now.at[k], &next);
		now = next;
	}
	*out = now.at;
	*n = now.n;
	return DS_OK;
}
