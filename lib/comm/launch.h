/*
 * launch.h - the ranks of a job on this machine: processes that are forked here, or threads
 *
 * ds_launch returns in every process: in a rank with its world, and in the process that called it, which only waits,
 * with how the job ended. A rank says so by ds_launch_end before it exits. Where one fails or dies, the others are told,
 * and killed where they do not end within some seconds. To be called before any thread is started.
 */
#ifndef DS_COMM_LAUNCH_H
#define DS_COMM_LAUNCH_H

#include "comm/world.h"

typedef struct ds_launched ds_launched;

/* In a rank *w is its world and *l is to be ended; else both are NULL, and the result is the job's: DS_IO where a rank
 * died, naming it. *by: the rank that failed first, -1. */
DS_MUST ds_rc ds_launch(int ranks, ds_world **w, ds_launched **l, int *by, ds_err *e);
/* What came of this rank; e's text where rc is no DS_OK. Frees l and closes the world. */
void ds_launch_end(ds_launched *l, ds_world *w, ds_rc rc, const ds_err *e);

/* The ranks as threads of this process, for tests and to look into a layout: fn runs once a rank. The first failure is
 * the result. */
typedef ds_rc ds_rank_fn(void *context, ds_world *w, ds_err *e);
DS_MUST ds_rc ds_launch_threads(int ranks, ds_rank_fn *fn, void *context, ds_err *e);

#endif
