/*
 * exec.h - a program whose output is the input
 *
 * Its stderr is read beside it by a thread, so that it never blocks; the last line of it is quoted
 * when the program fails.
 */
#ifndef DS_RECORD_EXEC_H
#define DS_RECORD_EXEC_H

#include "base/err.h"

typedef struct ds_exec ds_exec;
/* Starts `sh -c command`; in is its stdin and stays the caller's, -1: an empty one. */
DS_MUST ds_rc ds_exec_open(ds_exec **x, const char *command, int in, ds_err *e);
int ds_exec_fd(const ds_exec *x); /* its output; closed by close */
/* After the end of its output: waits. DS_IO where it did not exit with 0. */
DS_MUST ds_rc ds_exec_wait(ds_exec *x, ds_err *e);
void ds_exec_close(ds_exec *x); /* ends a program that still runs */
DS_AUTO_WITH(ds_exec, ds_exec_close)

#endif
