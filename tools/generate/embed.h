/*
 * embed.h - dsgen --embed: a vector for every record
 */
#ifndef GENERATE_EMBED_H
#define GENERATE_EMBED_H

#include "infer/embed.h"
#include "record/run.h"

typedef struct {
	const ds_model *m;
	ds_device *device;
	ds_tok_scratch *scratch; /* NULL: the model has no tokenizer */
	int64_t batch;
	ds_precision precision;
	ds_embedder *d;
	bool any_tok;
	size_t seen; /* optional blocks of the input */
} embed_run;

ds_rc embed_block(void *state, ds_work *w, ds_block *b, ds_err *e); /* a stage's order */

#endif
