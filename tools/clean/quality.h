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
	uint64_t *keys; /* 0: free */
	uint32_t *values;
	size_t cap, mask;
} quality_table;

typedef struct { /* a thread's */
	const quality *q;
	ds_words *words;
	quality_table table;
	ds_buf lines, text, sums, low; /* see quality_repetition.c and quality_c4.c */
	/* Of the record at hand: */
	rule_record *r;
	const ds_word *word;
	size_t n_words;
	double chars;
	bool han, cut, failed;
} quality_run;

/* Notes a measure; true: the record fails by it and no more need be known. */
bool quality_fails(quality_run *x, quality_id id, double value);
void quality_cut(quality_run *x); /* x->word is the words of the text; once for a record */
/* Each true where the record is done with. */
bool quality_repetition(quality_run *x);
bool quality_gopher(quality_run *x);
bool quality_c4(quality_run *x);
bool quality_fineweb(quality_run *x);

ds_str quality_trim(ds_str s);                              /* white space at both ends */
ds_str quality_line(const uint8_t **p, const uint8_t *end); /* and *p goes to the next */

/* A table for n keys, and the place of a key; *is_new says whether it was put there now. */
void quality_table_start(quality_table *t, size_t n);
uint32_t *quality_table_put(quality_table *t, uint64_t key, bool *is_new);
/* Of pieces (ds_str in x->lines): how many came before, and the characters of those. */
void quality_duplicates(quality_run *x, size_t *pieces, size_t *chars);

#endif
