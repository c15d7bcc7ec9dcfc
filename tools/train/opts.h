/*
 * opts.h - the command line of dstrain
 */
#ifndef TRAIN_OPTS_H
#define TRAIN_OPTS_H

#include "base/args.h"
#include "train/settings.h"

typedef struct {
	ds_request ask;
	bool resume, dry_run, plot, merge;
	const char *dump, *explain;
	ds_size memory;
	int64_t restarts;
	const char *trace;
	const char *device; /* a backend's name, or auto */
} train_opts;
extern train_opts
	train_options; /* filled by ds_main before run is called, but for the defaults of ask.keys */

const ds_arg *train_args(void); /* the table of options */

#endif
