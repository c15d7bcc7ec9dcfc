/*
 * http.c - HTTP responses: header fields, chunks (RFC 9112, 7.1), content codings (RFC 9110, 8.4.1)
 *
 * Where a claim does not hold, what browsers and readers of archives do is done: plain bytes stay.
 */
#include "record/http.h"

#include "base/mem.h"
#include "record/import.h"

#include <strings.h>

size_t ds_http_header_end(ds_str s)
{
	const char *p = s.at, *end = s.at + s.n;
	while (p && p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (p < end && *p == '\n')
			return (size_t)(p + 1 - s.at);
		if (end - p > 1 && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p + 2 - s.at);
	}
	return 0;
}

/* A line that begins with a blank goes on with the value before it. */
static void fold(ds_str *rest, ds_str *line)
{
	ds_str more;
	while (rest->n && (*rest->at == ' ' || *rest->at == '\t') && ds_next_line(rest, &more))
		line->n = (size_t)(more.at + more.n - line->at);
}

static void take(ds_str *value, ds_str more, ds_arena *mem)
{
	more = ds_str_trim(more);
	if (!value->n)
		*value = more;
	else if (mem && more.n)
		*value = ds_arena_fmt(
			mem, "%.*s, %.*s", (int)value->n, value->at, (int)more.n, more.at);
}

void ds_http_fields(
	ds_str header, const char *const *names, size_t n, ds_str *values, ds_arena *mem)
{
	ds_str line;
	for (size_t i = 0; i < n; i++)
		values[i] = (ds_str){ "", 0 };
	while (ds_next_line(&header, &line)) {
		const char *colon = memchr(line.at, ':', line.n);
		size_t k = colon ? (size_t)(colon - line.at) : 0;
		if (!k)
			continue;
		fold(&header, &line);
		for (size_t i = 0; i < n; i++)
			if (strncasecmp(names[i], line.at, k) == 0 && !names[i][k])
				take(&values[i], (ds_str){ colon + 1, line.n - k - 1 }, mem);
	}
}

static ds_str lower(ds_str s, ds_arena *mem)
{
	char *at = ds_arena_bytes(mem, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		at[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? (char)(s.at[i] | 32) : s.at[i];
	return (ds_str){ at, s.n };
}

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$&^_.+-", c));
}

/* What of s is made of a token's bytes, from its beginning. */
static ds_str token(ds_str s)
{
	size_t n = 0;
	while (n < s.n && is_token(s.at[n]))
		n++;
	return (ds_str){ s.at, n };
}

/* The value of a parameter behind the media type, quoted or not. */
static ds_str parameter(ds_str s, const char *name)
{
	size_t n = strlen(name);
	ds_str rest = s, one;
	while (rest.at && rest.n) {
		one = ds_str_trim(ds_str_cut(rest, ';', &rest));
		if (one.n <= n || strncasecmp(one.at, name, n) != 0)
			continue;
		one = ds_str_trim((ds_str){ one.at + n, one.n - n });
		if (!one.n || *one.at != '=')
			continue;
		one = ds_str_trim((ds_str){ one.at + 1, one.n - 1 });
		while (one.n && (*one.at == '"' || *one.at == '\''))
			one = (ds_str){ one.at + 1, one.n - 1 };
		one = token(one);
		if (one.n)
			return one;
	}
	return (ds_str){ "", 0 };
}

ds_http_type ds_http_type_of(ds_str content_type, ds_arena *mem)
{
	ds_http_type t = { { "", 0 }, { "", 0 } };
	ds_str main = token(content_type), rest, sub;
	rest = (ds_str){ content_type.at + main.n, content_type.n - main.n };
	if (main.n && rest.n && *rest.at == '/') {
		sub = token((ds_str){ rest.at + 1, rest.n - 1 });
		if (sub.n)
			t.media = lower((ds_str){ main.at, main.n + 1 + sub.n }, mem);
	}
	t.charset = lower(parameter(content_type, "charset"), mem);
	return t;
}

/* The three digits behind "HTTP/1.1 ", or 0. */
static unsigned status_of(ds_str content)
{
	ds_str line, rest = content;
	if (!ds_str_starts(content, DS_S("HTTP/")) || !ds_next_line(&rest, &line))
		return 0;
	const char *blank = memchr(line.at, ' ', line.n);
	unsigned status = 0;
	size_t i = blank ? (size_t)(blank - line.at) : line.n, digits = 0;
	while (i < line.n && line.at[i] == ' ')
		i++;
	for (; i < line.n && digits < 3 && line.at[i] >= '0' && line.at[i] <= '9'; i++, digits++)
		status = status * 10 + (unsigned)(line.at[i] - '0');
	return digits == 3 ? status : 0;
}

ds_http ds_http_open(ds_str content, ds_arena *mem)
{
	static const char *const names[] = { "Content-Type", "Transfer-Encoding",
		"Content-Encoding" };
	ds_http h = { .status = status_of(content), .body = content };
	ds_str values[3];
	if (!h.status)
		return h;
	size_t head = ds_http_header_end(content);
	head = head ? head : content.n;
	ds_http_fields((ds_str){ content.at, head }, names, 3, values, mem);
	h.type = ds_http_type_of(values[0], mem);
	h.transfer = values[1];
	h.coding = values[2];
	h.body = (ds_str){ content.at + head, content.n - head };
	return h;
}

bool ds_http_is_plain(ds_str s)
{
	size_t n = s.n < 1024 ? s.n : 1024, odd = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)s.at[i];
		odd += (c < 0x20 && !(c >= '\t' && c <= '\r') && c != 0x1B) || c == 0x7F;
	}
	return odd * 100 <= n && !(n && memchr(s.at, 0, n));
}

