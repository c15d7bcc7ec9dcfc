/*
 * in.c - input: a descriptor or memory, decompressed where its magic says so
 *
 * Two buffers: `raw` holds bytes of the file, `plain` what came out of them. Without compression
 * `raw` serves both, and requests of a buffer or more go to read(2) without a copy.
 */
#include "base/io.h"

#include "base/charset.h"
#include "base/codec.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUF_BYTES = 256 * 1024, PIPE_BYTES = 1 << 20, PEEK_BYTES = 64 * 1024 };

typedef struct {
	char *bytes;
	size_t at, end; /* what is there: bytes[at .. end) */
} buffer;

struct ds_in {
	char *name;
	int fd;
	bool own_fd, from_mem, raw_ended, ended, regular, is_pipe, known;
	ds_str mem; /* from_mem: what is left */
	buffer raw, plain;
	ds_wrap wrap;
	ds_codec *codec;
	ds_charset *charset;
	buffer text;    /* what came out of it */
	bool in_member; /* between the first byte of a member and its end */
	char *damage;   /* what is wrong behind all that was decompressed, or NULL */
	uint64_t offset, file_offset;
	uint64_t start; /* where the descriptor stood */
	int64_t size;
	void *map;
	size_t map_bytes;
	uint64_t forgotten; /* of the map */
	const void *mem_all;
	size_t mem_bytes;
};

/* The longest magic, and how much of it tells that it may be one. */
enum { MAGIC_BYTES = 10, MAGIC_HINT = 4 };

