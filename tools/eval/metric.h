/*
 * metric.h - what a metric is
 *
 * A metric reads rows of records into a part, parts are merged in the order of the stream, and compute
 * gives the score; so the result does not depend on threads. A part is one thread's at a time.
 */
#ifndef DS_EVAL_METRIC_H
#define DS_EVAL_METRIC_H

#include "base/args.h"
#include "record/block.h"

typedef struct {
	const char *name;    /* as typed: "bleu:zh" */
	const char *variant; /* after the colon, or "" */
	const char *model;   /* -m DIR, or NULL */
	const char *fit;     /* --fit FILE, or NULL */
	int64_t seq;         /* --seq N, or 0 */
	bool ignore_keys;    /* --ignore-keys */
	const ds_common *common;
} metric_args;

typedef struct {
	double score;     /* on the scale of the field's reference implementation */
	ds_buf signature; /* what exactly was computed: "nrefs:1|case:mixed|…"; may be empty */
	ds_buf detail;    /* for people: the reference's own line, counts; may be empty */
} metric_result;

typedef struct metric {
	const char *name, *help;
	const char *fields[4]; /* what it reads, decoded before update; NULL-ended */
	bool serial; /* update takes whole blocks, one at a time, and may use threads itself */
	/* The metric's own state: settings, a model. Not changed by update unless serial. */
	ds_rc (*open)(void **state, const metric_args *a, ds_err *e);
	void (*close)(void *state);
	void *(*part_new)(void *state);
	void (*part_free)(void *part);
	/* Rows [from, to) of a block; it and mem are this thread's, and mem is reset by the caller. */
	ds_rc (*update)(void *state, void *part, ds_block *b, uint32_t from, uint32_t to,
		ds_arena *mem, ds_err *e);
	ds_rc (*merge)(void *state, void *into, void *part, ds_err *e);
	ds_rc (*compute)(void *state, void *part, metric_result *out, ds_err *e);
} metric;

#define METRIC(name) extern const metric metric_##name;
#include "metrics.def"
#undef METRIC

#endif
