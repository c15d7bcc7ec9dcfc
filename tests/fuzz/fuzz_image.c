/* fuzz_image.c - any bytes as a picture: refused, or all of it can be looked at; a check agrees with decoding */
#include "fuzz.h"

#include "image/prep.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_image im;
	ds_err e;
	ds_str bytes = { (const char *)data, n };
	int32_t w, h;
	if (ds_image_check(bytes, mem, &w, &h, &e) != DS_OK || (int64_t)w * h > 1 << 20)
		return 0;
	if (ds_image_decode(bytes, mem, &im, &e) != DS_OK || im.w != w || im.h != h)
		abort();
	float *out = ds_arena_get(mem, 3 * 16 * 16 * sizeof(*out));
	ds_prep p = n % 2 ? ds_prep_clip(16) : ds_prep_vit(16);
	ds_vary v = { .flip = 0.5, .crop = 0.9, .color = 0.5, .seed = n, .number = n };
	(void)!ds_prep_run(&p, &im, n % 3 ? &v : NULL, 8, mem, out, &e);
	return 0;
}
