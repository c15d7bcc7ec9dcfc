/*
 * markdown.c - a document's text as Markdown, in one pass over its tokens
 *
 * Little is escaped: what would begin a heading, a list, a quote or a fence at the start of a line, and
 * brackets inside links.
 */
#include "text/html/markdown.h"

#include <strings.h>

static bool is_mark(const char *p, const char *end)
{
	const char *q = p;
	while (q < end && *q == *p)
		q++;
	bool ends = q == end || ds_html_blank(*q);
	switch (*p) {
	case '#':
		return ends && q - p <= 6;
	case '-':
	case '+':
	case '*':
	case '=':
		return ends;
	case '>':
		return true;
	case '`':
	case '~':
		return q - p >= 3;
	}
	return false;
}

/* "12. ": the place of what follows the number; NULL: it is none. */
static const char *number_end(const char *p, const char *end)
{
	const char *q = p;
	while (q < end && *q >= '0' && *q <= '9')
		q++;
	if (q == p || q - p > 9 || q == end || (*q != '.' && *q != ')'))
		return NULL;
	return q + 1 == end || ds_html_blank(q[1]) ? q : NULL;
}

static void put(ds_md *w, const char *p, const char *end)
{
	bool code = false, link = false;
	ds_md_settle(w);
	for (unsigned i = 0; i < w->n_inlines; i++) {
		code |= w->inlines[i].open && w->inlines[i].kind == DS_MD_CODE;
		link |= w->inlines[i].open && w->inlines[i].kind == DS_MD_LINK;
	}
	const char *number = w->at_start && !code ? number_end(p, end) : NULL;
	if (number) {
		ds_grow_add(&w->out, p, (size_t)(number - p));
		p = number;
	}
	if (number || (w->at_start && !code && is_mark(p, end)))
		ds_grow_byte(&w->out, '\\');
	w->at_start = false;
	for (; p < end; p++) {
		if (link && !code && (*p == '[' || *p == ']'))
			ds_grow_byte(&w->out, '\\');
		ds_grow_byte(&w->out, *p);
	}
}

static void collapse(ds_md *w, const char *p, const char *end)
{
	while (p < end) {
		if (ds_html_blank(*p)) {
			w->blank = true;
			p++;
			continue;
		}
		const char *from = p;
		while (p < end && !ds_html_blank(*p))
			p++;
		put(w, from, p);
	}
}

static bool all_blank(ds_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ds_html_blank(s.at[i]))
			return false;
	return true;
}

static void keep(ds_md *w, const char *p, const char *end)
{
	if (w->skip_line && p < end && *p == '\r')
		p++;
	if (w->skip_line && p < end && *p == '\n')
		p++;
	if (!w->fence && all_blank((ds_str){ p, (size_t)(end - p) }))
		return;
	if (!w->fence)
		ds_md_fence_begin(w);
	else if (w->breaks && w->out.at[w->out.n - 1] != '\n')
		ds_md_line_end(w);
	w->breaks = 0;
	for (; p < end; p++) {
		if (*p == '\n' || *p == '\r') {
			ds_md_line_end(w);
			p += *p == '\r' && end - p > 1 && p[1] == '\n';
			continue;
		}
		if (w->out.at[w->out.n - 1] == '\n')
			ds_md_settle(w);
		ds_grow_byte(&w->out, *p);
	}
}

static void put_text(ds_md *w, const ds_html_token *t)
{
	size_t n, kept = 0;
	ds_str s = t->refs ? ds_html_decode(t->span, w->out.mem, &n) : t->span;
	if (memchr(s.at, 0, s.n)) {
		char *copy = ds_arena_bytes(w->out.mem, s.n);
		for (size_t i = 0; i < s.n; i++)
			if (s.at[i])
				copy[kept++] = s.at[i];
		s = (ds_str){ copy, kept };
	}
	if (w->n_pre)
		keep(w, s.at, s.at + s.n);
	else
		collapse(w, s.at, s.at + s.n);
	w->skip_line = false;
}

/* --- tags --- */

