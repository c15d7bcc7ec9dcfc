/*
 * str.h - views of bytes, and a buffer that grows
 *
 * A ds_str owns nothing; its maker says how long it lives. It may hold any bytes, NUL included. A
 * ds_buf owns its bytes: start with { 0 }, end with ds_buf_free.
 */
#ifndef DS_BASE_STR_H
#define DS_BASE_STR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
	const char *at;
	size_t n;
} ds_str;

#define DS_S(literal) ((ds_str){ "" literal, sizeof(literal) - 1 })
#define DS_FMT(s) (int)((s).n > 200 ? 200 : (s).n), (s).at /* for "%.*s" in messages */

/* What a noun ends in behind a count: "%llu record%s", n, ds_s(n). */
static inline const char *ds_s(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static inline ds_str ds_str_of(const char *c)
{
	return (ds_str){ c, strlen(c) };
}
static inline bool ds_str_eq(ds_str a, ds_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.at, b.at, a.n) == 0);
}
static inline bool ds_str_is(ds_str a, const char *b)
{
	return ds_str_eq(a, ds_str_of(b));
}
static inline bool ds_str_starts(ds_str a, ds_str b)
{
	return a.n >= b.n && (b.n == 0 || memcmp(a.at, b.at, b.n) == 0);
}
static inline bool ds_str_ends(ds_str a, ds_str b)
{
	return a.n >= b.n && (b.n == 0 || memcmp(a.at + a.n - b.n, b.at, b.n) == 0);
}
int ds_str_cmp(ds_str a, ds_str b); /* byte order, the shorter first where one begins the other */
ds_str ds_str_trim(ds_str s);       /* without ASCII blanks, tabs and line ends at both ends */
/* Cuts at the first c: returns what is before it, *rest is what is after (n = 0, at = NULL: no c). */
ds_str ds_str_cut(ds_str s, char c, ds_str *rest);
/* Whole decimal numbers, nothing else in s; false where it is not one or does not fit. */
bool ds_str_i64(ds_str s, int64_t *out);
bool ds_str_f64(ds_str s, double *out);

typedef struct {
	char *at;
	size_t n, cap;
} ds_buf;

void ds_buf_free(ds_buf *b);
void ds_buf_reserve(ds_buf *b, size_t more); /* room for `more` bytes after n */
void ds_buf_add(ds_buf *b, const void *p, size_t n);
void ds_buf_fmt(ds_buf *b, const char *fmt, ...) DS_PRINTF(2, 3);
const char *ds_buf_text(ds_buf *b); /* NUL-terminated view until the next change */

static inline void ds_buf_add_str(ds_buf *b, ds_str s)
{
	ds_buf_add(b, s.at, s.n);
}
/* Text that is not ours, for a person to read, as ds_tidy makes it. */
void ds_buf_add_shown(ds_buf *b, ds_str s);
static inline void ds_buf_add_c(ds_buf *b, const char *s)
{
	ds_buf_add(b, s, strlen(s));
}
static inline void ds_buf_add_byte(ds_buf *b, char c)
{
	if (b->n == b->cap)
		ds_buf_reserve(b, 1);
	b->at[b->n++] = c;
}
static inline ds_str ds_buf_view(const ds_buf *b)
{
	return (ds_str){ b->at, b->n };
}
static inline void ds_buf_clear(ds_buf *b)
{
	b->n = 0;
}

/* The shortest decimal that reads back as the same double; "1.0" keeps its ".0". 32 bytes suffice. */
size_t ds_f64_print(char *out, double v);
size_t ds_f32_print(char *out, float v); /* the same float */

#endif
