/*
 * train_count.c - how often each piece occurs
 *
 * Pieces of up to 15 bytes are their own keys in a table of 24-byte slots; longer ones are kept in
 * one buffer and found by hash. Both tables double when they are two thirds full. Where doubling
 * would exceed the limit, what they hold goes to a temporary file (train_spill.c) and they begin anew.
 */
#include "base/mem.h"
#include "text/tok/train_impl.h"

enum { FIRST = 1 << 12, SHORT = 15 };

static void start(ds_tok_counter *c)
{
	c->shorts = ds_mem_zero(FIRST * sizeof(*c->shorts));
	c->longs = ds_mem_zero(FIRST * sizeof(*c->longs));
	c->short_mask = c->long_mask = FIRST - 1;
	c->n_short = c->n_long = 0;
}

ds_tok_counter *ds_counter_new(uint64_t limit)
{
	ds_tok_counter *c = DS_NEW(ds_tok_counter, 1);
	c->limit = limit;
	c->fd = -1;
	start(c);
	return c;
}

ds_rc ds_tok_counter_new(ds_tok_counter **out, const char *pattern, uint64_t limit_bytes, ds_err *e)
{
	DS_AUTO(ds_tok_counter) c = ds_counter_new(limit_bytes);
	c->pattern = ds_pattern_find(pattern);
	c->pattern = c->pattern ? c->pattern : ds_pattern_of_regex(ds_str_of(pattern));
	if (!c->pattern) {
		DS_TRY_AT(ds_regex_parse_split(&c->regex, ds_str_of(pattern), true, e), e,
			"--pattern is no name and no regex");
		c->run = ds_regex_run_new(c->regex);
		ds_buf_add_c(&c->spelled, pattern);
	}
	*out = c;
	c = NULL;
	return DS_OK;
}

static void drop(ds_tok_counter *c)
{
	ds_mem_free(c->shorts);
	ds_mem_free(c->longs);
	ds_buf_free(&c->bytes);
}

void ds_counter_clear(ds_tok_counter *c)
{
	drop(c);
	c->bytes = (ds_buf){ 0 };
	start(c);
}

void ds_tok_counter_free(ds_tok_counter *c)
{
	if (!c)
		return;
	drop(c);
	ds_spill_close(c);
	ds_regex_run_free(c->run);
	ds_regex_free(c->regex);
	ds_buf_free(&c->spelled);
	ds_mem_free(c);
}

