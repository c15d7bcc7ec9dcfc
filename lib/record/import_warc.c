/*
 * import_warc.c - WARC and WET as crawlers and archives write them (ISO 28500)
 *
 * conversion, response and resource records become records: `id`, `source` (the target URI), `meta`
 * (date, type, HTTP status, media type, charset) and `text`, or with --media all `body` where the media
 * type is not of text. Everything else is passed over and counted by its kind.
 */
#include "record/import.h"

#include "record/export.h"
#include "record/http.h"

#include <strings.h>

enum { HEADER_LIMIT = 1 << 20 };

typedef struct {
	size_t missing; /* of a large record that is walked over */
} cutter;

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
	head = ds_http_header_end(
		(ds_str){ rest.at, rest.n < HEADER_LIMIT ? rest.n : HEADER_LIMIT });
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

typedef struct {
	ds_chunk *ch;
	ds_colb *id, *source, *meta, *text, *body; /* body: NULL unless --media all */
	ds_http_coders *coders;
} work;

typedef struct {
	ds_str type, id, uri, date, content_type, payload_type, truncated;
	ds_str content;
} warc_record;

static warc_record record_of(ds_str header, ds_str content)
{
	static const char *const names[] = { "WARC-Type", "WARC-Record-ID", "WARC-Target-URI",
		"WARC-Date", "Content-Type", "WARC-Identified-Payload-Type", "WARC-Truncated" };
	ds_str v[7];
	ds_http_fields(header, names, 7, v, NULL);
	if (v[2].n > 1 && v[2].at[0] == '<' && v[2].at[v[2].n - 1] == '>') /* WARC 1.0 */
		v[2] = (ds_str){ v[2].at + 1, v[2].n - 2 };
	return (warc_record){ v[0], v[1], v[2], v[3], v[4], v[5], v[6], content };
}

static bool same(ds_str s, const char *word) /* letters' case does not matter */
{
	return s.n == strlen(word) && strncasecmp(s.at, word, s.n) == 0;
}

/* Of a kind that is no document: which, or DS_PASSED_KINDS. */
static ds_passed passed_kind(const warc_record *r)
{
	static const struct {
		const char *type;
		ds_passed kind;
	} kinds[] = {
		{ "warcinfo", DS_PASSED_WARCINFO },
		{ "request", DS_PASSED_REQUEST },
		{ "metadata", DS_PASSED_METADATA },
		{ "revisit", DS_PASSED_REVISIT },
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (same(r->type, kinds[i].type))
			return kinds[i].kind;
	if (!same(r->type, "response") && !same(r->type, "resource") &&
		!same(r->type, "conversion"))
		return DS_PASSED_TYPE;
	if ((r->uri.n > 4 && strncasecmp(r->uri.at, "dns:", 4) == 0) ||
		(r->content_type.n >= 8 && strncasecmp(r->content_type.at, "text/dns", 8) == 0))
		return DS_PASSED_DNS;
	return DS_PASSED_KINDS;
}

/* --status: "200,3xx"; a record that no server answered with is not concerned. */
static bool status_wanted(const ds_input_opts *c, unsigned status)
{
	if (!c->status || !status)
		return true;
	for (const char *p = c->status; *p; p += p[3] ? 4 : 3)
		if ((p[0] == 'x' || (unsigned)(p[0] - '0') == status / 100) &&
			(p[1] == 'x' || (unsigned)(p[1] - '0') == status / 10 % 10) &&
			(p[2] == 'x' || (unsigned)(p[2] - '0') == status % 10))
			return true;
	return false;
}

static bool is_text(ds_str media)
{
	return ds_str_starts(media, DS_S("text/")) || ds_str_is(media, "application/xhtml+xml") ||
	       ds_str_is(media, "application/vnd.wap.xhtml+xml");
}

/* What the content is, by its own header or, as of a resource, the record's. */
static ds_http open_content(const warc_record *r, ds_arena *mem)
{
	ds_http h = { .body = r->content };
	if (same(r->type, "response"))
		h = ds_http_open(r->content, mem);
	if (!h.status && !ds_str_starts(r->content_type, DS_S("application/http")))
		h.type = ds_http_type_of(r->content_type, mem);
	if (!h.type.media.n && r->payload_type.n)
		h.type.media = ds_http_type_of(r->payload_type, mem).media;
	return h;
}

static ds_str meta_of(ds_arena *mem, const warc_record *r, const ds_http *h)
{
	uint64_t unused = 0;
	const bool page = !same(r->type, "conversion");
	ds_text t = ds_text_new(mem, 256);
	const struct {
		const char *key;
		ds_str value;
		bool shown;
	} members[] = {
		{ "{\"date\":", r->date, true },
		{ ",\"type\":", r->type, true },
		{ ",\"media\":", h->type.media, page && h->type.media.n },
		{ ",\"charset\":", h->type.charset, page && h->type.charset.n },
		{ ",\"truncated\":", r->truncated.n ? r->truncated : DS_S("unspecified"),
			r->truncated.n || h->cut },
	};
	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		if (i == 2 && h->status) {
			ds_text_add(&t, ",\"status\":", 10);
			ds_text_i64(&t, h->status);
		}
		if (!members[i].shown)
			continue;
		ds_text_add(&t, members[i].key, strlen(members[i].key));
		ds_text_json_str(&t, members[i].value, &unused);
	}
	ds_text_byte(&t, '}');
	return (ds_str){ t.at, t.n };
}

