/*
 * test_html.c - the tokenizer against html5lib's own tests, and what strip makes of a page
 *
 * The vectors are in $DS_TEST_DATA/html/html5lib. Of a doctype only its being one is compared: the
 * tokenizer keeps no identifiers.
 */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/mem.h"
#include "json/json.h"
#include "text/html/html.h"

static ds_arena *mem;

static int set_up(void **state)
{
	mem = ds_arena_new(1 << 16);
	return 0;
}

static int tear_down(void **state)
{
	ds_arena_free(mem);
	return 0;
}

static void becomes(const char *html, const char *want)
{
	ds_str got = ds_html_strip(ds_str_of(html), NULL, mem);
	char text[4096];
	snprintf(text, sizeof(text), "%.*s", (int)got.n, got.at);
	assert_string_equal(text, want);
}

/* --- html5lib --- */

static void add_lower(ds_buf *out, ds_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.at[i] == '\0')
			ds_buf_add_c(out, "\xef\xbf\xbd");
		else
			ds_buf_add_byte(out,
				(char)(s.at[i] >= 'A' && s.at[i] <= 'Z' ? s.at[i] + 32 : s.at[i]));
}

/* Attributes as name="value" in byte order, the first of a name only. */
static void add_attrs(ds_buf *out, ds_str attrs)
{
	ds_buf item[32] = { 0 };
	size_t n = 0;
	ds_str name, value, all = attrs;
	while (n < 32 && ds_html_attr(&attrs, &name, &value)) {
		ds_buf key = { 0 };
		add_lower(&key, name);
		if (ds_html_attr_get(all, ds_buf_text(&key), mem, &value)) {
			ds_buf one = { 0 };
			ds_buf_fmt(&one, " %s=\"", ds_buf_text(&key));
			for (size_t i = 0; i < value.n; i++)
				if (value.at[i])
					ds_buf_add_byte(&one, value.at[i]);
				else
					ds_buf_add_c(&one, "\xef\xbf\xbd");
			ds_buf_add_byte(&one, '"');
			item[n++] = one;
		}
		ds_buf_free(&key);
	}
	for (size_t round = 0; round < n; round++) { /* by selection: a handful */
		size_t least = n;
		for (size_t i = 0; i < n; i++)
			if (item[i].n && (least == n || ds_str_cmp(ds_buf_view(&item[i]),
								ds_buf_view(&item[least])) < 0))
				least = i;
		if (least == n)
			break;
		ds_buf_add_str(out, ds_buf_view(&item[least]));
		for (size_t i = 0; i < n; i++)
			if (i != least &&
				ds_str_eq(ds_buf_view(&item[i]), ds_buf_view(&item[least])))
				ds_buf_clear(&item[i]);
		ds_buf_clear(&item[least]);
	}
	for (size_t i = 0; i < n; i++)
		ds_buf_free(&item[i]);
}

static void add_token(ds_buf *out, const ds_html_token *t, ds_html_kind before, bool data)
{
	size_t n;
	ds_str s = t->span;
	switch (t->kind) {
	case DS_HTML_TEXT:
		if (before != DS_HTML_TEXT)
			ds_buf_add_c(out, "\nText ");
		if (t->refs)
			s = ds_html_decode(s, mem, &n);
		for (size_t i = 0; i < s.n; i++) {
			if (s.at[i] == '\0' && !data)
				ds_buf_add_c(out, "\xef\xbf\xbd");
			else
				ds_buf_add_byte(out, s.at[i]);
		}
		return;
	case DS_HTML_OPEN:
		ds_buf_add_c(out, "\nOpen ");
		add_lower(out, s);
		add_attrs(out, t->attrs);
		if (t->self_closing)
			ds_buf_add_c(out, " /");
		return;
	case DS_HTML_CLOSE:
		ds_buf_add_c(out, "\nClose ");
		add_lower(out, s);
		return;
	case DS_HTML_COMMENT:
		ds_buf_add_c(out, "\nComment ");
		for (size_t i = 0; i < s.n; i++)
			if (s.at[i])
				ds_buf_add_byte(out, s.at[i]);
			else
				ds_buf_add_c(out, "\xef\xbf\xbd");
		return;
	default:
		ds_buf_add_c(out, "\nDoctype");
	}
}