static ds_wrap wrap_of(const char *p, size_t n)
{
	static const unsigned char zstd[4] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const unsigned char xz[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
	/* "BZh", a digit, then a block (pi) or at once the end (its root) */
	static const unsigned char block[6] = { 0x31, 0x41, 0x59, 0x26, 0x53, 0x59 };
	static const unsigned char none[6] = { 0x17, 0x72, 0x45, 0x38, 0x50, 0x90 };
	const unsigned char *u = (const unsigned char *)p;
	if (n >= 4 && memcmp(p, zstd, 4) == 0)
		return DS_ZSTD;
	/* a skippable frame: 50…5f 2a 4d 18 */
	if (n >= 4 && (u[0] & 0xf0) == 0x50 && u[1] == 0x2a && u[2] == 0x4d && u[3] == 0x18)
		return DS_ZSTD;
	if (n >= 2 && u[0] == 0x1f && u[1] == 0x8b)
		return DS_GZIP;
	if (n >= 10 && memcmp(p, "BZh", 3) == 0 && u[3] >= '1' && u[3] <= '9' &&
		(memcmp(p + 4, block, 6) == 0 || memcmp(p + 4, none, 6) == 0))
		return DS_BZIP2;
	if (n >= 6 && memcmp(p, xz, 6) == 0)
		return DS_XZ;
	return DS_RAW;
}

/* One read(2), waiting where the descriptor does not block. *got 0: the end. */
static ds_rc read_once(ds_in *in, void *out, size_t n, size_t *got, ds_err *e)
{
	if (in->from_mem) {
		*got = n < in->mem.n ? n : in->mem.n;
		memcpy(out, in->mem.at, *got);
		in->mem.at += *got;
		in->mem.n -= *got;
	} else {
		ssize_t r;
		for (;;) {
			r = DS_FAULT(DS_FAULT_READ) ? (errno = EIO, -1) : read(in->fd, out, n);
			if (r >= 0)
				break;
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				poll(&(struct pollfd){ .fd = in->fd, .events = POLLIN }, 1, -1);
			else if (errno != EINTR)
				return ds_fail_errno(e, "cannot read %s", in->name);
		}
		*got = (size_t)r;
	}
	in->file_offset += *got;
	if (*got == 0)
		in->raw_ended = true;
	return DS_OK;
}

static size_t there(const buffer *b)
{
	return b->end - b->at;
}

/* Makes at least `want` bytes be in raw, fewer at the end of the file only. */
static ds_rc fill_raw(ds_in *in, size_t want, ds_err *e)
{
	buffer *b = &in->raw;
	if (!b->bytes)
		b->bytes = ds_mem_get(BUF_BYTES);
	while (there(b) < want && !in->raw_ended) {
		if (b->at && (there(b) == 0 || BUF_BYTES - b->at < want)) {
			memmove(b->bytes, b->bytes + b->at, there(b));
			b->end -= b->at;
			b->at = 0;
		}
		size_t got;
		DS_TRY(read_once(in, b->bytes + b->end, BUF_BYTES - b->end, &got, e));
		b->end += got;
	}
	return DS_OK;
}

/* As many bytes as tell what is around them: few, so that a pipe which begins slowly is not waited for. */
static ds_rc look(ds_in *in, ds_wrap *wrap, ds_err *e)
{
	DS_TRY(fill_raw(in, MAGIC_HINT, e));
	const char *p = in->raw.bytes + in->raw.at;
	if (there(&in->raw) >= MAGIC_HINT && (memcmp(p, "BZh", 3) == 0 || *p == '\xfd'))
		DS_TRY(fill_raw(in, MAGIC_BYTES, e));
	*wrap = wrap_of(in->raw.bytes + in->raw.at, there(&in->raw));
	return DS_OK;
}

/* Looks for what is around it once, before the first byte is given out. */
static ds_rc detect(ds_in *in, ds_err *e)
{
	ds_str name = ds_str_of(in->name);
	ds_wrap said = ds_wrap_of_name(name);
	if (in->known)
		return DS_OK;
	in->known = true;
	DS_TRY(look(in, &in->wrap, e));
	DS_LOG(DS_LOG_IO, "%s: wrap %d", in->name, (int)in->wrap);
	if (said != DS_RAW && in->wrap != said) {
		size_t n = ds_name_unwrapped(name).n;
		ds_fail(e, DS_SHORT, "%s: named %s, but does not begin as %s does", in->name,
			in->name + n, ds_wrap_name(said));
		in->damage = ds_mem_text(e->msg);
		return DS_SHORT;
	}
	if (in->wrap != DS_RAW) {
		in->codec = ds_codec_open(in->wrap, false, 0);
		in->in_member = true;
	}
	return DS_OK;
}

/* After a member: another one, or the end. gzip and xz allow NULs between and behind them. */
static ds_rc next_member(ds_in *in, ds_err *e)
{
	ds_wrap wrap = DS_RAW;
	buffer *b = &in->raw;
	DS_TRY(look(in, &wrap, e));
	while (there(b) && !b->bytes[b->at] && (in->wrap == DS_GZIP || in->wrap == DS_XZ)) {
		while (b->at < b->end && !b->bytes[b->at])
			b->at++;
		DS_TRY(look(in, &wrap, e));
	}
	if (there(b) == 0) {
		in->ended = true;
		return DS_OK;
	}
	if (wrap != in->wrap)
		return ds_fail(e, DS_SHORT, "%s: %s data is followed by something else", in->name,
			ds_wrap_name(in->wrap));
	ds_codec_reset(in->codec);
	in->in_member = true;
	return DS_OK;
}

/* Decompresses into *w until at least one byte came out or the input ended. */
static ds_rc decompress_on(ds_in *in, char **w, size_t *avail, ds_err *e)
{
	const char *out = *w;
	while (*w == out && !in->ended) {
		if (!in->in_member) {
			DS_TRY(next_member(in, e));
			continue;
		}
		if (there(&in->raw) == 0)
			DS_TRY(fill_raw(in, 1, e));
		ds_str from = { in->raw.bytes + in->raw.at, there(&in->raw) };
		bool member_ended = false;
		size_t before = from.n;
		DS_TRY_AT(ds_codec_step(in->codec, &from, w, avail, false, &member_ended, e), e,
			"%s", in->name);
		in->raw.at += before - from.n;
		if (member_ended)
			in->in_member = false;
		else if (*w == out && from.n == before && in->raw_ended)
			return ds_fail(e, DS_SHORT, "%s: input ended early, within %s data",
				in->name, ds_wrap_name(in->wrap));
	}
	return DS_OK;
}

/* The same; what came out before damage is given first, and the next call says what is wrong. */
static ds_rc decompress_some(ds_in *in, char *out, size_t n, size_t *got, ds_err *e)
{
	char *w = out;
	if (in->damage)
		return ds_fail(e, DS_SHORT, "%s", in->damage);
	ds_rc rc = decompress_on(in, &w, &n, e);
	*got = (size_t)(w - out);
	if (rc == DS_SHORT)
		in->damage = ds_mem_text(e->msg);
	return rc == DS_SHORT && *got ? DS_OK : rc;
}

/* The same without a charset. */
static ds_rc pull_bytes(ds_in *in, char *out, size_t n, size_t *got, ds_err *e)
{
	*got = 0;
	if (in->codec)
		return decompress_some(in, out, n, got, e);
	if (in->raw_ended)
		return DS_OK;
	return read_once(in, out, n, got, e);
}

/* What holds bytes that are there, before a charset. */
static buffer *bytes_of(ds_in *in)
{
	return in->codec ? &in->plain : &in->raw;
}

static buffer *front(ds_in *in)
{
	return in->charset ? &in->text : bytes_of(in);
}

static ds_rc refill(
	ds_in *in, buffer *b, ds_rc (*from)(ds_in *, char *, size_t, size_t *, ds_err *), ds_err *e)
{
	if (!b->bytes)
		b->bytes = ds_mem_get(BUF_BYTES);
	b->at = b->end = 0;
	size_t got;
	DS_TRY(from(in, b->bytes, BUF_BYTES, &got, e));
	b->end = got;
	return DS_OK;
}

static ds_rc decode_some(ds_in *in, char *out, size_t n, size_t *got, ds_err *e)
{
	buffer *b = bytes_of(in);
	char *w = out;
	bool more = true;
	while (more && w == out) {
		if (there(b) == 0)
			DS_TRY(refill(in, b, pull_bytes, e));
		ds_str from = { b->bytes + b->at, there(b) };
		bool last = from.n == 0;
		more = ds_charset_step(in->charset, &from, &w, &n, last) || !last;
		b->at = b->end - from.n;
	}
	*got = (size_t)(w - out);
	return DS_OK;
}

/* Some bytes straight into out, past the buffers, which are empty. *got 0: the end. */
static ds_rc pull(ds_in *in, char *out, size_t n, size_t *got, ds_err *e)
{
	return in->charset ? decode_some(in, out, n, got, e) : pull_bytes(in, out, n, got, e);
}

static size_t from_buffer(ds_in *in, char *out, size_t n)
{
	buffer *b = front(in);
	size_t k = there(b) < n ? there(b) : n;
	if (k) {
		memcpy(out, b->bytes + b->at, k);
		b->at += k;
	}
	return k;
}

ds_rc ds_in_read(ds_in *in, void *out, size_t n, size_t *got, ds_err *e)
{
	char *w = out;
	ds_rc rc = DS_OK;
	*got = 0;
	DS_TRY(detect(in, e));
	while (*got < n) {
		size_t k = from_buffer(in, w + *got, n - *got);
		if (k == 0 && n - *got >= BUF_BYTES) {
			rc = pull(in, w + *got, n - *got, &k, e);
			if (rc != DS_OK || k == 0)
				break;
		} else if (k == 0) {
			rc = refill(in, front(in), pull, e);
			if (rc != DS_OK || there(front(in)) == 0)
				break;
		}
		*got += k;
	}
	in->offset += *got;
	return rc;
}

ds_rc ds_in_some(ds_in *in, void *out, size_t n, size_t *got, ds_err *e)
{
	DS_TRY(detect(in, e));
	*got = from_buffer(in, out, n);
	if (*got == 0 && n >= BUF_BYTES) {
		DS_TRY(pull(in, out, n, got, e));
	} else if (*got == 0) {
		DS_TRY(refill(in, front(in), pull, e));
		*got = from_buffer(in, out, n);
	}
	in->offset += *got;
	return DS_OK;
}

ds_rc ds_in_peek(ds_in *in, size_t n, ds_str *view, ds_err *e)
{
	if (n > PEEK_BYTES)
		n = PEEK_BYTES;
	DS_TRY(detect(in, e));
	buffer *b = front(in);
	if (!b->bytes)
		b->bytes = ds_mem_get(BUF_BYTES);
	while (there(b) < n) {
		if (BUF_BYTES - b->at < n) {
			memmove(b->bytes, b->bytes + b->at, there(b));
			b->end -= b->at;
			b->at = 0;
		}
		size_t got;
		ds_rc rc = pull(in, b->bytes + b->end, BUF_BYTES - b->end, &got, e);
		if (rc == DS_SHORT && there(b))
			break; /* said again by the read that comes to it */
		DS_TRY(rc);
		if (got == 0)
			break;
		b->end += got;
	}
	*view = (ds_str){ b->bytes + b->at, there(b) < n ? there(b) : n };
	return DS_OK;
}

bool ds_in_map(ds_in *in, ds_str *view)
{
	ds_err unused;
	if (detect(in, &unused) != DS_OK || in->wrap != DS_RAW || in->charset)
		return false;
	if (in->from_mem) {
		*view = (ds_str){ (const char *)in->mem_all + in->offset,
			in->mem_bytes - in->offset };
		return true;
	}
	uint64_t from = in->start + in->offset;
	if (!in->regular || in->size <= 0 || from >= (uint64_t)in->size)
		return false;
	if (!in->map) {
		void *p = mmap(NULL, (size_t)in->size, PROT_READ, MAP_PRIVATE, in->fd, 0);
		if (p == MAP_FAILED)
			return false;
		in->map = p;
		in->map_bytes = (size_t)in->size;
		/* Advice only. */
		madvise(p, in->map_bytes, MADV_SEQUENTIAL);
		/* The map outlives them, and there may be thousands of files. */
		if (in->own_fd)
			close(in->fd);
		in->own_fd = false;
		in->fd = -1;
		ds_mem_free(in->raw.bytes);
		in->raw = (buffer){ NULL, 0, 0 };
	}
	*view = (ds_str){ (const char *)in->map + from, (size_t)in->size - from };
	return true;
}

void ds_in_forget(ds_in *in, uint64_t before)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), end = in->start + before;
	end -= end % page;
	if (!in->map || end <= in->forgotten)
		return;
	madvise((char *)in->map + in->forgotten, end - in->forgotten, MADV_DONTNEED);
	in->forgotten = end;
}

