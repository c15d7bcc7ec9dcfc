/*
 * str.c - what is too long to be inline
 */
#include "base/str.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int ds_str_cmp(ds_str a, ds_str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.at, b.at, n) : 0;
	return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

ds_str ds_str_trim(ds_str s)
{
	while (s.n && is_blank(s.at[0])) {
		s.at++;
		s.n--;
	}
	while (s.n && is_blank(s.at[s.n - 1]))
		s.n--;
	return s;
}

ds_str ds_str_cut(ds_str s, char c, ds_str *rest)
{
	const char *at = s.n ? memchr(s.at, c, s.n) : NULL;
	if (!at) {
		*rest = (ds_str){ NULL, 0 };
		return s;
	}
	ds_str before = { s.at, (size_t)(at - s.at) };
	*rest = (ds_str){ at + 1, s.n - before.n - 1 };
	return before;
}

bool ds_str_i64(ds_str s, int64_t *out)
{
	size_t i = 0;
	bool negative = s.n && s.at[0] == '-';
	if (s.n && (s.at[0] == '-' || s.at[0] == '+'))
		i = 1;
	if (i == s.n)
		return false;
	int64_t v = 0;
	for (; i < s.n; i++) {
		int digit = s.at[i] - '0';
		if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
			__builtin_sub_overflow(v, digit, &v))
			return false;
	}
	/* Counted downwards, where there is one number more. */
	if (!negative && __builtin_sub_overflow(0, v, &v))
		return false;
	*out = v;
	return true;
}

void ds_buf_free(ds_buf *b)
{
	ds_mem_free(b->at);
	*b = (ds_buf){ 0 };
}

void ds_buf_reserve(ds_buf *b, size_t more)
{
	size_t need;
	if (!ds_add(b->n, more, &need))
		need = SIZE_MAX; /* which ds_mem_grow refuses */
	if (need <= b->cap)
		return;
	size_t cap = b->cap + b->cap / 2 < 64 ? 64 : b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	b->at = ds_mem_grow(b->at, b->n, cap);
	b->cap = cap;
}

void ds_buf_add(ds_buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	ds_buf_reserve(b, n);
	memcpy(b->at + b->n, p, n);
	b->n += n;
}

void ds_buf_fmt(ds_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		ds_buf_reserve(b, (size_t)n + 1);
		vsnprintf(b->at + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

const char *ds_buf_text(ds_buf *b)
{
	ds_buf_reserve(b, 1);
	b->at[b->n] = '\0';
	return b->at;
}

void ds_buf_add_shown(ds_buf *b, ds_str s)
{
	ds_buf_reserve(b, s.n + 1);
	char *at = b->at + b->n;
	for (size_t i = 0; i < s.n; i++)
		at[i] = s.at[i] ? s.at[i] : '?';
	at[s.n] = '\0';
	ds_tidy(at);
	b->n += strlen(at);
}
