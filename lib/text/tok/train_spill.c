/*
 * train_spill.c - counts that do not fit in memory: sorted runs in a temporary file, merged in the end
 *
 * A run is the pieces of full tables in byte order, each as varint length, varint count, bytes. Equal
 * pieces of several runs come together when these are merged, so counts are exact whatever the limit.
 */
#include "base/mem.h"
#include "base/temp.h"
#include "text/tok/train_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUFFER = 64 << 10, VARINT = 10 };

/* --- writing --- */

static ds_rc write_all(ds_tok_counter *c, ds_buf *b, ds_err *e)
{
	for (size_t done = 0; done < b->n;) {
		ssize_t k = pwrite(c->fd, b->at + done, b->n - done, (off_t)c->fd_bytes);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return ds_fail_errno(e, "cannot write to a temporary file");
		done += (size_t)k;
		c->fd_bytes += (uint64_t)k;
	}
	ds_buf_clear(b);
	return DS_OK;
}

static void add_varint(ds_buf *b, uint64_t v)
{
	for (; v > 127; v >>= 7)
		ds_buf_add_byte(b, (char)(v | 128));
	ds_buf_add_byte(b, (char)v);
}

static ds_rc add_entry(ds_tok_counter *c, ds_buf *b, ds_str s, uint64_t count, ds_err *e)
{
	add_varint(b, s.n);
	add_varint(b, count);
	ds_buf_add_str(b, s);
	return b->n < BUFFER ? DS_OK : write_all(c, b, e);
}

/* Unused bytes of a key are zero, so this is byte order with the shorter first. */
static int by_key(const void *va, const void *vb)
{
	const short_word *a = va, *b = vb;
	return memcmp(a->key, b->key, sizeof(a->key));
}

static int by_bytes(const void *va, const void *vb, void *bytes)
{
	const long_word *a = va, *b = vb;
	return ds_str_cmp(
		(ds_str){ (char *)bytes + a->at, a->n }, (ds_str){ (char *)bytes + b->at, b->n });
}

/* Both tables, packed to their fronts and sorted. */
static void sort_tables(ds_tok_counter *c)
{
	size_t n = 0;
	for (size_t i = 0; i <= c->short_mask; i++)
		if (c->shorts[i].key[1])
			c->shorts[n++] = c->shorts[i];
	qsort(c->shorts, n, sizeof(*c->shorts), by_key);
	n = 0;
	for (size_t i = 0; i <= c->long_mask; i++)
		if (c->longs[i].n)
			c->longs[n++] = c->longs[i];
	qsort_r(c->longs, n, sizeof(*c->longs), by_bytes, c->bytes.at);
}

static ds_rc write_tables(ds_tok_counter *c, ds_buf *b, ds_err *e)
{
	size_t i = 0, k = 0, n_short = c->n_short, n_long = c->n_long;
	while (i < n_short || k < n_long) {
		const short_word *s = &c->shorts[i];
		const long_word *l = &c->longs[k];
		ds_str a = { "", 0 }, z = { "", 0 };
		if (i < n_short)
			a = (ds_str){ (const char *)s->key, s->key[1] >> 56 };
		if (k < n_long)
			z = (ds_str){ c->bytes.at + l->at, l->n };
		bool first = k == n_long || (i < n_short && ds_str_cmp(a, z) < 0);
		DS_TRY(add_entry(c, b, first ? a : z, first ? s->count : l->count, e));
		i += first;
		k += !first;
	}
	return write_all(c, b, e);
}

static void add_run(ds_tok_counter *c, count_run r)
{
	if (c->n_runs == c->cap_runs) {
		size_t cap = c->cap_runs ? c->cap_runs * 2 : 16;
		c->runs = ds_mem_grow(c->runs, c->n_runs * sizeof(r), cap * sizeof(r));
		c->cap_runs = cap;
	}
	c->runs[c->n_runs++] = r;
}

static void add_fd(ds_tok_counter *c, int fd)
{
	if (c->n_fds == c->cap_fds) {
		size_t cap = c->cap_fds ? c->cap_fds * 2 : 16;
		c->fds = ds_mem_grow(c->fds, c->n_fds * sizeof(fd), cap * sizeof(fd));
		c->cap_fds = cap;
	}
	c->fds[c->n_fds++] = fd;
}

ds_rc ds_spill_write(ds_tok_counter *c, ds_err *e)
{
	ds_buf b = { 0 };
	if (c->n_short + c->n_long == 0)
		return DS_OK;
	if (c->fd < 0) {
		DS_TRY(ds_temp_file(&c->fd, e));
		add_fd(c, c->fd);
	}
	uint64_t at = c->fd_bytes;
	sort_tables(c);
	ds_rc rc = write_tables(c, &b, e);
	ds_buf_free(&b);
	add_run(c, (count_run){ c->fd, at, c->fd_bytes - at });
	ds_counter_clear(c);
	return rc;
}

