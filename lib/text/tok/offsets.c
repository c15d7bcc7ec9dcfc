/*
 * offsets.c - where in its text each token comes from
 *
 * A text is normalized once more, now so that for each byte of what comes out it is known which bytes of the
 * text it came from; the tokens' own bytes are then laid along it. Added tokens are found as encoding finds
 * them. A character that normalizing made of several, or of which a token is a part, counts as a whole,
 * but for byte-level tokens, which have their own bytes.
 */
#include "text/tok/chain.h"
#include "text/tok/sentencepiece.h"
#include "text/tok/wordpiece.h"
#include "text/unicode.h"

typedef struct { /* normalized text, and for each of its bytes where it comes from */
	char *at;
	uint32_t *from, *to;
	size_t n, cap;
	ds_arena *mem;
} stream;

typedef struct {
	const ds_tok *t;
	ds_arena *mem;
	const uint32_t *ids;
	size_t n, k; /* k: the next one */
	uint32_t *out;
	bool specials;
} walker;

static void add(stream *s, ds_str what, size_t from, size_t to)
{
	if (s->n + what.n > s->cap) {
		stream old = *s;
		s->cap = (s->n + what.n) * 2 + 256;
		s->at = ds_arena_bytes(s->mem, s->cap);
		s->from = ds_arena_get(s->mem, s->cap * sizeof(*s->from));
		s->to = ds_arena_get(s->mem, s->cap * sizeof(*s->to));
		if (s->n) {
			memcpy(s->at, old.at, s->n);
			memcpy(s->from, old.from, s->n * sizeof(*s->from));
			memcpy(s->to, old.to, s->n * sizeof(*s->to));
		}
	}
	for (size_t i = 0; i < what.n; i++, s->n++) {
		s->at[s->n] = what.at[i];
		s->from[s->n] = (uint32_t)from;
		s->to[s->n] = (uint32_t)to;
	}
}

static ds_rc lost(const walker *w, ds_err *e)
{
	return ds_fail(e, DS_BAD, "token %zu cannot be found in the text", w->k);
}

static void take(walker *w, uint32_t from, uint32_t to)
{
	w->out[2 * w->k] = from;
	w->out[2 * w->k + 1] = to;
	w->k++;
}

/* Lays the next token along s from a on; false where it is not that. */
static bool lay(walker *w, const stream *s, size_t *a, size_t end, size_t skip)
{
	if (w->k == w->n)
		return false;
	ds_str b = w->t->bytes[w->ids[w->k]];
	b = (ds_str){ b.at + skip, b.n - skip };
	if (b.n == 0 || *a + b.n > end || memcmp(s->at + *a, b.at, b.n) != 0)
		return false;
	take(w, s->from[*a], s->to[*a + b.n - 1]);
	*a += b.n;
	return true;
}

/* Bytes as they are; what NFC changed comes from a whole grapheme cluster. */
static void make_bytes(stream *s, const ds_tok *t, ds_str text, size_t base)
{
	uint32_t *ends = t->nfc ? ds_arena_get(s->mem, (text.n + 1) * sizeof(*ends)) : NULL;
	size_t n = t->nfc ? ds_graphemes(text, ends, s->mem) : text.n, from = 0;
	for (size_t i = 0; i < n; i++) {
		size_t to = t->nfc ? ends[i] : i + 1;
		ds_str g = { text.at + from, to - from }, c = t->nfc ? ds_nfc(g, s->mem) : g;
		if (ds_str_eq(g, c))
			for (size_t k = 0; k < g.n; k++)
				add(s, (ds_str){ g.at + k, 1 }, base + from + k,
					base + from + k + 1);
		else
			add(s, c, base + from, base + to);
		from = to;
	}
}

static ds_rc walk_bytes(walker *w, const stream *all, size_t from, size_t to, ds_err *e)
{
	stream spaced = { .mem = w->mem };
	const stream *s = all;
	if (from < to && w->t->prefix_space && all->at[from] != ' ') {
		unsigned len;
		ds_utf8_at((const uint8_t *)all->at + from, to - from, &len);
		add(&spaced, DS_S(" "), all->from[from], all->to[from + len - 1]);
		for (size_t i = from; i < to; i++)
			add(&spaced, (ds_str){ all->at + i, 1 }, all->from[i], all->to[i]);
		s = &spaced;
		from = 0;
		to = spaced.n;
	}
	while (from < to)
		if (!lay(w, s, &from, to, 0)) {
			if (w->t->byte_id[(uint8_t)s->at[from]] != DS_TOK_NONE)
				return lost(w, e);
			from++; /* a byte without a token is left out */
		}
	return DS_OK;
}

static ds_rc walk_word(walker *w, const stream *s, size_t from, size_t to, ds_err *e)
{
	if (w->k < w->n && w->ids[w->k] == w->t->special[DS_TOK_UNK]) {
		take(w, s->from[from], s->to[to - 1]);
		return DS_OK;
	}
	for (size_t at = from; at < to;)
		if (!lay(w, s, &at, to, at > from ? 2 : 0))
			return lost(w, e);
	return DS_OK;
}

