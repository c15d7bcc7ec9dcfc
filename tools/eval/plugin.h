/*
 * plugin.h - a metric of your own as a shared library: dseval --plugin FILE.so
 *
 * The library defines one object, `const ds_metric ds_metric_plugin`; this header needs nothing but the C
 * library, and docs/metric_example.c is a whole one:
 *
 *	cc -shared -fPIC -I tools/eval -o words.so docs/metric_example.c
 *	dseval words bleu answers.jsonl --plugin ./words.so
 *
 * A state is plain memory of n_doubles doubles, zero at first: parts of the input have states of their own,
 * which are merged in order, stored by --state and resampled by --bootstrap. update and merge run on
 * several threads, each on states of its own; a library keeps nothing else between calls.
 */
#ifndef DS_EVAL_PLUGIN_H
#define DS_EVAL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

enum { DS_METRIC_ABI = 1 };

typedef struct { /* bytes, not ended by a NUL; they live during the call */
	const char *at;
	size_t n;
} ds_metric_text;

typedef struct {
	ds_metric_text pred, label; /* at NULL: the record has none */
	const ds_metric_text *refs; /* the field ref: a text or several */
	size_t n_refs;
	const double *scores; /* the field score */
	size_t n_scores;
} ds_metric_record;

enum { DS_METRIC_PRED = 1, DS_METRIC_REF = 2, DS_METRIC_LABEL = 4, DS_METRIC_SCORE = 8 };

typedef struct {
	uint32_t abi; /* DS_METRIC_ABI */
	const char *name;
	uint32_t needs;     /* fields that every record must have: DS_METRIC_… */
	uint32_t n_doubles; /* of a state */
	/* variant: what was typed after the name and a colon, "" without. 0, or *error is one line. */
	int (*init)(const char *variant, const char **error);
	int (*update)(double *state, const ds_metric_record *r, const char **error);
	void (*merge)(double *into, const double *from); /* NULL: they are added */
	/* n: records. 0, or *error is one line. */
	int (*compute)(const double *state, uint64_t n, double *score, const char **error);
} ds_metric;

#endif
