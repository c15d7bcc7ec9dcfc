/*
 * overlap.c - one open hash table an order: the text's n-grams enter, the references' are looked up
 *
 * The hash of an n-gram is made from the one an order shorter at the same place, so an order costs a
 * multiplication a unit. Two n-grams of one 64-bit hash are taken for the same.
 */
#include "text/overlap.h"

#include <string.h>

typedef struct {
	uint64_t key;
	uint32_t mine;        /* occurrences in the text; 0: the slot is free */
	uint32_t best, count; /* most in one reference; in the reference numbered by ref */
	uint32_t ref;
} slot;

typedef struct {
	slot *at;
	size_t mask;
} slots;

static uint64_t mix(uint64_t h, uint64_t unit)
{
	h = (h ^ unit) * 0x9E3779B97F4A7C15u;
	return h ^ h >> 29;
}

static slot *find(const slots *t, uint64_t key)
{
	size_t i = key * 0xD6E8FEB86659FD93u >> 32;
	for (;; i++) {
		slot *s = &t->at[i & t->mask];
		if (!s->mine || s->key == key)
			return s;
	}
}

/* The order's hashes out of those one shorter. */
static void extend(uint64_t *h, ds_units u, size_t order)
{
	for (size_t i = 0; i + order <= u.n; i++)
		h[i] = mix(order > 1 ? h[i] : 0, u.at[i + order - 1]);
}

static void look_up(const slots *t, const uint64_t *h, size_t n, uint32_t ref)
{
	for (size_t i = 0; i < n; i++) {
		slot *s = find(t, h[i]);
		if (!s->mine)
			continue;
		s->count = s->ref == ref ? s->count + 1 : 1;
		s->ref = ref;
		s->best = s->count > s->best ? s->count : s->best;
	}
}

static uint64_t clipped(const slots *t)
{
	uint64_t sum = 0;
	for (size_t i = 0; i <= t->mask; i++)
		sum += t->at[i].mine < t->at[i].best ? t->at[i].mine : t->at[i].best;
	return sum;
}

void ds_overlap(ds_units text, const ds_units *refs, size_t n_refs, unsigned orders,
	uint64_t *matches, ds_arena *mem)
{
	size_t size = 16;
	while (size < 2 * text.n)
		size *= 2;
	slots t = { ds_arena_get(mem, size * sizeof(slot)), size - 1 };
	uint64_t *mine = ds_arena_get(mem, (text.n + 1) * sizeof(*mine));
	uint64_t **theirs = ds_arena_get(mem, (n_refs + 1) * sizeof(*theirs));
	for (size_t r = 0; r < n_refs; r++)
		theirs[r] = ds_arena_get(mem, (refs[r].n + 1) * sizeof(*theirs[r]));
	for (unsigned k = 1; k <= orders; k++) {
		memset(t.at, 0, size * sizeof(slot));
		extend(mine, text, k);
		for (size_t i = 0; i < ds_n_grams(text.n, k); i++) {
			slot *s = find(&t, mine[i]);
			s->key = mine[i];
			s->mine++;
		}
		for (size_t r = 0; r < n_refs; r++) {
			extend(theirs[r], refs[r], k);
			look_up(&t, theirs[r], ds_n_grams(refs[r].n, k), (uint32_t)r + 1);
		}
		matches[k - 1] = clipped(&t);
	}
}
