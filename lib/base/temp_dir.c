/*
 * temp_dir.c - a folder for files that do not outlive the process
 */
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/temp.h"

#include <stdio.h>
#include <stdlib.h>

struct ds_temp_dir {
	ds_temp *held;
	ds_temp **files;
	size_t n;
};

ds_rc ds_temp_dir_new(ds_temp_dir **d, ds_err *e)
{
	const char *in = getenv("TMPDIR");
	char path[4096];
	if (!in || !*in)
		in = "/tmp";
	snprintf(path, sizeof(path), "%s/ds.XXXXXX", in);
	ds_temp *held = ds_temp_hold(path);
	if (!mkdtemp(ds_temp_path(held))) {
		ds_temp_release(held, false);
		return ds_fail_errno(e, "cannot make a temporary folder in %s", in);
	}
	*d = DS_NEW(ds_temp_dir, 1);
	(*d)->held = held;
	return DS_OK;
}

const char *ds_temp_dir_path(const ds_temp_dir *d)
{
	return ds_temp_path(d->held);
}

const char *ds_temp_dir_file(ds_temp_dir *d, const char *name)
{
	ds_buf path = { 0 };
	ds_buf_fmt(&path, "%s/%s", ds_temp_dir_path(d), name);
	const char *text = ds_buf_text(&path);
	size_t i = 0;
	while (i < d->n && strcmp(ds_temp_path(d->files[i]), text) != 0)
		i++;
	if (i == d->n) {
		d->files = ds_mem_grow(
			(void *)d->files, d->n * sizeof(*d->files), (d->n + 1) * sizeof(*d->files));
		d->files[d->n++] = ds_temp_hold(text);
	}
	ds_buf_free(&path);
	return ds_temp_path(d->files[i]);
}

void ds_temp_dir_free(ds_temp_dir *d)
{
	ds_err e;
	if (!d)
		return;
	if (ds_dir_remove(ds_temp_dir_path(d), &e) != DS_OK)
		DS_LOG(DS_LOG_IO, "%s", e.msg);
	for (size_t i = 0; i < d->n; i++)
		ds_temp_release(d->files[i], false);
	ds_temp_release(d->held, false);
	ds_mem_free((void *)d->files);
	ds_mem_free(d);
}
