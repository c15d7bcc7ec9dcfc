/*
 * label.h - dsgen with an encoder: what its head says of every record
 */
#ifndef GENERATE_LABEL_H
#define GENERATE_LABEL_H

#include "infer/predict.h"
#include "record/run.h"

typedef struct {
	ds_predictor *p;
	size_t seen; /* optional blocks of the input */
} label_run;
ds_rc label_block(void *state, ds_work *w, ds_block *b, ds_err *e); /* a stage's order */

#endif