/* "1a;name=value": the chunk's size; false where the line is none. */
static bool chunk_size(ds_str line, size_t *size)
{
	size_t i = 0, n = 0;
	line = ds_str_trim(line);
	for (; i < line.n && n < SIZE_MAX >> 5; i++) {
		char c = (char)(line.at[i] | 32);
		if (line.at[i] >= '0' && line.at[i] <= '9')
			n = n * 16 + (size_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n * 16 + (size_t)(c - 'a' + 10);
		else
			break;
	}
	*size = n;
	return i && (i == line.n || line.at[i] == ';' || line.at[i] == ' ' || line.at[i] == '\t');
}

/* Takes a line end from the front; false where there is none. */
static bool take_line_end(ds_str *rest)
{
	size_t n = ds_str_starts(*rest, DS_S("\r\n")) ? 2 : ds_str_starts(*rest, DS_S("\n"));
	*rest = (ds_str){ rest->at + n, rest->n - n };
	return n > 0;
}

/* Joins the chunks in place. From a place on where there is no chunk, all stays as it is. */
static void dechunk(ds_http *h)
{
	const char *first = h->body.at;
	char *w = (char *)(uintptr_t)first;
	ds_str rest = h->body, line;
	for (;;) {
		ds_str here = rest;
		size_t n;
		if (!ds_next_line(&rest, &line)) {
			h->cut = true;
			break;
		}
		bool crlf = line.n && line.at[line.n - 1] == '\r', cut = false;
		bool chunk = chunk_size(line, &n);
		if (chunk && !n)
			break;
		if (chunk && n > rest.n) { /* a line of plain text may look so, but for its end */
			chunk = cut = crlf;
			n = rest.n;
		}
		ds_str data = { rest.at, chunk ? n : 0 };
		rest = (ds_str){ rest.at + data.n, rest.n - data.n };
		if (!chunk || (rest.n && !take_line_end(&rest)))
			data = here;
		memmove(w, data.at, data.n);
		w += data.n;
		h->cut |= cut;
		if (data.at == here.at || cut)
			break;
	}
	h->body = (ds_str){ first, (size_t)(w - first) };
}

struct ds_http_coders {
	ds_codec *of[DS_BROTLI + 1]; /* by ds_wrap; opened at the first use */
};

ds_http_coders *ds_http_coders_new(void)
{
	return DS_NEW(ds_http_coders, 1);
}

void ds_http_coders_free(ds_http_coders *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < sizeof(c->of) / sizeof(*c->of); i++)
		ds_codec_close(c->of[i]);
	ds_mem_free(c);
}

static ds_codec *coder_for(ds_http_coders *c, ds_wrap wrap)
{
	if (c->of[wrap])
		ds_codec_reset(c->of[wrap]);
	else
		c->of[wrap] = ds_codec_open(wrap, false, 0);
	return c->of[wrap];
}

typedef struct {
	ds_arena *mem;
	uint64_t limit;
	char *at;
	size_t n, cap;
} output;

static ds_rc grow_output(output *r, ds_err *e)
{
	size_t cap = r->cap * 2;
	if (r->limit && r->n > r->limit)
		return ds_fail(e, DS_BAD, "the body is larger than --max-record, %llu bytes",
			(unsigned long long)r->limit);
	char *more = ds_arena_bytes(r->mem, cap);
	memcpy(more, r->at, r->n);
	r->at = more;
	r->cap = cap;
	return DS_OK;
}