static void add_wanted(ds_buf *out, const ds_json *token)
{
	const ds_json *kind = token->items[0], *value = token->items[1];
	if (ds_str_is(kind->s, "Character")) {
		ds_buf_add_c(out, "\nText ");
		ds_buf_add_str(out, value->s);
	} else if (ds_str_is(kind->s, "StartTag")) {
		ds_buf_add_c(out, "\nOpen ");
		ds_buf_add_str(out, value->s);
		ds_html_token attrs = { 0 };
		ds_buf text = { 0 };
		for (const ds_json *a = token->items[2]->first; a; a = a->next)
			ds_buf_fmt(&text, " %.*s=\"%.*s\"", (int)a->key.n, a->key.at, (int)a->s.n,
				a->s.at);
		/* html5lib's objects are in order of appearance. */
		if (token->items[2]->n <= 1) {
			ds_buf_add_str(out, ds_buf_view(&text));
		} else {
			attrs.attrs = ds_buf_view(&text);
			add_attrs(out, attrs.attrs);
		}
		ds_buf_free(&text);
		if (token->n > 3 && token->items[3]->b)
			ds_buf_add_c(out, " /");
	} else if (ds_str_is(kind->s, "EndTag")) {
		ds_buf_add_c(out, "\nClose ");
		ds_buf_add_str(out, value->s);
	} else if (ds_str_is(kind->s, "Comment")) {
		ds_buf_add_c(out, "\nComment ");
		ds_buf_add_str(out, value->s);
	} else {
		ds_buf_add_c(out, "\nDoctype");
	}
}

static ds_html_model model_of(ds_str name)
{
	static const char *const names[] = { "Data state", "RCDATA state", "RAWTEXT state",
		"Script data state", "PLAINTEXT state" };
	for (unsigned i = 0; i < 5; i++)
		if (ds_str_is(name, names[i]))
			return (ds_html_model)i;
	return DS_HTML_DATA;
}

static bool one_test(const ds_json *test, ds_str state)
{
	ds_html h;
	ds_html_token t;
	ds_html_kind before = DS_HTML_END;
	ds_buf got = { 0 }, want = { 0 };
	ds_html_init(&h, ds_json_text(test, "input", ""));
	h.model = model_of(state);
	h.element = ds_json_text(test, "lastStartTag", "");
	bool data = h.model == DS_HTML_DATA;
	while (ds_html_next(&h, &t) != DS_HTML_END) {
		/* "</>" is nothing, which is here an empty comment before which no "<!" is. */
		if (t.kind == DS_HTML_COMMENT && t.span.n == 0 && t.span.at[-1] == '/')
			continue;
		add_token(&got, &t, before, data);
		before = t.kind;
	}
	const ds_json *out = ds_json_get(test, "output");
	for (size_t i = 0; i < out->n; i++)
		add_wanted(&want, out->items[i]);
	bool same = ds_str_eq(ds_buf_view(&got), ds_buf_view(&want));
	if (!same)
		printf("# %.*s: got%s\n# wanted%s\n", DS_FMT(ds_json_text(test, "description", "")),
			ds_buf_text(&got), ds_buf_text(&want));
	ds_buf_free(&got);
	ds_buf_free(&want);
	return same;
}

