/*
 * index.c - the memory of earlier runs, replaced only when it is whole
 *
 * At every moment there is a whole index under its name: the one before gets a second name first, and
 * the new one is renamed over it.
 */
#include "dedup.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

ds_rc index_load(ds_seen *s, const char *path, ds_err *e)
{
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return DS_OK;
	DS_AUTO(ds_in) in = NULL;
	DS_TRY(ds_in_open(&in, path, e));
	DS_TRY_AT(ds_seen_load(s, in, e), e, "%s", path);
	return DS_OK;
}

static ds_rc keep_before(const char *path, ds_err *e)
{
	ds_buf before = { 0 };
	ds_buf_fmt(&before, "%s~", path);
	const char *to = ds_buf_text(&before);
	ds_rc rc = DS_OK;
	if (unlink(to) != 0 && errno != ENOENT)
		rc = ds_fail_errno(e, "%s", to);
	else if (linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW) != 0 && errno != ENOENT)
		rc = ds_fail_errno(e, "%s: cannot be kept as %s", path, to);
	ds_buf_free(&before);
	return rc;
}

ds_rc index_save(const ds_seen *s, ds_out *out, const char *path, ds_err *e)
{
	DS_TRY_AT(ds_seen_save(s, out, e), e, "%s", path);
	DS_TRY(keep_before(path, e));
	return ds_out_deliver(out, e);
}
