/*
 * tally.h - what was gathered of some records, for all metrics at once
 *
 * Tallies of parts of a stream are added up in the order of the stream. What is gathered is said by a
 * shape, one for all tallies of a run: the sums of its metrics, how often each label met each predicted
 * class, and where a metric or resampling needs them the rows themselves. Memory: 8 bytes a number, 16
 * bytes a pair of classes, and with rows 8 bytes a number of each record.
 */
#ifndef DS_EVAL_TALLY_H
#define DS_EVAL_TALLY_H

#include "base/cur.h"
#include "metric.h"
#include "names.h"

typedef struct {
	uint32_t n;
	void (*merge)(double *into, const double *from); /* NULL: added */
} tally_sums;

typedef struct {
	uint32_t n_sums; /* of all metrics */
	const tally_sums
		*parts; /* of each metric, one after another; lives as long as the tallies */
	uint32_t n_parts;
	bool classes; /* label and predicted class */
	bool scores;  /* label and scores, row by row */
	bool numbers; /* pairs, row by row */
	bool rows;    /* keep sums and classes row by row as well */
} tally_shape;

typedef struct {
	uint32_t label, pred; /* ids of names */
	uint64_t n;
} tally_cell;

typedef struct tally {
	tally_shape shape;
	uint64_t n; /* records */
	double *sums;
	names *classes;
	tally_cell *cells; /* open hash table; n = 0: free */
	uint32_t n_cells, n_slots;
	/* Rows, each NULL where the shape has none. */
	double *sum_rows;
	uint32_t *labels, *preds;
	double *scores; /* n × n_scores */
	uint32_t n_scores;
	double *pairs; /* n × 2 */
	uint64_t cap;  /* rows that there is memory for */
} tally;

tally *tally_new(const tally_shape *shape);
void tally_free(tally *t); /* NULL is fine */
DS_AUTO_WITH(tally, tally_free)
/* sums: n_sums doubles of this record. DS_BAD where its number of scores is not that of the others. */
DS_MUST ds_rc tally_add(tally *t, const metric_record *r, const double *sums, ds_err *e);
DS_MUST ds_rc tally_merge(tally *into, const tally *from, ds_err *e);
/* The records whose numbers are rows[0..n) again, as a tally of its own; t has rows. */
tally *tally_resample(const tally *t, const uint32_t *rows, uint64_t n);

void tally_store(const tally *t, ds_buf *out);
DS_MUST ds_rc tally_load(tally **out, ds_cur *c, const tally_shape *shape, ds_err *e);

/* What of_table sees: classes in their order, and numbers of classes instead of ids. */
struct metric_table {
	uint64_t n; /* records */
	uint32_t n_classes;
	const ds_str *classes; /* by value where all are numbers, else by bytes */
	const tally_cell *cells;
	uint32_t n_cells;                           /* label and pred are numbers of classes */
	const uint64_t *support, *predicted, *hits; /* a class each */
	/* scores */
	const uint32_t *labels; /* n */
	const double *scores;   /* n × n_scores; column c belongs to column_class[c] */
	uint32_t n_scores;
	const uint32_t *column_class; /* UINT32_MAX: a class without records; NULL: n_scores is 1 */
	uint32_t positive;            /* of two classes: the second, or the second of order */
	/* numbers */
	const double *pairs; /* n × 2 */
};

/*
 * scores: what metrics of score see, whose classes are those of the labels; else of label and pred. order:
 * names of the columns of score, or n_order = 0. In mem.
 */
DS_MUST ds_rc tally_table(metric_table *out, const tally *t, bool scores, const ds_str *order,
	size_t n_order, ds_arena *mem, ds_err *e);

#endif
