/*
 * scan.c - the walk over the tokens of JSON text
 *
 * Everything that JSON forbids is found here, once: what passed ds_json_skip may be copied and
 * unescaped without another look. RFC 8259, with two liberties that the records need: bytes in
 * strings need not be UTF-8, and escapes may name a lone surrogate.
 */
#include "json/scan.h"

#include "base/hash.h"

enum { SPACE = 1, STOP = 2, DIGIT = 4, HEX = 8 };
static const uint8_t class_of[256] = {
	[' '] = SPACE | STOP,
	['\t'] = SPACE | STOP,
	['\n'] = SPACE | STOP,
	['\r'] = SPACE | STOP,
	['{'] = STOP,
	['}'] = STOP,
	['['] = STOP,
	[']'] = STOP,
	[','] = STOP,
	[':'] = STOP,
	['"'] = STOP,
	['0' ... '9'] = DIGIT | HEX,
	['a' ... 'f'] = HEX,
	['A' ... 'F'] = HEX,
};

static bool is(char c, unsigned classes)
{
	return class_of[(uint8_t)c] & classes;
}

ds_json_scan ds_json_scan_of(ds_str text)
{
	return (ds_json_scan){ .text = text.at, .end = text.n };
}

static bool wrong(ds_json_scan *s, size_t where, const char *why)
{
	if (!s->why) {
		s->why = why;
		s->where = where;
	}
	return false;
}

ds_rc ds_json_scan_fail(const ds_json_scan *s, ds_err *e)
{
	if (s->key.n)
		return ds_fail(
			e, DS_BAD, "offset %zu: %s '%.*s'", s->where, s->why, DS_FMT(s->key));
	return ds_fail(e, DS_BAD, "offset %zu: %s", s->where, s->why);
}

char ds_json_peek(ds_json_scan *s)
{
	if (s->index) {
		s->at = *s->index;
	} else {
		while (s->at < s->end && is(s->text[s->at], SPACE))
			s->at++;
	}
	return s->at < s->end ? s->text[s->at] : 0;
}

/* What a peek found is taken: on to the next token, n bytes further on. */
static void step(ds_json_scan *s, size_t n)
{
	if (s->index)
		s->index++;
	else
		s->at += n;
}

bool ds_json_eat(ds_json_scan *s, char c)
{
	static const char *const wanted[128] = {
		['{'] = "an object was wanted",
		['['] = "an array was wanted",
		[':'] = "a ':' was wanted",
		[','] = "a ',' was wanted",
	};
	if (ds_json_peek(s) != c)
		return wrong(s, s->at < s->end ? s->at : s->end,
			s->at < s->end ? wanted[(uint8_t)c & 127] : "the value is not complete");
	step(s, 1);
	return true;
}

static int hex(char c)
{
	return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

/* The escape that begins at s->text[at]; its length, or 0 where it is none. */
static size_t escape_bytes(const char *p, const char *end)
{
	if (end - p < 2)
		return 0;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return 2;
	case 'u':
		if (end - p < 6)
			return 0;
		for (int i = 2; i < 6; i++)
			if (!is(p[i], HEX))
				return 0;
		return 6;
	default:
		return 0;
	}
}

static bool check_escapes(ds_json_scan *s, const char *p, const char *end)
{
	for (; p && p < end; p = memchr(p, '\\', (size_t)(end - p))) {
		size_t n = escape_bytes(p, end);
		if (!n)
			return wrong(s, (size_t)(p - s->text), "an escape that JSON does not know");
		p += n;
		if (p >= end)
			break;
	}
	return true;
}

/* Between two indexed tokens lie the string, its closing quote and blanks. */
static size_t quote_before(const ds_json_scan *s, size_t next)
{
	if (next > s->end)
		next = s->end;
	while (next > s->at + 1 && is(s->text[next - 1], SPACE))
		next--;
	return next - 1;
}

/* The same without an index: s->end where there is no closing quote. */
static size_t quote_after(ds_json_scan *s, bool *escaped)
{
	size_t i = s->at + 1;
	for (; i < s->end && s->text[i] != '"'; i++) {
		if ((uint8_t)s->text[i] < 0x20) {
			wrong(s, i, "a control byte in a string");
			return s->end;
		}
		if (s->text[i] == '\\') {
			*escaped = true;
			i++;
		}
	}
	if (i < s->end)
		return i;
	wrong(s, s->at, "a string without its end");
	return s->end;
}

