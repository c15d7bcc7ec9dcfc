/*
 * origin.c - names, languages, media types and chains, and what they say of a text
 */
#include "origin.h"

#include "history.h"
#include "json/json.h"
#include "record/source.h"

#include <strings.h>

/* Names as data sets of program text spell them, in any case; where they differ, each. */
static const char languages[] =
	"|ada|assembly|awk|bash|batchfile|c|c#|c++|clojure|cmake|cobol|coffeescript|cpp|crystal|"
	"csharp|"
	"css|cuda|cython|d|dart|diff|dockerfile|elixir|elm|emacs "
	"lisp|erlang|f#|forth|fortran|fsharp|"
	"glsl|go|golang|graphql|groovy|haskell|hcl|ini|java|javascript|js|json|jsx|julia|kotlin|"
	"latex|"
	"less|lisp|lua|makefile|markdown|matlab|md|nim|objective-c|objectivec|ocaml|octave|pascal|"
	"perl|"
	"php|powershell|prolog|protobuf|protocol "
	"buffer|py|python|python3|r|racket|rb|restructuredtext|"
	"rst|ruby|rust|sas|scala|scheme|scss|sh|shell|solidity|sql|standard ml|svelte|swift|"
	"systemverilog|tcl|terraform|tex|toml|ts|tsx|typescript|vb|vb.net|verilog|vhdl|vim script|"
	"visual basic|vue|xml|yaml|yml|zig|";

static bool is_program(ds_str lang)
{
	for (const char *p = languages + 1; lang.n && *p;) {
		size_t n = strcspn(p, "|");
		if (n == lang.n && strncasecmp(p, lang.at, n) == 0)
			return true;
		p += n + 1;
	}
	return false;
}

static bool is_url(ds_str s)
{
	return s.n && memmem(s.at, s.n, "://", 3);
}

/* "a/b.html" is a file; "wikipedia" and "https://host/path" are not. */
static rule_source kind_of(ds_str name)
{
	if (name.n == 0 || is_url(name))
		return RULE_SOURCE_NONE;
	if (ds_source_is_html(name))
		return RULE_SOURCE_HTML;
	if (ds_source_is_code(name))
		return RULE_SOURCE_CODE;
	const char *slash = memrchr(name.at, '/', name.n), *end = name.at + name.n;
	const char *base = slash ? slash + 1 : name.at;
	const char *dot = memrchr(base, '.', (size_t)(end - base));
	return dot && dot > base && end - dot > 1 && end - dot <= 9 ? RULE_SOURCE_FILE
								    : RULE_SOURCE_NONE;
}

/* The path of an address, without what is asked of it. */
static ds_str path_of(ds_str url)
{
	size_t n = 0;
	while (n < url.n && url.at[n] != '?' && url.at[n] != '#')
		n++;
	return (ds_str){ url.at, n };
}

ds_str origin_text(ds_block *b, const ds_col *col, uint32_t row)
{
	ds_str s = { "", 0 };
	bool has = false;
	ds_err ignored;
	return col && ds_block_text(b, col, row, &s, &has, &ignored) == DS_OK && has
		       ? s
		       : (ds_str){ "", 0 };
}

ds_rc origin_open(origin *o, ds_block *b, origin_history *history, ds_err *e)
{
	*o = (origin){ .b = b, .is_file = b->format && strcmp(b->format, "html") == 0 };
	DS_TRY(ds_block_get(b, "source", &o->source, e));
	DS_TRY(ds_block_get(b, "path", &o->path, e));
	DS_TRY(ds_block_get(b, "lang", &o->lang, e));
	DS_TRY(ds_block_get(b, "language", &o->language, e));
	DS_TRY(ds_block_get(b, "meta", &o->meta, e));
	if (b->chain != history->chain) {
		unsigned left = history_of(b->chain);
		*history = (origin_history){ b->chain, left & RULE_LEAVES_TEXT,
			(left & RULE_LEAVES_TEXT) && (left & RULE_LEAVES_SPACED) };
	}
	o->history = *history;
	return DS_OK;
}

static bool is_word(ds_str s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.at, word, s.n) == 0;
}

/* What a server sent, or what was made of it. */
static void read_meta(const origin *o, uint32_t row, rule_record *r)
{
	const ds_json *meta = NULL;
	ds_err ignored;
	if (!o->meta || o->meta->type != DS_T_JSON || !ds_col_has(o->meta, row) ||
		ds_json_parse(&meta, o->b->mem, ds_col_bytes(o->meta, row), &ignored) != DS_OK)
		return;
	ds_str type = ds_json_text(meta, "type", ""), media = ds_json_text(meta, "media", "");
	r->decoded |= ds_str_is(type, "conversion");
	if (r->decoded || !(ds_str_is(type, "response") || ds_str_is(type, "resource")))
		return;
	r->page = true;
	r->charset = ds_json_text(meta, "charset", "");
	bool html = media.n ? is_word(media, "text/html") ||
				      is_word(media, "application/xhtml+xml") ||
				      is_word(media, "application/vnd.wap.xhtml+xml")
			    : ds_source_is_html(path_of(r->source_name));
	if (html)
		r->source = RULE_SOURCE_HTML;
	r->plain = media.n && !html;
}

void origin_of(const origin *o, uint32_t row, rule_record *r)
{
	ds_str source = origin_text(o->b, o->source, row);
	rule_source by_path = kind_of(origin_text(o->b, o->path, row));
	r->source_name = source;
	r->source = kind_of(source);
	if (by_path > r->source)
		r->source = by_path;
	if (is_program(origin_text(o->b, o->lang, row)) ||
		is_program(origin_text(o->b, o->language, row)))
		r->source = RULE_SOURCE_CODE;
	if (r->source == RULE_SOURCE_HTML && !o->is_file)
		r->source = RULE_SOURCE_NAMED_HTML;
	r->decoded = o->history.decoded;
	r->plain = false;
	r->spaced = o->history.spaced;
	read_meta(o, row, r);
}
