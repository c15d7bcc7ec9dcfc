/*
 * html_impl.h - what the files of this folder share: the elements' properties, the data tables
 */
#ifndef DS_TEXT_HTML_HTML_IMPL_H
#define DS_TEXT_HTML_HTML_IMPL_H

#include "text/grow.h"
#include "text/html/html.h"

enum { /* breaks */
	DS_BREAK_NONE,
	DS_BREAK_LINE,
	DS_BREAK_PARA,
	DS_BREAK_CELL,
};

enum { /* flags: see tags.def */
	DS_TAGF_VOID = 1 << 0,
	DS_TAGF_DROP = 1 << 1,
	DS_TAGF_RAW = 1 << 2,
	DS_TAGF_RCDATA = 1 << 3,
	DS_TAGF_SCRIPT = 1 << 4,
	DS_TAGF_PLAIN = 1 << 5,
	DS_TAGF_PRE = 1 << 6,
	DS_TAGF_OUT = 1 << 7,
	DS_TAGF_POINT = 1 << 8,
	DS_TAGF_LINK = 1 << 9,
	DS_TAGF_HEAD = 1 << 10,
	DS_TAGF_GOOD = 1 << 11,
	DS_TAGF_POOR = 1 << 12,
	DS_TAGF_TEXT = 1 << 13,
};

typedef struct {
	char name[15];
	uint8_t n, breaks;
	uint16_t flags;
} ds_html_tag;
extern const ds_html_tag ds_html_tags[DS_N_TAGS];

extern const uint8_t ds_html_tag_hash[4], ds_html_tag_slot[512]; /* slot: tag, 0: none */

typedef struct {
	uint16_t at;
	uint8_t n, n_out;
	char out[6];
} ds_html_entity;
extern const ds_html_entity ds_html_entities[];
extern const uint16_t ds_html_entity_first[129]; /* by first letter */
extern const char ds_html_entity_names[];

static inline bool ds_html_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

/*
 * Where a reader is with respect to SVG and MathML, which are not read as HTML is: what is dropped,
 * and where HTML begins again inside. Kept without a tree: the elements in between do not matter.
 */
enum { DS_HTML_DEPTH = 64 };
typedef struct {
	uint8_t stack[DS_HTML_DEPTH]; /* tags: svg, math or a POINT element */
	unsigned n, n_svg, n_over;    /* n_over: beyond the stack, counted only */
	unsigned n_template;
} ds_html_where;

/*
 * Follows a tag; sets h->model and h->foreign. True where the tag is one of HTML that a reader is to
 * look at, false where it belongs to what is dropped or is foreign.
 */
bool ds_html_follow(ds_html *h, ds_html_where *w, const ds_html_token *t);
/* Text is none here: inside SVG, a template or an element that is dropped. */
static inline bool ds_html_is_dropping(const ds_html *h, const ds_html_where *w)
{
	return w->n_svg || w->n_template || h->model == DS_HTML_SCRIPT ||
	       (h->model != DS_HTML_DATA && h->model != DS_HTML_PLAINTEXT &&
		       ds_html_tags[ds_html_tag_of(h->element)].flags & DS_TAGF_DROP);
}

typedef struct { /* bytes of a text */
	size_t from, to;
} ds_html_span;

/* Text as it is written down, element by element (writer.c). Start with { .out = { .mem = arena } }. */
enum { DS_HTML_CELLS = 64 };
typedef struct {
	ds_grow out;
	unsigned breaks;     /* line ends owed, at most 2 */
	unsigned row_breaks; /* of them, those owed before the row at hand */
	unsigned tabs;       /* owed before the next cell's text */
	bool blank;          /* owed */
	bool fresh;          /* a cell in which nothing was written yet: breaks wait */
	unsigned n_pre;      /* open elements that keep white space */
	bool skip_line;      /* the line end right after <pre> is none */
	unsigned n_tables;
	bool row_has[DS_HTML_CELLS]; /* by table, innermost last: the row has a cell already */
	ds_html_span *pre;           /* what was written of elements that keep white space */
	size_t n_spans, cap_spans;
} ds_html_writer;
void ds_html_write_tag(ds_html_writer *w, const ds_html_token *t);
void ds_html_write_text(ds_html_writer *w, const ds_html_token *t); /* TEXT */
/* The lines that spans of a text are part of. */
void ds_html_lines_of(
	ds_html_lines *out, ds_str text, const ds_html_span *at, size_t n, ds_arena *mem);

#endif