bool ds_json_string(ds_json_scan *s, ds_str *content, bool *escaped)
{
	if (ds_json_peek(s) != '"')
		return wrong(s, s->at < s->end ? s->at : s->end,
			s->at < s->end ? "a string was wanted" : "the value is not complete");
	const char *first = s->text + s->at + 1, *slash;
	size_t close;
	*escaped = false;
	if (s->index) {
		close = quote_before(s, s->index[1]);
		if (close <= s->at || s->text[close] != '"')
			return wrong(s, s->at, "a string without its end");
		slash = memchr(first, '\\', s->text + close - first);
		*escaped = slash != NULL;
	} else {
		close = quote_after(s, escaped);
		if (close == s->end)
			return false;
		slash = *escaped ? memchr(first, '\\', s->text + close - first) : NULL;
	}
	*content = (ds_str){ first, (size_t)(s->text + close - first) };
	if (slash && !check_escapes(s, slash, s->text + close))
		return false;
	step(s, close + 1 - s->at);
	return true;
}

static bool number(ds_json_scan *s, ds_str t, ds_json_token *kind)
{
	const char *p = t.at, *end = t.at + t.n, *digits;
	*kind = DS_JT_INT;
	p += p < end && *p == '-';
	if (p == end || !is(*p, DIGIT))
		return wrong(s, s->at, "not a JSON value");
	if (*p++ != '0')
		while (p < end && is(*p, DIGIT))
			p++;
	if (p < end && *p == '.') {
		*kind = DS_JT_FLOAT;
		for (digits = ++p; p < end && is(*p, DIGIT);)
			p++;
		if (p == digits)
			return wrong(s, s->at, "a number that JSON does not know");
	}
	if (p < end && (*p | 32) == 'e') {
		*kind = DS_JT_FLOAT;
		p++;
		p += p < end && (*p == '+' || *p == '-');
		for (digits = p; p < end && is(*p, DIGIT);)
			p++;
		if (p == digits)
			return wrong(s, s->at, "a number that JSON does not know");
	}
	return p == end || wrong(s, s->at, "a number that JSON does not know");
}

static bool atom(ds_json_scan *s, ds_json_span *out)
{
	size_t end = s->at;
	while (end < s->end && !is(s->text[end], STOP))
		end++;
	ds_str t = { s->text + s->at, end - s->at };
	*out = (ds_json_span){ DS_JT_NULL, s->at, t.n };
	if (ds_str_eq(t, DS_S("true")))
		out->kind = DS_JT_TRUE;
	else if (ds_str_eq(t, DS_S("false")))
		out->kind = DS_JT_FALSE;
	else if (!ds_str_eq(t, DS_S("null")) && !number(s, t, &out->kind))
		return false;
	/* A string that begins right behind it is not in the index. */
	if (s->index && end < s->end && s->text[end] == '"')
		return wrong(s, end, "a string behind a value");
	step(s, t.n);
	return true;
}

static bool add_key(ds_json_scan *s, ds_json_keys *keys, ds_str key, bool escaped)
{
	char small[256];
	ds_buf large = { 0 };
	ds_str plain = key;
	bool is_new;
	if (escaped) { /* may be another spelling of a key that was there; compared as it reads */
		char *to = small;
		if (key.n > sizeof(small)) {
			ds_buf_reserve(&large, key.n);
			to = large.at;
		}
		plain = (ds_str){ to, ds_json_unescape(to, key, NULL) };
	}
	is_new = ds_json_keys_add(keys, plain, !escaped);
	ds_buf_free(&large);
	if (!is_new) {
		wrong(s, (size_t)(key.at - s->text), "duplicate key");
		s->key = key;
	}
	return is_new;
}

static bool skip_members(ds_json_scan *s, unsigned depth, ds_json_keys *keys)
{
	ds_json_span value;
	ds_str key;
	bool escaped;
	if (ds_json_peek(s) == '}')
		return true;
	for (;;) {
		if (!ds_json_string(s, &key, &escaped) || !add_key(s, keys, key, escaped) ||
			!ds_json_eat(s, ':') || !ds_json_skip(s, depth, &value))
			return false;
		if (ds_json_peek(s) == '}')
			return true;
		if (!ds_json_eat(s, ','))
			return false;
	}
}

static bool skip_items(ds_json_scan *s, unsigned depth)
{
	ds_json_span value;
	if (ds_json_peek(s) == ']')
		return true;
	for (;;) {
		if (!ds_json_skip(s, depth, &value))
			return false;
		if (ds_json_peek(s) == ']')
			return true;
		if (!ds_json_eat(s, ','))
			return false;
	}
}

