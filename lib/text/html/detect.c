/*
 * detect.c - is it HTML
 */
#include "text/html/html_impl.h"

#include <limits.h>
#include <strings.h>

static bool begins_with(ds_str s, const char *word)
{
	size_t n = strlen(word);
	return s.n >= n && strncasecmp(s.at, word, n) == 0;
}

static bool begins(ds_str s)
{
	static const char *const words[] = { "<!doctype html", "<html", "<head", "<body" };
	for (;;) {
		s = ds_str_trim(s);
		const char *close = begins_with(s, "<!--")    ? "-->"
				    : begins_with(s, "<?xml") ? "?>"
							      : NULL;
		const char *end = close ? memmem(s.at, s.n, close, strlen(close)) : NULL;
		if (!end)
			break;
		end += strlen(close);
		s = (ds_str){ end, (size_t)(s.at + s.n - end) };
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i]);
		if (begins_with(s, words[i]) &&
			(s.n == n || s.at[n] == '>' || ds_html_blank(s.at[n])))
			return true;
	}
	return false;
}

bool ds_html_begins(ds_str text)
{
	size_t skip = 0;
	if (ds_str_starts(text, DS_S("\xef\xbb\xbf")))
		skip = 3;
	else if (ds_str_starts(text, DS_S("\xff\xfe")) || ds_str_starts(text, DS_S("\xfe\xff")))
		skip = 2;
	text = (ds_str){ text.at + skip, text.n - skip };
	if (text.n < 4 || (text.at[0] && text.at[1]))
		return begins(text);
	char narrow[256]; /* 16 bits a character: what ASCII is left without the zeros */
	size_t n = 0;
	for (size_t i = 0; i < text.n && n < sizeof(narrow); i++)
		if (text.at[i])
			narrow[n++] = text.at[i];
	return begins((ds_str){ narrow, n });
}

static bool is_block(const ds_html_token *t)
{
	return t->tag && ds_html_tags[t->tag].breaks != DS_BREAK_NONE;
}

bool ds_html_is_element(ds_str text)
{
	ds_html h;
	ds_html_token t;
	text = ds_str_trim(text);
	const char *last = text.n ? memrchr(text.at, '<', text.n) : NULL;
	if (!last || text.at[0] != '<')
		return false;
	ds_html_init(&h, text);
	if (ds_html_next(&h, &t) != DS_HTML_OPEN || !is_block(&t))
		return false;
	ds_html_init(&h, (ds_str){ last, (size_t)(text.at + text.n - last) });
	ds_html_kind kind = ds_html_next(&h, &t);
	return (kind == DS_HTML_OPEN || kind == DS_HTML_CLOSE) && is_block(&t) && h.at == h.end;
}

enum { MARKED_SHARE = 8 };

/* Pairs of known tags up to n, and what bytes tags take until then. */
static unsigned count_pairs(ds_str text, unsigned n, size_t *bytes)
{
	ds_html h;
	ds_html_token t;
	unsigned open[DS_N_TAGS] = { 0 }, pairs = 0;
	*bytes = 0;
	if (text.n < 2 || !memmem(text.at, text.n, "</", 2))
		return 0;
	ds_html_init(&h, text);
	for (const char *from = h.at; pairs < n && ds_html_next(&h, &t) != DS_HTML_END;
		from = h.at) {
		if (!t.tag)
			continue;
		*bytes += (size_t)(h.at - from);
		if (t.kind == DS_HTML_OPEN) {
			open[t.tag]++;
		} else if (open[t.tag]) {
			open[t.tag]--;
			pairs++;
		}
	}
	return pairs;
}

bool ds_html_has_pairs(ds_str text, unsigned n)
{
	size_t bytes;
	return count_pairs(text, n, &bytes) == n;
}

bool ds_html_is_marked(ds_str text)
{
	size_t bytes;
	return count_pairs(text, UINT_MAX, &bytes) && bytes * MARKED_SHARE >= text.n;
}
