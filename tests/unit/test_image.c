/* test_image.c - pictures: decoded, resized and prepared as Pillow and the published processors do it */
#include "image/prep.h"

#include "base/io.h"
#include "test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CORPUS "tests/fuzz/corpus/image/"

static ds_image pattern(int32_t w, int32_t h, ds_arena *mem)
{
	uint8_t *at = ds_arena_get(mem, (size_t)(3 * w * h)), *to = at;
	for (int32_t y = 0; y < h; y++)
		for (int32_t x = 0; x < w; x++)
			for (int32_t c = 0; c < 3; c++)
				*to++ = (uint8_t)(x * 7 + y * 13 + c * 29 + x * y);
	return (ds_image){ w, h, (size_t)(3 * w), at };
}

static uint32_t sum_of(const ds_image *im)
{
	uint32_t s = 0;
	for (int32_t y = 0; y < im->h; y++)
		for (int32_t i = 0; i < 3 * im->w; i++)
			s = s * 31 + im->at[(size_t)y * im->ld + (size_t)i];
	return s;
}

static void read_file(const char *name, ds_buf *out)
{
	ds_err e;
	char path[128];
	snprintf(path, sizeof(path), CORPUS "%s", name);
	assert_int_equal(ds_file_read(path, 1 << 20, out, &e), DS_OK);
}

/* What transformers' processors make of the same files by Pillow 13: what is transparent is laid on white. */
static const struct {
	const char *name;
	uint32_t sum;
} decoded[] = { { "alpha.png", 0x7ce879b1u }, { "bits.bmp", 0xd2fa301cu },
	{ "bits.pbm", 0xd2fa301cu }, { "grey.jpg", 0x3ab82625u }, { "grey.pgm", 0x9b296138u },
	{ "inks.jpg", 0x210f3ab4u }, { "lossless.webp", 0x3e50fff3u },
	{ "lossy.webp", 0xe40ad329u }, { "palette.gif", 0x2e4f04d4u },
	{ "palette.png", 0x2e4f04d4u }, { "progressive.jpg", 0x6837168fu },
	{ "rgb.bmp", 0x3e50fff3u }, { "rgb.jpg", 0x825e74d9u }, { "rgb.png", 0x3e50fff3u },
	{ "rgb.ppm", 0x3e50fff3u } };
enum { N_DECODED = sizeof(decoded) / sizeof(*decoded) };

static void every_format_decodes_to_pillows_bytes(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	for (size_t i = 0; i < N_DECODED; i++) {
		ds_buf b = { 0 };
		ds_image im;
		ds_err e;
		int32_t w, h;
		read_file(decoded[i].name, &b);
		assert_int_equal(ds_image_decode(ds_buf_view(&b), mem, &im, &e), DS_OK);
		assert_int_equal(im.w, 13);
		assert_int_equal(im.h, 9);
		if (sum_of(&im) != decoded[i].sum)
			fail_msg("%s: 0x%08x", decoded[i].name, sum_of(&im));
		assert_int_equal(ds_image_check(ds_buf_view(&b), mem, &w, &h, &e), DS_OK);
		assert_int_equal(w, 13);
		assert_int_equal(h, 9);
		ds_buf_free(&b);
	}
}

static void a_picture_that_ends_early_is_damaged(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	for (size_t i = 0; i < N_DECODED; i++) {
		ds_buf b = { 0 };
		ds_image im;
		ds_err e;
		read_file(decoded[i].name, &b);
		size_t most = strcmp(decoded[i].name, "palette.gif") ? b.n - 2 : b.n / 2;
		for (size_t n = 0; n < most; n += 1 + n / 8) {
			assert_int_equal(
				ds_image_decode((ds_str){ b.at, n }, mem, &im, &e), DS_BAD);
			assert_int_equal(
				ds_image_check((ds_str){ b.at, n }, mem, NULL, NULL, &e), DS_BAD);
		}
		ds_buf_free(&b);
	}
}

static void a_size_that_no_picture_has_is_refused_before_memory_is_taken(void **state)
{
	static const char *const heads[] = { "P6 60000 60000 255\n", "P5 70000 1 255\n",
		"P4 0 5\n" };
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_image im;
	ds_err e;
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		assert_int_equal(ds_image_decode(ds_str_of(heads[i]), mem, &im, &e), DS_BAD);
	assert_true(ds_arena_used(mem) < 1 << 20);
}

