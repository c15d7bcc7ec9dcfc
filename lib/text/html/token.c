/*
 * token.c - the tokenization states of the HTML standard, 13.2.5
 *
 * The states are spelled out as scans over the input; a comment names the state where it is not plain
 * from the code. Parse errors are not reported: the standard says for each what to do, and that is
 * done. At the end of the input an unfinished tag is dropped (eof-in-tag).
 */
#include "text/html/html_impl.h"

const ds_html_tag ds_html_tags[DS_N_TAGS] = {
#define NONE DS_BREAK_NONE
#define LINE DS_BREAK_LINE
#define PARA DS_BREAK_PARA
#define CELL DS_BREAK_CELL
#define VOID DS_TAGF_VOID
#define DROP DS_TAGF_DROP
#define RAW DS_TAGF_RAW
#define RCDATA DS_TAGF_RCDATA
#define SCRIPT DS_TAGF_SCRIPT
#define PLAIN DS_TAGF_PLAIN
#define PRE DS_TAGF_PRE
#define OUT DS_TAGF_OUT
#define POINT DS_TAGF_POINT
#define LINK DS_TAGF_LINK
#define HEAD DS_TAGF_HEAD
#define GOOD DS_TAGF_GOOD
#define POOR DS_TAGF_POOR
#define TEXT DS_TAGF_TEXT
#define TAG(tag, breaks, flags) [DS_TAG_##tag] = { #tag, sizeof(#tag) - 1, breaks, flags },
#include "text/html/tags.def"
};

static inline char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
}

static inline bool is_letter(char c)
{
	return (uint8_t)((c | 32) - 'a') < 26;
}

/* a in any case, b of the table; '_' there stands for '-'. */
static bool same_name(ds_str a, const ds_html_tag *b)
{
	if (a.n != b->n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.at[i]) != (b->name[i] == '_' ? '-' : b->name[i]))
			return false;
	return true;
}

unsigned ds_html_tag_of(ds_str name)
{
	const uint8_t *k = ds_html_tag_hash;
	if (name.n == 0)
		return DS_TAG_unknown;
	unsigned h = (uint8_t)lower(name.at[0]) * k[0] +
		     (uint8_t)lower(name.at[name.n / 2]) * k[1] +
		     (uint8_t)lower(name.at[name.n - 1]) * k[2] + (unsigned)name.n * k[3];
	unsigned tag = ds_html_tag_slot[h & 511];
	return tag && same_name(name, &ds_html_tags[tag]) ? tag : DS_TAG_unknown;
}

void ds_html_init(ds_html *h, ds_str document)
{
	*h = (ds_html){ .at = document.at, .end = document.at + document.n };
}

void ds_html_enter(ds_html *h, const ds_html_token *open)
{
	unsigned flags = ds_html_tags[open->tag].flags;
	if (flags & DS_TAGF_SCRIPT)
		h->model = DS_HTML_SCRIPT;
	else if (flags & DS_TAGF_RAW)
		h->model = DS_HTML_RAWTEXT;
	else if (flags & DS_TAGF_RCDATA)
		h->model = DS_HTML_RCDATA;
	else if (flags & DS_TAGF_PLAIN)
		h->model = DS_HTML_PLAINTEXT;
	else
		return;
	h->element = open->span;
}

/* --- attributes --- */

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && ds_html_blank(*p))
		p++;
	return p;
}

/*
 * One attribute from p on, where a name begins: its end, or NULL where the input ends first. value.at is
 * NULL where there is none.
 */
static inline const char *one_attr(const char *p, const char *end, ds_str *name, ds_str *value)
{
	const char *start = p++; /* a '=' that begins a name is part of it */
	while (p < end && !ds_html_blank(*p) && *p != '/' && *p != '>' && *p != '=')
		p++;
	*name = (ds_str){ start, (size_t)(p - start) };
	*value = (ds_str){ NULL, 0 };
	const char *q = skip_blanks(p, end);
	if (q == end)
		return NULL;
	if (*q != '=')
		return q;
	p = skip_blanks(q + 1, end);
	if (p == end)
		return NULL;
	if (*p == '>') {
		value->at = p;
		return p;
	}
	if (*p == '"' || *p == '\'') {
		const char *close = memchr(p + 1, *p, (size_t)(end - p - 1));
		if (!close)
			return NULL;
		*value = (ds_str){ p + 1, (size_t)(close - p - 1) };
		return close + 1;
	}
	start = p;
	while (p < end && !ds_html_blank(*p) && *p != '>')
		p++;
	*value = (ds_str){ start, (size_t)(p - start) };
	return p;
}