static bool *row_has(ds_md *w)
{
	return &w->row_has[w->n_tables < DS_HTML_CELLS ? w->n_tables : DS_HTML_CELLS - 1];
}

/* The address as it was given, less control characters; empty where it is a script or data. */
static ds_str address(ds_md *w, const ds_html_token *t, const char *name)
{
	static const char *const no[] = { "javascript:", "vbscript:", "data:" };
	ds_str s;
	if (!ds_html_attr_get(t->attrs, name, w->out.mem, &s))
		return (ds_str){ "", 0 };
	char *to = ds_arena_bytes(w->out.mem, s.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.at[i] > ' ' || (s.at[i] == ' ' && n))
			to[n++] = s.at[i];
	while (n && to[n - 1] == ' ')
		n--;
	for (unsigned i = 0; i < sizeof(no) / sizeof(*no); i++)
		if (n >= strlen(no[i]) && strncasecmp(to, no[i], strlen(no[i])) == 0)
			n = 0;
	return (ds_str){ to, n };
}

static void image(ds_md *w, const ds_html_token *t)
{
	ds_str alt, src = address(w, t, "src");
	if (w->n_pre || !ds_html_attr_get(t->attrs, "alt", w->out.mem, &alt) || all_blank(alt))
		return;
	ds_md_pop_inline(w, DS_MD_CODE);
	if (!src.n) {
		collapse(w, alt.at, alt.at + alt.n);
		return;
	}
	ds_md_settle(w);
	w->at_start = false;
	ds_md_image(w, alt, src);
}

static void item(ds_md *w, bool open)
{
	unsigned i = w->n_blocks, number = 0;
	while (i && w->blocks[i - 1].kind > DS_MD_ITEM)
		i--;
	if (i == w->n_blocks && i && w->blocks[i - 1].kind == DS_MD_ITEM && !w->n_over)
		w->n_blocks--;
	if (!open || w->n_over)
		return;
	if (w->n_blocks && w->blocks[w->n_blocks - 1].kind == DS_MD_OL)
		number = w->blocks[w->n_blocks - 1].number++;
	ds_md_push_block(w, (ds_md_block){ .kind = DS_MD_ITEM, .number = number });
}

static void block(ds_md *w, const ds_html_token *t, unsigned kind)
{
	if (t->kind == DS_HTML_OPEN) {
		ds_str start;
		unsigned number = 1;
		if (kind == DS_MD_OL && ds_html_attr_get(t->attrs, "start", w->out.mem, &start))
			for (size_t i = number = 0;
				i < start.n && i < 8 && start.at[i] >= '0' && start.at[i] <= '9';
				i++)
				number = number * 10 + (unsigned)(start.at[i] - '0');
		ds_md_break(w, kind == DS_MD_QUOTE || !w->n_blocks ? 2 : 1);
		ds_md_push_block(w, (ds_md_block){ .kind = kind, .number = number ? number : 1 });
		return;
	}
	if (w->n_over) {
		w->n_over--;
		return;
	}
	unsigned i = w->n_blocks;
	while (i && w->blocks[i - 1].kind != kind)
		i--;
	if (!i)
		return;
	w->n_blocks = i - 1;
	ds_md_break(w, kind == DS_MD_QUOTE || !w->n_blocks ? 2 : 1);
	w->after_list = true;
}

static void inline_tag(ds_md *w, const ds_html_token *t, unsigned kind)
{
	if (kind == DS_MD_LINK || t->kind == DS_HTML_CLOSE)
		ds_md_pop_inline(w, kind);
	if (t->kind != DS_HTML_OPEN)
		return;
	ds_md_inline in = { .kind = kind };
	if (kind == DS_MD_LINK)
		in.href = address(w, t, "href");
	ds_md_push_inline(w, in);
}