static ds_in *new_in(const char *name)
{
	ds_in *in = DS_NEW(ds_in, 1);
	in->name = ds_mem_text(name);
	in->fd = -1;
	in->size = -1;
	return in;
}

static ds_rc look_at(ds_in *in, ds_err *e)
{
	struct stat st;
	if (fstat(in->fd, &st) != 0)
		return ds_fail_errno(e, "cannot read %s", in->name);
	if (S_ISDIR(st.st_mode))
		return ds_fail(e, DS_IO, "%s: is a folder", in->name);
	if (S_ISFIFO(st.st_mode))
		fcntl(in->fd, F_SETPIPE_SZ, PIPE_BYTES); /* faster where it is allowed */
	in->regular = S_ISREG(st.st_mode);
	in->is_pipe = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
	if (in->regular) {
		off_t at = lseek(in->fd, 0, SEEK_CUR);
		in->start = at > 0 ? (uint64_t)at : 0;
		in->size = st.st_size;
		posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return DS_OK;
}

ds_rc ds_in_from_fd(ds_in **in, int fd, const char *name, ds_err *e)
{
	DS_AUTO(ds_in) n = new_in(name);
	*in = NULL;
	n->fd = fd;
	DS_TRY(look_at(n, e));
	*in = n;
	n = NULL;
	return DS_OK;
}

ds_rc ds_in_open(ds_in **in, const char *path, ds_err *e)
{
	if (strcmp(path, "-") == 0)
		return ds_in_from_fd(in, STDIN_FILENO, "stdin", e);
	*in = NULL;
	DS_AUTO(ds_in) n = new_in(path);
	n->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (n->fd < 0)
		return ds_fail_errno(e, "%s", path);
	n->own_fd = true;
	DS_TRY(look_at(n, e));
	*in = n;
	n = NULL;
	return DS_OK;
}

ds_in *ds_in_from_mem(const void *p, size_t n, const char *name)
{
	ds_in *in = new_in(name);
	in->from_mem = true;
	in->mem = (ds_str){ p, n };
	in->mem_all = p;
	in->mem_bytes = n;
	in->size = (int64_t)n;
	return in;
}

void ds_in_close(ds_in *in)
{
	if (!in)
		return;
	if (in->map)
		munmap(in->map, in->map_bytes);
	if (in->own_fd)
		close(in->fd);
	ds_codec_close(in->codec);
	ds_charset_close(in->charset);
	ds_mem_free(in->raw.bytes);
	ds_mem_free(in->plain.bytes);
	ds_mem_free(in->text.bytes);
	ds_mem_free(in->damage);
	ds_mem_free(in->name);
	ds_mem_free(in);
}

ds_rc ds_in_decode(ds_in *in, const char *charset, ds_err *e)
{
	return ds_charset_open(&in->charset, charset, e);
}

bool ds_in_is_pipe(const ds_in *in)
{
	return in->is_pipe;
}

const char *ds_in_name(const ds_in *in)
{
	return in->name;
}

ds_wrap ds_in_wrap(const ds_in *in)
{
	return in->wrap;
}

uint64_t ds_in_offset(const ds_in *in)
{
	return in->offset;
}

uint64_t ds_in_file_offset(const ds_in *in)
{
	/* Uncompressed, what waits in the buffer has not been taken. */
	return in->codec || in->charset ? in->file_offset : in->offset;
}

bool ds_in_damaged(const ds_in *in)
{
	return in->damage != NULL;
}

uint64_t ds_in_unread(const ds_in *in)
{
	uint64_t taken = in->file_offset - there(&in->raw);
	return in->size < 0 || (uint64_t)ds_in_file_size(in) < taken
		       ? 0
		       : (uint64_t)ds_in_file_size(in) - taken;
}

int64_t ds_in_file_size(const ds_in *in)
{
	return in->size < 0 ? -1 : in->size - (int64_t)in->start;
}
