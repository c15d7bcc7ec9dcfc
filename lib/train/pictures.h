/*
 * pictures.h - the pictures of a step, decoded and prepared on threads that keep a step ahead of training
 *
 * Two sets: one that a step uses, one that is made meanwhile for the next. Where the next step wants what was made,
 * nothing waits; what it wants otherwise is made then. The numbers depend on a picture and its row's number alone.
 */
#ifndef DS_TRAIN_PICTURES_H
#define DS_TRAIN_PICTURES_H

#include "base/err.h"
#include "image/prep.h"

typedef struct {
	ds_prep prep;
	ds_vary vary; /* of rows that are trained on */
	int32_t size, patch;
	int64_t rows; /* of a step */
	unsigned threads;
} ds_pictures_opts;

typedef struct ds_pictures ds_pictures;
ds_pictures *ds_pictures_new(const ds_pictures_opts *o);
void ds_pictures_free(ds_pictures *p); /* NULL is fine */

/* Row i of the step at hand is this file, which outlives the step; vary: as training has it, by number. */
void ds_pictures_want(ds_pictures *p, int64_t i, ds_str file, uint64_t number, bool vary);
void ds_pictures_none(ds_pictures *p, int64_t i); /* zeros */
/* All that are wanted are there when it returns. DS_BAD: one cannot be decoded. */
DS_MUST ds_rc ds_pictures_ready(ds_pictures *p, ds_err *e);
const float *ds_pictures_at(const ds_pictures *p, int64_t i); /* all patches of row i */
int64_t ds_pictures_floats(const ds_pictures *p);             /* of a row */

/* What the step after will want; then they are made while this one goes on. */
void ds_pictures_foresee(ds_pictures *p, int64_t i, ds_str file, uint64_t number);
DS_MUST ds_rc ds_pictures_begin(ds_pictures *p, ds_err *e);

#endif
