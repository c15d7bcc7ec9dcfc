/*
 * tok_bleu.c - 13a, intl, zh, char and none
 *
 * The reference rewrites the line by regular expressions one after another; matches do not overlap, so
 * "x.." differs from what a single scan would make of it. Each pass here is one of them, over bytes: all
 * patterns but those of intl look at ASCII only, and a whole code point on the other side keeps its bytes together.
 */
#include "tok_bleu.h"

#include "text/tok/category.h"

#include <string.h>

typedef struct {
	char *at;
	size_t n;
} line;

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool stop(char c)
{
	return c == '.' || c == ',';
}

uint32_t bleu_point(const char *s, size_t n, size_t *len)
{
	const uint8_t *u = (const uint8_t *)s;
	size_t want = u[0] < 0xC2 ? 1 : u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : u[0] < 0xF5 ? 4 : 1;
	uint32_t v = want == 1 ? u[0] : u[0] & (0x7Fu >> want);
	*len = 1;
	if (want > n)
		return u[0];
	for (size_t i = 1; i < want; i++) {
		if ((u[i] & 0xC0) != 0x80)
			return u[0];
		v = v << 6 | (u[i] & 0x3Fu);
	}
	*len = want;
	return v;
}

bool bleu_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
	       c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202F || c == 0x205F || c == 0x3000;
}

static line replace(ds_arena *mem, line s, ds_str what, ds_str by)
{
	line o = { ds_arena_bytes(mem, s.n + 1), 0 };
	for (size_t i = 0; i < s.n;) {
		if (s.n - i >= what.n && memcmp(s.at + i, what.at, what.n) == 0) {
			memcpy(o.at + o.n, by.at, by.n); /* by is never longer than what */
			o.n += by.n;
			i += what.n;
		} else {
			o.at[o.n++] = s.at[i++];
		}
	}
	return o;
}

/* mteval's preparation: marks, joined lines, the entities in this order ("&amp;lt;" ends as "<"). */
static line prepare(ds_arena *mem, line s)
{
	if (!memchr(s.at, '&', s.n) && !memchr(s.at, '\n', s.n) && !memchr(s.at, '<', s.n))
		return s;
	s = replace(mem, s, DS_S("<skipped>"), DS_S(""));
	s = replace(mem, s, DS_S("-\n"), DS_S(""));
	s = replace(mem, s, DS_S("\n"), DS_S(" "));
	if (memchr(s.at, '&', s.n)) {
		s = replace(mem, s, DS_S("&quot;"), DS_S("\""));
		s = replace(mem, s, DS_S("&amp;"), DS_S("&"));
		s = replace(mem, s, DS_S("&lt;"), DS_S("<"));
		s = replace(mem, s, DS_S("&gt;"), DS_S(">"));
	}
	return s;
}

