/*
 * towers.h - vectors of texts and pictures, of length 1
 *
 * Of a model of two towers they can be compared: their product is the cosine. A model that takes pictures alone gives
 * the state of the row that stands for the whole. Vectors do not depend on what else is in a batch, or on threads.
 */
#ifndef DS_INFER_TOWERS_H
#define DS_INFER_TOWERS_H

#include "model/engine.h"

typedef struct ds_towers ds_towers;

/* Borrows model and device; threads decode pictures. DS_USAGE: the model takes no pictures. */
DS_MUST ds_rc ds_towers_open(
	ds_towers **t, const ds_model *m, ds_device *device, unsigned threads, ds_err *e);
void ds_towers_close(ds_towers *t); /* NULL is fine */
DS_AUTO_WITH(ds_towers, ds_towers_close)
int64_t ds_towers_width(const ds_towers *t);
bool ds_towers_read(const ds_towers *t); /* does it take texts too? */
double ds_towers_factor(
	const ds_towers *t); /* logits are cosines times this; 1 where there are no towers */

/* n vectors side by side. DS_USAGE: the model has no tokenizer, or takes no texts. */
DS_MUST ds_rc ds_towers_texts(ds_towers *t, const ds_str *texts, size_t n, float *out, ds_err *e);
/* why[i]: what is wrong with file i, in mem, its vector is zero then; NULL: nothing. */
DS_MUST ds_rc ds_towers_images(ds_towers *t, const ds_str *files, size_t n, float *out,
	const char **why, ds_arena *mem, ds_err *e);
/* The logits of a head over labels, n_labels each. DS_USAGE: it has none. */
DS_MUST ds_rc ds_towers_labels(ds_towers *t, const ds_str *files, size_t n, float *out,
	const char **why, ds_arena *mem, ds_err *e);

#endif
