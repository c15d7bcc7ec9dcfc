/*
 * map.c - open addressing over an array of entries in order of insertion
 *
 * A slot is the entry's number plus one and 32 bits of its hash, so most misses and nearly all
 * mismatches end without touching the entry. At most 3/4 full, linear probing.
 */
#include "base/arena.h"
#include "base/hash.h"
#include "base/mem.h"

typedef struct {
	ds_str key;
	uint64_t value, hash;
} entry;

typedef struct {
	uint32_t tag, number; /* number 0: free */
} slot;

struct ds_map {
	ds_arena *keys;
	entry *entries;
	slot *slots;
	size_t n, cap, n_slots;
};

static size_t slots_for(size_t entries)
{
	size_t n = 16;
	while (n / 4 * 3 < entries)
		n *= 2;
	return n;
}

ds_map *ds_map_new(size_t expected)
{
	ds_map *m = DS_NEW(ds_map, 1);
	m->keys = ds_arena_new(expected * 8);
	m->n_slots = slots_for(expected);
	m->slots = DS_NEW(slot, m->n_slots);
	return m;
}

void ds_map_free(ds_map *m)
{
	if (!m)
		return;
	ds_arena_free(m->keys);
	ds_mem_free(m->entries);
	ds_mem_free(m->slots);
	ds_mem_free(m);
}

/* The slot of the key, or the free one where it belongs. */
static slot *probe(const ds_map *m, ds_str key, uint64_t hash)
{
	size_t mask = m->n_slots - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		slot *s = &m->slots[i];
		if (s->number == 0 ||
			(s->tag == hash >> 32 && ds_str_eq(m->entries[s->number - 1].key, key)))
			return s;
	}
}

static void grow_slots(ds_map *m)
{
	ds_mem_free(m->slots);
	m->n_slots *= 2;
	m->slots = DS_NEW(slot, m->n_slots);
	for (size_t i = 0; i < m->n; i++) {
		size_t at = m->entries[i].hash & (m->n_slots - 1);
		while (m->slots[at].number)
			at = (at + 1) & (m->n_slots - 1);
		m->slots[at] = (slot){ (uint32_t)(m->entries[i].hash >> 32), (uint32_t)i + 1 };
	}
}

uint64_t *ds_map_find(const ds_map *m, ds_str key)
{
	slot *s = probe(m, key, ds_hash64(key.at, key.n));
	return s->number ? &m->entries[s->number - 1].value : NULL;
}

uint64_t *ds_map_put(ds_map *m, ds_str key, bool *is_new)
{
	uint64_t hash = ds_hash64(key.at, key.n);
	slot *s = probe(m, key, hash);
	if (is_new)
		*is_new = s->number == 0;
	if (s->number)
		return &m->entries[s->number - 1].value;
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 16;
		m->entries = ds_mem_grow(m->entries, m->n * sizeof(entry), cap * sizeof(entry));
		m->cap = cap;
	}
	m->entries[m->n] = (entry){ ds_arena_str(m->keys, key), 0, hash };
	*s = (slot){ (uint32_t)(hash >> 32), (uint32_t)++m->n };
	if (m->n > m->n_slots / 4 * 3)
		grow_slots(m);
	return &m->entries[m->n - 1].value;
}

size_t ds_map_count(const ds_map *m)
{
	return m->n;
}

ds_str ds_map_key(const ds_map *m, size_t i)
{
	return m->entries[i].key;
}

uint64_t *ds_map_value(const ds_map *m, size_t i)
{
	return &m->entries[i].value;
}
