/*
 * temp.h - temporary files that do not outlive the process
 *
 * Paths held here are unlinked by ds_temp_discard, which ds_main calls from its handlers of SIGINT,
 * SIGTERM and SIGHUP and when memory runs out; it is async-signal-safe. Any thread.
 */
#ifndef DS_BASE_TEMP_H
#define DS_BASE_TEMP_H

#include "base/err.h"

typedef struct ds_temp ds_temp;
ds_temp *ds_temp_hold(const char *path); /* copies path */
/* The held copy, which mkostemp may fill in: held before the file exists, it cannot be missed. */
char *ds_temp_path(ds_temp *t);
void ds_temp_release(ds_temp *t, int unlink); /* forgets it; NULL is fine */
void ds_temp_discard(void);

/* An open file without a name in $TMPDIR (or /tmp), for what does not fit in memory; close(2) it. */
DS_MUST ds_rc ds_temp_file(int *fd, ds_err *e);

#endif