static bool skip_nested(ds_json_scan *s, unsigned depth, ds_json_span *out)
{
	ds_json_keys keys = { 0 };
	bool is_object = ds_json_peek(s) == '{', good;
	size_t first = s->at;
	if (depth >= DS_JSON_DEPTH)
		return wrong(s, first, "nested deeper than 512");
	step(s, 1);
	good = is_object ? skip_members(s, depth + 1, &keys) : skip_items(s, depth + 1);
	ds_json_keys_free(&keys);
	if (!good)
		return false;
	*out = (ds_json_span){ is_object ? DS_JT_OBJ : DS_JT_ARR, first, s->at + 1 - first };
	step(s, 1);
	return true;
}

bool ds_json_skip(ds_json_scan *s, unsigned depth, ds_json_span *out)
{
	ds_str content;
	bool escaped;
	switch (ds_json_peek(s)) {
	case '"':
		if (!ds_json_string(s, &content, &escaped))
			return false;
		*out = (ds_json_span){ escaped ? DS_JT_ESC : DS_JT_STR,
			(size_t)(content.at - s->text) - 1, content.n + 2 };
		return true;
	case '{':
	case '[':
		return skip_nested(s, depth, out);
	case 0:
		if (s->at >= s->end)
			return wrong(s, s->end, "the value is not complete");
		return wrong(s, s->at, "not a JSON value");
	default:
		return atom(s, out);
	}
}

static uint32_t code_unit(const char *p) /* of \uXXXX */
{
	return (uint32_t)(hex(p[2]) << 12 | hex(p[3]) << 8 | hex(p[4]) << 4 | hex(p[5]));
}

static char *put_code(char *w, uint32_t c)
{
	if (c < 0x80) {
		*w++ = (char)c;
	} else if (c < 0x800) {
		*w++ = (char)(0xC0 | c >> 6);
		*w++ = (char)(0x80 | (c & 63));
	} else if (c < 0x10000) {
		*w++ = (char)(0xE0 | c >> 12);
		*w++ = (char)(0x80 | (c >> 6 & 63));
		*w++ = (char)(0x80 | (c & 63));
	} else {
		*w++ = (char)(0xF0 | c >> 18);
		*w++ = (char)(0x80 | (c >> 12 & 63));
		*w++ = (char)(0x80 | (c >> 6 & 63));
		*w++ = (char)(0x80 | (c & 63));
	}
	return w;
}

/* *p is at a \u; takes a pair where there is one. */
static char *unescape_unit(char *w, const char **p, const char *end, uint64_t *lone)
{
	uint32_t c = code_unit(*p);
	*p += 6;
	if (c - 0xD800 >= 0x800)
		return put_code(w, c);
	if (c < 0xDC00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		uint32_t low = code_unit(*p);
		if (low - 0xDC00 < 0x400) {
			*p += 6;
			return put_code(w, 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00));
		}
	}
	if (lone)
		++*lone;
	return put_code(w, c);
}

size_t ds_json_unescape(char *out, ds_str s, uint64_t *lone)
{
	static const char plain[128] = {
		['"'] = '"',
		['\\'] = '\\',
		['/'] = '/',
		['b'] = '\b',
		['f'] = '\f',
		['n'] = '\n',
		['r'] = '\r',
		['t'] = '\t',
	};
	const char *p = s.at, *end = s.at + s.n;
	char *w = out;
	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t run = (size_t)((slash ? slash : end) - p);
		memmove(w, p, run);
		w += run;
		p += run;
		while (p < end && *p == '\\') {
			if (p[1] == 'u') {
				w = unescape_unit(w, &p, end, lone);
			} else {
				*w++ = plain[(uint8_t)p[1] & 127];
				p += 2;
			}
		}
	}
	return (size_t)(w - out);
}

bool ds_json_keys_add(ds_json_keys *k, ds_str key, bool lasts)
{
	bool is_new;
	if (!k->many) {
		for (size_t i = 0; i < k->n; i++)
			if (ds_str_eq(k->few[i], key))
				return false;
		if (lasts && k->n < DS_JSON_FEW) {
			k->few[k->n++] = key;
			return true;
		}
		k->many = ds_map_new(64);
		for (size_t i = 0; i < k->n; i++)
			ds_map_put(k->many, k->few[i], NULL);
	}
	ds_map_put(k->many, key, &is_new);
	return is_new;
}

void ds_json_keys_free(ds_json_keys *k)
{
	ds_map_free(k->many);
}
