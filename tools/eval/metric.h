/*
 * metric.h - what a metric is
 *
 * A metric is one of three kinds. The reader (read.h) sees every record once for all metrics, and what it
 * gathered (tally.h) can be added up, resampled, grouped and stored without the metric's help.
 *
 *   sums     `record` turns a record into n_sums doubles, which are added up; `of_sums` makes the score.
 *   table    `of_table` makes the score of what is gathered by `needs`: label and predicted class, scores,
 *            pairs of numbers.
 *   blocks   reads blocks itself (tokens, a model): part_new … compute below.
 *
 * Results do not depend on threads: rows are cut into slices of fixed size, added up in stream order.
 */
#ifndef DS_EVAL_METRIC_H
#define DS_EVAL_METRIC_H

#include "base/args.h"
#include "record/block.h"
#include "record/stream.h"

typedef struct metric_table metric_table; /* tally.h */

enum {                       /* what a metric needs of a record */
	METRIC_PRED = 1,     /* the field pred, as text */
	METRIC_REF = 2,      /* the field ref: a text or several */
	METRIC_LABEL = 4,    /* the fields label and pred as names of classes */
	METRIC_SCORE = 8,    /* the field score: a number or one a class; label too */
	METRIC_NUMBERS = 16, /* pred and label (else ref) as numbers */
};

typedef struct {
	ds_str pred, pred_class, label;
	const ds_str *refs;
	size_t n_refs;
	const double *scores;
	size_t n_scores;
	double x, y; /* METRIC_NUMBERS: pred, label */
} metric_record;

typedef struct {
	const char *name;    /* as typed: "bleu:zh" */
	const char *variant; /* after the first colon, or "" */
	const char *model;   /* -m DIR, or NULL */
	const char *fit;     /* --fit FILE, or NULL */
	const char *tok;     /* --tok NAME, or NULL */
	const char *device;  /* --device */
	int64_t seq;         /* --seq N, or 0 */
	int64_t stride;      /* --stride N, or 0 */
	bool ignore_keys;    /* --ignore-keys */
	bool any_tokenizer;  /* --any-tokenizer */
	const ds_common *common;
	const struct plugin *plugin; /* of own_plugin */
	const char *command;         /* of own_exec */
	/* The descriptor's, which open may change: */
	uint32_t n_sums;
	unsigned needs;
	void (*merge)(double *into, const double *from); /* NULL: sums are added */
} metric_args;

typedef struct {
	double score;     /* on the scale of the field's reference implementation */
	ds_buf signature; /* what exactly was computed: "nrefs:1|case:mixed|…"; may be empty */
	ds_buf detail;    /* for people: the reference's own line, counts; may be empty */
	ds_buf matrix;    /* JSON that is printed as "detail_json"; may be empty */
} metric_result;

typedef struct metric {
	const char *name, *help;
	unsigned needs;
	uint32_t n_sums;
	/* The metric's own state: settings, a model. Not changed by record; by update where serial. */
	ds_rc (*open)(void **state, metric_args *a, ds_err *e);
	void (*close)(void *state);
	/* sums: adds nothing itself, sums[0..n_sums) is zero before */
	ds_rc (*record)(
		const void *state, const metric_record *r, double *sums, ds_arena *mem, ds_err *e);
	ds_rc (*of_sums)(const void *state, const double *sums, uint64_t n_records,
		metric_result *out, ds_err *e);
	/* table */
	ds_rc (*of_table)(const void *state, const metric_table *t, metric_result *out, ds_err *e);
	/* The input's optional blocks, all of them whenever there are more; may be NULL. */
	ds_rc (*meet)(void *state, const ds_opt *opts, size_t n, ds_err *e);
	/* blocks: rows [from, to) of a block; it and mem are this thread's, mem is reset by the caller */
	const char *fields[4]; /* decoded before update; NULL-ended */
	bool serial; /* update takes whole blocks, one at a time, and may use threads itself */
	void *(*part_new)(void *state);
	void (*part_free)(void *part);
	ds_rc (*update)(void *state, void *part, ds_block *b, uint32_t from, uint32_t to,
		ds_arena *mem, ds_err *e);
	ds_rc (*merge)(void *state, void *into, void *part, ds_err *e);
	ds_rc (*compute)(void *state, void *part, metric_result *out, ds_err *e);
} metric;

#define METRIC(name) extern const metric metric_##name;
#include "metrics.def"
#undef METRIC

/* Cuts the next word off a variant "a:b=c": false at its end. value is "" where there is no '='. */
bool metric_word(const char **variant, ds_str *word, ds_str *value);
/* The variant has a word that the metric does not know. */
ds_rc metric_no_word(const char *name, ds_str word, const char *known, ds_err *e);

#endif