void ds_spill_take(ds_tok_counter *into, ds_tok_counter *from)
{
	for (size_t i = 0; i < from->n_runs; i++)
		add_run(into, from->runs[i]);
	for (size_t i = 0; i < from->n_fds; i++)
		add_fd(into, from->fds[i]);
	from->n_runs = from->n_fds = 0;
	from->fd = -1;
}

void ds_spill_close(ds_tok_counter *c)
{
	for (size_t i = 0; i < c->n_fds; i++)
		close(c->fds[i]);
	ds_mem_free(c->fds);
	ds_mem_free(c->runs);
}

/* --- merging --- */

typedef struct { /* a run while it is read: its next piece */
	count_run left;
	ds_buf buf;
	size_t at; /* in buf */
	ds_str piece;
	uint64_t count;
	bool ended;
} source;

/* At least `need` bytes from s->at on, or all that there are. */
static ds_rc fill(source *s, size_t need, ds_err *e)
{
	size_t have = s->buf.n - s->at;
	if (have >= need || s->left.bytes == 0)
		return DS_OK;
	if (have)
		memmove(s->buf.at, s->buf.at + s->at, have);
	s->buf.n = have;
	s->at = 0;
	size_t want = need > BUFFER ? need : BUFFER;
	ds_buf_reserve(&s->buf, want);
	while (s->buf.n < want && s->left.bytes) {
		size_t most = s->left.bytes < want - s->buf.n ? s->left.bytes : want - s->buf.n;
		ssize_t k = pread(s->left.fd, s->buf.at + s->buf.n, most, (off_t)s->left.at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return ds_fail_errno(e, "cannot read a temporary file");
		s->buf.n += (size_t)k;
		s->left.at += (uint64_t)k;
		s->left.bytes -= (uint64_t)k;
	}
	return DS_OK;
}

static uint64_t take_varint(source *s)
{
	uint64_t v = 0;
	for (unsigned shift = 0; s->at < s->buf.n; shift += 7) {
		uint8_t b = (uint8_t)s->buf.at[s->at++];
		v |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			break;
	}
	return v;
}

static ds_rc advance(source *s, ds_err *e)
{
	DS_TRY(fill(s, 2 * VARINT, e));
	s->ended = s->at == s->buf.n;
	if (s->ended)
		return DS_OK;
	size_t n = take_varint(s);
	s->count = take_varint(s);
	DS_TRY(fill(s, n, e));
	s->piece = (ds_str){ s->buf.at + s->at, n };
	s->at += n;
	return DS_OK;
}

static bool earlier(const source *a, const source *b)
{
	return a->ended != b->ended ? b->ended : ds_str_cmp(a->piece, b->piece) < 0;
}

static void sink(source **heap, size_t n, size_t i)
{
	source *s = heap[i];
	for (size_t k; (k = 2 * i + 1) < n; i = k) {
		k += k + 1 < n && earlier(heap[k + 1], heap[k]);
		if (!earlier(heap[k], s))
			break;
		heap[i] = heap[k];
	}
	heap[i] = s;
}

static ds_rc merge_runs(source **heap, size_t n, counter_fn *fn, void *context, ds_err *e)
{
	ds_buf piece = { 0 };
	ds_rc rc = DS_OK;
	for (size_t i = n / 2; i-- > 0;)
		sink(heap, n, i);
	while (rc == DS_OK && !heap[0]->ended) {
		uint64_t count = 0;
		ds_buf_clear(&piece);
		ds_buf_add_str(&piece, heap[0]->piece);
		while (rc == DS_OK && !heap[0]->ended &&
			ds_str_eq(heap[0]->piece, ds_buf_view(&piece))) {
			count += heap[0]->count;
			rc = advance(heap[0], e);
			sink(heap, n, 0);
		}
		if (rc == DS_OK)
			rc = fn(context, ds_buf_view(&piece), count, e);
	}
	ds_buf_free(&piece);
	return rc;
}

ds_rc ds_spill_each(ds_tok_counter *c, counter_fn *fn, void *context, ds_err *e)
{
	DS_TRY(ds_spill_write(c, e)); /* what is left in the tables */
	source *all = DS_NEW(source, c->n_runs);
	source **heap = DS_NEW(source *, c->n_runs);
	ds_rc rc = DS_OK;
	for (size_t i = 0; i < c->n_runs && rc == DS_OK; i++) {
		all[i].left = c->runs[i];
		heap[i] = &all[i];
		rc = advance(&all[i], e);
	}
	if (rc == DS_OK)
		rc = merge_runs(heap, c->n_runs, fn, context, e);
	for (size_t i = 0; i < c->n_runs; i++)
		ds_buf_free(&all[i].buf);
	ds_mem_free(all);
	ds_mem_free(heap);
	return rc;
}
