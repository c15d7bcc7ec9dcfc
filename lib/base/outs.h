/*
 * outs.h - the outputs of a run, put into their places together or not at all
 *
 * ds_out_deliver (io.h) hands over an output that is whole; ds_main commits all of them when run succeeded,
 * and discards them where it failed. Who must be sure earlier, because it holds a lock, commits itself. The
 * list is the process's; the thread that ends the run is the only one that touches it.
 */
#ifndef DS_BASE_OUTS_H
#define DS_BASE_OUTS_H

#include "base/err.h"
#include "base/temp.h"

void ds_outs_add(ds_temp *temp, const char *final_path); /* takes temp over; for out.c */
/* At once, for an output that stands alone; takes temp over. Any thread. */
DS_MUST ds_rc ds_outs_put(ds_temp *temp, const char *final_path, ds_err *e);
DS_MUST ds_rc ds_outs_commit(ds_err *e); /* fine where there are none */
/* The one of that name alone, for what waits in a folder of our own. */
DS_MUST ds_rc ds_outs_commit_one(const char *final_path, ds_err *e);
/* What is whole is kept although rc tells of what was lost; rc with its e, or why it cannot be kept. */
DS_MUST ds_rc ds_outs_with(ds_rc rc, ds_err *e);
void ds_outs_discard(void);

#endif
