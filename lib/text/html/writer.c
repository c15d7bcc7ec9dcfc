/*
 * writer.c - text with the line breaks, tabs and blanks that elements ask for
 *
 * White space collapses as in a browser. Breaks, tabs and blanks are owed until text comes that needs
 * them, so that nothing hangs at the ends of lines.
 */
#include "text/html/html_impl.h"

static bool *row_has(ds_html_writer *w)
{
	return &w->row_has[w->n_tables < DS_HTML_CELLS ? w->n_tables : DS_HTML_CELLS - 1];
}

/* Writes what is owed; text follows. */
static void settle(ds_html_writer *w)
{
	ds_grow *g = &w->out;
	ds_grow_reserve(g, 4);
	if (w->breaks && g->n) {
		unsigned have =
			g->at[g->n - 1] == '\n' ? g->n > 1 && g->at[g->n - 2] == '\n' ? 2 : 1 : 0;
		for (; have < w->breaks; have++)
			g->at[g->n++] = '\n';
		w->blank = false;
	}
	if (w->tabs)
		w->blank = false;
	for (; w->tabs; w->tabs--)
		ds_grow_byte(g, '\t');
	ds_grow_reserve(g, 1);
	if (w->blank && g->n && g->at[g->n - 1] != '\n')
		g->at[g->n++] = ' ';
	w->breaks = w->row_breaks = 0;
	w->blank = false;
	w->fresh = false;
}

static void add_break(ds_html_writer *w, unsigned n)
{
	if (w->fresh)
		return;
	if (w->breaks < n)
		w->breaks = n;
	w->blank = false;
}

/* What a byte of text is: 0 itself, 1 white space, 2 '&', 3 NUL. */
static const uint8_t kinds[256] = {
	[0] = 3, ['\t'] = 1, ['\n'] = 1, ['\f'] = 1, ['\r'] = 1, [' '] = 1, ['&'] = 2
};

static inline bool owes(const ds_html_writer *w)
{
	return w->breaks || w->tabs || w->blank || w->fresh;
}

/* Writes the reference at p, after its '&', or the '&'; returns what is after it. */
static const char *add_ref(ds_html_writer *w, const char *p, const char *end)
{
	char text[DS_HTML_REF_BYTES];
	size_t n_text, used = ds_html_ref((ds_str){ p, (size_t)(end - p) }, false, text, &n_text);
	if (!used) {
		settle(w);
		ds_grow_byte(&w->out, '&');
		return p;
	}
	/* &#10; and &#32; collapse as the characters themselves do. */
	if (n_text == 1 && kinds[(uint8_t)*text] == 1 && !w->n_pre) {
		w->blank = true;
		return p + used;
	}
	settle(w);
	ds_grow_add(&w->out, text, n_text);
	return p + used;
}

static const char *add_nul(ds_html_writer *w, const char *p, bool literal)
{
	if (literal) {
		settle(w);
		ds_grow_add(&w->out, "\xef\xbf\xbd", 3);
	}
	return p + 1;
}

static void collapse(ds_html_writer *w, const ds_html_token *t)
{
	const char *p = t->span.at, *end = p + t->span.n;
	bool refs = t->refs;
	while (p < end) {
		uint8_t kind = kinds[(uint8_t)*p];
		if (kind == 1) {
			w->blank = true;
			p++;
			continue;
		}
		if (kind == 3) {
			p = add_nul(w, p, t->literal);
			continue;
		}
		if (kind == 2 && refs) {
			p = add_ref(w, p + 1, end);
			continue;
		}
		if (owes(w))
			settle(w);
		/* What goes out is never more than what is left, but for what is owed. */
		char *to = ds_grow_reserve(&w->out, (size_t)(end - p) + 16), *at = to;
		do {
			*at++ = *p++;
			/* A single blank inside a line is the rule: no need to owe it. */
			if (end - p >= 2 && *p == ' ' && !kinds[(uint8_t)p[1]])
				*at++ = *p++;
		} while (p < end && (!kinds[(uint8_t)*p] || (*p == '&' && !refs)));
		w->out.n += (size_t)(at - to);
	}
}

