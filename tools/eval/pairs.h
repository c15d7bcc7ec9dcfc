/*
 * pairs.h - records of a picture and a text as vectors, for the metrics that compare them
 */
#ifndef DS_EVAL_PAIRS_H
#define DS_EVAL_PAIRS_H

#include "infer/towers.h"
#include "metric.h"
#include "record/field.h"

typedef struct {
	ds_model *m;
	ds_device *device;
	ds_towers *t;
	ds_field *field;  /* of the text */
	const char *name; /* of the metric */
} pairs;

typedef struct {
	size_t n;
	float *text, *image; /* n vectors of length 1 each */
} pair_vectors;

DS_MUST ds_rc pairs_open(pairs *p, metric_args *a, ds_err *e);
void pairs_close(pairs *p);
/* Of rows [from, to). DS_BAD: one lacks a part, or its picture is damaged; it is named. */
DS_MUST ds_rc pairs_embed(pairs *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem,
	pair_vectors *out, ds_err *e);
double pairs_cosine(const float *a, const float *b, int64_t n);

#endif
