/*
 * mem.c - memory aligned to 64 bytes, over malloc
 *
 * The word before what a caller gets points to what malloc gave, so that calloc (which leaves large
 * memory untouched) and realloc (which moves large memory by page tables) can serve although they
 * align to 16 bytes only.
 */
#include "base/mem.h"

#include "base/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGN = 64, SLACK = 2 * ALIGN, LAZY_BYTES = 256 * 1024, HUGE_BYTES = 2 << 20 };

static void (*at_death)(void);

void ds_mem_at_death(void (*fn)(void))
{
	at_death = fn;
}

/* The one place where the library prints and exits: there is no memory to do it any other way. */
void ds_mem_die(const char *why)
{
	static atomic_flag dying = ATOMIC_FLAG_INIT;
	char line[256];
	while (atomic_flag_test_and_set(&dying)) /* another thread says it */
		pause();
	int n = snprintf(line, sizeof(line), "%s: %s\n", program_invocation_short_name, why);
	ssize_t unused =
		write(STDERR_FILENO, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
	(void)unused;
	if (at_death)
		at_death();
	_exit(4);
}

void ds_mem_out(size_t bytes)
{
	char why[64] = "out of memory";
	if (bytes)
		snprintf(why, sizeof(why), "out of memory, %zu bytes wanted", bytes);
	ds_mem_die(why);
}

void *ds_mem_plain(size_t bytes)
{
	void *p = DS_FAULT(DS_FAULT_ALLOC) ? NULL : malloc(bytes ? bytes : 1);
	if (!p)
		ds_mem_out(bytes);
	return p;
}

void *ds_mem_plain_grow(void *p, size_t bytes)
{
	void *q = DS_FAULT(DS_FAULT_ALLOC) ? NULL : realloc(p, bytes ? bytes : 1);
	if (!q)
		ds_mem_out(bytes);
	return q;
}

void ds_mem_plain_free(void *p)
{
	free(p);
}

static char *align(char *base)
{
	char *p =
		(char *)(((uintptr_t)base + sizeof(char *) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
	memcpy(p - sizeof(char *), &base, sizeof(char *));
	return p;
}

static char *base_of(void *p)
{
	char *base;
	memcpy(&base, (char *)p - sizeof(char *), sizeof(char *));
	return base;
}

void *ds_mem_get(size_t bytes)
{
	void *base = NULL;
	size_t all;
	if (DS_FAULT(DS_FAULT_ALLOC) || !ds_add(bytes, ALIGN, &all) ||
		posix_memalign(&base, ALIGN, all) != 0)
		ds_mem_out(bytes);
	return align(base);
}

void *ds_mem_zero(size_t bytes)
{
	if (bytes < LAZY_BYTES)
		return memset(ds_mem_get(bytes), 0, bytes);
	size_t all;
	char *base = NULL;
	if (DS_FAULT(DS_FAULT_ALLOC) || !ds_add(bytes, SLACK, &all) || !(base = calloc(1, all)))
		ds_mem_out(bytes);
	return align(base);
}

/*
 * Walking through arrays side by side, down a column or from slot to slot misses the table of pages else.
 * They must be asked for before the first touch, and begin at a multiple of their size.
 */
void *ds_mem_huge(size_t bytes)
{
	size_t all;
	char *base = NULL;
	if (DS_FAULT(DS_FAULT_ALLOC) || !ds_add(bytes, HUGE_BYTES + SLACK, &all) ||
		!(base = calloc(1, all)))
		ds_mem_out(bytes);
	char *p = (char *)(((uintptr_t)base + sizeof(char *) + HUGE_BYTES - 1) &
			   ~(uintptr_t)(HUGE_BYTES - 1));
	memcpy(p - sizeof(char *), &base, sizeof(char *));
#ifdef MADV_HUGEPAGE
	madvise(p, bytes, MADV_HUGEPAGE); /* a wish: its failure changes nothing */
#endif
	return p;
}

void *ds_mem_grow(void *p, size_t old_bytes, size_t bytes)
{
	if (!p)
		return ds_mem_get(bytes);
	char *old = base_of(p);
	size_t shift = (uintptr_t)p - (uintptr_t)old, all;
	char *base = NULL;
	if (DS_FAULT(DS_FAULT_ALLOC) || !ds_add(bytes, SLACK, &all) || !(base = realloc(old, all)))
		ds_mem_out(bytes);
	/* malloc may have moved it to another place within 64 bytes. */
	size_t keep = old_bytes < bytes ? old_bytes : bytes;
	char *q =
		(char *)(((uintptr_t)base + sizeof(char *) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
	if ((size_t)(q - base) != shift)
		memmove(q, base + shift, keep);
	return align(base);
}

char *ds_mem_text(const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(ds_mem_get(n), s, n);
}

void ds_mem_free(void *p)
{
	if (p)
		free(base_of(p));
}
