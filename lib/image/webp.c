/*
 * webp.c - WebP by libwebp; an animation is refused
 */
#include "image/image_impl.h"

#include "base/lazy.h"
#include "sonames.h"

#include <string.h>

#include <webp/decode.h>

#define FUNCTIONS(F) \
	F(WebPGetFeaturesInternal) \
	F(WebPDecodeRGBAInto) \
	F(WebPDecodeRGBInto)
DS_LAZY(webp, DS_SONAME_webp, FUNCTIONS)

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	WebPBitstreamFeatures f;
	const uint8_t *at = (const uint8_t *)j->bytes.at;
	DS_TRY(ds_lazy_open(&webp_lazy, e));
	if (webp.WebPGetFeaturesInternal(at, j->bytes.n, &f, WEBP_DECODER_ABI_VERSION) !=
		VP8_STATUS_OK)
		return ds_fail(e, DS_BAD, "its header is damaged");
	if (f.has_animation)
		return ds_fail(e, DS_BAD, "an animation");
	DS_TRY(ds_image_reserve(j, (uint64_t)f.width, (uint64_t)f.height, e));
	size_t ld = 3 * (size_t)j->w, n = (size_t)j->w * (size_t)j->h;
	if (f.has_alpha) {
		uint8_t *four = ds_arena_get(j->mem, 4 * n);
		if (!webp.WebPDecodeRGBAInto(at, j->bytes.n, four, 4 * n, 4 * j->w))
			return ds_fail(e, DS_BAD, "damaged or cut short");
		ds_image_drop_alpha(j->at, four, n);
		return DS_OK;
	}
	return webp.WebPDecodeRGBInto(at, j->bytes.n, j->at, ld * (size_t)j->h, (int)ld)
		       ? DS_OK
		       : ds_fail(e, DS_BAD, "damaged or cut short");
}

static bool looks(ds_str s)
{
	return ds_str_starts(s, DS_S("RIFF")) && s.n > 11 && memcmp(s.at + 8, "WEBP", 4) == 0;
}

const ds_image_format ds_image_webp = { "WebP", looks, decode };
