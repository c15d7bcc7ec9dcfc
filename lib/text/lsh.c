/*
 * lsh.c - open addressing in many small segments, each of which grows by itself
 *
 * The home of a tag is tag * size >> 32, so that the order of tags is the order of slots: a segment
 * grows in one pass from left to right, and members of a bucket stay in their order. With segments
 * memory grows by steps of 1/256 and never doubles at once. Bound by one cache miss a band, which
 * ds_lsh_prefetch starts early.
 */
#include "text/lsh.h"

#include "base/mem.h"

enum { FIRST_SLOTS = 16 };

typedef struct {
	uint64_t *slot;
	uint32_t n_slots, n;
} segment;

struct ds_lsh {
	unsigned bands, most;
	segment at[]; /* DS_LSH_SEGMENTS a band */
};

ds_lsh *ds_lsh_new(unsigned bands, unsigned most)
{
	size_t n = (size_t)bands * DS_LSH_SEGMENTS;
	ds_lsh *t = ds_mem_zero(sizeof(*t) + n * sizeof(*t->at));
	t->bands = bands;
	t->most = most;
	return t;
}

void ds_lsh_free(ds_lsh *t)
{
	for (size_t i = 0; t && i < (size_t)t->bands * DS_LSH_SEGMENTS; i++)
		ds_mem_free(t->at[i].slot);
	ds_mem_free(t);
}

uint64_t ds_lsh_bytes(const ds_lsh *t)
{
	uint64_t n = (uint64_t)t->bands * DS_LSH_SEGMENTS, bytes = n * sizeof(segment);
	for (uint64_t i = 0; i < n; i++)
		bytes += t->at[i].n_slots * sizeof(uint64_t);
	return bytes;
}

static inline const segment *segment_of(const ds_lsh *t, unsigned band, uint64_t key)
{
	return &t->at[(size_t)band * DS_LSH_SEGMENTS + (key >> 32 & (DS_LSH_SEGMENTS - 1))];
}

static inline size_t home(const segment *s, uint32_t tag)
{
	return (size_t)((uint64_t)tag * s->n_slots >> 32);
}

void ds_lsh_prefetch(const ds_lsh *t, unsigned band, uint64_t key)
{
	const segment *s = segment_of(t, band, key);
	if (!s->slot)
		return;
	/* A walk is about 5 slots long, so it often goes on into the next line. */
	const uint64_t *slot = s->slot + home(s, (uint32_t)key);
	__builtin_prefetch(slot, 1);
	__builtin_prefetch(slot + 4, 1);
}

/* Walks a bucket; *free_slot is where its next member belongs. */
static inline size_t walk(
	const segment *s, uint32_t tag, unsigned most, uint32_t *out, size_t *free_slot)
{
	size_t n = 0, i = 0;
	if (s->n_slots) {
		for (i = home(s, tag); s->slot[i]; i = i + 1 == s->n_slots ? 0 : i + 1)
			if ((uint32_t)(s->slot[i] >> 32) == tag && n < most)
				out[n++] = (uint32_t)s->slot[i] - 1;
	}
	*free_slot = i;
	return n;
}

size_t ds_lsh_find(const ds_lsh *t, unsigned band, uint64_t key, uint32_t *out)
{
	size_t free_slot;
	return walk(segment_of(t, band, key), (uint32_t)key, t->most, out, &free_slot);
}

static void put(segment *s, uint64_t member)
{
	size_t i = home(s, (uint32_t)(member >> 32));
	while (s->slot[i])
		i = i + 1 == s->n_slots ? 0 : i + 1;
	s->slot[i] = member;
}

/* What wrapped around at the end comes last, as it came: begin behind an empty slot. */
static size_t first_of(const segment *s)
{
	size_t first = 0;
	while (first < s->n_slots && s->slot[first])
		first++;
	return first;
}

static void grow(segment *s)
{
	segment was = *s;
	s->n_slots = was.n_slots ? was.n_slots + was.n_slots / 3 : FIRST_SLOTS;
	s->slot = DS_NEW(uint64_t, s->n_slots);
	for (size_t k = 0, i = first_of(&was); k < was.n_slots;
		k++, i = i + 1 == was.n_slots ? 0 : i + 1)
		if (was.slot[i])
			put(s, was.slot[i]);
	ds_mem_free(was.slot);
}

size_t ds_lsh_add(
	ds_lsh *t, unsigned band, uint64_t key, uint32_t record, uint32_t *out, bool *filled)
{
	segment *s = (segment *)segment_of(t, band, key);
	uint32_t tag = (uint32_t)key;
	size_t at, n = walk(s, tag, t->most, out, &at);
	*filled = n + 1 == t->most;
	if (n == t->most)
		return n;
	uint64_t member = (uint64_t)tag << 32 | (record + 1);
	if ((uint64_t)(s->n + 1) * 4 > (uint64_t)s->n_slots * 3) {
		grow(s);
		put(s, member);
	} else {
		s->slot[at] = member;
	}
	s->n++;
	return n;
}

ds_lsh_view ds_lsh_segment(const ds_lsh *t, unsigned band, unsigned number)
{
	const segment *s = &t->at[(size_t)band * DS_LSH_SEGMENTS + number];
	return (ds_lsh_view){ s->slot, s->n_slots, s->n, s->n_slots ? first_of(s) : 0 };
}

bool ds_lsh_put_segment(ds_lsh *t, unsigned band, unsigned number, const uint64_t *members,
	size_t n, uint64_t n_records)
{
	uint32_t out[DS_LSH_MOST];
	for (size_t i = 0; i < n; i++) {
		bool filled;
		uint64_t record = members[i] & UINT32_MAX;
		uint64_t key = (uint64_t)number << 32 | members[i] >> 32;
		if (!record || record > n_records ||
			ds_lsh_add(t, band, key, (uint32_t)record - 1, out, &filled) == t->most)
			return false;
	}
	return true;
}
