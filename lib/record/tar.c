/*
 * tar.c - entries of a tar archive in memory, and their headers
 */
#include "record/tar.h"

#include <stdio.h>

/* Field offsets and sizes of the ustar header. */
/* Names and attributes of an entry, over which they are no header. */
enum { MOST_NAMES = 16 << 20 };
enum { NAME = 0, SIZE = 124, SUM = 148, TYPE = 156, MAGIC = 257, PREFIX = 345 };

static unsigned sum_of(const uint8_t *h)
{
	unsigned sum = 0;
	for (int i = 0; i < DS_TAR_BLOCK; i++)
		sum += i >= SUM && i < SUM + 8 ? ' ' : h[i];
	return sum;
}

static bool octal(const uint8_t *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;
	if (p[0] & 0x80) { /* GNU: a binary number */
		for (v = p[0] & 0x7F, i = 1; i < n; i++) {
			if (v >> 55)
				return false;
			v = v << 8 | p[i];
		}
		*out = v;
		return true;
	}
	while (i < n && p[i] == ' ')
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (uint64_t)(p[i] - '0');
	*out = v;
	return i == n || p[i] == 0 || p[i] == ' ';
}

static ds_str text_at(const uint8_t *p, size_t n)
{
	return (ds_str){ (const char *)p, strnlen((const char *)p, n) };
}

/* The path of a pax header's records "LENGTH path=VALUE\n". */
static ds_str pax_path(ds_str s)
{
	ds_str path = { NULL, 0 };
	while (s.n) {
		const char *blank = memchr(s.at, ' ', s.n < 20 ? s.n : 20);
		int64_t n;
		if (!blank || !ds_str_i64((ds_str){ s.at, (size_t)(blank - s.at) }, &n) || n < 1 ||
			(uint64_t)n > s.n || blank + 1 > s.at + n - 1)
			break;
		ds_str record = { blank + 1, (size_t)(s.at + n - 1 - (blank + 1)) };
		if (ds_str_starts(record, DS_S("path=")))
			path = (ds_str){ record.at + 5, record.n - 5 };
		s = (ds_str){ s.at + n, s.n - (size_t)n };
	}
	return path;
}

static bool all_zero(const char *p)
{
	for (int i = 0; i < DS_TAR_BLOCK; i++)
		if (p[i])
			return false;
	return true;
}

static void own_name(const uint8_t *h, ds_tar_entry *out)
{
	ds_str prefix = { "", 0 }, name = text_at(h + NAME, 100);
	if (memcmp(h + MAGIC, "ustar\0", 6) == 0)
		prefix = text_at(h + PREFIX, 155);
	if (!prefix.n) {
		out->name = name;
		return;
	}
	memcpy(out->small, prefix.at, prefix.n);
	out->small[prefix.n] = '/';
	if (name.n > sizeof(out->small) - 1 - prefix.n)
		name.n = sizeof(out->small) - 1 - prefix.n;
	memcpy(out->small + prefix.n + 1, name.at, name.n);
	out->name = (ds_str){ out->small, prefix.n + 1 + name.n };
}

/* One header with its content; the size that both take in *total. */
static ds_tar_kind one(ds_str s, const uint8_t **head, ds_str *content, size_t *total)
{
	uint64_t size, sum;
	*total = 0;
	if (s.n < DS_TAR_BLOCK)
		return DS_TAR_PART;
	if (all_zero(s.at))
		return DS_TAR_END;
	const uint8_t *h = (const uint8_t *)s.at;
	if (!octal(h + SUM, 8, &sum) || sum != sum_of(h) || !octal(h + SIZE, 12, &size) ||
		size > UINT32_MAX)
		return DS_TAR_BROKEN;
	*head = h;
	*total = DS_TAR_BLOCK + (((size_t)size + DS_TAR_BLOCK - 1) & ~(size_t)(DS_TAR_BLOCK - 1));
	if (*total > s.n)
		return DS_TAR_PART;
	*content = (ds_str){ s.at + DS_TAR_BLOCK, (size_t)size };
	return DS_TAR_FILE;
}

void ds_tar_next(ds_str s, ds_tar_entry *out)
{
	ds_str long_name = { NULL, 0 }, content = { "", 0 };
	const uint8_t *h = NULL;
	bool names;
	*out = (ds_tar_entry){ .name = { "", 0 }, .bytes = { "", 0 } };
	for (size_t at = 0, total;; at += total) {
		out->kind = one((ds_str){ s.at + at, s.n - at }, &h, &content, &total);
		out->total = total ? at + total : 0;
		if (out->kind == DS_TAR_END && at) /* names for nothing */
			out->kind = DS_TAR_BROKEN;
		if (out->kind == DS_TAR_END)
			out->total = DS_TAR_BLOCK;
		names = total && memchr("LKxg", h[TYPE], 4);
		if (names && total > MOST_NAMES)
			out->kind = DS_TAR_BROKEN;
		if (out->kind == DS_TAR_PART && total && !names)
			break;
		if (out->kind != DS_TAR_FILE)
			return;
		if (h[TYPE] == 'L') {
			long_name = (ds_str){ content.at, strnlen(content.at, content.n) };
		} else if (h[TYPE] == 'x') {
			ds_str path = pax_path(content);
			long_name = path.at ? path : long_name;
		} else if (!names) {
			break;
		}
	}
	out->named = true;
	out->is_file = h[TYPE] == '0' || h[TYPE] == 0 || h[TYPE] == '7';
	if (out->kind == DS_TAR_FILE) {
		out->kind = out->is_file ? DS_TAR_FILE : DS_TAR_OTHER;
		out->bytes = content;
	}
	if (long_name.at)
		out->name = long_name;
	else
		own_name(h, out);
}

void ds_tar_header(char out[DS_TAR_BLOCK], ds_str name, uint64_t bytes)
{
	memset(out, 0, DS_TAR_BLOCK);
	memcpy(out + NAME, name.at, name.n < 100 ? name.n : 100);
	memcpy(out + 100, "0000444", 7);
	memcpy(out + 108, "0000000", 7);
	memcpy(out + 116, "0000000", 7);
	snprintf(out + SIZE, 12, "%011llo", (unsigned long long)bytes & 077777777777ull);
	memcpy(out + 136, "00000000000", 11);
	out[TYPE] = '0';
	memcpy(out + MAGIC, "ustar\00000", 8);
	snprintf(out + SUM, 8, "%06o", sum_of((const uint8_t *)out));
	out[SUM + 7] = ' ';
}