bool ds_html_attr(ds_str *attrs, ds_str *name, ds_str *value)
{
	const char *p = attrs->at, *end = p + attrs->n;
	while (p < end && (ds_html_blank(*p) || *p == '/'))
		p++;
	if (p == end)
		return false;
	const char *next = one_attr(p, end, name, value);
	if (!value->at)
		*value = (ds_str){ "", 0 };
	if (!next) /* the '>' that ended it is not part of attrs */
		next = end;
	*attrs = (ds_str){ next, (size_t)(end - next) };
	return true;
}

/* p is after a tag's name. The '>' that ends the tag, or NULL. */
static const char *tag_end(const char *p, const char *end, bool *self_closing)
{
	ds_str name, value;
	*self_closing = false;
	while (p < end) {
		char c = *p;
		if (c == '>')
			return p;
		if (c == '/') {
			p++;
			if (p < end && *p == '>') {
				*self_closing = true;
				return p;
			}
		} else if (ds_html_blank(c)) {
			p++;
		} else {
			p = one_attr(p, end, &name, &value);
			if (!p)
				return NULL;
		}
	}
	return NULL;
}

/* --- tokens --- */

static ds_html_kind ended(ds_html *h, ds_html_token *t)
{
	h->at = h->end;
	return t->kind = DS_HTML_END;
}

static ds_html_kind text(ds_html *h, ds_html_token *t, const char *to, bool refs)
{
	*t = (ds_html_token){ .kind = DS_HTML_TEXT,
		.span = { h->at, (size_t)(to - h->at) },
		.refs = refs,
		.literal = h->foreign || h->model != DS_HTML_DATA };
	h->at = to;
	return DS_HTML_TEXT;
}

/* name is at a letter. */
static ds_html_kind tag(ds_html *h, ds_html_token *t, ds_html_kind kind, const char *name)
{
	const char *p = name;
	while (p < h->end && !ds_html_blank(*p) && *p != '/' && *p != '>')
		p++;
	bool self_closing;
	const char *close = tag_end(p, h->end, &self_closing);
	if (!close)
		return ended(h, t);
	*t = (ds_html_token){ .kind = kind,
		.span = { name, (size_t)(p - name) },
		.attrs = { p, (size_t)(close - p) },
		.self_closing = self_closing };
	t->tag = ds_html_tag_of(t->span);
	h->at = close + 1;
	return kind;
}

static ds_html_kind comment(
	ds_html *h, ds_html_token *t, const char *from, const char *to, const char *next)
{
	*t = (ds_html_token){ .kind = DS_HTML_COMMENT, .span = { from, (size_t)(to - from) } };
	h->at = next;
	return DS_HTML_COMMENT;
}

static ds_html_kind bogus(ds_html *h, ds_html_token *t, const char *from)
{
	const char *close = memchr(from, '>', (size_t)(h->end - from));
	return comment(h, t, from, close ? close : h->end, close ? close + 1 : h->end);
}

/* p is after "<!--". */
static ds_html_kind real_comment(ds_html *h, ds_html_token *t, const char *p)
{
	if (p < h->end && *p == '>')
		return comment(h, t, p, p, p + 1);
	if (h->end - p >= 2 && p[0] == '-' && p[1] == '>')
		return comment(h, t, p, p, p + 2);
	for (const char *q = p; (q = memchr(q, '-', (size_t)(h->end - q))); q++) {
		if (h->end - q >= 3 && q[1] == '-' && q[2] == '>')
			return comment(h, t, p, q, q + 3);
		if (h->end - q >= 4 && q[1] == '-' && q[2] == '!' && q[3] == '>')
			return comment(h, t, p, q, q + 4);
	}
	/* eof-in-comment: what would have ended it is no data. */
	const char *to = h->end;
	if (to - p >= 3 && memcmp(to - 3, "--!", 3) == 0)
		to -= 3;
	else
		for (int i = 0; i < 2 && to > p && to[-1] == '-'; i++)
			to--;
	return comment(h, t, p, to, h->end);
}

static bool starts_with(const char *p, const char *end, const char *word)
{
	for (; *word; word++, p++)
		if (p == end || lower(*p) != *word)
			return false;
	return true;
}

/* p is after "<!". */
static ds_html_kind declaration(ds_html *h, ds_html_token *t, const char *p)
{
	if (h->end - p >= 2 && p[0] == '-' && p[1] == '-')
		return real_comment(h, t, p + 2);
	if (starts_with(p, h->end, "doctype")) {
		bogus(h, t, p + 7);
		return t->kind = DS_HTML_DOCTYPE;
	}
	if (!h->foreign || h->end - p < 7 || memcmp(p, "[CDATA[", 7) != 0)
		return bogus(h, t, p);
	p += 7;
	const char *close = memmem(p, (size_t)(h->end - p), "]]>", 3);
	h->at = p;
	text(h, t, close ? close : h->end, false);
	if (close)
		h->at = close + 3;
	return t->kind;
}

