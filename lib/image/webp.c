/*
 * webp.c - WebP by libwebp; an animation is refused
 */
#include "image/image_impl.h"

#include <string.h>

#include <webp/decode.h>

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	WebPBitstreamFeatures f;
	const uint8_t *at = (const uint8_t *)j->bytes.at;
	if (WebPGetFeatures(at, j->bytes.n, &f) != VP8_STATUS_OK)
		return ds_fail(e, DS_BAD, "its header is damaged");
	if (f.has_animation)
		return ds_fail(e, DS_BAD, "an animation");
	DS_TRY(ds_image_reserve(j, (uint64_t)f.width, (uint64_t)f.height, e));
	size_t ld = 3 * (size_t)j->w, n = (size_t)j->w * (size_t)j->h;
	if (f.has_alpha) {
		uint8_t *four = ds_arena_get(j->mem, 4 * n);
		if (!WebPDecodeRGBAInto(at, j->bytes.n, four, 4 * n, 4 * j->w))
			return ds_fail(e, DS_BAD, "damaged or cut short");
		ds_image_drop_alpha(j->at, four, n);
		return DS_OK;
	}
	return WebPDecodeRGBInto(at, j->bytes.n, j->at, ld * (size_t)j->h, (int)ld)
		       ? DS_OK
		       : ds_fail(e, DS_BAD, "damaged or cut short");
}

static bool looks(ds_str s)
{
	return ds_str_starts(s, DS_S("RIFF")) && s.n > 11 && memcmp(s.at + 8, "WEBP", 4) == 0;
}

const ds_image_format ds_image_webp = { "WebP", looks, decode };
