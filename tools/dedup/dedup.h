/*
 * dedup.h - what the files of dsdedup share
 *
 * Signing (sign.c) runs on any thread and fills a signed_block; applying (apply.c) is one at a time, in
 * stream order, and asks the memory of all texts seen.
 */
#ifndef DSDEDUP_DEDUP_H
#define DSDEDUP_DEDUP_H

#include "record/run.h"
#include "text/seen.h"

enum { AGAINST_UNITS = 13 };

typedef enum { SCOPE_TEXT, SCOPE_LINE, SCOPE_PARA, SCOPE_SPAN } scope;

typedef struct { /* what the user asked for, checked */
	ds_seen_plan seen;
	scope scope;
	double share; /* with --against: of a text there; 0: a run of AGAINST_UNITS */
	bool mark;
	bool tag;    /* signatures and similarities stay in the record; marks too */
	bool named;  /* ids are needed */
	bool add_id; /* and given to records that have none */
} plan;

typedef struct {
	size_t first, n;     /* items; none where the record has no text */
	ds_text_part *parts; /* of which they are pieces; NULL with SCOPE_TEXT */
	size_t n_parts;
	bool contaminated;
	uint32_t cluster; /* its size, where that is known and this record stays for it; else 0 */
} row_items;

typedef struct {             /* one block between work and order */
	ds_seen_item *items; /* a text, or with --scope a piece of one, as it is compared */
	ds_str *texts;       /* of the items */
	row_items *rows;     /* of the records that are left, in order */
	size_t n_items, n_rows;
	uint64_t first;     /* number of the first item, once it is known to a ds_seen */
	uint32_t *sketches; /* heap; handed on with ds_seen_take */
} signed_block;

/* The set of what --against forbids; never changes, any thread. */
typedef struct against against;
DS_MUST ds_rc against_load(
	against **out, const ds_common *c, const char *path, const plan *p, ds_err *e);
void against_free(against *a);
DS_AUTO_WITH(against, against_free)
typedef struct against_reader against_reader; /* one a thread */
against_reader *against_reader_new(const against *a);
void against_reader_free(against_reader *r);
bool against_hits(against_reader *r, ds_str text);

/* The same by the share of a text that another one has: texts are added, then it is finished. */
enum { OVERLAP_UNITS = 5 };
typedef struct overlap overlap;
overlap *overlap_new(double share);
void overlap_free(overlap *o);
void overlap_add(overlap *o, ds_ngram *units, ds_str text);
void overlap_finish(overlap *o);
typedef struct overlap_reader overlap_reader;
overlap_reader *overlap_reader_new(const overlap *o);
void overlap_reader_free(overlap_reader *r);
bool overlap_hits(const overlap *o, overlap_reader *r, ds_ngram *units, ds_str text);

/* What earlier runs saw: loaded where the file is there, replaced with the one before kept as PATH~. */
DS_MUST ds_rc index_load(ds_seen *s, const char *path, ds_err *e);
DS_MUST ds_rc index_save(const ds_seen *s, ds_out *out, const char *path, ds_err *e);

/* Which of a cluster stays: --keep first, longest or max:FIELD; another word is DS_USAGE. */
DS_MUST ds_rc keep_check(const char *which, ds_err *e);
const char *keep_field(const char *which); /* of max:FIELD; NULL for another word */
/* What each row is worth; a record without text or field less than any other. */
DS_MUST ds_rc keep_values(
	const char *which, ds_block *b, const signed_block *s, double *v, ds_err *e);
typedef struct keeper keeper;
DS_MUST ds_rc keeper_new(keeper **out, const char *which, const ds_common *c, ds_err *e);
void keeper_free(keeper *k);
DS_MUST ds_rc keeper_learn(
	keeper *k, ds_block *b, const signed_block *s, ds_err *e); /* reading once */
void keeper_choose(keeper *k, ds_seen *seen);
DS_MUST ds_rc keeper_decide(keeper *k, ds_seen *seen, signed_block *s, ds_err *e); /* and again */

/* The largest clusters and how much repeats; for plans that join. */
typedef struct report report;
typedef struct {                                           /* whose clusters */
	uint32_t (*first)(void *context, uint32_t number); /* of a number's cluster */
	void *context;
	bool records; /* numbers count records, not texts */
} report_of;
report *report_new(report_of of, uint64_t first); /* the number of the first text of this run */
void report_free(report *r);
DS_MUST ds_rc report_block(report *r, ds_block *b, const signed_block *s, ds_err *e); /* in order */
void report_finish(report *r, uint64_t n); /* of n numbers */
void report_stats(const report *r, ds_buf *out);
void report_say(const report *r, const ds_common *c);

/* One a thread. */
typedef struct signer signer;
signer *signer_new(const plan *p, const ds_minhash *perm, const against *evil);
void signer_free(void *s);
/* The work of a stage whose scratch is a signer. */
DS_MUST ds_rc signer_work(void *state, ds_work *w, ds_block *b, ds_err *e);
signed_block *signer_result(signer *s);

/* What a staged run has decided, for a second reading of the same records. */
typedef struct verdicts verdicts;
DS_MUST ds_rc verdicts_decide(verdicts *v, ds_arena *mem, ds_block *b, signed_block *s, ds_err *e);
ds_seen_id verdicts_name(
	const verdicts *v, uint32_t number); /* of one that verdicts_decide named */

/* The id of a record by the column of ids, which may be NULL, or its number. */
DS_MUST ds_rc row_id(ds_block *b, const ds_col *col, uint32_t row, ds_seen_id *id, ds_err *e);

/* Puts what is known of each record into it: its sketch, and how like the one it repeats. */
DS_MUST ds_rc tag_rows(
	const plan *p, const ds_seen *seen, ds_block *b, const signed_block *s, ds_err *e);

/* Decides about the items of a block, and does it: rows dropped or marked, pieces cut out. */
enum { COUNT_EXACT, COUNT_NEAR, COUNT_EMPTIED, COUNT_AGAINST, COUNT_FULL };
extern const char *const apply_counters[];
typedef struct {
	const plan *plan;
	ds_seen *seen;
	keeper *keeper;     /* NULL: the first stays */
	verdicts *verdicts; /* NULL: nothing is decided yet */
	report *report;     /* NULL: nobody asks */
	uint64_t limit;     /* bytes that the memory of texts may take */
	bool over;          /* it took more */
	uint64_t n_records, n_items, n_exact, n_near;
	bool text_ids; /* one was no number so far: what is written is strings from there on */
} applier;
/* The first of two readings: compares and names the items of a block, and teaches the keeper. */
DS_MUST ds_rc apply_learn(applier *a, ds_work *w, ds_block *b, signed_block *s, ds_err *e);
DS_MUST ds_rc apply_block(applier *a, ds_work *w, ds_block *b, signed_block *s, ds_err *e);
void apply_summary(const applier *a, ds_buf *out); /* a sentence */

#endif