static void keep(ds_html_writer *w, const ds_html_token *t)
{
	const char *p = t->span.at, *end = p + t->span.n;
	if (w->skip_line && p < end && *p == '\r')
		p++;
	if (w->skip_line && p < end && *p == '\n')
		p++;
	while (p < end) {
		if (*p == '&' && t->refs) {
			p = add_ref(w, p + 1, end);
			continue;
		}
		if (!*p) {
			p = add_nul(w, p, t->literal);
			continue;
		}
		settle(w);
		if (*p == '\r') {
			if (end - p < 2 || p[1] != '\n')
				ds_grow_byte(&w->out, '\n');
			p++;
			continue;
		}
		const char *from = p++;
		while (p < end && *p && *p != '\r' && *p != '&')
			p++;
		ds_grow_add(&w->out, from, (size_t)(p - from));
	}
}

static void cell(ds_html_writer *w, const ds_html_token *t)
{
	if (t->kind != DS_HTML_OPEN)
		return;
	bool *has = row_has(w);
	if (*has) { /* what the cell before owes goes, what the row owes as a whole does not */
		w->breaks = w->row_breaks;
		w->blank = false;
		w->tabs++;
	} else {
		w->row_breaks = w->breaks;
	}
	w->fresh = true;
	*has = true;
}

static void table(ds_html_writer *w, const ds_html_token *t)
{
	if (t->kind == DS_HTML_OPEN)
		w->n_tables++;
	else if (w->n_tables)
		w->n_tables--;
	else
		return;
	if (t->kind == DS_HTML_OPEN)
		*row_has(w) = false;
}

void ds_html_write_tag(ds_html_writer *w, const ds_html_token *t)
{
	const ds_html_tag *tag = &ds_html_tags[t->tag];
	if (t->tag == DS_TAG_table)
		table(w, t);
	if (t->tag == DS_TAG_tr) {
		*row_has(w) = false;
		w->tabs = 0;
		w->fresh = false;
		if (w->breaks > 1) /* an empty line that a paragraph owes does not part rows */
			w->breaks = 1;
	}
	if (tag->breaks == DS_BREAK_CELL)
		cell(w, t);
	else if (t->tag == DS_TAG_br)
		add_break(w, w->breaks + 1 < 2 ? w->breaks + 1 : 2);
	else if (tag->breaks)
		add_break(w, tag->breaks == DS_BREAK_PARA ? 2 : 1);
	if (tag->flags & DS_TAGF_PRE) {
		if (t->kind == DS_HTML_OPEN)
			w->n_pre++;
		else if (w->n_pre)
			w->n_pre--;
	}
	w->skip_line = tag->flags & DS_TAGF_PRE && t->kind == DS_HTML_OPEN;
}

static void add_span(ds_html_writer *w, size_t from)
{
	if (w->n_spans && w->pre[w->n_spans - 1].to == from) {
		w->pre[w->n_spans - 1].to = w->out.n;
		return;
	}
	if (w->n_spans == w->cap_spans) {
		size_t cap = 2 * w->cap_spans + 8;
		ds_html_span *at = ds_arena_get(w->out.mem, cap * sizeof(*at));
		if (w->n_spans)
			memcpy(at, w->pre, w->n_spans * sizeof(*at));
		w->pre = at;
		w->cap_spans = cap;
	}
	w->pre[w->n_spans++] = (ds_html_span){ from, w->out.n };
}

void ds_html_write_text(ds_html_writer *w, const ds_html_token *t)
{
	size_t from = w->out.n;
	if (w->n_pre)
		keep(w, t);
	else
		collapse(w, t);
	if (w->n_pre && w->out.n > from)
		add_span(w, from);
	w->skip_line = false;
}

static uint32_t count_lines(ds_str s)
{
	uint32_t n = 0;
	for (const char *p = s.at, *end = p + s.n;
		p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		n++;
	return n;
}

void ds_html_lines_of(
	ds_html_lines *out, ds_str text, const ds_html_span *at, size_t n, ds_arena *mem)
{
	uint32_t line = 0;
	size_t done = 0;
	*out = (ds_html_lines){ .at = n ? ds_arena_get(mem, n * sizeof(*out->at)) : NULL };
	for (size_t i = 0; i < n; i++) {
		size_t from = at[i].from, to = at[i].to < text.n ? at[i].to : text.n;
		while (from < to && text.at[from] == '\n') /* breaks that were owed before it */
			from++;
		while (to > from && text.at[to - 1] == '\n')
			to--;
		if (from >= to)
			continue;
		line += count_lines((ds_str){ text.at + done, from - done });
		out->at[out->n].from = line;
		line += count_lines((ds_str){ text.at + from, to - from });
		out->at[out->n++].to = line + 1;
		done = to;
	}
}
