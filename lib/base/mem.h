/*
 * mem.h - the only place that calls malloc
 *
 * Nothing here returns NULL: out of memory prints one line and exits with 4. Sizes that come from
 * input go through ds_mul/ds_add and ds_arena_try, which can refuse them first.
 */
#ifndef DS_BASE_MEM_H
#define DS_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

void *ds_mem_get(size_t bytes);  /* 64-byte aligned, not zeroed; ds_mem_free */
void *ds_mem_zero(size_t bytes); /* the same, zeroed; large ones cost nothing until touched */
void *ds_mem_huge(
	size_t bytes); /* zeroed too; in large pages, for what will be used; not for ds_mem_grow */
void *ds_mem_grow(
	void *p, size_t old_bytes, size_t bytes); /* moves what was there; alignment kept */
char *ds_mem_text(const char *s);                 /* a copy of a C string */
void ds_mem_free(void *p);                        /* NULL is fine */

/* As malloc, realloc and free are, for libraries that take allocators; never NULL either. */
void *ds_mem_plain(size_t bytes);
void *ds_mem_plain_grow(void *p, size_t bytes);
void ds_mem_plain_free(void *p);

/* Memory is gone, bytes of it were wanted (0: not known): one line, ds_mem_at_death, exit 4. */
__attribute__((noreturn)) void ds_mem_out(size_t bytes);
/* The same end with another line: a library cannot go on. */
__attribute__((noreturn)) void ds_mem_die(const char *why);
void ds_mem_cxx(void); /* C++ libraries end so as well (cxx.cc); ds_main calls it */

/* What must still happen when memory runs out, such as removing temporary files. Set once. */
void ds_mem_at_death(void (*fn)(void));

/* false where the product or sum does not fit; *out is then untouched */
static inline bool ds_mul(size_t a, size_t b, size_t *out)
{
	size_t v;
	if (__builtin_mul_overflow(a, b, &v))
		return false;
	*out = v;
	return true;
}
static inline bool ds_add(size_t a, size_t b, size_t *out)
{
	size_t v;
	if (__builtin_add_overflow(a, b, &v))
		return false;
	*out = v;
	return true;
}

#define DS_NEW(type, n) ((type *)ds_mem_zero(sizeof(type) * (n))) /* n is not from input */

#endif
