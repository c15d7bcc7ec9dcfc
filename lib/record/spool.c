/*
 * spool.c - tokens put aside until their number and the largest of them are known
 */
#include "record/spool.h"

#include "base/mem.h"
#include "base/temp.h"

#include <errno.h>
#include <unistd.h>

enum { GATHERED = 64 << 10 };

struct ds_spool {
	int fd;
	uint32_t *ids; /* not in the file yet */
	size_t n;
	uint64_t count;
	uint32_t largest;
	uint64_t loaded; /* while reading: ids holds these */
	size_t n_loaded;
};

ds_rc ds_spool_open(ds_spool **out, ds_err *e)
{
	DS_AUTO(ds_spool) s = DS_NEW(ds_spool, 1);
	s->fd = -1;
	s->ids = ds_mem_get(GATHERED * sizeof(*s->ids));
	DS_TRY(ds_temp_file(&s->fd, e));
	*out = s;
	s = NULL;
	return DS_OK;
}

void ds_spool_close(ds_spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	ds_mem_free(s->ids);
	ds_mem_free(s);
}

static ds_rc flush(ds_spool *s, ds_err *e)
{
	const char *p = (const char *)s->ids;
	for (size_t left = s->n * sizeof(*s->ids); left;) {
		ssize_t n = write(s->fd, p, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ds_fail_errno(e, "cannot write a temporary file");
		p += n;
		left -= (size_t)n;
	}
	s->n = 0;
	return DS_OK;
}

static ds_rc add_ids(ds_spool *s, const uint32_t *ids, size_t n, ds_err *e)
{
	s->count += n;
	for (size_t i = 0; i < n; i++)
		if (ids[i] > s->largest)
			s->largest = ids[i];
	while (n) {
		size_t k = GATHERED - s->n < n ? GATHERED - s->n : n;
		memcpy(s->ids + s->n, ids, k * sizeof(*ids));
		s->n += k;
		ids += k;
		n -= k;
		if (s->n == GATHERED)
			DS_TRY(flush(s, e));
	}
	return DS_OK;
}

uint64_t ds_spool_count(const ds_spool *s)
{
	return s->count;
}

uint32_t ds_spool_largest(const ds_spool *s)
{
	return s->largest;
}

/* n of them from the first on into s->ids. */
static ds_rc load(ds_spool *s, uint64_t first, size_t n, ds_err *e)
{
	char *to = (char *)s->ids;
	for (size_t got = 0; got < 4 * n;) {
		ssize_t k = pread(s->fd, to + got, 4 * n - got, (off_t)(4 * first + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return ds_fail_errno(e, "cannot read a temporary file");
		got += (size_t)k;
	}
	s->loaded = first;
	s->n_loaded = n;
	return DS_OK;
}

ds_rc ds_spool_write(ds_spool *s, ds_out *out, unsigned width, ds_err *e)
{
	DS_TRY(flush(s, e));
	for (uint64_t at = 0; at < s->count; at += s->n_loaded) {
		DS_TRY(load(
			s, at, s->count - at < GATHERED ? (size_t)(s->count - at) : GATHERED, e));
		size_t n = s->n_loaded;
		if (width == 2) {
			uint16_t *narrow = ds_mem_get(n * sizeof(*narrow));
			for (size_t i = 0; i < n; i++)
				narrow[i] = (uint16_t)s->ids[i];
			ds_rc rc = ds_out_write(out, narrow, n * sizeof(*narrow), e);
			ds_mem_free(narrow);
			DS_TRY(rc);
		} else {
			DS_TRY(ds_out_write(out, s->ids, n * sizeof(*s->ids), e));
		}
	}
	return DS_OK;
}

ds_rc ds_spool_at(ds_spool *s, uint64_t i, uint32_t *out, ds_err *e)
{
	if (i < s->loaded || i >= s->loaded + s->n_loaded)
		DS_TRY(load(s, i, s->count - i < GATHERED ? (size_t)(s->count - i) : GATHERED, e));
	*out = s->ids[i - s->loaded];
	return DS_OK;
}

ds_rc ds_spool_block(ds_spool *s, ds_spool *lengths, ds_block *b, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, "tokens", &c, e));
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const uint32_t *ids = NULL;
		size_t n = 0;
		bool has = false;
		if (c)
			DS_TRY_AT(ds_block_ids(b, c, row, &ids, &n, &has, e), e, "record %llu",
				(unsigned long long)ds_block_record(b, row) + 1);
		if (!has)
			return ds_fail(e, DS_BAD, "record %llu has no tokens",
				(unsigned long long)ds_block_record(b, row) + 1);
		DS_TRY(add_ids(s, ids, n, e));
		uint32_t length = (uint32_t)n;
		if (lengths)
			DS_TRY(add_ids(lengths, &length, 1, e));
	}
	return DS_OK;
}
