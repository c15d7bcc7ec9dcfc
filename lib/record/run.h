/*
 * run.h - from the command line to a pipe
 */
#ifndef DS_RECORD_RUN_H
#define DS_RECORD_RUN_H

#include "base/args.h"
#include "record/pipe.h"

/* What the command line asks for; valid as long as c. */
ds_pipe_opts ds_pipe_of(const ds_common *c);
/* A pipe from there to there. */
DS_MUST ds_rc ds_run_stage(const ds_common *c, const ds_stage *s, ds_err *e);
/* Reads all inputs for the stage alone, ahead of the run: writes and says nothing; what is refused is left to the run. */
DS_MUST ds_rc ds_run_ahead(const ds_common *c, const ds_stage *s, ds_err *e);
/* ds_tool.failed of programs that write records. */
void ds_run_failed(const ds_common *c, const char *reason);

#endif
