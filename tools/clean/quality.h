/*
 * quality.h - the published quality rules of Gopher, C4, FineWeb and FineWeb2
 *
 * Measures, their limits and their order are those of the datatrove library. A preset is a set of
 * rules; each may be switched off or given another limit, and each is a reason of its own.
 */
#ifndef DS_CLEAN_QUALITY_H
#define DS_CLEAN_QUALITY_H

#include "rule.h"
#include "text/terms.h"

typedef enum {
#define QUALITY(name, least, limit) Q_##name,
#include "quality.def"
#undef QUALITY
	Q_N
} quality_id;

extern const char *const quality_names[Q_N];

typedef struct {
	double limit[2][Q_N]; /* of texts in spaced words; of Chinese ones */
	bool on[Q_N];
	bool chinese;                 /* there are limits of its own for it */
	bool fineweb_first;           /* before Gopher's quality rules */
	const char *reasons[Q_N + 1]; /* those that are on */
	unsigned reason_of[Q_N];
} quality;

/* "gopher", "fineweb2,-stop_words,dup_lines=0.4" */
DS_MUST ds_rc quality_parse(quality *q, const char *value, ds_err *e);

typedef struct {
	uint32_t *keys; /* half of a hash, of which the other half is the place; 0: free */
	uint32_t *counts;
	size_t cap, had, counts_had;
} quality_table;

/* Where pieces of the text are, one after another. */
typedef struct {
	ds_str rest;
	size_t least; /* line feeds between two of them; 0: lines that are not blank */
} quality_pieces;

typedef struct { /* words of the text, a stretch of it at a time */
	const ds_word *at;
	size_t n;
	ds_str rest;
	bool begun;
} quality_words;

typedef struct { /* a thread's */
	const quality *q;
	ds_words *words;
	quality_table table;
	ds_buf text, sums, low; /* see quality_repetition.c and quality_c4.c */
	/* Of the record at hand: */
	rule_record *r;
	size_t n_words;
	quality_words all; /* where the text is one stretch */
	enum { QUALITY_UNJOINED, QUALITY_CLOSE, QUALITY_BLANKS } joined; /* they are, in text */
	double chars;
	bool han, cut, failed;
} quality_run;

/* Notes a measure; true: the record fails by it and no more need be known. */
bool quality_fails(quality_run *x, quality_id id, double value);
void quality_cut(quality_run *x); /* counts the words of the text, once for a record */
/* Begin with { 0 }. What it gives lives until the next call. */
bool quality_words_next(quality_run *x, quality_words *w);
/* Each true where the record is done with. */
bool quality_repetition(quality_run *x);
bool quality_gopher(quality_run *x);
bool quality_c4(quality_run *x);
bool quality_fineweb(quality_run *x);

ds_str quality_trim(ds_str s);                              /* white space at both ends */
ds_str quality_line(const uint8_t **p, const uint8_t *end); /* and *p goes to the next */

void quality_table_free(quality_table *t);
bool quality_piece(quality_pieces *p, ds_str *piece);
typedef struct {
	size_t n, again, again_chars; /* all; those that came before, and their characters */
} quality_count;
quality_count quality_duplicates(quality_run *x, quality_pieces all);

#endif
