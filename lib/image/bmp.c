/*
 * bmp.c - Windows bitmaps: 1, 4, 8, 16, 24 and 32 bits, not compressed
 */
#include "image/image_impl.h"

#include "base/cur.h"

enum { FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40, RAW = 0, BIT_FIELDS = 3 };

typedef struct {
	uint32_t header, bits, packing, masks[4]; /* the last of alpha, 0: there is none */
	bool down;                                /* the first row is the upper one */
	uint8_t palette[256][3];
	ds_str rows;
} bitmap;

static ds_rc read_palette(bitmap *m, ds_cur *c, uint32_t colors, uint32_t before_rows, ds_err *e)
{
	uint32_t most = 1u << m->bits, entry = m->header == CORE_HEADER ? 3 : 4;
	uint32_t n = colors ? colors : most, fit = before_rows / entry;
	if (n > fit)
		n = fit;
	for (uint32_t i = 0; i < n && i < most; i++) {
		ds_str s = ds_cur_bytes(c, entry);
		for (size_t k = 0; s.n && k < 3; k++)
			m->palette[i][k] = (uint8_t)s.at[2 - k];
	}
	return ds_cur_ok(c) ? DS_OK : ds_fail(e, DS_BAD, "it ends in its palette");
}

/* The channel of a pixel that a mask cuts out, as 8 bits. */
static uint8_t cut(uint32_t v, uint32_t mask)
{
	if (!mask)
		return 0;
	uint32_t most = mask >> __builtin_ctz(mask), part = (v & mask) >> __builtin_ctz(mask);
	return (uint8_t)((uint64_t)part * 255 / most);
}

static void put_row(const bitmap *m, uint8_t *to, const uint8_t *from, int32_t w)
{
	for (int32_t x = 0; x < w; x++, to += 3) {
		uint32_t v = 0, bytes = m->bits / 8;
		if (m->bits <= 8) {
			uint32_t per = 8 / m->bits, at = (uint32_t)x % per;
			v = from[(uint32_t)x / per] >> (8 - m->bits * (at + 1)) &
			    ((1u << m->bits) - 1);
			memcpy(to, m->palette[v], 3);
			continue;
		}
		for (uint32_t k = 0; k < bytes; k++)
			v |= (uint32_t)from[(size_t)x * bytes + k] << 8 * k;
		uint8_t alpha = m->masks[3] ? cut(v, m->masks[3]) : 255;
		for (int k = 0; k < 3; k++)
			to[k] = ds_image_on_white(cut(v, m->masks[k]), alpha);
	}
}

static ds_rc read_header(bitmap *m, ds_image_job *j, ds_err *e)
{
	ds_cur c = ds_cur_of(j->bytes.at, j->bytes.n);
	ds_cur_bytes(&c, 10);
	uint32_t offset = ds_cur_u32(&c), colors = 0;
	m->header = ds_cur_u32(&c);
	bool core = m->header == CORE_HEADER;
	int64_t w = core ? ds_cur_u16(&c) : (int32_t)ds_cur_u32(&c);
	int64_t h = core ? ds_cur_u16(&c) : (int32_t)ds_cur_u32(&c);
	ds_cur_u16(&c);
	m->bits = ds_cur_u16(&c);
	m->packing = core ? RAW : ds_cur_u32(&c);
	if (!core) {
		ds_cur_bytes(&c, 12);
		colors = ds_cur_u32(&c);
		ds_cur_u32(&c);
	}
	if (!ds_cur_ok(&c) || (!core && (m->header < INFO_HEADER || m->header > 256)))
		return ds_fail(e, DS_BAD, "its header is damaged");
	static const uint32_t five[4] = { 0x7C00, 0x3E0, 0x1F },
			      eight[4] = { 0xFF0000, 0xFF00, 0xFF };
	memcpy(m->masks, m->bits == 16 ? five : eight, sizeof(m->masks));
	bool fields = m->packing == BIT_FIELDS && m->bits >= 16 && m->bits != 24;
	bool known = m->bits == 1 || m->bits == 4 || m->bits == 8 || m->bits == 16 ||
		     m->bits == 24 || m->bits == 32;
	if (!known || (m->packing != RAW && !fields))
		return ds_fail(
			e, DS_BAD, "%u bits, compression %u: not supported", m->bits, m->packing);
	uint32_t n_masks = !fields ? 0 : m->header >= INFO_HEADER + 16 ? 4 : 3;
	for (uint32_t k = 0; k < n_masks; k++)
		m->masks[k] = ds_cur_u32(&c);
	if (m->header > INFO_HEADER + 4 * n_masks)
		ds_cur_bytes(&c, m->header - INFO_HEADER - 4 * n_masks);
	m->down = h < 0;
	DS_TRY(ds_image_reserve(j, (uint64_t)w, (uint64_t)(h < 0 ? -h : h), e));
	uint64_t here = (uint64_t)((const char *)c.at - j->bytes.at);
	if (!ds_cur_ok(&c) || offset < here || offset > j->bytes.n)
		return ds_fail(e, DS_BAD, "its header is damaged");
	if (m->bits <= 8)
		DS_TRY(read_palette(m, &c, colors, offset - (uint32_t)here, e));
	m->rows = (ds_str){ j->bytes.at + offset, j->bytes.n - offset };
	return DS_OK;
}

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	bitmap m = { 0 };
	DS_TRY(read_header(&m, j, e));
	size_t ld = ((size_t)j->w * m.bits + 31) / 32 * 4;
	if (m.rows.n / ld < (size_t)j->h)
		return ds_fail(e, DS_BAD, "it ends early");
	for (int32_t y = 0; y < j->h; y++) {
		size_t row = (size_t)(m.down ? y : j->h - 1 - y);
		put_row(&m, j->at + (size_t)y * 3 * (size_t)j->w,
			(const uint8_t *)m.rows.at + row * ld, j->w);
	}
	return DS_OK;
}

static bool looks(ds_str s)
{
	return ds_str_starts(s, DS_S("BM")) && s.n > FILE_HEADER + CORE_HEADER &&
	       !memcmp(s.at + 6, "\0\0\0\0", 4);
}

const ds_image_format ds_image_bmp = { "BMP", looks, decode };
