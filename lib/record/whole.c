/*
 * whole.c - pipes and compressed files go to a temporary file, a buffer at a time
 */
#include "record/whole.h"

#include "base/mem.h"
#include "base/temp.h"

#include <errno.h>
#include <unistd.h>

enum { BUFFER = 1 << 20 };

static ds_rc write_all(int fd, const char *p, size_t n, ds_err *e)
{
	while (n) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return ds_fail_errno(e, "cannot write a temporary file");
		p += k;
		n -= (size_t)k;
	}
	return DS_OK;
}

static ds_rc spool(ds_whole *w, ds_in *in, char *buffer, ds_err *e)
{
	size_t got, all = 0;
	DS_TRY(ds_temp_file(&w->fd, e));
	do {
		DS_TRY(ds_in_read(in, buffer, BUFFER, &got, e));
		DS_TRY(write_all(w->fd, buffer, got, e));
		all += got;
	} while (got == BUFFER);
	if (!all)
		return DS_OK;
	if (lseek(w->fd, 0, SEEK_SET) != 0)
		return ds_fail_errno(e, "cannot read a temporary file");
	DS_TRY(ds_in_from_fd(&w->in, w->fd, "a temporary file", e));
	if (!ds_in_map(w->in, &w->bytes))
		return ds_fail(e, DS_IO, "cannot map a temporary file");
	return DS_OK;
}

ds_rc ds_whole_open(ds_whole *w, ds_in *in, ds_err *e)
{
	*w = (ds_whole){ .bytes = { "", 0 }, .fd = -1 };
	if (ds_in_map(in, &w->bytes))
		return DS_OK;
	char *buffer = ds_mem_get(BUFFER);
	ds_rc rc = spool(w, in, buffer, e);
	ds_mem_free(buffer);
	return rc;
}

void ds_whole_close(ds_whole *w)
{
	ds_in_close(w->in);
	w->in = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void ds_whole_forget(ds_whole *w, ds_in *in, uint64_t before)
{
	ds_in_forget(w->in ? w->in : in, before);
}