/* BERT's normalizer does one character at a time; then words between white space and marks. */
static ds_rc walk_words(walker *w, ds_str text, size_t base, ds_err *e)
{
	stream s = { .mem = w->mem };
	unsigned len;
	for (size_t at = 0; at < text.n; at += len) {
		ds_utf8_at((const uint8_t *)text.at + at, text.n - at, &len);
		ds_str c = ds_wp_normalize(&w->t->bert, w->mem, (ds_str){ text.at + at, len });
		add(&s, c, base + at, base + at + len);
	}
	size_t next = 0;
	for (ds_str word; ds_wp_next_word((ds_str){ s.at, s.n }, &next, &word);)
		DS_TRY(walk_word(w, &s, next - word.n, next, e));
	return DS_OK;
}

static ds_str space_of(const struct tok_sp *sp)
{
	return sp->escape ? DS_S("\xe2\x96\x81") : DS_S(" ");
}

/* As ds_sp_normalize has it. The space in front comes from the first character. */
static void make_sentence(stream *s, const struct tok_sp *sp, ds_str text, size_t base)
{
	const uint8_t *p = (const uint8_t *)text.at;
	size_t at = 0, used;
	bool after_space = sp->remove_extra;
	ds_str to, space = space_of(sp);
	while (sp->remove_extra && at < text.n &&
		(used = ds_sp_step(sp, p + at, text.n - at, &to), ds_str_is(to, " ")))
		at += used;
	if (at == text.n)
		return;
	used = ds_sp_step(sp, p + at, text.n - at, &to);
	if (!sp->suffix && sp->dummy_prefix)
		add(s, space, base + at, base + at + used);
	for (; at < text.n; at += used) {
		used = ds_sp_step(sp, p + at, text.n - at, &to);
		while (after_space && to.n && to.at[0] == ' ')
			to = (ds_str){ to.at + 1, to.n - 1 };
		for (size_t i = 0; i < to.n; i++)
			add(s, to.at[i] == ' ' ? space : (ds_str){ to.at + i, 1 }, base + at,
				base + at + used);
		if (to.n)
			after_space = sp->remove_extra && to.at[to.n - 1] == ' ';
	}
	while (sp->remove_extra && s->n >= space.n &&
		memcmp(s->at + s->n - space.n, space.at, space.n) == 0)
		s->n -= space.n;
	if (sp->suffix && sp->dummy_prefix)
		add(s, space, base + text.n, base + text.n);
}

/* Whether the token after the next one is found at `at`: then an unknown one ends there. */
static bool next_begins(const walker *w, const stream *s, size_t at)
{
	if (w->k + 1 == w->n)
		return false;
	ds_str b = w->t->bytes[w->ids[w->k + 1]];
	return at + b.n <= s->n && memcmp(s->at + at, b.at, b.n) == 0;
}

static ds_rc walk_sentence(walker *w, ds_str text, size_t base, ds_err *e)
{
	stream s = { .mem = w->mem };
	unsigned len;
	make_sentence(&s, w->t->sp, text, base);
	for (size_t at = 0; at < s.n;) {
		if (w->k == w->n)
			return lost(w, e);
		if (w->ids[w->k] != w->t->special[DS_TOK_UNK]) {
			if (!lay(w, &s, &at, s.n, 0))
				return lost(w, e);
			continue;
		}
		size_t from = at;
		do {
			ds_utf8_at((const uint8_t *)s.at + at, s.n - at, &len);
			at += len;
		} while (at < s.n && !next_begins(w, &s, at));
		take(w, s.from[from], s.to[at - 1]);
	}
	return DS_OK;
}

/* Text without added tokens that are looked for in it as it is. */
static ds_rc walk_text(walker *w, ds_str text, size_t base, ds_err *e)
{
	const ds_tok *t = w->t;
	stream s = { .mem = w->mem };
	if (t->sp)
		return walk_sentence(w, text, base, e);
	if (t->kind == TOK_WORDPIECE)
		return walk_words(w, text, base, e);
	make_bytes(&s, t, text, base);
	bool look = w->specials || t->any_plain_added;
	for (added_walk x = { .text_end = s.n };; x.from = x.end) {
		const tok_added *a = NULL;
		if (look)
			a = ds_added_next(t, (ds_str){ s.at, s.n }, &x, w->specials, true);
		DS_TRY(walk_bytes(w, &s, x.from, x.text_end, e));
		if (!a)
			return DS_OK;
		if (w->k == w->n)
			return lost(w, e);
		take(w, s.from[x.begin], s.to[x.end - 1]);
	}
}

bool ds_tok_has_offsets(const ds_tok *t)
{
	return !t->chain || (t->chain->bytes && t->chain->norm.n == 0);
}

ds_rc ds_tok_offsets(const ds_tok *t, ds_str text, bool specials, const ds_tok_text *tokens,
	ds_arena *mem, uint32_t *out, ds_err *e)
{
	walker w = { t, mem, tokens->ids, tokens->n, 0, out, specials };
	bool look = specials || t->any_plain_added;
	for (added_walk x = { .text_end = text.n };; x.from = x.end) {
		const tok_added *a = look ? ds_added_next(t, text, &x, specials, false) : NULL;
		DS_TRY(walk_text(&w, (ds_str){ text.at + x.from, x.text_end - x.from }, x.from, e));
		if (!a)
			break;
		if (w.k == w.n)
			return lost(&w, e);
		take(&w, (uint32_t)x.begin, (uint32_t)x.end);
	}
	return w.k == w.n ? DS_OK : lost(&w, e);
}
