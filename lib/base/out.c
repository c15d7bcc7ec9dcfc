/*
 * out.c - output: buffered, perhaps compressed, and committed by a rename
 */
#include "base/io.h"

#include "base/codec.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/outs.h"
#include "base/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUF_BYTES = 256 * 1024, DIRECT_BYTES = 32 * 1024, PIPE_BYTES = 1 << 20, MAX_PARTS = 64 };

struct ds_out {
	char *name;
	int fd;
	bool own_fd, finished, is_terminal;
	char *final_path; /* NULL: written in place */
	ds_temp *temp;    /* what is renamed to it */
	ds_buf *into;     /* memory instead of fd */
	char *buf;
	size_t n;
	ds_codec *codec;
	char *compressed; /* codec: its output buffer */
	uint64_t offset;
};

static atomic_bool stdout_used;

bool ds_out_stdout_used(void)
{
	return atomic_load(&stdout_used);
}

static ds_rc write_failed(ds_out *o, ds_err *e)
{
	return ds_fail_errno(e, "cannot write %s", o->name);
}

/* All of the parts to the descriptor, however many calls it takes. Changes the parts. */
static ds_rc put_parts(ds_out *o, struct iovec *v, int n, ds_err *e)
{
	while (n > 0) {
		if (v->iov_len == 0) {
			v++;
			n--;
			continue;
		}
		if (o->fd == STDOUT_FILENO)
			atomic_store(&stdout_used, true);
		ssize_t r = DS_FAULT(DS_FAULT_WRITE) ? (errno = ENOSPC, -1) : writev(o->fd, v, n);
		if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			poll(&(struct pollfd){ .fd = o->fd, .events = POLLOUT }, 1, -1);
		else if (r < 0 &&
			 errno == EFAULT) /* the kernel met what on_bus in main.c is told of */
			return ds_fail(e, DS_IO, "an input file was cut while it was read");
		else if (r < 0 && errno != EINTR)
			return write_failed(o, e);
		size_t left = r < 0 ? 0 : (size_t)r;
		while (left > 0) {
			size_t k = left < v->iov_len ? left : v->iov_len;
			v->iov_base = (char *)v->iov_base + k;
			v->iov_len -= k;
			left -= k;
			if (v->iov_len == 0) {
				v++;
				n--;
			}
		}
	}
	return DS_OK;
}

static ds_rc put(ds_out *o, const char *p, size_t n, ds_err *e)
{
	if (o->into) {
		ds_buf_add(o->into, p, n);
		return DS_OK;
	}
	return put_parts(o, &(struct iovec){ (void *)p, n }, 1, e);
}

static ds_rc put_compressed(ds_out *o, ds_str s, bool finish, ds_err *e)
{
	bool ended = false;
	do {
		char *w = o->compressed;
		size_t avail = BUF_BYTES;
		DS_TRY_AT(ds_codec_step(o->codec, &s, &w, &avail, finish, &ended, e), e, "%s",
			o->name);
		DS_TRY(put(o, o->compressed, (size_t)(w - o->compressed), e));
	} while (s.n > 0 || (finish && !ended));
	return DS_OK;
}

static ds_rc drain(ds_out *o, ds_err *e)
{
	size_t n = o->n;
	o->n = 0;
	if (n == 0)
		return DS_OK;
	if (o->codec)
		return put_compressed(o, (ds_str){ o->buf, n }, false, e);
	return put(o, o->buf, n, e);
}

static ds_out *new_out(const char *name)
{
	ds_out *o = DS_NEW(ds_out, 1);
	o->name = ds_mem_text(name);
	o->fd = -1;
	o->buf = ds_mem_get(BUF_BYTES);
	return o;
}

