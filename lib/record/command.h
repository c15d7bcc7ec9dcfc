/*
 * command.h - a program whose output is the input
 *
 * Its stderr is read beside it by a thread, so that it never blocks; the last line of it is quoted
 * when the program fails.
 */
#ifndef DS_RECORD_COMMAND_H
#define DS_RECORD_COMMAND_H

#include "base/err.h"

typedef struct ds_command ds_command;
/* Starts `sh -c command`; in is its stdin and stays the caller's, -1: an empty one. */
DS_MUST ds_rc ds_command_open(ds_command **x, const char *command, int in, ds_err *e);
int ds_command_fd(const ds_command *x); /* its output; closed by close */
/* After the end of its output: waits. DS_IO where it did not exit with 0. */
DS_MUST ds_rc ds_command_wait(ds_command *x, ds_err *e);
void ds_command_close(ds_command *x); /* ends a program that still runs */
DS_AUTO_WITH(ds_command, ds_command_close)

#endif