/* What the '<' at p begins; false: it is text. */
static bool markup(ds_html *h, ds_html_token *t, const char *p)
{
	if (h->end - p < 2)
		return false;
	char c = p[1];
	if (is_letter(c))
		tag(h, t, DS_HTML_OPEN, p + 1);
	else if (c == '!')
		declaration(h, t, p + 2);
	else if (c == '?')
		bogus(h, t, p + 1);
	else if (c != '/' || h->end - p < 3)
		return false;
	else if (is_letter(p[2]))
		tag(h, t, DS_HTML_CLOSE, p + 2);
	else if (p[2] == '>')
		comment(h, t, p + 2, p + 2, p + 3); /* missing-end-tag-name: nothing is there */
	else
		bogus(h, t, p + 2);
	return true;
}

static ds_html_kind data(ds_html *h, ds_html_token *t)
{
	const char *p = h->at;
	if (p == h->end)
		return ended(h, t);
	for (;; p++) {
		p = memchr(p, '<', (size_t)(h->end - p));
		if (!p)
			return text(h, t, h->end, true);
		if (p == h->at) {
			if (markup(h, t, p))
				return t->kind;
			continue;
		}
		/* Text up to here; the next call looks again at what begins. */
		if (p + 1 < h->end && (is_letter(p[1]) || p[1] == '!' || p[1] == '?' ||
					      (p[1] == '/' && p + 2 < h->end)))
			return text(h, t, p, true);
	}
}

/* "</" and the element's name and what may follow it are at p. */
static bool is_end_of(const char *p, const char *end, ds_str element)
{
	if (!element.n || (size_t)(end - p) < element.n + 3 || p[1] != '/')
		return false;
	for (size_t i = 0; i < element.n; i++)
		if (lower(p[2 + i]) != lower(element.at[i]))
			return false;
	char c = p[2 + element.n];
	return ds_html_blank(c) || c == '/' || c == '>';
}

/* The '<' of the end tag of a script, or NULL (13.2.5.4 and from 13.2.5.15 on). */
static const char *script_end(const char *p, const char *end, ds_str element)
{
	static const ds_str script = { "script", 6 };
	enum { PLAIN_SCRIPT, ESCAPED, DOUBLE } state = PLAIN_SCRIPT;
	while (p < end) {
		if (state != PLAIN_SCRIPT && *p == '-' && end - p >= 3 && p[1] == '-' &&
			p[2] == '>') {
			state = PLAIN_SCRIPT;
			p += 3;
		} else if (*p != '<') {
			const char *next =
				state == PLAIN_SCRIPT ? memchr(p, '<', (size_t)(end - p)) : p + 1;
			if (!next)
				return NULL;
			p = next;
		} else if (state == PLAIN_SCRIPT && end - p >= 4 && memcmp(p, "<!--", 4) == 0) {
			state = ESCAPED;
			p += 2; /* its dashes may be those of a "-->" */
		} else if (state != DOUBLE && is_end_of(p, end, element)) {
			return p;
		} else if (state == DOUBLE && is_end_of(p, end, script)) {
			state = ESCAPED;
			p += 8;
		} else if (state == ESCAPED && starts_with(p + 1, end, "script") && end - p >= 8 &&
			   (ds_html_blank(p[7]) || p[7] == '/' || p[7] == '>')) {
			state = DOUBLE;
			p += 7;
		} else {
			p++;
		}
	}
	return NULL;
}

static ds_html_kind until_end_tag(ds_html *h, ds_html_token *t)
{
	const char *p = h->at;
	if (h->model == DS_HTML_SCRIPT) {
		p = script_end(p, h->end, h->element);
	} else {
		while ((p = memchr(p, '<', (size_t)(h->end - p))) &&
			!is_end_of(p, h->end, h->element))
			p++;
	}
	if (p == h->at) {
		h->model = DS_HTML_DATA;
		return tag(h, t, DS_HTML_CLOSE, p + 2);
	}
	if (h->at == h->end)
		return ended(h, t);
	return text(h, t, p ? p : h->end, h->model == DS_HTML_RCDATA);
}

ds_html_kind ds_html_next(ds_html *h, ds_html_token *t)
{
	switch (h->model) {
	case DS_HTML_DATA:
		return data(h, t);
	case DS_HTML_PLAINTEXT:
		return h->at == h->end ? ended(h, t) : text(h, t, h->end, false);
	default:
		return until_end_tag(h, t);
	}
}
