/*
 * cur.h - a cursor over bytes from outside
 *
 * Checks bounds at every step and stays failed once it failed: reads then give zeros and empty views,
 * so a parser may read a whole structure and ask ds_cur_ok once. Little-endian. Owns nothing.
 */
#ifndef DS_BASE_CUR_H
#define DS_BASE_CUR_H

#include "base/str.h"

typedef struct {
	const uint8_t *at, *end;
	bool failed;
} ds_cur;

static inline ds_cur ds_cur_of(const void *p, size_t n)
{
	return (ds_cur){ (const uint8_t *)p, (const uint8_t *)p + n, false };
}
static inline bool ds_cur_ok(const ds_cur *c)
{
	return !c->failed;
}
static inline size_t ds_cur_left(const ds_cur *c)
{
	return c->failed ? 0 : (size_t)(c->end - c->at);
}
/* A view of the next n bytes; at is never NULL for n = 0. */
static inline ds_str ds_cur_bytes(ds_cur *c, size_t n)
{
	if (c->failed || n > (size_t)(c->end - c->at)) {
		c->failed = true;
		return (ds_str){ "", 0 };
	}
	ds_str s = { (const char *)c->at, n };
	c->at += n;
	return s;
}
static inline void ds_cur_copy(ds_cur *c, void *out, size_t n)
{
	ds_str s = ds_cur_bytes(c, n);
	if (s.n == n)
		memcpy(out, s.at, n);
	else
		memset(out, 0, n);
}
static inline uint8_t ds_cur_u8(ds_cur *c)
{
	uint8_t v;
	ds_cur_copy(c, &v, 1);
	return v;
}
static inline uint16_t ds_cur_u16(ds_cur *c)
{
	uint16_t v;
	ds_cur_copy(c, &v, 2);
	return v;
}
static inline uint32_t ds_cur_u32(ds_cur *c)
{
	uint32_t v;
	ds_cur_copy(c, &v, 4);
	return v;
}
static inline uint64_t ds_cur_u64(ds_cur *c)
{
	uint64_t v;
	ds_cur_copy(c, &v, 8);
	return v;
}

#endif