static void tokens_are_those_of_html5lib(void **state)
{
	static const char *const files[] = { "test1.test", "test2.test", "contentModelFlags.test",
		"entities.test", "numericEntities.test", "namedEntities.test.zst" };
	const char *folder = getenv("DS_TEST_DATA");
	if (!folder) {
		printf("# DS_TEST_DATA is not set: html5lib's vectors are skipped\n");
		skip();
	}
	unsigned n = 0, wrong = 0;
	for (size_t f = 0; f < sizeof(files) / sizeof(*files); f++) {
		ds_buf path = { 0 }, bytes = { 0 };
		ds_err e;
		const ds_json *root;
		ds_buf_fmt(&path, "%s/html/html5lib/%s", folder, files[f]);
		assert_int_equal(ds_file_read(ds_buf_text(&path), 64 << 20, &bytes, &e), DS_OK);
		assert_int_equal(ds_json_parse(&root, mem, ds_buf_view(&bytes), &e), DS_OK);
		const ds_json *tests = ds_json_get(root, "tests");
		for (size_t i = 0; i < tests->n; i++) {
			const ds_json *states = ds_json_get(tests->items[i], "initialStates");
			for (size_t k = 0; k < (states ? states->n : 1); k++, n++)
				wrong += !one_test(tests->items[i],
					states ? states->items[k]->s : DS_S("Data state"));
		}
		ds_buf_free(&path);
		ds_buf_free(&bytes);
	}
	printf("# %u tests of html5lib\n", n);
	assert_int_equal(wrong, 0);
}

/* --- strip --- */

static void blocks_become_lines(void **state)
{
	becomes("<div>a</div><div>b</div>", "a\nb");
	becomes("<p>a<p>b", "a\n\nb");
	becomes("a<br>b<br/><br />c", "a\nb\n\nc");
	becomes("<ul><li>a<li>b</ul>c", "a\nb\nc");
	becomes("<h1> A </h1>\n\n  <p>b  <b>c</b>\n d</p>", "A\n\nb c d");
	becomes("a <span> b</span> <i>c </i>", "a b c");
	becomes("x<DIV>y</DiV >z", "x\ny\nz");
}

static void cells_are_separated_by_tabs(void **state)
{
	becomes("<table><tr><td>a<td>b</tr><tr><td>c</td><td></td><td>d</td></tr></table>e",
		"a\tb\nc\t\td\n\ne");
	becomes("<table><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td><p>c</table>",
		"a\tb\nc");
	becomes("<table><tr><td>a<td><table><tr><td>x<td>y</table><td>b</table>", "a\nx\ty\tb");
}

static void pre_keeps_its_shape(void **state)
{
	becomes("<pre>\n  a\n\n\tb  c</pre>d", "  a\n\n\tb  c\n\nd");
	becomes("a<pre>x\r\ny\rz\n</pre>b", "a\n\nx\ny\nz\n\nb");
	becomes("<textarea>\n a\n  b</textarea>c", " a\n  b\nc");
}

static void what_is_no_text_goes(void **state)
{
	becomes("<title>t</title><script>a<b>\"</scripty></script>x", "x");
	becomes("a<style>p{}</style>b<noscript><p>n</noscript>c", "abc");
	becomes("a<template><p>t<template>u</template>v</template>b", "ab");
	becomes("a<template><script>'</template>'</script></template>b", "ab");
	becomes("a<svg><title>t</title><text>u</text></svg>b<svg/>c", "abc");
	becomes("a<svg><g><p>b", "a\n\nb"); /* <p> ends SVG */
	becomes("a<svg><foreignObject><p>b</p></foreignObject></svg>c", "ac");
	becomes("a<svg><![CDATA[</svg>]]></svg>b<![CDATA[c]]>d", "abd");
	becomes("a<!-- <p>b --><!--> c <!--->d<!- e ->f", "a c df");
	becomes("<iframe><p>x</iframe>a<noframes>b</noframes>", "a");
	becomes("a<math><mi>x</mi><mo>=</mo></math>b", "ax=b");
	becomes("<script><!-- <script> </script> --></script>a", "a");
	becomes("<?xml version='1.0'?><!DOCTYPE html><html>a</html>", "a");
}

