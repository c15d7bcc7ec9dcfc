/*
 * arena.h - memory that is freed all at once
 *
 * A worker owns one arena, resets it at every block and lends it to what it calls. What a function
 * gets from an arena lives until the reset; nobody frees it. One thread at a time.
 */
#ifndef DS_BASE_ARENA_H
#define DS_BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

typedef struct ds_arena ds_arena;

ds_arena *ds_arena_new(size_t first_bytes); /* the caller owns it: ds_arena_free */
void ds_arena_free(ds_arena *a);            /* NULL is fine */
void ds_arena_reset(ds_arena *a);           /* keeps up to 8 MiB for reuse, gives the rest back */
void *ds_arena_get(ds_arena *a, size_t bytes);  /* 64-byte aligned, not zeroed, never NULL */
void *ds_arena_zero(ds_arena *a, size_t bytes); /* the same, zeroed */
/* Unaligned, for short strings: packs densely. */
char *ds_arena_bytes(ds_arena *a, size_t bytes);
/* A copy with a NUL after it that is not counted. */
ds_str ds_arena_str(ds_arena *a, ds_str s);
ds_str ds_arena_fmt(ds_arena *a, const char *fmt, ...) DS_PRINTF(2, 3);
/* Texts one behind the other, whole: DS_FMT is for messages and cuts. A NUL after them is not counted. */
ds_str ds_arena_cat(ds_arena *a, const ds_str *parts, size_t n);
/* For a size read from input: DS_BAD over limit_bytes, and then nothing is allocated. */
DS_MUST ds_rc ds_arena_try(ds_arena *a, size_t bytes, size_t limit_bytes, void **out, ds_err *e);
size_t ds_arena_used(const ds_arena *a); /* bytes handed out since the reset */

DS_AUTO_WITH(ds_arena, ds_arena_free)

#endif
