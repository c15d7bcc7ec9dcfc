/*
 * grow.h - text that grows in an arena, for results whose size is not known before
 *
 * Start with { .mem = arena }. What outgrown pieces took is given back at the arena's reset.
 */
#ifndef DS_TEXT_GROW_H
#define DS_TEXT_GROW_H

#include "base/arena.h"

typedef struct {
	char *at;
	size_t n, cap;
	ds_arena *mem;
} ds_grow;

/* Room for `more` bytes at g->at + g->n, to be counted into n by the caller. */
static inline char *ds_grow_reserve(ds_grow *g, size_t more)
{
	if (!g->at || g->cap - g->n < more) {
		size_t cap = g->cap + g->cap / 2 + more + 256;
		char *at = ds_arena_bytes(g->mem, cap);
		if (g->n)
			memcpy(at, g->at, g->n);
		g->at = at;
		g->cap = cap;
	}
	return g->at + g->n;
}
static inline void ds_grow_add(ds_grow *g, const char *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(ds_grow_reserve(g, n), p, n);
	g->n += n;
}
static inline void ds_grow_byte(ds_grow *g, char c)
{
	if (g->n == g->cap)
		ds_grow_reserve(g, 1);
	g->at[g->n++] = c;
}
static inline ds_str ds_grow_view(const ds_grow *g)
{
	return (ds_str){ g->at, g->n };
}

#endif
