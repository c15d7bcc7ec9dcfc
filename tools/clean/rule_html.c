/*
 * rule_html.c - markup becomes text
 *
 * Charsets are decoded here, since the page itself says which it is in. What `auto` takes for HTML is
 * written in the manual.
 */
#include "rule.h"

#include "base/mem.h"
#include "text/html/html.h"
#include "text/unicode.h"

typedef enum { STRIP, MAIN, AUTO } mode;

typedef struct {
	mode mode;
	bool markdown;
} state;

static ds_rc open_mode(void **out, const char *value, const rule_env *env, ds_err *e)
{
	static const char *const names[] = { [STRIP] = "strip", [MAIN] = "main", [AUTO] = "auto" };
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(value, names[i]) != 0)
			continue;
		if (env->markdown && i == MAIN)
			return ds_fail(e, DS_USAGE,
				"main makes no Markdown: --markdown is for strip and auto");
		state *s = DS_NEW(state, 1);
		*s = (state){ (mode)i, env->markdown };
		*out = s;
		return DS_OK;
	}
	return ds_fail(e, DS_USAGE, "'%s' is none of strip, main, auto and off", value);
}

static bool is_html(const rule_record *r)
{
	switch (r->source) {
	case RULE_SOURCE_HTML:
		return true;
	case RULE_SOURCE_NAMED_HTML:
		return ds_html_begins(r->text) || ds_html_is_element(r->text) ||
		       ds_html_is_marked(r->text);
	case RULE_SOURCE_CODE:
		return false;
	case RULE_SOURCE_FILE:
		return ds_html_begins(r->text);
	case RULE_SOURCE_NONE:
		return ds_html_begins(r->text) ||
		       (ds_html_is_element(r->text) && ds_html_has_pairs(r->text, 2));
	}
	return false;
}

static ds_rc decode(rule_record *r, ds_err *e)
{
	size_t skip, n;
	const char *charset = ds_html_charset(r->text, r->charset, &skip);
	ds_str page = { r->text.at + skip, r->text.n - skip };
	if (strcmp(charset, "UTF-8") == 0)
		page = ds_utf8_repair(page, r->mem, &n);
	else
		DS_TRY(ds_charset_decode(&page, page, charset, r->mem, e));
	r->text = page;
	return DS_OK;
}

static ds_rc record(void *thread, rule_record *r, ds_err *e)
{
	const state *s = thread;
	mode m = s->mode;
	if (m == AUTO && (r->decoded || r->plain ||
				 !is_html(r))) /* text of a server is not in UTF-8 always */
		return r->page ? decode(r, e) : DS_OK;
	DS_TRY(decode(r, e));
	if (s->markdown)
		r->source = RULE_SOURCE_CODE; /* indents matter to the rules that follow */
	ds_html_lines pre = { 0 };
	r->text = s->markdown ? ds_html_markdown(r->text, r->mem)
		  : m == MAIN ? ds_html_article(r->text, &pre, r->mem)
			      : ds_html_strip(r->text, &pre, r->mem);
	r->shaped = pre; /* to live longer than the text */
	if (pre.n) {
		r->shaped.at = ds_arena_get(r->block_mem, pre.n * sizeof(*pre.at));
		memcpy(r->shaped.at, pre.at, pre.n * sizeof(*pre.at));
	}
	r->decoded = true;
	r->spaced = false;
	return DS_OK;
}

static unsigned leaves(const char *value)
{
	return RULE_LEAVES_TEXT;
}

const ds_rule ds_rule_html = {
	.name = "html",
	.value = "strip|main|auto|off",
	.help = "markup to text; main: of the article alone; auto: where it is HTML",
	.default_value = "auto",
	.off = "off",
	.mends = "html",
	.leaves = leaves,
	.open = open_mode,
	.close = ds_mem_free,
	.record = record,
};
