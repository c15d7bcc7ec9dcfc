/*
 * arena.c - chunks with a pointer that only moves on
 *
 * Chunks grow by doubling up to 4 MiB, so a block of the usual size settles in two or three that a
 * reset keeps. A request that does not fit in the current chunk gets a new one, of its own size when
 * it is large; what was left of the old chunk is given up, which is at most half of what is in use.
 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ALIGN = 64, LEAST_BYTES = 4096, MOST_BYTES = 4 << 20, KEEP_BYTES = 8 << 20 };

typedef struct chunk {
	struct chunk *next; /* the one before it in use, or the next free one */
	size_t bytes;       /* of data */
	char pad[48];       /* data follows at a multiple of 64 */
} chunk;

struct ds_arena {
	chunk *used, *spare;
	char *at, *end;
	size_t next_bytes;
	size_t used_bytes; /* handed out, without what is skipped to align */
};

_Static_assert(sizeof(chunk) == ALIGN, "data must start aligned");

ds_arena *ds_arena_new(size_t first_bytes)
{
	ds_arena *a = DS_NEW(ds_arena, 1);
	a->next_bytes = first_bytes < LEAST_BYTES ? LEAST_BYTES : first_bytes;
	return a;
}

static void free_list(chunk *c)
{
	while (c) {
		chunk *next = c->next;
		ds_mem_free(c);
		c = next;
	}
}

void ds_arena_free(ds_arena *a)
{
	if (!a)
		return;
	free_list(a->used);
	free_list(a->spare);
	ds_mem_free(a);
}

void ds_arena_reset(ds_arena *a)
{
	size_t kept = 0;
	for (chunk *c = a->spare; c; c = c->next)
		kept += c->bytes;
	while (a->used) {
		chunk *c = a->used;
		a->used = c->next;
		if (kept + c->bytes <= KEEP_BYTES) {
			kept += c->bytes;
			c->next = a->spare;
			a->spare = c;
		} else {
			ds_mem_free(c);
		}
	}
	a->at = a->end = NULL;
	a->used_bytes = 0;
}

/* Makes a chunk with room for bytes the current one. */
static void next_chunk(ds_arena *a, size_t bytes)
{
	chunk **link = &a->spare, *c;
	while (*link && (*link)->bytes < bytes)
		link = &(*link)->next;
	c = *link;
	if (c) {
		*link = c->next;
	} else {
		size_t want = a->next_bytes, all;
		if (want < bytes)
			want = bytes;
		if (!ds_add(want, sizeof(chunk), &all))
			all = SIZE_MAX; /* which ds_mem_get refuses */
		c = ds_mem_get(all);
		c->bytes = want;
		if (a->next_bytes < MOST_BYTES)
			a->next_bytes *= 2;
	}
	c->next = a->used;
	a->used = c;
	a->at = (char *)(c + 1);
	a->end = a->at + c->bytes;
}

void *ds_arena_get(ds_arena *a, size_t bytes)
{
	size_t skip = (size_t)(-(uintptr_t)a->at & (ALIGN - 1));
	size_t left = (size_t)(a->end - a->at);
	if (!a->used || skip > left || bytes > left - skip) {
		next_chunk(a, bytes);
		skip = 0;
	}
	char *p = a->at + skip;
	a->at = p + bytes;
	a->used_bytes += bytes;
	return p;
}

void *ds_arena_zero(ds_arena *a, size_t bytes)
{
	return memset(ds_arena_get(a, bytes), 0, bytes);
}

char *ds_arena_bytes(ds_arena *a, size_t bytes)
{
	if (!a->used || bytes > (size_t)(a->end - a->at))
		next_chunk(a, bytes);
	char *p = a->at;
	a->at += bytes;
	a->used_bytes += bytes;
	return p;
}

ds_str ds_arena_str(ds_arena *a, ds_str s)
{
	char *p = ds_arena_bytes(a, s.n + 1);
	if (s.n)
		memcpy(p, s.at, s.n);
	p[s.n] = '\0';
	return (ds_str){ p, s.n };
}

ds_str ds_arena_fmt(ds_arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	char *p = ds_arena_bytes(a, (size_t)n + 1);
	p[0] = '\0';
	vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return (ds_str){ p, (size_t)n };
}

ds_str ds_arena_cat(ds_arena *a, const ds_str *parts, size_t n)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += parts[i].n;
	char *p = ds_arena_bytes(a, bytes + 1), *at = p;
	for (size_t i = 0; i < n; i++)
		if (parts[i].n)
			at = (char *)memcpy(at, parts[i].at, parts[i].n) + parts[i].n;
	*at = '\0';
	return (ds_str){ p, bytes };
}

ds_rc ds_arena_try(ds_arena *a, size_t bytes, size_t limit_bytes, void **out, ds_err *e)
{
	if (bytes > limit_bytes)
		return ds_fail(e, DS_BAD, "%zu bytes, the limit is %zu", bytes, limit_bytes);
	*out = ds_arena_get(a, bytes);
	return DS_OK;
}

size_t ds_arena_used(const ds_arena *a)
{
	return a->used_bytes;
}