static inline uint64_t hash_short(const uint64_t key[2])
{
	uint64_t h = (key[0] ^ (key[1] << 29 | key[1] >> 35)) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

/* Whether the tables may have this many bytes more for a while. */
static bool fits(const ds_tok_counter *c, uint64_t more)
{
	uint64_t now = (c->short_mask + 1) * sizeof(short_word) +
		       (c->long_mask + 1) * sizeof(long_word) + c->bytes.cap;
	return !c->limit || now + more <= c->limit;
}

static ds_rc grow_short(ds_tok_counter *c, ds_err *e)
{
	size_t old = c->short_mask + 1;
	short_word *from = c->shorts;
	if (!fits(c, old * 2 * sizeof(*from)))
		return ds_spill_write(c, e);
	c->short_mask = old * 2 - 1;
	c->shorts = ds_mem_zero(old * 2 * sizeof(*from));
	for (size_t i = 0; i < old; i++) {
		if (!from[i].key[1])
			continue;
		size_t at = hash_short(from[i].key) & c->short_mask;
		while (c->shorts[at].key[1])
			at = (at + 1) & c->short_mask;
		c->shorts[at] = from[i];
	}
	ds_mem_free(from);
	return DS_OK;
}

static ds_rc add_short(ds_tok_counter *c, const uint64_t key[2], uint64_t count, ds_err *e)
{
	size_t at = hash_short(key) & c->short_mask;
	while (c->shorts[at].key[0] != key[0] || c->shorts[at].key[1] != key[1]) {
		if (!c->shorts[at].key[1]) {
			c->shorts[at] = (short_word){ { key[0], key[1] }, count };
			return ++c->n_short * 3 > c->short_mask * 2 ? grow_short(c, e) : DS_OK;
		}
		at = (at + 1) & c->short_mask;
	}
	c->shorts[at].count += count;
	return DS_OK;
}

static ds_rc grow_long(ds_tok_counter *c, ds_err *e)
{
	size_t old = c->long_mask + 1;
	long_word *from = c->longs;
	if (!fits(c, old * 2 * sizeof(*from)))
		return ds_spill_write(c, e);
	c->long_mask = old * 2 - 1;
	c->longs = ds_mem_zero(old * 2 * sizeof(*from));
	for (size_t i = 0; i < old; i++) {
		if (!from[i].n)
			continue;
		size_t at = from[i].hash & c->long_mask;
		while (c->longs[at].n)
			at = (at + 1) & c->long_mask;
		c->longs[at] = from[i];
	}
	ds_mem_free(from);
	return DS_OK;
}

static ds_rc add_long(ds_tok_counter *c, ds_str s, uint64_t hash, uint64_t count, ds_err *e)
{
	size_t at = hash & c->long_mask;
	for (;; at = (at + 1) & c->long_mask) {
		long_word *w = &c->longs[at];
		if (w->n == 0)
			break;
		if (w->hash == hash && w->n == s.n && memcmp(c->bytes.at + w->at, s.at, s.n) == 0) {
			w->count += count;
			return DS_OK;
		}
	}
	c->longs[at] = (long_word){ hash, c->bytes.n, s.n, count };
	ds_buf_add_str(&c->bytes, s);
	c->n_long++;
	if (!fits(c, c->bytes.cap)) /* by which it grows next */
		return ds_spill_write(c, e);
	return c->n_long * 3 > c->long_mask * 2 ? grow_long(c, e) : DS_OK;
}

ds_rc ds_counter_put(ds_tok_counter *c, ds_str s, uint64_t count, ds_err *e)
{
	if (s.n > SHORT)
		return add_long(c, s, ds_hash64(s.at, s.n), count, e);
	uint64_t key[2] = { 0 };
	memcpy(key, s.at, s.n);
	key[1] |= (uint64_t)s.n << 56;
	return add_short(c, key, count, e);
}

/* Matches and what lies between them are pieces. */
static ds_rc add_by_regex(ds_tok_counter *c, ds_str text, ds_err *e)
{
	size_t done = 0;
	ds_match m = { .found = text.n > 0 };
	while (m.found && done < text.n) {
		DS_TRY(ds_regex_next(c->run, text, done, false, &m, e));
		if (!m.found)
			m.begin = m.end = text.n;
		if (m.begin > done)
			DS_TRY(ds_counter_put(c, (ds_str){ text.at + done, m.begin - done }, 1, e));
		if (m.end > m.begin)
			DS_TRY(ds_counter_put(
				c, (ds_str){ text.at + m.begin, m.end - m.begin }, 1, e));
		c->n_pieces += (m.begin > done) + (m.end > m.begin);
		done = m.end;
	}
	return DS_OK;
}

ds_rc ds_tok_counter_add(ds_tok_counter *c, ds_str text, ds_err *e)
{
	size_t from = 0, k;
	if (text.n > UINT32_MAX - 64)
		return ds_fail(e, DS_BAD, "a text of %zu bytes, the limit is 4294967231", text.n);
	if (c->run)
		return add_by_regex(c, text, e);
	ds_scan_begin(&c->scan, c->pattern, text.at, text.n);
	while ((k = ds_scan_next(&c->scan, c->ends)) > 0) {
		c->n_pieces += k;
		for (size_t i = 0; i < k; i++) {
			ds_str piece = { text.at + from, c->ends[i] - from };
			DS_TRY(ds_counter_put(c, piece, 1, e));
			from = c->ends[i];
		}
	}
	return DS_OK;
}

static ds_rc each_in_memory(ds_tok_counter *c, counter_fn *fn, void *context, ds_err *e)
{
	for (size_t i = 0; i <= c->short_mask; i++) {
		const short_word *w = &c->shorts[i];
		if (w->key[1])
			DS_TRY(fn(context, (ds_str){ (const char *)w->key, w->key[1] >> 56 },
				w->count, e));
	}
	for (size_t i = 0; i <= c->long_mask; i++) {
		const long_word *w = &c->longs[i];
		if (w->n)
			DS_TRY(fn(context, (ds_str){ c->bytes.at + w->at, w->n }, w->count, e));
	}
	return DS_OK;
}

ds_rc ds_counter_each(ds_tok_counter *c, counter_fn *fn, void *context, ds_err *e)
{
	return c->n_runs ? ds_spill_each(c, fn, context, e) : each_in_memory(c, fn, context, e);
}

static ds_rc put_into(void *context, ds_str piece, uint64_t count, ds_err *e)
{
	return ds_counter_put(context, piece, count, e);
}

ds_rc ds_tok_counter_merge(ds_tok_counter *into, ds_tok_counter *from, ds_err *e)
{
	into->n_pieces += from->n_pieces;
	DS_TRY(each_in_memory(from, put_into, into, e));
	ds_counter_clear(from);
	ds_spill_take(into, from);
	return DS_OK;
}

uint64_t ds_tok_counter_pieces(const ds_tok_counter *c)
{
	return c->n_pieces;
}

uint64_t ds_tok_counter_distinct(const ds_tok_counter *c)
{
	return c->n_distinct;
}
