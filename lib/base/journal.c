/*
 * journal.c - a magic of 16 bytes, then entries: u32 bytes, u32 check, key, value; little-endian
 *
 * The check is the lower half of the XXH3-64 of length, key and value.
 */
#include "base/journal.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 16, HEAD = 24 };
static const char magic[MAGIC] = "ds journal 1\r\n\x1a";

struct ds_journal {
	int fd;
	char *path;
	pthread_mutex_t lock;
	ds_map *places; /* by the key's bytes: where its entry begins */
	uint64_t end;
};

static ds_rc read_at(
	const ds_journal *j, uint64_t from, void *out, size_t n, size_t *got, ds_err *e)
{
	for (*got = 0; *got < n;) {
		ssize_t r = pread(j->fd, (char *)out + *got, n - *got, (off_t)(from + *got));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return ds_fail_errno(e, "%s", j->path);
		if (r == 0)
			break;
		*got += (size_t)r;
	}
	return DS_OK;
}

static ds_rc write_at(const ds_journal *j, uint64_t from, ds_str bytes, ds_err *e)
{
	for (size_t done = 0; done < bytes.n;) {
		ssize_t r = pwrite(j->fd, bytes.at + done, bytes.n - done, (off_t)(from + done));
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return ds_fail_errno(e, "%s", j->path);
		done += (size_t)r;
	}
	return DS_OK;
}

static uint32_t check_of(uint32_t n, const char *key, ds_str value)
{
	uint64_t seed = ds_hash64_seed(key, sizeof(ds_h128), n);
	return (uint32_t)ds_hash64_seed(value.at, value.n, seed);
}

/*
 * The entry at `from` into buf; *n is its length with its head, 0 where there is no whole one before `end`, which
 * is j's as it was under the lock.
 */
static ds_rc take(
	const ds_journal *j, uint64_t from, uint64_t end, ds_buf *buf, size_t *n, ds_err *e)
{
	uint32_t bytes, check;
	size_t got;
	*n = 0;
	ds_buf_clear(buf);
	ds_buf_reserve(buf, HEAD);
	DS_TRY(read_at(j, from, buf->at, HEAD, &got, e));
	if (got < HEAD)
		return DS_OK;
	memcpy(&bytes, buf->at, 4);
	memcpy(&check, buf->at + 4, 4);
	if (bytes > DS_JOURNAL_VALUE || from + HEAD + bytes > end)
		return DS_OK;
	buf->n = HEAD;
	ds_buf_reserve(buf, bytes + 1);
	DS_TRY(read_at(j, from + HEAD, buf->at + HEAD, bytes, &got, e));
	if (got == bytes &&
		check_of(bytes, buf->at + 8, (ds_str){ buf->at + HEAD, bytes }) == check)
		*n = HEAD + (size_t)bytes;
	return DS_OK;
}

static ds_rc load(ds_journal *j, ds_err *e)
{
	char head[MAGIC];
	size_t got;
	struct stat st;
	if (fstat(j->fd, &st) != 0)
		return ds_fail_errno(e, "%s", j->path);
	j->end = (uint64_t)st.st_size;
	DS_TRY(read_at(j, 0, head, MAGIC, &got, e));
	if (memcmp(head, magic, got) != 0)
		return ds_fail(e, DS_USAGE, "%s: it is no journal of this program", j->path);
	uint64_t at = MAGIC;
	if (got < MAGIC)
		DS_TRY(write_at(j, 0, (ds_str){ magic, MAGIC }, e));
	ds_buf buf = { 0 };
	ds_rc rc = DS_OK;
	for (size_t n; at < j->end; at += n) {
		rc = take(j, at, j->end, &buf, &n, e);
		if (rc != DS_OK || n == 0)
			break;
		bool is_new;
		uint64_t *place =
			ds_map_put(j->places, (ds_str){ buf.at + 8, sizeof(ds_h128) }, &is_new);
		if (is_new)
			*place = at;
	}
	ds_buf_free(&buf);
	DS_TRY(rc);
	if (at < j->end && ftruncate(j->fd, (off_t)at) != 0)
		return ds_fail_errno(e, "%s", j->path);
	j->end = at;
	return DS_OK;
}

ds_rc ds_journal_open(ds_journal **out, const char *path, ds_err *e)
{
	DS_AUTO(ds_journal) j = DS_NEW(ds_journal, 1);
	pthread_mutex_init(&j->lock, NULL);
	j->path = ds_mem_text(path);
	j->places = ds_map_new(1024);
	j->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (j->fd < 0)
		return ds_fail_errno(e, "%s", path);
	if (flock(j->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK
			       ? ds_fail(e, DS_IO, "%s: another process has it open", path)
			       : ds_fail_errno(e, "%s", path);
	DS_TRY(load(j, e));
	*out = j;
	j = NULL;
	return DS_OK;
}

void ds_journal_close(ds_journal *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	ds_map_free(j->places);
	pthread_mutex_destroy(&j->lock);
	ds_mem_free(j->path);
	ds_mem_free(j);
}

ds_rc ds_journal_find(
	ds_journal *j, ds_h128 key, ds_arena *mem, ds_str *value, bool *found, ds_err *e)
{
	pthread_mutex_lock(&j->lock);
	const uint64_t *place = ds_map_find(j->places, (ds_str){ (const char *)&key, sizeof(key) });
	uint64_t at = place ? *place : 0, end = j->end;
	pthread_mutex_unlock(&j->lock);
	*found = at != 0;
	if (!at)
		return DS_OK;
	ds_buf buf = { 0 };
	size_t n = 0;
	ds_rc rc = take(j, at, end, &buf, &n, e);
	if (rc == DS_OK && !n)
		rc = ds_fail(e, DS_SHORT, "%s: byte %llu: the entry was changed", j->path,
			(unsigned long long)at);
	if (rc == DS_OK)
		*value = ds_arena_str(mem, (ds_str){ buf.at + HEAD, n - HEAD });
	ds_buf_free(&buf);
	return rc;
}

static ds_rc append(ds_journal *j, ds_h128 key, ds_str value, ds_err *e)
{
	bool is_new;
	uint64_t *place =
		ds_map_put(j->places, (ds_str){ (const char *)&key, sizeof(key) }, &is_new);
	if (!is_new)
		return DS_OK;
	ds_buf buf = { 0 };
	uint32_t n = (uint32_t)value.n, check = check_of(n, (const char *)&key, value);
	ds_buf_add(&buf, &n, 4);
	ds_buf_add(&buf, &check, 4);
	ds_buf_add(&buf, &key, sizeof(key));
	ds_buf_add_str(&buf, value);
	ds_rc rc = write_at(j, j->end, ds_buf_view(&buf), e);
	*place = j->end;
	j->end += buf.n;
	ds_buf_free(&buf);
	return rc;
}

ds_rc ds_journal_add(ds_journal *j, ds_h128 key, ds_str value, ds_err *e)
{
	if (value.n > DS_JOURNAL_VALUE)
		return DS_OK; /* it is made anew when it is wanted again */
	pthread_mutex_lock(&j->lock);
	ds_rc rc = append(j, key, value, e);
	pthread_mutex_unlock(&j->lock);
	return rc;
}
