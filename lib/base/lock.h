/*
 * lock.h - one process at a time at a file that is replaced by renaming
 *
 * What a rename replaces cannot carry the lock itself, so it lies on NAME.lock beside it, which is there only
 * while the lock is held; one that a killed process left is no lock.
 */
#ifndef DS_BASE_LOCK_H
#define DS_BASE_LOCK_H

#include "base/err.h"

typedef struct ds_lock ds_lock;
/* DS_USAGE: another process has it, and still after a second. The caller closes it. */
DS_MUST ds_rc ds_lock_open(ds_lock **out, const char *path, ds_err *e);
void ds_lock_close(ds_lock *l);
DS_AUTO_WITH(ds_lock, ds_lock_close)

#endif
