/*
 * markdown.h - text as Markdown, element by element, as html_impl.h's writer writes plain text
 */
#ifndef DS_TEXT_HTML_MARKDOWN_H
#define DS_TEXT_HTML_MARKDOWN_H

#include "text/html/html_impl.h"

enum { DS_MD_DEPTH = 16 };

typedef struct { /* an element whose lines begin in a way of their own */
	enum { DS_MD_UL, DS_MD_OL, DS_MD_ITEM, DS_MD_QUOTE } kind;
	unsigned number; /* OL: of the next item; ITEM: its own, 0: a bullet */
	unsigned width;  /* ITEM: of its marker */
	bool begun;      /* its marker is written */
} ds_md_block;

typedef struct { /* an element inside a line */
	enum { DS_MD_STRONG, DS_MD_EM, DS_MD_CODE, DS_MD_LINK } kind;
	ds_str href;     /* LINK */
	unsigned n_open; /* how often its marker was written */
	bool open;       /* the marker is written, its end is not */
} ds_md_inline;

/* Start with { .out = { .mem = arena } }. */
typedef struct {
	ds_grow out;
	unsigned breaks, row_breaks, tabs; /* owed, as by the plain writer */
	bool blank, fresh;
	bool after_list; /* text that follows is none of the list's */
	bool at_start;   /* of a line: what comes must not look like a marker */
	ds_md_block blocks[DS_MD_DEPTH];
	ds_md_inline inlines[DS_MD_DEPTH];
	unsigned n_blocks, n_over, n_inlines; /* n_over: lists and quotes beyond the depth */
	unsigned heading;                     /* 1-6 inside one */
	bool heading_begun;
	size_t code_from; /* where the text of open code begins */
	size_t ended_at;  /* where an end marker of ended was written last */
	unsigned ended;
	unsigned n_pre;
	bool skip_line, fence; /* fence: the opening one is written */
	size_t body_at;        /* of out: the line after the fence */
	unsigned n_tables;
	bool row_has[DS_HTML_CELLS];
} ds_md;

void ds_md_break(ds_md *w, unsigned n);
/* Ends what is open inside the line, to be begun again by what follows. */
void ds_md_pause(ds_md *w);

/* What the two files share. */
void ds_md_image(ds_md *w, ds_str alt, ds_str src);
void ds_md_settle(ds_md *w);
void ds_md_line_end(ds_md *w); /* inside a fence */
void ds_md_fence_begin(ds_md *w);
void ds_md_push_block(ds_md *w, ds_md_block b);
void ds_md_push_inline(ds_md *w, ds_md_inline in);
void ds_md_pop_inline(ds_md *w, unsigned kind);

#endif
