/*
 * lock.c - one process at a time at a file that is replaced by renaming
 *
 * Between open and flock another process may have removed the lock file and a third made it anew; the lock
 * counts only if what was locked is what the name stands for.
 */
#include "base/lock.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a lock file of ours holds: another file of that name is somebody's, and stays. */
static const char ours[] = "dstools lock\n";
enum { TRIES = 50, PAUSE_US = 20000 }; /* a process that was just killed needs a moment to go */

struct ds_lock {
	int fd;
	ds_temp *file; /* removed after a signal as well; NULL: it was there, and is not ours */
};

static bool is_at(int fd, const char *path)
{
	struct stat held, named;
	return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
	       held.st_dev == named.st_dev;
}

static bool lock_soon(int fd)
{
	for (int i = 1; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (errno != EWOULDBLOCK || i == TRIES)
			return false;
		usleep(PAUSE_US);
	}
	return true;
}

/* Of a file that is locked: made by a lock, now or in a run that was killed. An empty one is nobody's. */
static bool is_ours(int fd)
{
	char had[sizeof(ours)];
	ssize_t n = pread(fd, had, sizeof(had), 0);
	if (n == 0)
		return write(fd, ours, sizeof(ours) - 1) == (ssize_t)sizeof(ours) - 1;
	return n == (ssize_t)sizeof(ours) - 1 && memcmp(had, ours, sizeof(ours) - 1) == 0;
}

/* *fd is -1 where the file that was locked is no longer the one of that name. */
static ds_rc take(const char *path, const char *lock, int *fd, ds_err *e)
{
	*fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (*fd < 0)
		return ds_fail_errno(e, "%s", lock);
	ds_rc rc = DS_OK;
	if (!lock_soon(*fd))
		rc = errno == EWOULDBLOCK
			     ? ds_fail(e, DS_USAGE, "%s: another run is using it", path)
			     : ds_fail_errno(e, "%s: cannot lock", lock);
	else if (is_at(*fd, lock))
		return DS_OK;
	close(*fd);
	*fd = -1;
	return rc;
}

ds_rc ds_lock_open(ds_lock **out, const char *path, ds_err *e)
{
	ds_buf name = { 0 };
	int fd = -1;
	ds_buf_fmt(&name, "%s.lock", path);
	ds_rc rc;
	do
		rc = take(path, ds_buf_text(&name), &fd, e);
	while (rc == DS_OK && fd < 0);
	if (rc == DS_OK) {
		*out = DS_NEW(ds_lock, 1);
		**out = (ds_lock){ fd, is_ours(fd) ? ds_temp_hold(ds_buf_text(&name)) : NULL };
	}
	ds_buf_free(&name);
	return rc;
}

void ds_lock_close(ds_lock *l)
{
	if (!l)
		return;
	ds_temp_release(l->file, 1); /* while it is locked, so that nobody else's goes */
	close(l->fd);
	ds_mem_free(l);
}
