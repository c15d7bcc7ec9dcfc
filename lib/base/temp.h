/*
 * temp.h - temporary files that do not outlive the process
 *
 * Paths held here, files and empty folders, are removed by ds_temp_discard, which ds_main calls from its handlers of SIGINT,
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

/*
 * A new folder in $TMPDIR (or /tmp), removed with what is in it by ds_temp_dir_free; after a signal, if
 * all that is in it is held.
 */
typedef struct ds_temp_dir ds_temp_dir;
DS_MUST ds_rc ds_temp_dir_new(ds_temp_dir **d, ds_err *e);
const char *ds_temp_dir_path(const ds_temp_dir *d);
const char *ds_temp_dir_file(
	ds_temp_dir *d, const char *name); /* its path, held; lives as d does */
void ds_temp_dir_free(ds_temp_dir *d);
DS_AUTO_WITH(ds_temp_dir, ds_temp_dir_free)

/* An open file without a name in $TMPDIR (or /tmp), for what does not fit in memory; close(2) it. */
DS_MUST ds_rc ds_temp_file(int *fd, ds_err *e);

#endif