static void table_tag(ds_md *w, const ds_html_token *t)
{
	bool open = t->kind == DS_HTML_OPEN;
	if (t->tag == DS_TAG_table) {
		if (open)
			w->n_tables++;
		else if (w->n_tables)
			w->n_tables--;
	}
	if (t->tag == DS_TAG_tr || open) {
		bool cell = t->tag != DS_TAG_tr && t->tag != DS_TAG_table;
		if (cell && *row_has(w)) {
			w->breaks = w->row_breaks;
			w->tabs++;
		} else if (cell) {
			w->row_breaks = w->breaks;
		}
		if (t->tag == DS_TAG_tr) {
			w->tabs = 0;
			w->breaks = w->breaks > 1 ? 1 : w->breaks;
		}
		w->fresh = cell;
		w->blank = false;
		*row_has(w) = cell;
	}
}

static void element(ds_md *w, const ds_html_token *t)
{
	bool open = t->kind == DS_HTML_OPEN;
	switch (t->tag) {
	case DS_TAG_b:
	case DS_TAG_strong:
		inline_tag(w, t, DS_MD_STRONG);
		break;
	case DS_TAG_i:
	case DS_TAG_em:
		inline_tag(w, t, DS_MD_EM);
		break;
	case DS_TAG_code:
	case DS_TAG_tt:
		inline_tag(w, t, DS_MD_CODE);
		break;
	case DS_TAG_a:
		inline_tag(w, t, DS_MD_LINK);
		break;
	case DS_TAG_img:
		image(w, t);
		break;
	case DS_TAG_li:
		item(w, open);
		break;
	case DS_TAG_ul:
	case DS_TAG_ol:
		block(w, t, t->tag == DS_TAG_ul ? DS_MD_UL : DS_MD_OL);
		break;
	case DS_TAG_blockquote:
		block(w, t, DS_MD_QUOTE);
		break;
	case DS_TAG_table:
	case DS_TAG_tr:
	case DS_TAG_td:
	case DS_TAG_th:
		table_tag(w, t);
		break;
	}
}

static void put_tag(ds_md *w, const ds_html_token *t)
{
	const ds_html_tag *tag = &ds_html_tags[t->tag];
	bool open = t->kind == DS_HTML_OPEN;
	if (t->tag == DS_TAG_br && w->fence) {
		ds_md_line_end(w);
		return;
	}
	if (t->tag == DS_TAG_br && w->heading) {
		w->blank = true;
		return;
	}
	if (tag->breaks && t->tag != DS_TAG_br && (!w->fence || tag->flags & DS_TAGF_PRE))
		ds_md_pause(w);
	if (tag->breaks && (tag->flags & DS_TAGF_HEAD || w->heading_begun))
		w->heading = 0;
	if (t->tag == DS_TAG_br && w->breaks)
		ds_md_pause(w);
	if (tag->breaks && tag->breaks != DS_BREAK_CELL)
		ds_md_break(w,
			tag->breaks == DS_BREAK_PARA || (t->tag == DS_TAG_br && w->breaks) ? 2 : 1);
	if (open && tag->flags & DS_TAGF_HEAD && !w->n_pre) {
		w->heading = (unsigned)(tag->name[1] - '0');
		w->heading_begun = false;
	}
	if (tag->flags & DS_TAGF_PRE)
		w->n_pre = open ? w->n_pre + 1 : w->n_pre ? w->n_pre - 1 : 0;
	w->skip_line = tag->flags & DS_TAGF_PRE && open;
	element(w, t);
}

ds_str ds_html_markdown(ds_str document, ds_arena *mem)
{
	ds_html h;
	ds_html_where where = { 0 };
	ds_html_token t;
	ds_md w = { .out = { .mem = mem } };
	ds_html_init(&h, document);
	while (ds_html_next(&h, &t) != DS_HTML_END) {
		if (t.kind == DS_HTML_OPEN || t.kind == DS_HTML_CLOSE) {
			if (ds_html_follow(&h, &where, &t))
				put_tag(&w, &t);
		} else if (t.kind == DS_HTML_TEXT && !ds_html_is_dropping(&h, &where)) {
			put_text(&w, &t);
		}
	}
	ds_md_pause(&w);
	return ds_grow_view(&w.out);
}
