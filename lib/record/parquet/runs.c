/*
 * runs.c - runs and bit-packed groups (Encodings.md of Apache Parquet, "RLE")
 */
#include "record/parquet/runs.h"

#include "base/mem.h"
#include "record/parquet/thrift.h"

static uint32_t mask_of(unsigned bits)
{
	return bits >= 32 ? UINT32_MAX : (1u << bits) - 1;
}

/* The i-th number of a packed piece. */
static uint32_t packed_at(const uint8_t *p, unsigned bits, size_t i)
{
	size_t bit = i * bits;
	uint64_t v;
	memcpy(&v, p + bit / 8, 8);
	return (uint32_t)(v >> bit % 8) & mask_of(bits);
}

static uint32_t old_at(const uint8_t *p, unsigned bits, size_t i)
{
	uint32_t v = 0;
	for (size_t bit = i * bits; bit < (i + 1) * bits; bit++)
		v = v << 1 | (p[bit / 8] >> (7 - bit % 8) & 1u);
	return v;
}

static uint32_t at(const ds_pq_runs *r, const ds_pq_run *run, size_t i)
{
	return r->from_top ? old_at(run->packed, r->bits, i) : packed_at(run->packed, r->bits, i);
}

static uint32_t count_ones(const uint8_t *p, uint32_t n)
{
	uint32_t ones = 0, i = 0;
	uint64_t v;
	for (; i + 64 <= n; i += 64) {
		memcpy(&v, p + i / 8, 8);
		ones += (uint32_t)__builtin_popcountll(v);
	}
	memcpy(&v, p + i / 8, 8);
	return ones + (uint32_t)__builtin_popcountll(v & (((uint64_t)1 << (n - i)) - 1));
}

/* How many of the first n of a packed piece are match. */
static uint32_t count(const ds_pq_runs *r, const ds_pq_run *run, uint32_t n, uint32_t match)
{
	uint32_t c = 0;
	if (r->bits == 1 && !r->from_top && match <= 1) {
		c = count_ones(run->packed, n);
		return match ? c : n - c;
	}
	for (uint32_t i = 0; i < n; i++)
		c += at(r, run, i) == match;
	return c;
}

static void add_run(ds_pq_runs *r, ds_pq_run run, uint32_t n, uint32_t match)
{
	if (r->n_runs == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 4;
		r->runs = ds_mem_grow(r->runs, r->cap * sizeof(run), cap * sizeof(run));
		r->cap = cap;
	}
	run.start = r->n;
	run.before = r->n_match;
	r->runs[r->n_runs++] = run;
	r->n += n;
	r->n_match += run.packed ? count(r, &run, n, match) : run.value == match ? n : 0;
}

/* n packed values as pieces. */
static void add_packed(ds_pq_runs *r, const uint8_t *p, uint32_t n, uint32_t match)
{
	for (uint32_t i = 0; i < n; i += DS_PQ_PIECE) {
		uint32_t k = n - i < DS_PQ_PIECE ? n - i : DS_PQ_PIECE;
		add_run(r, (ds_pq_run){ .packed = p + (size_t)i / 8 * r->bits }, k, match);
	}
}

bool ds_pq_runs_read(ds_pq_runs *r, ds_str bytes, unsigned bits, uint32_t n, uint32_t match)
{
	ds_cur c = ds_cur_of(bytes.at, bytes.n);
	*r = (ds_pq_runs){ .bits = bits, .end = c.end };
	if (bits > 32)
		return false;
	if (bits == 0) { /* nothing is written */
		if (n)
			add_run(r, (ds_pq_run){ .value = 0 }, n, match);
		return true;
	}
	while (r->n < n) {
		uint64_t head = ds_thrift_varint(&c), k = head >> 1;
		uint32_t left = n - r->n, value = 0;
		if (!ds_cur_ok(&c) || k == 0 || r->n_runs > DS_PQ_MOST_RUNS)
			return false;
		if (head & 1) {
			uint32_t here = k >= ((uint64_t)left + 7) / 8 ? left : (uint32_t)k * 8;
			size_t need = ((size_t)here * bits + 7) / 8, all = ds_cur_left(&c);
			const uint8_t *p = c.at;
			/* The last group may be cut behind its last value. */
			if (k <= all / bits)
				all = (size_t)k * bits;
			if (need > all)
				return false;
			ds_cur_bytes(&c, all);
			add_packed(r, p, here, match);
		} else {
			ds_cur_copy(&c, &value, (bits + 7) / 8);
			if (!ds_cur_ok(&c) || (value & ~mask_of(bits)))
				return false;
			add_run(r, (ds_pq_run){ .value = value }, k < left ? (uint32_t)k : left,
				match);
		}
	}
	return true;
}

