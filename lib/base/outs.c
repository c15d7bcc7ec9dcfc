/*
 * outs.c - the outputs of a run, put into their places together
 *
 * All are whole and on disk under their temporary names before the first one is renamed. Should a rename
 * fail all the same, those before it are undone: what they replaced was given a second name first.
 */
#include "base/outs.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct output {
	ds_temp *temp,
		*before; /* before: the second name of what is replaced; NULL: there is none */
	char *final_path;
	bool renamed;
	struct output *next;
} output;

static output *first, **last = &first;

void ds_outs_add(ds_temp *temp, const char *final_path)
{
	output *o = DS_NEW(output, 1);
	o->temp = temp;
	o->final_path = ds_mem_text(final_path);
	*last = o;
	last = &o->next;
}

/* What was renamed survives a power cut only once its folder is on disk as well. */
static ds_rc sync_folder(const char *path, ds_err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	if (slash && slash - path < PATH_MAX - 1)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path + 1), path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) /* a folder that may be written and not read */
		return errno == EACCES ? DS_OK : ds_fail_errno(e, "cannot write %s", dir);
	/* Some file systems cannot: there is nothing more to do on them. */
	int rc;
	while ((rc = fsync(fd)) != 0 && errno == EINTR)
		;
	bool failed = rc != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP;
	int code = errno;
	close(fd);
	errno = code;
	return failed ? ds_fail_errno(e, "cannot write %s", dir) : DS_OK;
}

/* Gives what is replaced a second name; without one (not every file system has links) nothing can be undone. */
static void keep_before(output *o)
{
	const char *slash = strrchr(o->final_path, '/');
	int dir = slash ? (int)(slash - o->final_path + 1) : 0;
	ds_buf name = { 0 };
	ds_buf_fmt(&name, "%.*s.%.200s.XXXXXX", dir, o->final_path, o->final_path + dir);
	o->before = ds_temp_hold(ds_buf_text(&name));
	ds_buf_free(&name);
	int fd = mkostemp(ds_temp_path(o->before), O_CLOEXEC);
	bool kept = fd >= 0 && unlink(ds_temp_path(o->before)) == 0 &&
		    link(o->final_path, ds_temp_path(o->before)) == 0;
	if (fd >= 0)
		close(fd);
	if (!kept) {
		ds_temp_release(o->before, false);
		o->before = NULL;
	}
}

static void undo(output *o)
{
	if (!o->renamed)
		return;
	if (o->before && rename(ds_temp_path(o->before), o->final_path) == 0) {
		ds_temp_release(o->before, false);
		o->before = NULL;
	} else if (!o->before) {
		unlink(o->final_path);
	}
}

static ds_rc rename_all(output *list, ds_err *e)
{
	for (output *o = list; o; o = o->next) {
		if (rename(ds_temp_path(o->temp), o->final_path) != 0)
			return ds_fail_errno(e, "cannot write %s", o->final_path);
		o->renamed = true;
		ds_temp_release(o->temp, false);
		o->temp = NULL;
		DS_TRY(sync_folder(o->final_path, e));
	}
	return DS_OK;
}

static void forget(output *list)
{
	while (list) {
		output *o = list;
		list = o->next;
		ds_temp_release(o->temp, true);
		ds_temp_release(o->before, true);
		ds_mem_free(o->final_path);
		ds_mem_free(o);
	}
}

static ds_rc commit(output *list, ds_err *e)
{
	for (output *o = list; o; o = o->next)
		keep_before(o);
	ds_rc rc = rename_all(list, e);
	for (output *o = list; rc != DS_OK && o; o = o->next)
		undo(o);
	forget(list);
	return rc;
}

ds_rc ds_outs_commit(ds_err *e)
{
	output *all = first;
	first = NULL;
	last = &first;
	return commit(all, e);
}

ds_rc ds_outs_put(ds_temp *temp, const char *final_path, ds_err *e)
{
	output *o = DS_NEW(output, 1);
	*o = (output){ .temp = temp, .final_path = ds_mem_text(final_path) };
	return commit(o, e);
}

ds_rc ds_outs_commit_one(const char *final_path, ds_err *e)
{
	output **at = &first;
	while (*at && strcmp((*at)->final_path, final_path) != 0)
		at = &(*at)->next;
	output *o = *at;
	if (!o)
		return DS_OK;
	*at = o->next;
	if (!*at)
		last = at;
	o->next = NULL;
	return commit(o, e);
}

ds_rc ds_outs_with(ds_rc rc, ds_err *e)
{
	ds_err why;
	ds_rc kept = rc == DS_OK ? DS_OK : ds_outs_commit(&why);
	if (kept == DS_OK)
		return rc;
	*e = why;
	return kept;
}

void ds_outs_discard(void)
{
	output *all = first;
	first = NULL;
	last = &first;
	forget(all);
}
