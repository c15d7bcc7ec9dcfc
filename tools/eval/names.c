/*
 * names.c - an open hash table of views into an arena of its own
 */
#include "names.h"

#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

struct names {
	ds_arena *mem;
	ds_str *at;
	uint32_t *slots; /* id + 1; 0: free */
	uint32_t n, cap, n_slots;
};

names *names_new(void)
{
	names *t = DS_NEW(names, 1);
	t->mem = ds_arena_new(0);
	t->n_slots = 16;
	t->slots = DS_NEW(uint32_t, t->n_slots);
	return t;
}

void names_free(names *t)
{
	if (!t)
		return;
	ds_arena_free(t->mem);
	ds_mem_free(t->at);
	ds_mem_free(t->slots);
	ds_mem_free(t);
}

static uint32_t *find(const names *t, ds_str name)
{
	uint64_t h = ds_hash64(name.at, name.n);
	for (;; h++) {
		uint32_t *s = &t->slots[h & (t->n_slots - 1)];
		if (!*s || ds_str_eq(t->at[*s - 1], name))
			return s;
	}
}

static void grow(names *t)
{
	ds_mem_free(t->slots);
	t->n_slots *= 2;
	t->slots = DS_NEW(uint32_t, t->n_slots);
	for (uint32_t i = 0; i < t->n; i++)
		*find(t, t->at[i]) = i + 1;
}

uint32_t names_put(names *t, ds_str name)
{
	uint32_t *s = find(t, name);
	if (*s)
		return *s - 1;
	if (t->n == t->cap) {
		uint32_t more = t->cap ? 2 * t->cap : 16;
		t->at = ds_mem_grow(t->at, t->cap * sizeof(*t->at), more * sizeof(*t->at));
		t->cap = more;
	}
	t->at[t->n++] = ds_arena_str(t->mem, name);
	*s = t->n;
	if (2 * t->n > t->n_slots)
		grow(t);
	return t->n - 1;
}

uint32_t names_count(const names *t)
{
	return t->n;
}

ds_str names_get(const names *t, uint32_t id)
{
	return t->at[id];
}

typedef struct {
	ds_str name;
	double value;
	uint32_t id;
} entry;

static int by_name(const void *a, const void *b)
{
	return ds_str_cmp(((const entry *)a)->name, ((const entry *)b)->name);
}

static int by_value(const void *a, const void *b)
{
	const entry *x = a, *y = b;
	return x->value < y->value ? -1 : x->value > y->value ? 1 : by_name(a, b);
}

uint32_t *names_sorted(const names *t, uint32_t **rank, ds_arena *mem)
{
	entry *all = ds_arena_get(mem, (t->n + 1) * sizeof(*all));
	uint32_t *ids = ds_arena_get(mem, (t->n + 1) * sizeof(*ids));
	bool numbers = true;
	for (uint32_t i = 0; i < t->n; i++) {
		all[i] = (entry){ t->at[i], 0, i };
		numbers = ds_str_f64(t->at[i], &all[i].value) && numbers;
	}
	if (t->n)
		qsort(all, t->n, sizeof(*all), numbers ? by_value : by_name);
	if (rank)
		*rank = ds_arena_get(mem, (t->n + 1) * sizeof(**rank));
	for (uint32_t i = 0; i < t->n; i++) {
		ids[i] = all[i].id;
		if (rank)
			(*rank)[all[i].id] = i;
	}
	return ids;
}
