/*
 * wordpiece.c - see wordpiece.h
 */
#include "text/tok/wordpiece.h"

#include "text/unicode.h"

static const char prefix[] = "##";
enum { PREFIX = 2 };

ds_cat ds_wp_cat_before(uint32_t c, ds_cat now)
{
	switch (c) {
	case 0x166d:  /* Canadian syllabics' chi sign, a symbol now */
	case 0x111c9: /* Sharada's sandhi mark */
		return DS_CAT_P;
	case 0x1734: /* Hanunoo's pamudpod */
		return DS_CAT_MN;
	case 0x1885: /* Mongolian letters, marks now */
	case 0x1886:
		return DS_CAT_LO;
	case 0xa9bd: /* Javanese's keret */
		return DS_CAT_MC;
	}
	if (now != DS_CAT_P && now != DS_CAT_MN && now != DS_CAT_CF)
		return now;
	return ds_char_age(c) > 8 ? DS_CAT_NONE : now;
}

/* Tokens of one word: text has PREFIX bytes to spare before it, which may be overwritten. */
static size_t word(const ds_tok *t, char *text, size_t n, uint32_t *out)
{
	size_t k = 0, chars = 0;
	for (size_t i = 0; i < n; i++)
		chars += (text[i] & 0xc0) != 0x80;
	uint32_t unk = t->special[DS_TOK_UNK];
	if (chars > t->max_chars) {
		out[0] = unk;
		return 1;
	}
	for (size_t at = 0; at < n;) {
		char *from = text + at - (at ? PREFIX : 0);
		size_t before = at ? PREFIX : 0, left = n - at, end;
		if (at)
			memcpy(from, prefix, PREFIX);
		for (end = left + before < t->longest ? left : t->longest - before; end > 0;
			end--) {
			if (end < left && (text[at + end] & 0xc0) == 0x80)
				continue;
			out[k] = ds_tok_lookup(t, (ds_str){ from, before + end });
			if (out[k] != DS_TOK_NONE)
				break;
		}
		if (end == 0) {
			out[0] = unk;
			return 1;
		}
		k++;
		at += end;
	}
	return k;
}

bool ds_wp_next_word(ds_str s, size_t *at, ds_str *w)
{
	size_t from = *at;
	unsigned len;
	for (size_t i = from; i < s.n; i += len) {
		uint32_t c = ds_utf8_at((const uint8_t *)s.at + i, s.n - i, &len);
		bool white = c < 0x110000 && ds_cat_white(ds_cat_of(c));
		bool mark = !white && c < 0x110000 && wp_is_mark(c);
		if (!white && !mark)
			continue;
		if (i > from || mark) { /* what ends a word is looked at again */
			*at = i > from ? i : i + len;
			*w = (ds_str){ s.at + from, *at - from };
			return true;
		}
		from = i + len;
	}
	*at = s.n;
	*w = (ds_str){ s.at + from, s.n - from };
	return w->n > 0;
}

/* Cleaned text into words; text has PREFIX bytes to spare before it. */
static size_t words(const ds_tok *t, char *text, size_t n, uint32_t *out)
{
	size_t k = 0, at = 0;
	for (ds_str w; ds_wp_next_word((ds_str){ text, n }, &at, &w);)
		k += word(t, text + (w.at - text), w.n, out + k);
	return k;
}

static void add_char(char **w, uint32_t c)
{
	uint8_t *o = (uint8_t *)*w;
	if (c < 0x80) {
		*o++ = (uint8_t)c;
	} else if (c < 0x800) {
		*o++ = (uint8_t)(0xc0 | c >> 6);
		*o++ = (uint8_t)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*o++ = (uint8_t)(0xe0 | c >> 12);
		*o++ = (uint8_t)(0x80 | (c >> 6 & 63));
		*o++ = (uint8_t)(0x80 | (c & 63));
	} else {
		*o++ = (uint8_t)(0xf0 | c >> 18);
		*o++ = (uint8_t)(0x80 | (c >> 12 & 63));
		*o++ = (uint8_t)(0x80 | (c >> 6 & 63));
		*o++ = (uint8_t)(0x80 | (c & 63));
	}
	*w = (char *)o;
}