/* Pillow 13's resize() of the pattern, by filter. */
static const struct {
	int32_t w, h;
	uint32_t sum[DS_N_FILTERS];
} resized[] = {
	{ 20, 16,
		{ 0x9da529e0u, 0x20108f73u, 0xff3efe0eu, 0xb824923eu, 0x0750b43au, 0x51b90d8fu } },
	{ 97, 80,
		{ 0x28ac42ccu, 0x0bee7bedu, 0x69adcb2au, 0xc44e6c03u, 0x28ac42ccu, 0x8643295fu } },
	{ 31, 41,
		{ 0x6fc8845fu, 0x29bd5574u, 0xdefe2dacu, 0x12300c25u, 0xcc02dc74u, 0xafa9224du } },
	{ 53, 12,
		{ 0x7877408cu, 0x5760476cu, 0x948e1ee8u, 0x6460db95u, 0x274a9cdfu, 0x7de6ecdbu } },
	{ 60, 9, { 0x18ef3dceu, 0x4de36bbfu, 0x6703ba16u, 0xb175c9b6u, 0x036e2addu, 0xf3a7d002u } },
	{ 1, 1, { 0x0002f43fu, 0x0001eca2u, 0x0001eca2u, 0x0001eca2u, 0x0001eca2u, 0x0001eca2u } },
	{ 16, 16,
		{ 0xb20fe3e0u, 0x1a5cc6f4u, 0xa29b1fc3u, 0xeeeee50au, 0x0cd65665u, 0xbc6c4f99u } },
};

static void resizing_gives_pillows_bytes_with_every_filter(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_image im = pattern(53, 41, mem);
	for (size_t i = 0; i < sizeof(resized) / sizeof(*resized); i++)
		for (int f = 0; f < DS_N_FILTERS; f++) {
			ds_image r =
				ds_image_resize(&im, resized[i].w, resized[i].h, (ds_filter)f, mem);
			assert_int_equal(r.w, resized[i].w);
			assert_int_equal(r.h, resized[i].h);
			if (sum_of(&r) != resized[i].sum[f])
				fail_msg("%d x %d, filter %d: 0x%08x", r.w, r.h, f, sum_of(&r));
		}
}

static void a_part_of_a_picture_is_resized_as_if_it_stood_alone(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_image im = pattern(53, 41, mem), part = ds_image_part(&im, 7, 5, 30, 21);
	uint8_t *copy = ds_arena_get(mem, 3 * 30 * 21);
	for (size_t y = 0; y < 21; y++)
		memcpy(copy + y * 90, part.at + y * part.ld, 90);
	ds_image alone = { 30, 21, 90, copy };
	ds_image a = ds_image_resize(&part, 17, 40, DS_FILTER_BICUBIC, mem);
	ds_image b = ds_image_resize(&alone, 17, 40, DS_FILTER_BICUBIC, mem);
	assert_int_equal(sum_of(&a), sum_of(&b));
}

/* transformers' CLIPImageProcessorPil and ViTImageProcessorPil at 32 x 32, in patches of 8. */
static const struct {
	bool clip;
	int32_t w, h;
	float first, middle, last;
	double sum; /* of value i times i % 97 + 1 */
} prepared[] = {
	{ true, 53, 41, -1.20832551f, -1.23752236f, 0.553249776f, 31087.1633993 },
	{ false, 53, 41, -0.945098042f, 0.474509835f, 0.317647099f, 983.705556154 },
	{ true, 20, 64, -1.42730188f, -0.142640352f, 1.90415609f, 31869.9780169 },
	{ false, 20, 64, -0.929411769f, 0.0666667223f, 0.0666667223f, 1781.9171192 },
	{ true, 32, 32, -1.79226255f, 0.149328262f, -0.0155529603f, 30258.520682 },
	{ false, 32, 32, -1, 0.0431373119f, -0.192156851f, 829.116040409 },
};

static void prepared_pictures_are_those_of_the_published_processors(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	float *out = ds_arena_get(mem, 3072 * sizeof(*out));
	for (size_t i = 0; i < sizeof(prepared) / sizeof(*prepared); i++) {
		ds_image im = pattern(prepared[i].w, prepared[i].h, mem);
		ds_prep p = prepared[i].clip ? ds_prep_clip(32) : ds_prep_vit(32);
		double sum = 0;
		ds_err e;
		assert_int_equal(ds_prep_check(&p, 32, &e), DS_OK);
		assert_int_equal(ds_prep_run(&p, &im, NULL, 8, mem, out, &e), DS_OK);
		for (int k = 0; k < 3072; k++)
			sum += (double)out[k] * (k % 97 + 1);
		assert_true(out[0] == prepared[i].first);
		assert_true(out[777] == prepared[i].middle);
		assert_true(out[3071] == prepared[i].last);
		assert_true(fabs(sum - prepared[i].sum) < 1e-6);
	}
}