static void references_are_decoded_once(void **state)
{
	becomes("a&lt;b&gt; &amp;amp; &notit; &#x41;&#66 &copy &hearts;",
		"a<b> &amp; \xc2\xacit; AB \xc2\xa9 \xe2\x99\xa5");
	becomes("&#128;&#0;&#xD800;&#x110000;&#;&;&x",
		"\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&#;&;&x");
	becomes("a &nbsp; b&#32;&#10;c", "a \xc2\xa0 b c");
	becomes("<xmp>a&lt;<b></xmp>", "a&lt;<b>");
}

static void broken_markup_is_text_or_nothing(void **state)
{
	becomes("a < b <3 </ x>c</>d<", "a < b <3 cd<");
	becomes("a<b", "a");
	becomes("a<p class=\"x", "a");
	becomes("a<p title='>'>b<a href=x/>c", "a\n\nbc");
	becomes("", "");
	becomes("<div><div", "");
}

static void a_nul_is_nothing_or_a_replacement(void **state)
{
	static const char page[] =
		"a\0b<pre>c\0d</pre><xmp>e\0f</xmp><textarea>g\0</textarea><math>\0h";
	assert_str(ds_html_strip((ds_str){ page, sizeof(page) - 1 }, NULL, mem),
		"ab\n\ncd\n\ne\xef\xbf\xbd"
		"f\n\ng\xef\xbf\xbd\n\xef\xbf\xbd"
		"h");
}

static void the_article_is_told_from_what_is_around_it(void **state)
{
	ds_str got = ds_html_article(
		DS_S("<body><nav><a href=/>Home</a> <a href=/x>All news of today</a></nav>"
		     "<div class='cookie-banner'><p>We use cookies, as you know, for this and "
		     "that.</p></div>"
		     "<div class=content><h1>A title</h1><p>The first paragraph has words, and a "
		     "comma.</p>"
		     "<ul class=share-buttons><li>Share, if you like.</ul>"
		     "<p>The second one has <a href=x>a link</a> in it, which stays.</p></div>"
		     "<ul><li><a href=1>Read this too</a><li><a href=2>And this as well</a></ul>"
		     "<footer><p>All rights reserved, since the year 2001.</p></footer></body>"),
		NULL, mem);
	assert_str(got, "A title\n\nThe first paragraph has words, and a comma.\n\n"
			"The second one has a link in it, which stays.");
	assert_int_equal(ds_html_article(DS_S(""), NULL, mem).n, 0);
	assert_int_equal(ds_html_article(DS_S("<a href=x>only a link"), NULL, mem).n, 0);
}

static void a_million_tags_take_no_time(void **state)
{
	enum { N = 1000000 };
	char *page = ds_arena_bytes(mem, 5 * N + 1);
	for (size_t i = 0; i < N; i++)
		memcpy(page + 5 * i, i & 1 ? "<svg>" : "<div>", 5);
	page[5 * N] = 'x';
	assert_int_equal(ds_html_strip((ds_str){ page, 5 * N + 1 }, NULL, mem).n, 0);
	memset(page, '<', 5 * N);
	assert_int_equal(ds_html_strip((ds_str){ page, 5 * N }, NULL, mem).n, 5 * N);
	memset(page, '&', 5 * N);
	assert_int_equal(ds_html_strip((ds_str){ page, 5 * N }, NULL, mem).n, 5 * N);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
TESTS(T(tokens_are_those_of_html5lib), T(blocks_become_lines), T(cells_are_separated_by_tabs),
	T(pre_keeps_its_shape), T(what_is_no_text_goes), T(references_are_decoded_once),
	T(broken_markup_is_text_or_nothing), T(the_article_is_told_from_what_is_around_it),
	T(a_nul_is_nothing_or_a_replacement), T(a_million_tags_take_no_time))
