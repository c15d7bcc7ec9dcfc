/*
 * signals.h - SIGINT and SIGTERM end a run between two steps
 *
 * They are blocked on every thread but one that waits for them, because a matrix kernel that was compiled at
 * run time may use the stack pointer for something else: a handler's frame on such a thread lands in the heap
 * (seen as a broken heap in one of six interrupted runs). Open before any other thread is started, close after.
 */
#ifndef DS_TRAIN_SIGNALS_H
#define DS_TRAIN_SIGNALS_H

#include "base/err.h"

#include <stdbool.h>

DS_MUST ds_rc ds_signals_open(ds_err *e);
void ds_signals_close(void); /* fine where it was not opened */
/* From here on the first signal asks to stop; before, and for the second, it ends the process as usual. */
void ds_signals_heed(void);
bool ds_signals_stop(void);

#endif
