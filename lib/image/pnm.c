/*
 * pnm.c - PBM, PGM and PPM in their binary forms, P4 to P6
 */
#include "image/image_impl.h"

#include <string.h>

typedef struct {
	const uint8_t *at, *end;
} reader;

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number, behind blanks and comments; -1: there is none. */
static int64_t number(reader *r)
{
	int64_t v = 0;
	while (r->at < r->end && (is_blank(*r->at) || *r->at == '#')) {
		if (*r->at == '#')
			while (r->at < r->end && *r->at != '\n' && *r->at != '\r')
				r->at++;
		else
			r->at++;
	}
	if (r->at == r->end || *r->at < '0' || *r->at > '9')
		return -1;
	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
		v = v < 1 << 24 ? 10 * v + *r->at - '0' : v;
	return v;
}

/* A value of [0, most] as 8 bits, to nearest. */
static uint8_t eight(uint32_t v, uint32_t most)
{
	if (v > most)
		v = most;
	return (uint8_t)((2 * 255 * (uint64_t)v + most) / (2 * (uint64_t)most));
}

static void put_bits(uint8_t *to, const uint8_t *from, int32_t w)
{
	for (int32_t x = 0; x < w; x++, to += 3)
		memset(to, from[x / 8] >> (7 - x % 8) & 1 ? 0 : 255, 3);
}

static void put_row(const ds_image_job *j, uint8_t *to, const uint8_t *from, uint32_t most)
{
	size_t channels = j->bytes.at[1] == '6' ? 3 : 1, wide = most > 255 ? 2 : 1;
	for (int32_t x = 0; x < j->w; x++, to += 3)
		for (size_t k = 0; k < 3; k++) {
			size_t i = (size_t)x * channels + (channels == 3 ? k : 0);
			uint32_t v =
				wide == 2 ? (uint32_t)from[2 * i] << 8 | from[2 * i + 1] : from[i];
			to[k] = eight(v, most);
		}
}

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	reader r = { (const uint8_t *)j->bytes.at + 2, (const uint8_t *)j->bytes.at + j->bytes.n };
	bool bits = j->bytes.at[1] == '4';
	int64_t w = number(&r), h = number(&r), most = bits ? 1 : number(&r);
	if (w < 1 || h < 1 || most < 1 || most > 65535 || r.at == r.end || !is_blank(*r.at))
		return ds_fail(e, DS_BAD, "its header is damaged");
	r.at++;
	DS_TRY(ds_image_reserve(j, (uint64_t)w, (uint64_t)h, e));
	size_t ld = bits ? ((size_t)w + 7) / 8
			 : (size_t)w * (j->bytes.at[1] == '6' ? 3 : 1) * (most > 255 ? 2 : 1);
	if ((size_t)(r.end - r.at) / ld < (size_t)h)
		return ds_fail(e, DS_BAD, "it ends early");
	for (int32_t y = 0; y < j->h; y++) {
		uint8_t *to = j->at + (size_t)y * 3 * (size_t)j->w;
		if (bits)
			put_bits(to, r.at + (size_t)y * ld, j->w);
		else
			put_row(j, to, r.at + (size_t)y * ld, (uint32_t)most);
	}
	return DS_OK;
}

static bool looks(ds_str s)
{
	return s.n > 2 && s.at[0] == 'P' && s.at[1] >= '4' && s.at[1] <= '6' &&
	       (is_blank((uint8_t)s.at[2]) || s.at[2] == '#');
}

const ds_image_format ds_image_pnm = { "PNM", looks, decode };