static void settings_are_read_back_as_they_were_written(void **state)
{
	ds_prep all[] = { ds_prep_clip(224), ds_prep_vit(16) };
	for (size_t i = 0; i < 2; i++) {
		ds_buf b = { 0 };
		ds_err e;
		ds_prep p = ds_prep_clip(5);
		ds_prep_print(&all[i], "CLIPImageProcessor", &b);
		assert_int_equal(ds_prep_parse(&p, ds_buf_view(&b), &e), DS_OK);
		assert_int_equal(ds_prep_check(&p, i ? 16 : 224, &e), DS_OK);
		assert_int_equal(p.filter, all[i].filter);
		assert_int_equal(p.shortest, all[i].shortest);
		assert_memory_equal(p.mean, all[i].mean, sizeof(p.mean));
		assert_memory_equal(p.deviation, all[i].deviation, sizeof(p.deviation));
		ds_buf_free(&b);
	}
}

static void settings_that_are_wrong_are_refused(void **state)
{
	static const char *const wrong[] = { "[]", "{\"size\": {}}", "{\"size\": 0}",
		"{\"resample\": 9}", "{\"image_std\": [1, 0, 1]}", "{\"image_mean\": [1, 2]}",
		"{\"do_pad\": true}", "{\"crop_size\": {\"height\": 5}}" };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		ds_prep p = ds_prep_clip(32);
		ds_err e;
		assert_int_equal(ds_prep_parse(&p, ds_str_of(wrong[i]), &e), DS_USAGE);
	}
	static const char *const unfit[] = { "{\"do_resize\": false}",
		"{\"do_center_crop\": false}", "{\"crop_size\": 16}", "{\"size\": 16}" };
	for (size_t i = 0; i < sizeof(unfit) / sizeof(*unfit); i++) {
		ds_prep p = ds_prep_clip(32);
		ds_err e;
		assert_int_equal(ds_prep_parse(&p, ds_str_of(unfit[i]), &e), DS_OK);
		assert_int_equal(ds_prep_check(&p, 32, &e), DS_USAGE);
	}
}

static void a_row_is_varied_by_its_number_alone(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_image im = pattern(53, 41, mem);
	ds_prep p = ds_prep_clip(32);
	ds_vary v = { .flip = 0.5, .crop = 0.5, .color = 0.4, .seed = 7 };
	float *a = ds_arena_get(mem, 3072 * 4), *b = ds_arena_get(mem, 3072 * 4);
	int other = 0;
	ds_err e;
	for (uint64_t i = 0; i < 20; i++) {
		v.number = i;
		assert_int_equal(ds_prep_run(&p, &im, &v, 8, mem, a, &e), DS_OK);
		assert_int_equal(ds_prep_run(&p, &im, &v, 8, mem, b, &e), DS_OK);
		assert_memory_equal(a, b, 3072 * 4);
		v.number = i + 1;
		assert_int_equal(ds_prep_run(&p, &im, &v, 8, mem, b, &e), DS_OK);
		other += memcmp(a, b, 3072 * 4) != 0;
	}
	assert_int_equal(other, 20);
}

static void a_mirrored_picture_has_its_columns_turned(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_image im = pattern(32, 32, mem);
	ds_prep p = ds_prep_vit(32);
	ds_vary v = { .flip = 1, .number = 3 };
	float *a = ds_arena_get(mem, 3072 * 4), *b = ds_arena_get(mem, 3072 * 4);
	ds_err e;
	assert_int_equal(ds_prep_run(&p, &im, NULL, 32, mem, a, &e), DS_OK);
	assert_int_equal(ds_prep_run(&p, &im, &v, 32, mem, b, &e), DS_OK);
	for (int row = 0; row < 96; row++)
		for (int x = 0; x < 32; x++)
			assert_true(a[row * 32 + x] == b[row * 32 + 31 - x]);
}

TESTS(cmocka_unit_test(every_format_decodes_to_pillows_bytes),
	cmocka_unit_test(a_picture_that_ends_early_is_damaged),
	cmocka_unit_test(a_size_that_no_picture_has_is_refused_before_memory_is_taken),
	cmocka_unit_test(resizing_gives_pillows_bytes_with_every_filter),
	cmocka_unit_test(a_part_of_a_picture_is_resized_as_if_it_stood_alone),
	cmocka_unit_test(prepared_pictures_are_those_of_the_published_processors),
	cmocka_unit_test(settings_are_read_back_as_they_were_written),
	cmocka_unit_test(settings_that_are_wrong_are_refused),
	cmocka_unit_test(a_row_is_varied_by_its_number_alone),
	cmocka_unit_test(a_mirrored_picture_has_its_columns_turned))
