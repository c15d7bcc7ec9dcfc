/*
 * markdown_line.c - where lines of Markdown begin, and what is open inside them
 *
 * Markers are owed, as breaks are, until text comes: empty elements leave nothing behind. At the end of a
 * block what is open inside the line ends, and begins again in the next one.
 */
#include "text/html/markdown.h"

#include <stdio.h>

enum { REOPENED_MAX = 8 }; /* of a link: long addresses must not fill the output */

static void add(ds_md *w, const char *s)
{
	ds_grow_add(&w->out, s, strlen(s));
}

static bool line_begins(const ds_md *w)
{
	return !w->out.n || w->out.at[w->out.n - 1] == '\n';
}

static void trim_line(ds_md *w, size_t from)
{
	while (w->out.n > from && w->out.at[w->out.n - 1] == ' ')
		w->out.n--;
}

static void item_marker(ds_md *w, ds_md_block *b)
{
	char marker[16];
	if (b->number)
		b->width = (unsigned)snprintf(marker, sizeof(marker), "%u. ", b->number);
	else
		b->width = (unsigned)snprintf(marker, sizeof(marker), "- ");
	add(w, marker);
}

static void prefix(ds_md *w)
{
	for (unsigned i = 0; i < w->n_blocks; i++) {
		ds_md_block *b = &w->blocks[i];
		if (b->kind == DS_MD_QUOTE)
			add(w, "> ");
		else if (b->kind == DS_MD_ITEM && !b->begun)
			item_marker(w, b);
		else if (b->kind == DS_MD_ITEM)
			for (unsigned k = 0; k < b->width; k++)
				ds_grow_byte(&w->out, ' ');
		b->begun = true;
	}
}

/* An empty line: it goes on with the quotes that are begun. */
static void empty_line(ds_md *w)
{
	unsigned n = 0, whole = w->n_blocks;
	size_t from = w->out.n;
	for (unsigned i = 0; i < whole; i++) {
		if (w->blocks[i].kind >= DS_MD_ITEM && !w->blocks[i].begun)
			break;
		if (w->blocks[i].kind == DS_MD_QUOTE)
			n = i + 1;
	}
	w->n_blocks = n;
	prefix(w);
	w->n_blocks = whole;
	trim_line(w, from);
	ds_grow_byte(&w->out, '\n');
}

static bool marker_owed(const ds_md *w)
{
	for (unsigned i = 0; i < w->n_blocks; i++)
		if (w->blocks[i].kind == DS_MD_ITEM && !w->blocks[i].begun)
			return true;
	return false;
}

/* --- inside a line --- */

static const char *const marks[] = {
	[DS_MD_STRONG] = "**", [DS_MD_EM] = "*", [DS_MD_CODE] = "`", [DS_MD_LINK] = "["
};

static bool is_open(const ds_md *w, unsigned kind)
{
	for (unsigned i = 0; i < w->n_inlines; i++)
		if (w->inlines[i].kind == kind && w->inlines[i].open)
			return true;
	return false;
}

static void begin_inlines(ds_md *w)
{
	for (unsigned i = 0; i < w->n_inlines && !is_open(w, DS_MD_CODE); i++) {
		ds_md_inline *in = &w->inlines[i];
		if (in->open || is_open(w, in->kind))
			continue;
		if (in->kind == DS_MD_LINK && (!in->href.n || in->n_open >= REOPENED_MAX))
			continue;
		size_t n = strlen(marks[in->kind]);
		if (in->kind <= DS_MD_EM && w->ended == in->kind && w->out.n &&
			w->ended_at == w->out.n) /* it ended just here: it goes on */
			w->out.n -= n;
		else
			ds_grow_add(&w->out, marks[in->kind], n);
		in->n_open++;
		in->open = true;
		w->at_start = false;
		w->code_from = w->out.n;
	}
}

static void insert(ds_md *w, size_t at, char c, size_t n)
{
	char *end = ds_grow_reserve(&w->out, n);
	size_t moved = w->out.n - at;
	memmove(end - moved + n, end - moved, moved);
	memset(end - moved, c, n);
	w->out.n += n;
}

static size_t longest_ticks(const char *p, const char *end)
{
	size_t best = 0;
	for (size_t run = 0; p < end; p++) {
		run = *p == '`' ? run + 1 : 0;
		best = run > best ? run : best;
	}
	return best;
}

static void end_code(ds_md *w)
{
	size_t from = w->code_from, ticks = longest_ticks(w->out.at + from, w->out.at + w->out.n);
	if (ticks) {
		insert(w, from, ' ', 1);
		insert(w, from, '`', ticks);
		ds_grow_byte(&w->out, ' ');
	}
	for (size_t i = 0; i <= ticks; i++)
		ds_grow_byte(&w->out, '`');
}