/* Controls out, white space to spaces, spaces around Chinese characters. */
static ds_str clean(const tok_bert *b, ds_arena *mem, const uint8_t *p, size_t n)
{
	char *out = ds_arena_bytes(mem, 3 * n + 1), *w = out;
	unsigned len;
	for (size_t at = 0; at < n; at += len) {
		uint32_t c = ds_utf8_at(p + at, n - at, &len);
		if (c >= 0x110000)
			continue; /* a text for the reference has U+FFFD there, and it takes that away */
		ds_cat k = wp_cat(c);
		bool white = c == '\t' || c == '\n' || c == '\r';
		if (b->clean && !white &&
			(c == 0 || c == 0xfffd || k == DS_CAT_CC || k == DS_CAT_CF ||
				k == DS_CAT_CO ||
				(c < 0x100 && k == DS_CAT_BLANK && c != ' ' && c != 0xa0)))
			continue;
		if (b->clean && ds_cat_white(k))
			c = ' ';
		bool apart = b->chinese && wp_is_chinese(c);
		if (apart)
			*w++ = ' ';
		add_char(&w, c);
		if (apart)
			*w++ = ' ';
	}
	return (ds_str){ out, (size_t)(w - out) };
}

/* Accents: decomposed, then without nonspacing marks. */
static ds_str strip(ds_arena *mem, ds_str s)
{
	ds_str d = ds_nfd(s, mem);
	char *out = ds_arena_bytes(mem, d.n + 1), *w = out;
	unsigned len;
	for (size_t at = 0; at < d.n; at += len) {
		uint32_t c = ds_utf8_at((const uint8_t *)d.at + at, d.n - at, &len);
		if (c < 0x110000 && wp_cat(c) == DS_CAT_MN)
			continue;
		memcpy(w, d.at + at, len);
		w += len;
	}
	return (ds_str){ out, (size_t)(w - out) };
}

ds_str ds_wp_lower(ds_arena *mem, ds_str s)
{
	char *out = ds_arena_bytes(mem, 2 * s.n + 1), *w = out;
	unsigned len;
	for (size_t at = 0; at < s.n; at += len) {
		uint32_t c = ds_utf8_at((const uint8_t *)s.at + at, s.n - at, &len);
		add_char(&w, ds_char_lower(c));
		if (c == 0x130)
			add_char(&w, 0x307);
	}
	return (ds_str){ out, (size_t)(w - out) };
}

ds_str ds_wp_normalize(const tok_bert *b, ds_arena *mem, ds_str text)
{
	ds_str s = clean(b, mem, (const uint8_t *)text.at, text.n);
	if (b->strip)
		s = strip(mem, s);
	return b->lower ? ds_wp_lower(mem, s) : s;
}

/* ASCII without controls, the usual piece: true, and the word is in buf. */
static bool plain(const ds_tok *t, const uint8_t *p, size_t n, char *buf)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t b = p[i];
		if (b < 0x20 || b >= 0x7f)
			return false;
		buf[i] = (char)(t->bert.lower && b >= 'A' && b <= 'Z' ? b + 32 : b);
	}
	return true;
}

size_t ds_wp_piece(const ds_tok *t, ds_arena *mem, const uint8_t *p, size_t n, uint32_t *out)
{
	char small[PREFIX + 64];
	if (n <= 64 && plain(t, p, n, small + PREFIX))
		return words(t, small + PREFIX, n, out);
	ds_str s = ds_wp_normalize(&t->bert, mem, (ds_str){ (const char *)p, n });
	char *text = ds_arena_bytes(mem, PREFIX + s.n + 1);
	memcpy(text + PREFIX, s.at, s.n);
	return words(t, text + PREFIX, s.n, out);
}

/* What the reference's decoder puts without a space before it. */
static bool clings(ds_str s)
{
	static const char *const list[] = { ".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re" };
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (ds_str_is(s, list[i]))
			return true;
	return false;
}

ds_rc ds_wp_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e)
{
	bool first = true;
	for (size_t i = 0; i < n; i++) {
		if (ids[i] >= t->n_ids || !t->flags[ids[i]])
			return ds_fail(e, DS_BAD, "id %u is not in the tokenizer", ids[i]);
		ds_str s = t->bytes[ids[i]];
		if (skip_special && t->flags[ids[i]] & TOK_SPECIAL)
			continue;
		if (!first && s.n > PREFIX && memcmp(s.at, prefix, PREFIX) == 0)
			s = (ds_str){ s.at + PREFIX, s.n - PREFIX };
		else if (!first && !(t->bert.cleanup && clings(s)))
			ds_buf_add_byte(out, ' ');
		ds_buf_add_str(out, s);
		first = false;
	}
	return DS_OK;
}