static void look_at(ds_out *o)
{
	struct stat st;
	if (fstat(o->fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		fcntl(o->fd, F_SETPIPE_SZ, PIPE_BYTES); /* faster where it is allowed */
	o->is_terminal = isatty(o->fd);
}

static ds_rc open_in_place(ds_out *o, const char *path, mode_t mode, ds_err *e)
{
	if (S_ISSOCK(mode)) {
		struct sockaddr_un to = { .sun_family = AF_UNIX };
		if (strlen(path) >= sizeof(to.sun_path))
			return ds_fail(e, DS_IO, "%s: the name of a socket has at most %zu bytes",
				path, sizeof(to.sun_path) - 1);
		memcpy(to.sun_path, path, strlen(path) + 1);
		o->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (o->fd >= 0 && connect(o->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
			int code = errno;
			close(o->fd);
			o->fd = -1;
			errno = code;
		}
	} else {
		o->fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (o->fd < 0)
		return ds_fail_errno(e, "%s", path);
	o->own_fd = true;
	look_at(o);
	return DS_OK;
}

/* A neighbour of the final place, so that the rename stays on one file system. */
static ds_rc open_beside(ds_out *o, const char *final, mode_t mode, ds_err *e)
{
	const char *slash = strrchr(final, '/');
	int dir = slash ? (int)(slash - final + 1) : 0;
	ds_buf temp = { 0 };
	ds_buf_fmt(&temp, "%.*s.%.200s.XXXXXX", dir, final, final + dir);
	o->final_path = ds_mem_text(final);
	/* Held first: from here on nothing may end the process and leave the file behind. */
	o->temp = ds_temp_hold(ds_buf_text(&temp));
	ds_buf_free(&temp);
	o->fd = mkostemp(ds_temp_path(o->temp), O_CLOEXEC);
	if (o->fd < 0) {
		int code = errno;
		ds_temp_release(o->temp, false);
		o->temp = NULL;
		errno = code;
		return ds_fail_errno(e, "%s", o->name);
	}
	o->own_fd = true;
	if (fchmod(o->fd, mode) != 0)
		return ds_fail_errno(e, "%s", o->name);
	return DS_OK;
}

static mode_t new_file_mode(void)
{
	mode_t mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

static ds_rc open_path(ds_out *o, const char *path, ds_err *e)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;
	if (exists && S_ISDIR(st.st_mode))
		return ds_fail(e, DS_IO, "%s: is a folder", path);
	if (exists && !S_ISREG(st.st_mode))
		return open_in_place(o, path, st.st_mode, e);
	/* A rename asks no permission of the file that it replaces; writing would. */
	if (exists && access(path, W_OK) != 0)
		return ds_fail_errno(e, "%s", path);
	ds_buf final = { 0 };
	ds_rc rc = ds_file_follow(path, &final, e);
	if (rc == DS_OK)
		rc = open_beside(
			o, ds_buf_text(&final), exists ? st.st_mode & 07777 : new_file_mode(), e);
	ds_buf_free(&final);
	return rc;
}

ds_rc ds_out_open(ds_out **out, const char *path, ds_err *e)
{
	bool is_stdout = !path || strcmp(path, "-") == 0;
	DS_AUTO(ds_out) o = new_out(is_stdout ? "stdout" : path);
	*out = NULL;
	if (is_stdout) {
		o->fd = STDOUT_FILENO;
		look_at(o);
	} else {
		DS_TRY(open_path(o, path, e));
	}
	*out = o;
	o = NULL;
	return DS_OK;
}

ds_out *ds_out_from_fd(int fd, const char *name)
{
	ds_out *o = new_out(name);
	o->fd = fd;
	look_at(o);
	return o;
}

ds_out *ds_out_to_mem(ds_buf *into)
{
	ds_out *o = new_out("memory");
	o->into = into;
	return o;
}

ds_rc ds_out_wrap(ds_out *o, ds_wrap wrap, int level, ds_err *e)
{
	if (wrap == DS_RAW)
		return DS_OK;
	if (o->offset)
		return ds_fail(e, DS_BAD, "%s: compression begins with the first byte", o->name);
	o->codec = ds_codec_open(wrap, true, level);
	o->compressed = ds_mem_get(BUF_BYTES);
	return DS_OK;
}

ds_rc ds_out_write(ds_out *o, const void *p, size_t n, ds_err *e)
{
	return ds_out_parts(o, &(ds_str){ p, n }, 1, e);
}

/* Copies a part into the buffer, which has room for it. */
static void gather(ds_out *o, ds_str part)
{
	memcpy(o->buf + o->n, part.at, part.n);
	o->n += part.n;
}

/* The buffer and large parts in one call, without copying them. */
static ds_rc direct(ds_out *o, const ds_str *parts, size_t n, ds_err *e)
{
	struct iovec v[MAX_PARTS + 1];
	while (n > 0) {
		int k = 0;
		if (o->n)
			v[k++] = (struct iovec){ o->buf, o->n };
		o->n = 0;
		for (; n > 0 && k < MAX_PARTS; parts++, n--)
			v[k++] = (struct iovec){ (void *)parts->at, parts->n };
		DS_TRY(put_parts(o, v, k, e));
	}
	return DS_OK;
}

ds_rc ds_out_parts(ds_out *o, const ds_str *parts, size_t n, ds_err *e)
{
	size_t all = 0;
	for (size_t i = 0; i < n; i++)
		all += parts[i].n;
	o->offset += all;
	if (!o->codec && !o->into && all >= DIRECT_BYTES)
		return direct(o, parts, n, e);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].n > BUF_BYTES - o->n)
			DS_TRY(drain(o, e));
		if (parts[i].n > BUF_BYTES)
			DS_TRY(o->codec ? put_compressed(o, parts[i], false, e)
					: put(o, parts[i].at, parts[i].n, e));
		else if (parts[i].n)
			gather(o, parts[i]);
	}
	return DS_OK;
}

ds_rc ds_out_flush(ds_out *o, ds_err *e)
{
	return drain(o, e);
}

/* All of it is on disk, and the descriptor closed. */
static ds_rc settle(ds_out *o, ds_err *e)
{
	DS_TRY(drain(o, e));
	if (o->codec)
		DS_TRY(put_compressed(o, (ds_str){ "", 0 }, true, e));
	if (o->final_path) {
		int rc;
		while ((rc = fsync(o->fd)) != 0 && errno == EINTR)
			;
		if (rc != 0 && errno != EINVAL && errno != EROFS)
			return write_failed(o, e);
	}
	if (o->own_fd) {
		int fd = o->fd;
		o->fd = -1;
		o->own_fd = false;
		if (close(fd) != 0 && errno != EINTR) /* then it is closed all the same */
			return write_failed(o, e);
	}
	return DS_OK;
}

ds_rc ds_out_deliver(ds_out *o, ds_err *e)
{
	DS_TRY(settle(o, e));
	if (o->final_path) {
		ds_outs_add(o->temp, o->final_path);
		o->temp = NULL;
	}
	o->finished = true;
	DS_LOG(DS_LOG_IO, "%s: whole after %llu bytes", o->name, (unsigned long long)o->offset);
	return DS_OK;
}

ds_rc ds_out_finish(ds_out *o, ds_err *e)
{
	DS_TRY(settle(o, e));
	if (o->final_path) {
		ds_temp *temp = o->temp;
		o->temp = NULL;
		DS_TRY(ds_outs_put(temp, o->final_path, e));
	}
	o->finished = true;
	DS_LOG(DS_LOG_IO, "%s: finished after %llu bytes", o->name, (unsigned long long)o->offset);
	return DS_OK;
}

void ds_out_close(ds_out *o)
{
	if (!o)
		return;
	/* What went to stdout or a device cannot be taken back; what is still here is not written. */
	if (o->own_fd)
		close(o->fd);
	ds_temp_release(o->temp, true);
	ds_codec_close(o->codec);
	ds_mem_free(o->compressed);
	ds_mem_free(o->final_path);
	ds_mem_free(o->buf);
	ds_mem_free(o->name);
	ds_mem_free(o);
}

bool ds_out_is_terminal(const ds_out *o)
{
	return o->is_terminal;
}

uint64_t ds_out_offset(const ds_out *o)
{
	return o->offset;
}
