/*
 * image.c - which format it is, and parts of pictures
 */
#include "image/image_impl.h"

#include <string.h>

#define FORMAT(name) extern const ds_image_format ds_image_##name;
#include "image/formats.def"
#undef FORMAT
static const ds_image_format *const formats[] = {
#define FORMAT(name) &ds_image_##name,
#include "image/formats.def"
#undef FORMAT
};

ds_rc ds_image_reserve(ds_image_job *j, uint64_t w, uint64_t h, ds_err *e)
{
	if (!w || !h || w > DS_IMAGE_SIDE || h > DS_IMAGE_SIDE || w * h > DS_IMAGE_MOST)
		return ds_fail(e, DS_BAD,
			"%llu x %llu pixels, the limit is %d a side and %d in all",
			(unsigned long long)w, (unsigned long long)h, DS_IMAGE_SIDE, DS_IMAGE_MOST);
	j->w = (int32_t)w;
	j->h = (int32_t)h;
	j->at = ds_arena_get(j->mem, (size_t)(3 * w * h));
	return DS_OK;
}

static ds_rc run(ds_image_job *j, ds_err *e)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (formats[i]->looks(j->bytes)) {
			DS_TRY_AT(formats[i]->decode(j, e), e, "a %s picture", formats[i]->name);
			return DS_OK;
		}
	return ds_fail(e, DS_BAD,
		j->bytes.n ? "not a picture of a format that is known" : "an empty picture");
}

ds_rc ds_image_decode(ds_str bytes, ds_arena *mem, ds_image *out, ds_err *e)
{
	ds_image_job j = { .bytes = bytes, .mem = mem };
	DS_TRY(run(&j, e));
	*out = (ds_image){ j.w, j.h, 3 * (size_t)j.w, j.at };
	return DS_OK;
}

ds_rc ds_image_check(ds_str bytes, ds_arena *mem, int32_t *w, int32_t *h, ds_err *e)
{
	ds_image_job j = { .bytes = bytes, .mem = mem, .check = true };
	DS_TRY(run(&j, e));
	if (w)
		*w = j.w;
	if (h)
		*h = j.h;
	return DS_OK;
}

ds_image ds_image_part(const ds_image *in, int32_t x, int32_t y, int32_t w, int32_t h)
{
	return (ds_image){ w, h, in->ld, in->at + (size_t)y * in->ld + 3 * (size_t)x };
}
