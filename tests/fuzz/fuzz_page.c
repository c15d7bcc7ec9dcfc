/*
 * fuzz_page.c - pages of any bytes: charset, tokens, text, references
 */
#include "fuzz.h"

#include <assert.h>

#include "text/html/html.h"
#include "text/unicode.h"

static void tokens(ds_str page, ds_arena *mem)
{
	ds_html h;
	ds_html_token t;
	const char *end = page.at + page.n;
	ds_html_init(&h, page);
	while (ds_html_next(&h, &t) != DS_HTML_END) {
		ds_str name, value;
		assert(t.span.at >= page.at && t.span.at + t.span.n <= end);
		if (t.kind != DS_HTML_OPEN)
			continue;
		while (ds_html_attr(&t.attrs, &name, &value))
			assert(name.n);
		ds_html_enter(&h, &t);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_str page = { (const char *)data, n };
	ds_err e;
	size_t skip, n_refs;
	const char *charset = ds_html_charset(page, page, &skip);
	ds_html_begins(page);
	ds_html_has_pairs(page, 2);
	ds_html_is_element(page);
	tokens(page, mem);
	ds_html_strip(page, NULL, mem);
	ds_html_article(page, NULL, mem);
	ds_html_markdown(page, mem);
	ds_html_decode(page, mem, &n_refs);
	if (skip <= n && ds_charset_decode(&page, (ds_str){ page.at + skip, n - skip }, charset,
				 mem, &e) == DS_OK)
		assert(ds_utf8_valid(ds_html_strip(page, NULL, mem)) ==
			ds_html_strip(page, NULL, mem).n);
	return 0;
}
