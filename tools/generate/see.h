/*
 * see.h - what models that take pictures say of records: vectors, labels
 */
#ifndef GENERATE_SEE_H
#define GENERATE_SEE_H

#include "model/model.h"
#include "base/args.h"
#include "record/run.h"

typedef struct {
	bool embed;
	const char *
		labels; /* names among which to choose, "a,b", or a file of them, a line each; NULL: the model's */
	const char *prompt; /* a text with {} in the place of a name */
} see_opts;

/* Runs the whole input through it. DS_USAGE: it can do neither. */
DS_MUST ds_rc see_run(
	const ds_model *m, ds_device *device, const see_opts *o, const ds_common *c, ds_err *e);

#endif