/* ASCII punctuation but ' , - . */
static bool loose(uint8_t c)
{
	return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
	       (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

static line spread_loose(ds_arena *mem, line s)
{
	line o = { ds_arena_bytes(mem, 3 * s.n + 1), 0 };
	for (size_t i = 0; i < s.n; i++) {
		bool l = loose((uint8_t)s.at[i]);
		if (l)
			o.at[o.n++] = ' ';
		o.at[o.n++] = s.at[i];
		if (l)
			o.at[o.n++] = ' ';
	}
	return o;
}

/* ([^0-9])([.,]) -> "\1 \2 " and ([0-9])(-) -> "\1 \2 " */
static line split_after(ds_arena *mem, line s, bool (*second)(char), bool after_digit)
{
	line o = { ds_arena_bytes(mem, 2 * s.n + 1), 0 };
	for (size_t i = 0; i < s.n; i++) {
		o.at[o.n++] = s.at[i];
		if (digit(s.at[i]) == after_digit && i + 1 < s.n && second(s.at[i + 1])) {
			o.at[o.n++] = ' ';
			o.at[o.n++] = s.at[++i];
			o.at[o.n++] = ' ';
		}
	}
	return o;
}

/* ([.,])([^0-9]) -> " \1 \2" */
static line split_before(ds_arena *mem, line s)
{
	line o = { ds_arena_bytes(mem, 2 * s.n + 1), 0 };
	for (size_t i = 0; i < s.n; i++) {
		bool cut = stop(s.at[i]) && i + 1 < s.n && !digit(s.at[i + 1]);
		if (cut)
			o.at[o.n++] = ' ';
		o.at[o.n++] = s.at[i];
		if (cut) {
			o.at[o.n++] = ' ';
			o.at[o.n++] = s.at[++i];
		}
	}
	return o;
}

static bool dash(char c)
{
	return c == '-';
}

static line punct(ds_arena *mem, line s)
{
	s = spread_loose(mem, s);
	s = split_after(mem, s, stop, false);
	s = split_before(mem, s);
	return split_after(mem, s, dash, true);
}

/*
 * The reference's table writes "\u20000" and "\u2f800" where it means U+20000 and U+2F800, which is
 * U+2000 and a zero; so U+2001..U+2A6D and U+2F81..U+2FA1 are what it matches, and so does ours.
 */
static bool chinese(uint32_t c)
{
	static const uint16_t ranges[][2] = { { 0x2001, 0x2A6D }, { 0x2E80, 0x2EFF },
		{ 0x2F00, 0x2FDF }, { 0x2FF0, 0x2FFF }, { 0x3000, 0x303F }, { 0x3100, 0x312F },
		{ 0x31A0, 0x31BF }, { 0x31C0, 0x31EF }, { 0x3200, 0x4DB5 }, { 0x4E00, 0x9FBB },
		{ 0xF900, 0xFA2D }, { 0xFA30, 0xFA6A }, { 0xFA70, 0xFAD9 }, { 0xFE10, 0xFE1F },
		{ 0xFE30, 0xFE4F }, { 0xFF00, 0xFFEF } };
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return false;
}

static line spread_chinese(ds_arena *mem, line s)
{
	line o = { ds_arena_bytes(mem, 3 * s.n + 1), 0 };
	for (size_t i = 0, len; i < s.n; i += len) {
		bool c = chinese(bleu_point(s.at + i, s.n - i, &len));
		if (c)
			o.at[o.n++] = ' ';
		memcpy(o.at + o.n, s.at + i, len);
		o.n += len;
		if (c)
			o.at[o.n++] = ' ';
	}
	return o;
}

static bool is_kind(ds_str c, bool (*kind)(ds_cat), bool wanted)
{
	size_t len;
	uint32_t p = bleu_point(c.at, c.n, &len);
	return kind(p < 0x110000 ? ds_cat_of(p) : DS_CAT_NONE) == wanted;
}

static bool is_punct(ds_cat c)
{
	return c == DS_CAT_P;
}

static bool is_symbol(ds_cat c)
{
	return c == DS_CAT_S;
}

static void add(line *o, ds_str s)
{
	memcpy(o->at + o->n, s.at, s.n);
	o->n += s.n;
}

/*
 * (\P{N})(\p{P}) -> "\1 \2 ", (\p{P})(\P{N}) -> " \1 \2", (\p{S}) -> " \1 ": the punctuation stands after the
 * other character, or before it.
 */
static line spread_punct(ds_arena *mem, line s, bool after)
{
	line o = { ds_arena_bytes(mem, 3 * s.n + 1), 0 };
	for (size_t i = 0, a, b; i < s.n; i += a) {
		bleu_point(s.at + i, s.n - i, &a);
		ds_str one = { s.at + i, a }, two = { s.at + i + a, 0 };
		if (i + a < s.n) {
			bleu_point(s.at + i + a, s.n - i - a, &b);
			two.n = b;
		}
		bool cut = two.n && is_kind(one, after ? ds_cat_number : is_punct, !after) &&
			   is_kind(two, after ? is_punct : ds_cat_number, after);
		if (cut && !after)
			o.at[o.n++] = ' ';
		add(&o, one);
		if (!cut)
			continue;
		o.at[o.n++] = ' ';
		add(&o, two);
		if (after)
			o.at[o.n++] = ' ';
		i += two.n;
	}
	return o;
}

static line spread_symbols(ds_arena *mem, line s)
{
	line o = { ds_arena_bytes(mem, 3 * s.n + 1), 0 };
	for (size_t i = 0, len; i < s.n; i += len) {
		bleu_point(s.at + i, s.n - i, &len);
		ds_str c = { s.at + i, len };
		bool symbol = is_kind(c, is_symbol, true);
		if (symbol)
			o.at[o.n++] = ' ';
		add(&o, c);
		if (symbol)
			o.at[o.n++] = ' ';
	}
	return o;
}

static line pad(ds_arena *mem, line s)
{
	line o = { ds_arena_bytes(mem, s.n + 2), s.n + 2 };
	o.at[0] = o.at[s.n + 1] = ' ';
	memcpy(o.at + 1, s.at, s.n);
	return o;
}

/* The line without white space at its ends, as str.strip() leaves it. */
static line strip(line s)
{
	size_t from = 0, to = 0;
	for (size_t i = 0, len; i < s.n; i += len)
		if (!bleu_space(bleu_point(s.at + i, s.n - i, &len))) {
			from = to ? from : i;
			to = i + len;
		}
	return (line){ s.at + from, to - from };
}

/* Views of what is between white space, or (each) of every code point that is none. */
static void split(line s, bool each, ds_arena *mem, ds_str **tokens, size_t *n)
{
	*tokens = ds_arena_get(mem, (s.n + 1) * sizeof(**tokens));
	*n = 0;
	bool open = false;
	for (size_t i = 0, len; i < s.n; i += len) {
		if (bleu_space(bleu_point(s.at + i, s.n - i, &len))) {
			open = false;
		} else if (open && !each) {
			(*tokens)[*n - 1].n += len;
		} else {
			(*tokens)[(*n)++] = (ds_str){ s.at + i, len };
			open = true;
		}
	}
}

void bleu_tok_run(bleu_tok t, ds_str text, ds_arena *mem, ds_str **tokens, size_t *n)
{
	line s = strip((line){ (char *)text.at, text.n });
	if (t == TOK_13A)
		s = punct(mem, pad(mem, prepare(mem, s)));
	else if (t == TOK_INTL)
		s = spread_symbols(mem, spread_punct(mem, spread_punct(mem, s, true), false));
	else if (t == TOK_ZH)
		s = punct(mem, spread_chinese(mem, s));
	split(s, t == TOK_CHAR, mem, tokens, n);
}

static const char *const names[] = { "13a", "intl", "zh", "char", "none" };

bleu_tok bleu_tok_find(ds_str name)
{
	for (int i = 0; i < TOK_BAD; i++)
		if (ds_str_is(name, names[i]))
			return (bleu_tok)i;
	return TOK_BAD;
}

const char *bleu_tok_name(bleu_tok t)
{
	return names[t];
}
