/*
 * html.h - HTML as a stream of tokens, and as text
 *
 * The tokenizer follows the tokenization states of the HTML standard (13.2.5) over a document in
 * memory and builds no tree. Tokens are views into the input, which must be UTF-8 (or at least ASCII
 * below 0x80) and outlive them. Plain values; one thread each. No input is refused and all takes
 * linear time.
 */
#ifndef DS_TEXT_HTML_HTML_H
#define DS_TEXT_HTML_HTML_H

#include "base/arena.h"
#include "base/str.h"

typedef enum {
	DS_HTML_END,
	DS_HTML_TEXT,    /* span; refs: holds character references to be decoded */
	DS_HTML_OPEN,    /* a start tag: name as spelled, attrs up to the '>' */
	DS_HTML_CLOSE,   /* an end tag: name as spelled */
	DS_HTML_COMMENT, /* span: its data, bogus comments included */
	DS_HTML_DOCTYPE, /* span: what is between the keyword and the '>' */
} ds_html_kind;

typedef enum { /* how what follows is to be read: the standard's content models */
	DS_HTML_DATA,
	DS_HTML_RCDATA,  /* references, but no tags but the end tag */
	DS_HTML_RAWTEXT, /* neither */
	DS_HTML_SCRIPT,
	DS_HTML_PLAINTEXT,
} ds_html_model;

typedef struct {
	ds_html_kind kind;
	ds_str span, attrs;
	unsigned tag; /* OPEN, CLOSE: ds_html_tag_of(span) */
	bool refs;    /* TEXT */
	bool literal; /* TEXT of other models than DATA, or foreign: a NUL is U+FFFD, elsewhere nothing */
	bool self_closing; /* OPEN */
} ds_html_token;

typedef struct {
	const char *at, *end;
	ds_html_model model; /* the reader sets it after a start tag; an end tag sets it back */
	ds_str element;      /* the start tag whose end tag ends model */
	bool foreign;        /* inside SVG or MathML: <![CDATA[ is what it says */
} ds_html;

void ds_html_init(ds_html *h, ds_str document);
ds_html_kind ds_html_next(ds_html *h, ds_html_token *t);
/* What the standard says for this start tag (outside SVG and MathML): sets model and element. */
void ds_html_enter(ds_html *h, const ds_html_token *open);

/* The next attribute of attrs, which is moved on; false: no more. Values are not decoded. */
bool ds_html_attr(ds_str *attrs, ds_str *name, ds_str *value);
/* The decoded value of the first attribute of that lower-case name; false: none. */
bool ds_html_attr_get(ds_str attrs, const char *name, ds_arena *mem, ds_str *value);

enum { DS_HTML_REF_BYTES = 8 };
/*
 * The character reference in s, which begins after its '&': returns the bytes it takes and writes what it
 * stands for; 0: it is none. in_attribute: the rule for legacy names there (13.2.5.73).
 */
size_t ds_html_ref(ds_str s, bool in_attribute, char out[DS_HTML_REF_BYTES], size_t *n_out);
/* All references of a text decoded; the same view where there is none. *n counts them. */
ds_str ds_html_decode(ds_str s, ds_arena *mem, size_t *n);

typedef struct { /* lines of a text that keep their blanks, by number from 0, ascending */
	struct {
		uint32_t from, to;
	} * at; /* in the arena of the text */
	size_t n;
} ds_html_lines;

/*
 * The text of a document: blocks become lines, cells are separated by tabs, <pre> keeps its shape. pre: the
 * lines that come of it; NULL: not wanted.
 */
ds_str ds_html_strip(ds_str document, ds_html_lines *pre, ds_arena *mem);

/* The same with headings, lists, code, links, emphasis, quotes and images as Markdown. */
ds_str ds_html_markdown(ds_str document, ds_arena *mem);

/* The main text: navigation, footers, banners, lists of links left out. May be empty. */
ds_str ds_html_article(ds_str document, ds_html_lines *pre, ds_arena *mem);

/* Elements by number: DS_TAG_p and so on, 0 for those that are not in tags.def. */
enum {
	DS_TAG_unknown,
#define TAG(name, breaks, flags) DS_TAG_##name,
#include "text/html/tags.def"
#undef TAG
	DS_N_TAGS
};
unsigned ds_html_tag_of(ds_str name); /* in any case */

/*
 * The name of the charset that the bytes of a page are in, as ds_charset_decode takes it, "UTF-8" where
 * that is it: by the byte order mark (*skip bytes), what the HTTP header named (empty: nothing), <meta>,
 * UTF-8 where nearly all is, or by a guess.
 */
const char *ds_html_charset(ds_str bytes, ds_str http, size_t *skip);
/* Begins like a document: a doctype, <html>, <head>, <body>, an XML declaration or a comment before one. */
bool ds_html_begins(ds_str text);
/* Begins with a start tag and ends with a tag, of elements that are blocks. */
bool ds_html_is_element(ds_str text);
/* Has a pair of a known element's tags, and tags are an eighth of it. */
bool ds_html_is_marked(ds_str text);
/* So many pairs of known elements' start and end tags, one inside or after the other. */
bool ds_html_has_pairs(ds_str text, unsigned n);

#endif