static ds_rc pass(work *w, ds_passed kind)
{
	ds_source_pass(w->ch->input->source, kind);
	return DS_OK;
}

/* *known false: a coding that is not known here, over bytes that are not plain. */
static ds_rc decode(work *w, const warc_record *r, ds_http *h, bool *known, ds_err *e)
{
	const ds_input_opts *c = w->ch->input->how;
	bool unknown;
	ds_rc rc = ds_http_decode(h, w->coders, w->ch->mem, c->max_record, &unknown, e);
	*known = !unknown;
	if (rc == DS_SHORT && r->truncated.n) { /* said to be so: as far as it goes */
		h->cut = true;
		rc = DS_OK;
	}
	if (rc != DS_OK)
		return ds_at(e, rc == DS_SHORT ? DS_BAD : rc, "the body cannot be decoded");
	if (unknown && c->on_error != DS_ON_STOP)
		return ds_fail(e, DS_BAD, "the body cannot be decoded: '%.*s' is not known",
			DS_FMT(h->coding.n ? h->coding : h->transfer));
	return DS_OK;
}

static ds_rc add_record(work *w, ds_str header, ds_str content, bool *taken, ds_err *e)
{
	const ds_input_opts *c = w->ch->input->how;
	bool known;
	*taken = false;
	if (!header.n)
		return ds_fail(e, DS_BAD, "not a WARC record");
	warc_record r = record_of(header, content);
	ds_passed kind = passed_kind(&r);
	if (kind != DS_PASSED_KINDS)
		return pass(w, kind);
	ds_http h = open_content(&r, w->ch->mem);
	if (!status_wanted(c, h.status))
		return pass(w, DS_PASSED_STATUS);
	if (h.type.media.n && !is_text(h.type.media) && !w->body)
		return pass(w, DS_PASSED_MEDIA);
	DS_TRY(decode(w, &r, &h, &known, e));
	if (!known)
		return pass(w, DS_PASSED_CODING);
	bool text = h.type.media.n ? is_text(h.type.media) : ds_http_is_plain(h.body);
	if (!text && !w->body)
		return pass(w, DS_PASSED_MEDIA);
	if (h.cut || r.truncated.n)
		ds_source_pass(w->ch->input->source, DS_PASSED_NOT_CUT);
	ds_colb_bytes(w->id, r.id);
	ds_colb_bytes(w->source, r.uri);
	ds_colb_bytes(w->meta, meta_of(w->ch->mem, &r, &h));
	if (text)
		ds_colb_bytes(w->text, h.body);
	else
		ds_colb_absent(w->text);
	if (w->body && text)
		ds_colb_absent(w->body);
	else if (w->body)
		ds_colb_bytes(w->body, h.body);
	*taken = true;
	return DS_OK;
}

static ds_rc add_all(work *w, ds_good_rows *rows, ds_err *e)
{
	ds_chunk *ch = w->ch;
	ds_str rest = ch->bytes, header, content;
	size_t total;
	uint64_t number = ch->first_record, record = 0;
	for (; rest.n && one_record(rest, &header, &content, &total);
		rest = (ds_str){ rest.at + total, rest.n - total }) {
		bool taken = false, fits;
		ds_str raw = { rest.at, total };
		if (!header.n && !content.n)
			continue;
		DS_TRY(ds_check_record(ch, number, raw, &fits, e));
		if (fits && ch->input->how->on_error == DS_ON_REJECT)
			raw = ds_arena_str(ch->mem, raw); /* bodies are decoded in place */
		ds_rc rc = fits ? add_record(w, header, content, &taken, e) : DS_OK;
		if (rc == DS_IO)
			return rc;
		if (rc != DS_OK)
			DS_TRY(ds_reject(ch, number, raw, e));
		else if (fits && taken)
			ds_good_rows_add(rows, ch->mem, record);
		record += !fits || rc != DS_OK || taken;
		number++;
	}
	return DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	const ds_input_opts *c = ch->input->how;
	ds_block *b = ds_block_new(ch->mem, (uint32_t)ch->n_records);
	DS_AUTO(ds_http_coders) coders = ds_http_coders_new();
	bool all = c->media && strcmp(c->media, "all") == 0;
	work w = { ch, ds_colb_new(b, "id", DS_T_UTF8), ds_colb_new(b, "source", DS_T_UTF8),
		ds_colb_new(b, "meta", DS_T_JSON), ds_colb_new(b, c->field.column, DS_T_UTF8),
		all ? ds_colb_new(b, "body", DS_T_BYTES) : NULL, coders };
	ds_good_rows rows = { 0 };
	DS_TRY(add_all(&w, &rows, e));
	b->n_rows = (uint32_t)rows.n;
	b->row_of = rows.row_of;
	DS_TRY(ds_colb_put(w.id, e));
	DS_TRY(ds_colb_put(w.source, e));
	DS_TRY(ds_colb_put(w.meta, e));
	DS_TRY(ds_colb_put(w.text, e));
	if (w.body)
		DS_TRY(ds_colb_put(w.body, e));
	*out = b;
	return DS_OK;
}

static bool looks(ds_str head)
{
	return head.n > 6 && ds_str_starts(head, DS_S("WARC/")) && head.at[6] == '.' &&
	       (head.at[5] == '0' || head.at[5] == '1');
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