static void add_address(ds_md *w, ds_str href)
{
	bool odd = false;
	for (size_t i = 0; i < href.n; i++)
		odd |= href.at[i] == ' ' || href.at[i] == '(' || href.at[i] == ')';
	add(w, odd ? "](<" : "](");
	for (size_t i = 0; i < href.n; i++) {
		char c = href.at[i];
		if (c == '<' || c == '>' || c == '\\')
			add(w, c == '<' ? "%3C" : c == '>' ? "%3E" : "%5C");
		else
			ds_grow_byte(&w->out, c);
	}
	add(w, odd ? ">)" : ")");
}

static void end_inline(ds_md *w, ds_md_inline *in)
{
	if (!in->open)
		return;
	in->open = false;
	if (in->kind == DS_MD_CODE)
		end_code(w);
	else if (in->kind == DS_MD_LINK)
		add_address(w, in->href);
	else
		add(w, marks[in->kind]);
	w->ended = in->kind;
	w->ended_at = w->out.n;
}

void ds_md_image(ds_md *w, ds_str alt, ds_str src)
{
	add(w, "![");
	for (size_t i = 0; i < alt.n; i++) {
		if (alt.at[i] == '[' || alt.at[i] == ']')
			ds_grow_byte(&w->out, '\\');
		if (alt.at[i])
			ds_grow_byte(&w->out, ds_html_blank(alt.at[i]) ? ' ' : alt.at[i]);
	}
	add_address(w, src);
}

void ds_md_push_inline(ds_md *w, ds_md_inline in)
{
	if (w->n_inlines < DS_MD_DEPTH)
		w->inlines[w->n_inlines++] = in;
}

void ds_md_pop_inline(ds_md *w, unsigned kind)
{
	unsigned i = w->n_inlines;
	while (i && w->inlines[i - 1].kind != kind)
		i--;
	if (!i--)
		return;
	if (w->inlines[i].open)
		for (unsigned k = w->n_inlines; k > i; k--)
			end_inline(w, &w->inlines[k - 1]);
	w->n_inlines--;
	memmove(&w->inlines[i], &w->inlines[i + 1], (w->n_inlines - i) * sizeof(*w->inlines));
}

/* --- fences --- */

void ds_md_line_end(ds_md *w)
{
	if (line_begins(w))
		empty_line(w);
	else
		ds_grow_byte(&w->out, '\n');
}

void ds_md_fence_begin(ds_md *w)
{
	w->breaks = w->out.n ? 2 : 0;
	w->tabs = 0;
	w->heading = 0;
	w->after_list = false;
	ds_md_settle(w);
	add(w, "```");
	ds_grow_byte(&w->out, '\n');
	w->body_at = w->out.n;
	w->fence = true;
}

static void fence_end(ds_md *w)
{
	w->fence = false;
	while (w->out.n > w->body_at &&
		(w->out.at[w->out.n - 1] == '\n' || w->out.at[w->out.n - 1] == ' '))
		w->out.n--;
	size_t ticks = longest_ticks(w->out.at + w->body_at, w->out.at + w->out.n);
	size_t more = ticks < 3 ? 0 : ticks - 2;
	if (more)
		insert(w, w->body_at - 1, '`', more);
	if (!line_begins(w))
		ds_grow_byte(&w->out, '\n');
	prefix(w);
	for (size_t i = 0; i < 3 + more; i++)
		ds_grow_byte(&w->out, '`');
	w->breaks = 2;
}

/* --- */

void ds_md_pause(ds_md *w)
{
	for (unsigned i = w->n_inlines; i; i--)
		end_inline(w, &w->inlines[i - 1]);
	if (w->fence)
		fence_end(w);
}

void ds_md_break(ds_md *w, unsigned n)
{
	if (w->fresh)
		return;
	if (w->breaks < n)
		w->breaks = n;
	w->blank = false;
}

void ds_md_push_block(ds_md *w, ds_md_block b)
{
	if (w->n_blocks < DS_MD_DEPTH)
		w->blocks[w->n_blocks++] = b;
	else if (b.kind != DS_MD_ITEM)
		w->n_over++;
}

/* Writes what is owed; text follows. */
void ds_md_settle(ds_md *w)
{
	if (w->breaks && w->after_list && !marker_owed(w))
		w->breaks = 2;
	if (w->breaks && w->out.n) {
		ds_grow_byte(&w->out, '\n');
		if (w->breaks > 1)
			empty_line(w);
	}
	if (line_begins(w)) {
		w->blank = false;
		prefix(w);
		w->at_start = true;
		if (w->heading && !w->heading_begun) {
			for (unsigned i = 0; i < w->heading; i++)
				ds_grow_byte(&w->out, '#');
			ds_grow_byte(&w->out, ' ');
			w->at_start = false;
		}
	}
	w->heading_begun = true;
	if (w->tabs)
		w->blank = false;
	for (; w->tabs; w->tabs--)
		ds_grow_byte(&w->out, '\t');
	if (w->blank)
		ds_grow_byte(&w->out, ' ');
	w->breaks = w->row_breaks = 0;
	w->blank = w->fresh = w->after_list = false;
	for (unsigned i = 0; i < w->n_blocks; i++)
		w->blocks[i].begun = true;
	if (!w->n_pre)
		begin_inlines(w);
}
