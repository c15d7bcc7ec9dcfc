/*
 * strip.c - a document's text, in one pass over its tokens
 */
#include "text/html/html_impl.h"

ds_str ds_html_strip(ds_str document, ds_html_lines *pre, ds_arena *mem)
{
	ds_html h;
	ds_html_where where = { 0 };
	ds_html_token t;
	ds_html_writer w = { .out = { .mem = mem } };
	ds_grow_reserve(&w.out, document.n / 4 + 64);
	ds_html_init(&h, document);
	while (ds_html_next(&h, &t) != DS_HTML_END) {
		if (t.kind == DS_HTML_OPEN || t.kind == DS_HTML_CLOSE) {
			if (ds_html_follow(&h, &where, &t))
				ds_html_write_tag(&w, &t);
		} else if (t.kind == DS_HTML_TEXT && !ds_html_is_dropping(&h, &where)) {
			ds_html_write_text(&w, &t);
		}
	}
	while (w.out.n && ds_html_blank(w.out.at[w.out.n - 1]))
		w.out.n--;
	if (pre)
		ds_html_lines_of(pre, ds_grow_view(&w.out), w.pre, w.n_spans, mem);
	return ds_grow_view(&w.out);
}