/* All members of one coding; *cut: it ends within one. */
static ds_rc decompress(ds_codec *codec, ds_wrap wrap, ds_str in, output *r, bool *cut, ds_err *e)
{
	bool ended = false;
	*cut = false;
	do {
		if (r->n == r->cap)
			DS_TRY(grow_output(r, e));
		char *w = r->at + r->n;
		size_t space = r->cap - r->n, before = in.n;
		ds_rc rc = ds_codec_step(codec, &in, &w, &space, false, &ended, e);
		bool idle = space == r->cap - r->n && in.n == before;
		r->n = r->cap - space;
		DS_TRY(rc);
		if (ended && wrap == DS_GZIP && ds_str_starts(in, DS_S("\x1f\x8b"))) {
			ds_codec_reset(codec); /* one more member; what else follows is let be */
			ended = false;
		}
		*cut = idle && !ended;
	} while (!ended && !*cut);
	if (r->limit && r->n > r->limit)
		return grow_output(r, e); /* says so */
	return DS_OK;
}

static bool zlib_begins(ds_str s)
{
	const uint8_t *p = (const uint8_t *)s.at;
	return s.n > 1 && (p[0] & 15) == 8 && p[0] >> 4 < 8 && (p[0] * 256 + p[1]) % 31 == 0;
}

static bool is_ascii(ds_str s)
{
	uint8_t any = 0;
	for (size_t i = 0; i < s.n && i < 1024; i++)
		any |= (uint8_t)s.at[i];
	return any < 0x80;
}

/*
 * One coding. Plain bytes that are said to be compressed stay: such fail, or, as deflate has no magic, seem
 * to end early. *nothing: not a byte could be decompressed.
 */
static ds_rc try_one(ds_http *h, ds_http_coders *c, ds_wrap wrap, ds_arena *mem, uint64_t limit,
	bool *nothing, ds_err *e)
{
	output r = { .mem = mem, .limit = limit, .cap = 4 * h->body.n + 1024 };
	bool cut;
	r.at = ds_arena_bytes(mem, r.cap);
	ds_rc rc = decompress(coder_for(c, wrap), wrap, h->body, &r, &cut, e);
	*nothing = rc == DS_SHORT && !r.n;
	if (ds_http_is_plain(h->body) &&
		(rc == DS_SHORT || (rc == DS_OK && cut && is_ascii(h->body))))
		return DS_OK;
	if (rc != DS_OK && rc != DS_SHORT)
		return rc;
	if (!*nothing) {
		h->body = (ds_str){ r.at, r.n };
		h->cut |= cut;
	}
	return rc;
}

static bool word_is(ds_str word, const char *name)
{
	return word.n == strlen(name) && strncasecmp(word.at, name, word.n) == 0;
}

static ds_rc undo(ds_http *h, ds_http_coders *c, ds_str word, ds_arena *mem, uint64_t limit,
	bool *unknown, ds_err *e)
{
	bool nothing;
	if (!h->body.n || !word.n || word_is(word, "identity") || word_is(word, "none"))
		return DS_OK;
	if (word_is(word, "gzip") || word_is(word, "x-gzip"))
		return try_one(h, c, DS_GZIP, mem, limit, &nothing, e);
	if (word_is(word, "br"))
		return try_one(h, c, DS_BROTLI, mem, limit, &nothing, e);
	if (word_is(word, "zstd"))
		return try_one(h, c, DS_ZSTD, mem, limit, &nothing, e);
	if (word_is(word, "deflate")) { /* zlib by the RFC, bare from some servers */
		ds_rc rc = DS_SHORT;
		nothing = true;
		if (zlib_begins(h->body))
			rc = try_one(h, c, DS_ZLIB, mem, limit, &nothing, e);
		return rc == DS_SHORT && nothing
			       ? try_one(h, c, DS_DEFLATE, mem, limit, &nothing, e)
			       : rc;
	}
	*unknown |= !ds_http_is_plain(h->body);
	return DS_OK;
}

/* The codings of a list, the last one first: it was put on last. */
static ds_rc undo_all(ds_http *h, ds_http_coders *c, ds_str list, ds_arena *mem, uint64_t limit,
	bool *unknown, ds_err *e)
{
	while (list.n) {
		const char *comma = memrchr(list.at, ',', list.n);
		size_t at = comma ? (size_t)(comma + 1 - list.at) : 0;
		ds_str word = ds_str_trim((ds_str){ list.at + at, list.n - at });
		list.n = comma ? at - 1 : 0;
		if (word_is(word, "chunked"))
			dechunk(h);
		else
			DS_TRY(undo(h, c, word, mem, limit, unknown, e));
	}
	return DS_OK;
}

ds_rc ds_http_decode(
	ds_http *h, ds_http_coders *c, ds_arena *mem, uint64_t limit, bool *unknown, ds_err *e)
{
	*unknown = false;
	DS_TRY(undo_all(h, c, h->transfer, mem, limit, unknown, e));
	return undo_all(h, c, h->coding, mem, limit, unknown, e);
}
