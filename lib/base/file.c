/*
 * file.c - small files and folders whole
 */
#include "base/io.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

ds_rc ds_file_read(const char *path, size_t limit_bytes, ds_buf *into, ds_err *e)
{
	DS_AUTO(ds_in) in = NULL;
	DS_TRY(ds_in_open(&in, path, e));
	size_t start = into->n, step = 64 * 1024;
	for (;;) {
		size_t got;
		ds_buf_reserve(into, step);
		DS_TRY(ds_in_read(in, into->at + into->n, step, &got, e));
		into->n += got;
		if (into->n - start > limit_bytes)
			return ds_fail(
				e, DS_BAD, "%s: over the limit of %zu bytes", path, limit_bytes);
		if (got < step)
			return DS_OK;
		step *= 2;
	}
}

ds_rc ds_file_write(const char *path, ds_str bytes, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	DS_TRY(ds_out_open(&out, path, e));
	DS_TRY(ds_out_write(out, bytes.at, bytes.n, e));
	return ds_out_finish(out, e);
}

ds_rc ds_file_deliver(const char *path, ds_str bytes, ds_err *e)
{
	DS_AUTO(ds_out) out = NULL;
	DS_TRY(ds_out_open(&out, path, e));
	DS_TRY(ds_out_write(out, bytes.at, bytes.n, e));
	return ds_out_deliver(out, e);
}

ds_rc ds_file_follow(const char *path, ds_buf *at, ds_err *e)
{
	ds_buf_add_c(at, path);
	for (int links = 0; links < 40; links++) {
		char to[PATH_MAX];
		ssize_t n = readlink(ds_buf_text(at), to, sizeof(to) - 1);
		if (n < 0)
			return DS_OK;
		if (to[0] == '/') {
			ds_buf_clear(at);
		} else {
			while (at->n > 0 && at->at[at->n - 1] != '/')
				at->n--;
		}
		ds_buf_add(at, to, (size_t)n);
	}
	return ds_fail(e, DS_IO, "%s: too many symbolic links", path);
}

ds_rc ds_file_place(const char *path, bool may_be_folder, ds_err *e)
{
	struct stat st;
	ds_buf at = { 0 };
	if (strcmp(path, "-") == 0)
		return DS_OK;
	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) && !may_be_folder
			       ? ds_fail(e, DS_IO, "%s: is a folder", path)
			       : DS_OK;
	ds_rc rc = ds_file_follow(path, &at, e);
	while (at.n && at.at[at.n - 1] != '/')
		at.n--;
	ds_buf_add_byte(&at, '.');
	if (rc == DS_OK && stat(ds_buf_text(&at), &st) != 0)
		rc = ds_fail_errno(e, "%s", path);
	ds_buf_free(&at);
	return rc;
}

char *ds_file_real(const char *path)
{
	struct stat st;
	char real[PATH_MAX];
	ds_buf folder = { 0 }, all = { 0 };
	if (stat(path, &st) == 0)
		return (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && realpath(path, real)
			       ? ds_mem_text(real)
			       : NULL;
	ds_buf last = { 0 };
	ds_err unused;
	if (ds_file_follow(path, &last, &unused) != DS_OK)
		ds_buf_clear(&last);
	path = ds_buf_text(&last);
	const char *slash = strrchr(path, '/');
	ds_buf_add(&folder, slash ? path : ".", slash ? (size_t)(slash + 1 - path) : 1);
	if (realpath(ds_buf_text(&folder), real))
		ds_buf_fmt(&all, "%s/%s", strcmp(real, "/") == 0 ? "" : real,
			slash ? slash + 1 : path);
	char *out = all.n ? ds_mem_text(ds_buf_text(&all)) : NULL;
	ds_buf_free(&folder);
	ds_buf_free(&last);
	ds_buf_free(&all);
	return out;
}

ds_rc ds_dir_make(const char *path, ds_err *e)
{
	char *at = ds_mem_text(path);
	ds_rc rc = DS_OK;
	for (char *p = at + 1; rc == DS_OK && at[0]; p++) {
		char was = *p;
		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		struct stat st;
		if (mkdir(at, 0777) != 0) {
			int code = errno;
			if (stat(at, &st) != 0 || !S_ISDIR(st.st_mode)) {
				errno = code;
				rc = ds_fail_errno(e, "%s", path);
			}
		}
		*p = was;
		if (was == '\0')
			break;
	}
	ds_mem_free(at);
	return rc;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* all: names beginning with a dot as well, but not . and .. */
static ds_rc list(const char *path, bool all, char ***names, ds_err *e)
{
	DIR *d = opendir(path);
	if (!d)
		return ds_fail_errno(e, "%s", path);
	char **at = NULL;
	size_t n = 0, cap = 0;
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(d);
		if (!entry)
			break;
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (!all && name[0] == '.'))
			continue;
		if (n + 1 >= cap) {
			at = ds_mem_grow(at, n * sizeof(*at), (cap + 32) * 2 * sizeof(*at));
			cap = (cap + 32) * 2;
		}
		at[n++] = ds_mem_text(name);
	}
	int code = errno;
	closedir(d);
	if (!at)
		at = ds_mem_get(sizeof(*at));
	at[n] = NULL;
	if (code) {
		ds_names_free(at);
		errno = code;
		return ds_fail_errno(e, "%s", path);
	}
	qsort(at, n, sizeof(*at), by_bytes);
	*names = at;
	return DS_OK;
}

ds_rc ds_dir_list(const char *path, char ***names, ds_err *e)
{
	return list(path, false, names, e);
}

void ds_names_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		ds_mem_free(names[i]);
	ds_mem_free(names);
}

ds_rc ds_dir_remove(const char *path, ds_err *e)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? DS_OK : ds_fail_errno(e, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return unlink(path) == 0 ? DS_OK : ds_fail_errno(e, "%s", path);
	char **names;
	DS_TRY(list(path, true, &names, e));
	ds_rc rc = DS_OK;
	for (size_t i = 0; names[i] && rc == DS_OK; i++) {
		ds_buf inner = { 0 };
		ds_buf_fmt(&inner, "%s/%s", path, names[i]);
		rc = ds_dir_remove(ds_buf_text(&inner), e);
		ds_buf_free(&inner);
	}
	ds_names_free(names);
	if (rc == DS_OK && rmdir(path) != 0)
		rc = ds_fail_errno(e, "%s", path);
	return rc;
}
