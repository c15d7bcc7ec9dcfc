/*
 * import_warc.c - WARC and WET as Common Crawl publishes them (ISO 28500)
 *
 * conversion, response and resource records become records: `id`, `source` (the target URI), `meta`
 * (date and type) and `text`. Of an HTTP response the text is the body, its chunks joined and gzip
 * undone. The others (warcinfo, request, metadata, revisit) are passed over.
 */
#include "record/import.h"

#include "record/export.h"

#include <strings.h>

enum { HEADER_LIMIT = 1 << 20 };

typedef struct {
	size_t missing; /* of a large record that is walked over */
} cutter;

/* Behind the empty line that ends a header, or 0. Lines may end in LF alone. */
static size_t header_end(ds_str s)
{
	const char *p = s.at, *end = s.at + s.n;
	while ((p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		if (p < end && *p == '\n')
			return (size_t)(p + 1 - s.at);
		if (end - p > 1 && p[0] == '\r' && p[1] == '\n')
			return (size_t)(p + 2 - s.at);
	}
	return 0;
}

/* The value of a header field by its name, n = 0 where there is none. */
static ds_str field(ds_str header, const char *name)
{
	size_t n = strlen(name);
	ds_str line;
	while (ds_next_line(&header, &line))
		if (line.n > n && line.at[n] == ':' && strncasecmp(line.at, name, n) == 0)
			return ds_str_trim((ds_str){ line.at + n + 1, line.n - n - 1 });
	return (ds_str){ "", 0 };
}

static size_t line_ends(ds_str s) /* how many CR and LF it begins with */
{
	size_t n = 0;
	while (n < s.n && (s.at[n] == '\r' || s.at[n] == '\n'))
		n++;
	return n;
}

static bool content_length(ds_str header, size_t *out)
{
	int64_t n;
	if (!ds_str_i64(field(header, "Content-Length"), &n) || n < 0 || (uint64_t)n > UINT32_MAX)
		return false;
	*out = (size_t)n;
	return true;
}

/*
 * One record at the start of s, line ends before it included: header and content, or where it ends
 * if it is none. false: it is not all there; *total is then 0 or how much it would be.
 */
static bool one_record(ds_str s, ds_str *header, ds_str *content, size_t *total)
{
	size_t lead = line_ends(s), head, length;
	ds_str rest = { s.at + lead, s.n - lead };
	*total = 0;
	*header = *content = (ds_str){ rest.at, 0 };
	if (!rest.n) {
		*total = s.n;
		return s.n > 0;
	}
	head = header_end((ds_str){ rest.at, rest.n < HEADER_LIMIT ? rest.n : HEADER_LIMIT });
	bool is_warc = ds_str_starts(rest, DS_S("WARC/")) || (rest.n < 5 && !head);
	if (!head && is_warc && rest.n < HEADER_LIMIT)
		return false;
	*header = (ds_str){ rest.at, head };
	if (!head || !is_warc || !content_length(*header, &length)) {
		/* Not a record; the next one is looked for. */
		const char *next = memmem(rest.at + 1, rest.n - 1, "\nWARC/", 6);
		*content = (ds_str){ rest.at, next ? (size_t)(next + 1 - rest.at) : rest.n };
		*header = (ds_str){ rest.at, 0 };
		*total = lead + content->n;
		return true;
	}
	*total = lead + head + length;
	if (*total > s.n)
		return false;
	*content = (ds_str){ rest.at + head, length };
	ds_str after = { s.at + *total, s.n - *total };
	size_t tail = line_ends(after);
	*total += tail < 4 ? tail : 4;
	return true;
}

static size_t last_record(void *state, ds_str bytes)
{
	ds_str header, content;
	size_t end = 0, total;
	while (end < bytes.n &&
		one_record((ds_str){ bytes.at + end, bytes.n - end }, &header, &content, &total))
		end += total;
	return end;
}

static size_t walk(void *state, ds_str bytes, bool first, bool *ended)
{
	cutter *x = state;
	ds_str header, content;
	size_t n;
	if (first)
		x->missing = 0;
	if (x->missing) {
		n = x->missing < bytes.n ? x->missing : bytes.n;
		x->missing -= n;
		*ended = !x->missing;
		return n;
	}
	*ended = one_record(bytes, &header, &content, &n);
	if (*ended || !n)
		return n;
	x->missing = n - bytes.n;
	return bytes.n;
}

static const ds_ends warc_ends = { last_record, walk, false };

static ds_rc open_file(ds_input *in, ds_err *e)
{
	in->state = ds_arena_zero(ds_source_mem(in->source), sizeof(cutter));
	return DS_OK;
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	DS_TRY(ds_cut(in, ch, &warc_ends, in->state, more, e));
	ds_str rest = ch->bytes, header, content;
	size_t total;
	while (rest.n && one_record(rest, &header, &content, &total)) {
		ch->n_records += content.n || header.n;
		rest = (ds_str){ rest.at + total, rest.n - total };
	}
	in->n_records += ch->n_records;
	return DS_OK;
}

/* Joins the chunks of a chunked body in place (RFC 9112, 7.1); false where it is not one. */
static bool dechunk(ds_str *body)
{
	char *w = (char *)(uintptr_t)body->at;
	ds_str rest = *body, line;
	const char *first = w;
	while (ds_next_line(&rest, &line)) {
		size_t n = 0, i = 0;
		for (; i < line.n; i++) {
			char c = (char)(line.at[i] | 32);
			int v = c >= '0' && c <= '9'   ? c - '0'
				: c >= 'a' && c <= 'f' ? c - 'a' + 10
						       : -1;
			if (line.at[i] < '0' || v < 0)
				break;
			n = n * 16 + (size_t)v;
			if (n > rest.n)
				return false;
		}
		if (i == 0)
			return false;
		memmove(w, rest.at, n);
		w += n;
		rest = (ds_str){ rest.at + n, rest.n - n };
		if (n == 0) {
			*body = (ds_str){ first, (size_t)(w - first) };
			return true;
		}
		size_t ends = line_ends(rest);
		ends = ends < 2 ? ends : 2;
		rest = (ds_str){ rest.at + ends, rest.n - ends };
	}
	return false;
}

static ds_rc gunzip(ds_chunk *ch, ds_str *body, ds_err *e)
{
	uint64_t limit = ch->input->common->max_record;
	DS_AUTO(ds_in) in = ds_in_from_mem(body->at, body->n, "body");
	ds_text out = ds_text_new(ch->mem, 4 * body->n);
	size_t got;
	do {
		ds_text_room(&out, 64 << 10);
		if (ds_in_read(in, out.at + out.n, out.cap - out.n, &got, e) != DS_OK)
			return DS_BAD;
		out.n += got;
		if (limit && out.n > limit)
			return ds_fail(e, DS_BAD,
				"the body is larger than --max-record, %llu bytes",
				(unsigned long long)limit);
	} while (got);
	*body = (ds_str){ out.at, out.n };
	return DS_OK;
}

/* The body of an HTTP response, as it was before it was sent. */
static ds_rc http_body(ds_chunk *ch, ds_str content, ds_str *body, ds_err *e)
{
	size_t head = header_end(content);
	if (!ds_str_starts(content, DS_S("HTTP/")) || !head)
		return ds_fail(e, DS_BAD, "a response that is not HTTP");
	ds_str header = { content.at, head }, coding = field(header, "Content-Encoding");
	*body = (ds_str){ content.at + head, content.n - head };
	ds_str transfer = field(header, "Transfer-Encoding");
	if (transfer.n == 7 && strncasecmp(transfer.at, "chunked", 7) == 0 && !dechunk(body))
		return ds_fail(e, DS_BAD, "a chunked body that is not whole");
	if (coding.n == 0 || (coding.n == 8 && strncasecmp(coding.at, "identity", 8) == 0))
		return DS_OK;
	bool gzip = (coding.n == 4 && strncasecmp(coding.at, "gzip", 4) == 0) ||
		    (coding.n == 6 && strncasecmp(coding.at, "x-gzip", 6) == 0);
	if (!gzip)
		return ds_fail(e, DS_BAD, "content encoding '%.*s' is not known", DS_FMT(coding));
	return gunzip(ch, body, e);
}

typedef struct {
	ds_colb *id, *source, *meta, *text;
} columns;

static ds_str add_meta(ds_chunk *ch, ds_str header)
{
	uint64_t unused = 0;
	ds_text t = ds_text_new(ch->mem, 128);
	ds_text_add(&t, "{\"date\":", 8);
	ds_text_json_str(&t, field(header, "WARC-Date"), &unused);
	ds_text_add(&t, ",\"type\":", 8);
	ds_text_json_str(&t, field(header, "WARC-Type"), &unused);
	ds_text_byte(&t, '}');
	return (ds_str){ t.at, t.n };
}

static ds_rc add_record(
	ds_chunk *ch, columns *c, ds_str header, ds_str content, bool *taken, ds_err *e)
{
	ds_str type = field(header, "WARC-Type"), body = content, uri;
	*taken = false;
	if (!header.n)
		return ds_fail(e, DS_BAD, "not a WARC record");
	if (ds_str_is(type, "response"))
		DS_TRY(http_body(ch, content, &body, e));
	else if (!ds_str_is(type, "conversion") && !ds_str_is(type, "resource"))
		return DS_OK;
	uri = field(header, "WARC-Target-URI");
	if (uri.n > 1 && uri.at[0] == '<' && uri.at[uri.n - 1] == '>') /* WARC 1.0 */
		uri = (ds_str){ uri.at + 1, uri.n - 2 };
	ds_colb_bytes(c->id, field(header, "WARC-Record-ID"));
	ds_colb_bytes(c->source, uri);
	ds_colb_bytes(c->meta, add_meta(ch, header));
	ds_colb_bytes(c->text, body);
	*taken = true;
	return DS_OK;
}

static ds_rc add_all(ds_chunk *ch, columns *c, ds_rows *rows, ds_err *e)
{
	ds_str rest = ch->bytes, header, content;
	size_t total;
	uint64_t number = ch->first_record, record = 0;
	for (; rest.n && one_record(rest, &header, &content, &total);
		rest = (ds_str){ rest.at + total, rest.n - total }) {
		bool taken = false, fits;
		ds_str raw = { rest.at, total };
		if (!header.n && !content.n)
			continue;
		DS_TRY(ds_check_size(ch, number, raw, &fits, e));
		if (fits && ch->input->common->on_error == DS_ON_REJECT)
			raw = ds_arena_str(ch->mem, raw); /* bodies are decoded in place */
		ds_rc rc = fits ? add_record(ch, c, header, content, &taken, e) : DS_OK;
		if (rc != DS_OK)
			DS_TRY(ds_reject(ch, number, raw, e));
		else if (fits && taken)
			ds_rows_add(rows, ch->mem, record);
		record += !fits || rc != DS_OK || taken;
		number++;
	}
	return DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	ds_block *b = ds_block_new(ch->mem, (uint32_t)ch->n_records);
	columns c = { ds_colb_new(b, "id", DS_T_UTF8), ds_colb_new(b, "source", DS_T_UTF8),
		ds_colb_new(b, "meta", DS_T_JSON),
		ds_colb_new(b, ch->input->common->field, DS_T_UTF8) };
	ds_rows rows = { 0 };
	DS_TRY(add_all(ch, &c, &rows, e));
	b->n_rows = (uint32_t)rows.n;
	b->row_of = rows.row_of;
	DS_TRY(ds_colb_put(c.id, e));
	DS_TRY(ds_colb_put(c.source, e));
	DS_TRY(ds_colb_put(c.meta, e));
	DS_TRY(ds_colb_put(c.text, e));
	*out = b;
	return DS_OK;
}

static bool looks(ds_str head)
{
	return ds_str_starts(head, DS_S("WARC/1."));
}

const ds_importer ds_import_warc = {
	.name = "warc",
	.what = "WARC and WET: conversions, responses and resources",
	.suffixes = ".warc .wet",
	.ends_itself = true,
	.magic = looks,
	.open = open_file,
	.cut = cut,
	.parse = parse,
};
