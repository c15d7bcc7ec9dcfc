/*
 * words.c - words of ASCII text by Unicode Annex 29, rules WB5 to WB13b
 *
 * Words without _ are cut as by ICU; what is no word is a piece for each character. ICU was
 * 30 % of what a record of English costs.
 */
#include "text/unicode_impl.h"
#include "text/words.h"

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool between(char before, char c, char after)
{
	return (letter(before) && letter(after) && (c == '\'' || c == '.')) ||
	       (digit(before) && digit(after) && (c == ',' || c == '.' || c == ';' || c == '\''));
}

ds_piece *ds_words_ascii(ds_str text, ds_arena *mem, size_t *n)
{
	ds_piece *out = ds_arena_get(mem, text.n * sizeof(*out));
	const char *p = text.at;
	*n = 0;
	for (size_t i = 0; i < text.n;) {
		size_t from = i;
		ds_piece_kind kind = DS_PIECE_OTHER;
		for (; i < text.n; i++) {
			if (letter(p[i]))
				kind = DS_PIECE_LETTER;
			else if (digit(p[i]))
				kind = kind == DS_PIECE_OTHER ? DS_PIECE_NUMBER : kind;
			else if (p[i] != '_' &&
				 !(i > from && i + 1 < text.n && between(p[i - 1], p[i], p[i + 1])))
				break;
		}
		i += i == from;
		out[(*n)++] = (ds_piece){ { p + from, i - from }, kind };
	}
	return out;
}

/* Behind the last of those bytes in the second half of s; 0: there is none. */
static size_t behind_last(ds_str s, ds_str what)
{
	for (size_t i = s.n; i > s.n / 2 && i >= what.n; i--)
		if (memcmp(s.at + i - what.n, what.at, what.n) == 0)
			return i;
	return 0;
}

ds_str ds_words_stretch(ds_str *rest, size_t most)
{
	static const ds_str ends[] = { DS_S("\n"), DS_S(" "), DS_S("。"), DS_S("，") };
	ds_str s = *rest;
	if (s.n > most) {
		s.n = most;
		size_t n = 0;
		for (unsigned i = 0; i < sizeof(ends) / sizeof(*ends) && !n; i++)
			n = behind_last(s, ends[i]);
		while (!n && s.n > most - 4 && ((uint8_t)s.at[s.n] & 0xc0) == 0x80)
			s.n--;
		s.n = n ? n : s.n;
	}
	*rest = (ds_str){ s.at + s.n, rest->n - s.n };
	return s;
}
