/*
 * where.c - what of a document is HTML, and what of it is dropped, without a tree
 *
 * The tree builder of the standard knows every open element. For text it is enough to know whether one
 * is inside SVG or MathML, and inside which of their elements HTML goes on (13.2.6, "integration
 * points"), and how many templates are open.
 */
#include "text/html/html_impl.h"

#include <strings.h>

static void push(ds_html_where *w, unsigned tag)
{
	if (w->n == DS_HTML_DEPTH) {
		w->n_over++;
		return;
	}
	w->stack[w->n++] = (uint8_t)tag;
	w->n_svg += tag == DS_TAG_svg;
}

static void pop(ds_html_where *w)
{
	if (w->n_over)
		w->n_over--;
	else if (w->n)
		w->n_svg -= w->stack[--w->n] == DS_TAG_svg;
}

static unsigned top_of(const ds_html_where *w)
{
	return w->n ? w->stack[w->n - 1] : DS_TAG_unknown;
}

static bool is_root(unsigned tag)
{
	return tag == DS_TAG_svg || tag == DS_TAG_math;
}

/* A tag of HTML that ends foreign content (13.2.6.5). */
static bool leaves(const ds_html_token *t)
{
	if (t->kind == DS_HTML_CLOSE)
		return t->tag == DS_TAG_p || t->tag == DS_TAG_br;
	if (t->tag != DS_TAG_font)
		return ds_html_tags[t->tag].flags & DS_TAGF_OUT;
	ds_str name, value, attrs = t->attrs;
	while (ds_html_attr(&attrs, &name, &value))
		if ((name.n == 5 && strncasecmp(name.at, "color", 5) == 0) ||
			(name.n == 4 && strncasecmp(name.at, "face", 4) == 0) ||
			(name.n == 4 && strncasecmp(name.at, "size", 4) == 0))
			return true;
	return false;
}

/* Ends the innermost open element of that tag, where there is one. */
static void close_to(ds_html_where *w, unsigned tag)
{
	unsigned i = w->n;
	while (i && w->stack[i - 1] != tag)
		i--;
	if (!i)
		return;
	if (w->n_over) {
		w->n_over--;
		return;
	}
	while (w->n >= i)
		pop(w);
}

static bool foreign_tag(ds_html_where *w, const ds_html_token *t)
{
	bool holds = is_root(t->tag) || ds_html_tags[t->tag].flags & DS_TAGF_POINT;
	if (t->kind == DS_HTML_OPEN && holds && !t->self_closing)
		push(w, t->tag);
	else if (t->kind == DS_HTML_CLOSE && is_root(t->tag))
		close_to(w, t->tag);
	return false;
}

static bool html_tag(ds_html *h, ds_html_where *w, const ds_html_token *t)
{
	bool open = t->kind == DS_HTML_OPEN;
	if (is_root(t->tag)) {
		if (open && !t->self_closing)
			push(w, t->tag);
		else if (!open)
			close_to(w, t->tag);
		return false;
	}
	if (!open && t->tag != DS_TAG_unknown && t->tag == top_of(w)) { /* an integration point */
		pop(w);
		return false;
	}
	if (open)
		ds_html_enter(h, t);
	if (t->tag == DS_TAG_template) {
		if (open)
			w->n_template++;
		else if (w->n_template)
			w->n_template--;
	}
	return !w->n_svg && !w->n_template && !(ds_html_tags[t->tag].flags & DS_TAGF_DROP);
}

bool ds_html_follow(ds_html *h, ds_html_where *w, const ds_html_token *t)
{
	bool seen;
	if (is_root(top_of(w)) && leaves(t))
		while (is_root(top_of(w)))
			pop(w);
	if (is_root(top_of(w)))
		seen = foreign_tag(w, t);
	else
		seen = html_tag(h, w, t);
	h->foreign = is_root(top_of(w));
	return seen;
}
