/*
 * temp.c - a list that a signal handler can walk: nodes are only ever put in front and reused
 */
#include "base/temp.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct ds_temp {
	ds_temp *next;
	_Atomic(char *) path; /* NULL: free for reuse */
};

static _Atomic(ds_temp *) first;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

ds_temp *ds_temp_hold(const char *path)
{
	char *copy = ds_mem_text(path);
	pthread_mutex_lock(&lock);
	ds_temp *t = atomic_load(&first);
	while (t && atomic_load(&t->path))
		t = t->next;
	if (t) {
		atomic_store(&t->path, copy);
	} else {
		t = DS_NEW(ds_temp, 1);
		t->next = atomic_load(&first);
		atomic_store(&t->path, copy);
		atomic_store(&first, t);
	}
	pthread_mutex_unlock(&lock);
	return t;
}

char *ds_temp_path(ds_temp *t)
{
	return atomic_load(&t->path);
}

void ds_temp_release(ds_temp *t, int remove)
{
	if (!t)
		return;
	char *path = atomic_exchange(&t->path, NULL);
	if (path && remove)
		unlink(path);
	ds_mem_free(path);
}

/* false: a folder is left that is not empty. */
static bool discard(void)
{
	bool done = true;
	for (ds_temp *t = atomic_load(&first); t; t = t->next) {
		char *path = atomic_load(&t->path);
		if (path)
			unlink(path);
	}
	for (ds_temp *t = atomic_load(&first); t; t = t->next) {
		char *path = atomic_load(&t->path);
		if (path && rmdir(path) != 0 && errno == ENOTEMPTY)
			done = false;
	}
	return done;
}

void ds_temp_discard(void)
{
	/* Other threads run on meanwhile, and may have put a file into a folder. */
	for (int i = 0; i < 1000 && !discard(); i++)
		;
}

ds_rc ds_temp_file(int *fd, ds_err *e)
{
	const char *dir = getenv("TMPDIR");
	if (!dir || !*dir)
		dir = "/tmp";
	*fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (*fd >= 0)
		return DS_OK;
	/* Not every file system has O_TMPFILE. */
	char path[4096];
	snprintf(path, sizeof(path), "%s/ds.XXXXXX", dir);
	*fd = mkostemp(path, O_CLOEXEC);
	if (*fd < 0)
		return ds_fail_errno(e, "cannot make a temporary file in %s", dir);
	unlink(path);
	return DS_OK;
}