bool ds_pq_runs_read_old(ds_pq_runs *r, ds_str bytes, unsigned bits, uint32_t n, uint32_t match)
{
	*r = (ds_pq_runs){ .bits = bits, .from_top = true };
	if (bits > 32 || ((uint64_t)n * bits + 7) / 8 > bytes.n)
		return false;
	if (bits)
		add_packed(r, (const uint8_t *)bytes.at, n, match);
	else if (n)
		add_run(r, (ds_pq_run){ .value = 0 }, n, match);
	return true;
}

void ds_pq_runs_free(ds_pq_runs *r)
{
	ds_mem_free(r->runs);
	r->runs = NULL;
}

/* The run that holds value i. */
static size_t run_of(const ds_pq_runs *r, uint32_t i)
{
	size_t low = 0, high = r->n_runs;
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (r->runs[mid].start <= i)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static uint32_t end_of(const ds_pq_runs *r, size_t k)
{
	return k + 1 < r->n_runs ? r->runs[k + 1].start : r->n;
}

static void unpack_u32(
	const ds_pq_runs *r, const ds_pq_run *run, uint32_t from, uint32_t n, uint32_t *out)
{
	unsigned bits = r->bits;
	uint32_t mask = mask_of(bits);
	size_t bit = (size_t)from * bits;
	if (r->from_top) {
		for (uint32_t i = 0; i < n; i++)
			out[i] = old_at(run->packed, bits, from + i);
		return;
	}
	for (uint32_t i = 0; i < n; i++, bit += bits) {
		uint64_t v;
		memcpy(&v, run->packed + bit / 8, 8);
		out[i] = (uint32_t)(v >> bit % 8) & mask;
	}
}

static void unpack_u8(
	const ds_pq_runs *r, const ds_pq_run *run, uint32_t from, uint32_t n, uint8_t *out)
{
	if (r->bits == 1 && !r->from_top) {
		for (uint32_t i = 0; i < n; i++)
			out[i] = run->packed[(from + i) / 8] >> (from + i) % 8 & 1;
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		out[i] = (uint8_t)at(r, run, from + i);
}

void ds_pq_runs_u32(const ds_pq_runs *r, uint32_t from, uint32_t n, uint32_t *out)
{
	for (size_t k = n ? run_of(r, from) : 0; n; k++) {
		const ds_pq_run *run = &r->runs[k];
		uint32_t here = end_of(r, k) - from;
		here = here < n ? here : n;
		if (run->packed)
			unpack_u32(r, run, from - run->start, here, out);
		else
			for (uint32_t i = 0; i < here; i++)
				out[i] = run->value;
		out += here;
		from += here;
		n -= here;
	}
}

void ds_pq_runs_u8(const ds_pq_runs *r, uint32_t from, uint32_t n, uint8_t *out)
{
	for (size_t k = n ? run_of(r, from) : 0; n; k++) {
		const ds_pq_run *run = &r->runs[k];
		uint32_t here = end_of(r, k) - from;
		here = here < n ? here : n;
		if (run->packed)
			unpack_u8(r, run, from - run->start, here, out);
		else
			memset(out, (int)run->value, here);
		out += here;
		from += here;
		n -= here;
	}
}

uint32_t ds_pq_runs_rank(const ds_pq_runs *r, uint32_t i, uint32_t match)
{
	if (i >= r->n)
		return r->n_match;
	const ds_pq_run *run = &r->runs[run_of(r, i)];
	uint32_t in = i - run->start;
	return run->before + (run->packed                  ? count(r, run, in, match)
				     : run->value == match ? in
							   : 0);
}

uint32_t ds_pq_runs_find(const ds_pq_runs *r, uint32_t k, uint32_t match)
{
	size_t low = 0, high = r->n_runs;
	if (k >= r->n_match)
		return r->n;
	while (high - low > 1) { /* the last run with no more than k before it */
		size_t mid = low + (high - low) / 2;
		if (r->runs[mid].before <= k)
			low = mid;
		else
			high = mid;
	}
	const ds_pq_run *run = &r->runs[low];
	k -= run->before;
	if (!run->packed)
		return run->start + k;
	for (uint32_t i = 0;; i++)
		if (at(r, run, i) == match && k-- == 0)
			return run->start + i;
}

void ds_pq_unpack64(const uint8_t *p, unsigned bits, size_t from, size_t n, uint64_t *out)
{
	uint64_t mask = bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
	size_t bit = from * bits;
	for (size_t i = 0; i < n; i++, bit += bits) {
		uint64_t v, high;
		unsigned shift = bit % 8;
		memcpy(&v, p + bit / 8, 8);
		v >>= shift;
		if (shift + bits > 64) {
			high = p[bit / 8 + 8];
			v |= high << (64 - shift);
		}
		out[i] = v & mask;
	}
}
