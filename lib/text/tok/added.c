/*
 * added.c - tokens that are found in the text before it is cut into pieces
 *
 * The longest that begins at a place wins, as in tokenizers' leftmost-longest automaton; candidates
 * are told apart by their first byte. Special ones count only where the caller asked for that; like one
 * that should stand alone and does not, they are passed over as a whole, which is the reference's way.
 */
#include "text/tok/tok_impl.h"

#include <stdlib.h>

static int by_first_byte(const void *va, const void *vb)
{
	const tok_added *a = va, *b = vb;
	uint8_t first_a = (uint8_t)a->content.at[0], first_b = (uint8_t)b->content.at[0];
	if (first_a != first_b)
		return first_a < first_b ? -1 : 1;
	if (a->content.n != b->content.n)
		return a->content.n > b->content.n ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

void ds_added_build(ds_tok *t)
{
	t->by_length = ds_arena_get(t->mem, (t->n_added + 1) * sizeof(*t->by_length));
	if (t->n_added)
		memcpy(t->by_length, t->added, t->n_added * sizeof(*t->by_length));
	qsort(t->by_length, t->n_added, sizeof(*t->by_length), by_first_byte);
	for (size_t i = 0; i < t->n_added; i++)
		t->added_at[(uint8_t)t->by_length[i].content.at[0] + 1] = (uint32_t)i + 1;
	for (int b = 0; b < 256; b++)
		if (t->added_at[b + 1] < t->added_at[b])
			t->added_at[b + 1] = t->added_at[b];
}

/* The character that ends at p (n > 0 bytes before it are there). */
static uint32_t char_before(const uint8_t *p, size_t n)
{
	unsigned len;
	for (size_t back = n < 4 ? n : 4; back > 1; back--) {
		uint32_t c = ds_utf8_at(p - back, back, &len);
		if (len == back)
			return c;
	}
	return p[-1] < 0x80 ? p[-1] : 0x110000u + p[-1];
}

/* What \w matches: letters, marks, digits and connecting punctuation such as the underscore. */
static bool word_char(uint32_t c)
{
	if (c >= 0x110000)
		return false;
	ds_cat k = ds_cat_of(c);
	return ds_cat_letter(k) || ds_cat_mark(k) || k == DS_CAT_ND || k == DS_CAT_NL || c == '_' ||
	       c == 0x203f || c == 0x2040 || c == 0x2054 || c == 0xfe33 || c == 0xfe34 ||
	       (c >= 0xfe4d && c <= 0xfe4f) || c == 0xff3f || c == 0x200c || c == 0x200d;
}

static bool stands_alone(const uint8_t *p, size_t n, size_t at, size_t len)
{
	unsigned k;
	if (at > 0 && word_char(char_before(p + at, at)))
		return false;
	return at + len >= n || !word_char(ds_utf8_at(p + at + len, n - at - len, &k));
}

/* The longest at p, special or not. */
static const tok_added *match_at(const ds_tok *t, const uint8_t *p, size_t n, bool normalized)
{
	for (uint32_t i = t->added_at[p[0]]; i < t->added_at[p[0] + 1]; i++) {
		const tok_added *a = &t->by_length[i];
		if (a->normalized == normalized && a->content.n <= n &&
			memcmp(p, a->content.at, a->content.n) == 0)
			return a;
	}
	return NULL;
}

/* The next one whose place is its own, from w->look on, which moves behind it; *at: where it begins. */
static const tok_added *next_match(
	const ds_tok *t, ds_str text, added_walk *w, bool specials, bool normalized, size_t *at)
{
	const uint8_t *p = (const uint8_t *)text.at;
	for (size_t i = w->look; i < text.n;) {
		const tok_added *a = t->added_at[p[i]] < t->added_at[p[i] + 1]
					     ? match_at(t, p + i, text.n - i, normalized)
					     : NULL;
		if (!a) {
			i++;
			continue;
		}
		*at = i;
		i += a->content.n; /* not taken: nothing else is looked for in it */
		w->look = i;
		if ((specials || !a->special) &&
			(!a->single_word || stands_alone(p, text.n, *at, a->content.n)))
			return a;
	}
	w->look = text.n;
	return NULL;
}

/* The white space around it, where that is its own too; false: one before has taken all of it. */
static bool take_space(const tok_added *a, ds_str text, added_walk *w)
{
	const uint8_t *p = (const uint8_t *)text.at;
	w->end = w->begin + a->content.n;
	for (unsigned len; a->rstrip && w->end < text.n; w->end += len)
		if (!ds_cat_white(ds_utf8_cat(p + w->end, text.n - w->end, &len)))
			break;
	while (a->lstrip && w->begin > w->from) {
		uint32_t c = char_before(p + w->begin, w->begin - w->from);
		if (c >= 0x110000 || !ds_cat_white(ds_cat_of(c)))
			break;
		w->begin -= c < 0x80 ? 1 : c < 0x800 ? 2 : 3; /* all white space is below U+10000 */
	}
	if (a->lstrip && w->begin < w->from)
		w->begin = w->from;
	return w->begin < w->end;
}

const tok_added *ds_added_next(
	const ds_tok *t, ds_str text, added_walk *w, bool specials, bool normalized)
{
	const tok_added *a;
	do
		a = next_match(t, text, w, specials, normalized, &w->begin);
	while (a && !take_space(a, text, w));
	w->text_end = !a ? text.n : w->begin > w->from ? w->begin : w->from;
	return a;
}
