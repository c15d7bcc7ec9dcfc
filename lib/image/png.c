/*
 * png.c - PNG by libpng: every kind of it as 8 bits of RGB
 *
 * Of 16 bits the upper 8 are taken; what is transparent is laid on white, and gamma is left as it is stored.
 */
#include "image/image_impl.h"

#include "base/lazy.h"
#include "sonames.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

#define FUNCTIONS(F) \
	F(png_create_info_struct) \
	F(png_create_read_struct) \
	F(png_destroy_read_struct) \
	F(png_error) \
	F(png_get_bit_depth) \
	F(png_get_color_type) \
	F(png_get_error_ptr) \
	F(png_get_image_height) \
	F(png_get_image_width) \
	F(png_get_io_ptr) \
	F(png_get_rowbytes) \
	F(png_get_valid) \
	F(png_read_end) \
	F(png_read_info) \
	F(png_read_row) \
	F(png_read_update_info) \
	F(png_set_expand_gray_1_2_4_to_8) \
	F(png_set_gray_to_rgb) \
	F(png_set_interlace_handling) \
	F(png_set_palette_to_rgb) \
	F(png_set_read_fn) \
	F(png_set_strip_16) \
	F(png_set_tRNS_to_alpha) \
	F(png_set_user_limits)
DS_LAZY(png, DS_SONAME_png16, FUNCTIONS)

typedef struct {
	ds_image_job *job;
	size_t at;
	jmp_buf out;
	char what[128];
	png_structp png;
	png_infop info;
	ds_rc rc;
	ds_err *e;
} work;

static void on_error(png_structp p, png_const_charp text)
{
	work *w = png.png_get_error_ptr(p);
	snprintf(w->what, sizeof(w->what), "%s", text);
	longjmp(w->out, 1);
}

static void on_warning(png_structp p, png_const_charp text)
{
}

static void on_read(png_structp p, png_bytep to, size_t n)
{
	work *w = png.png_get_io_ptr(p);
	if (n > w->job->bytes.n - w->at)
		png.png_error(p, "it ends early");
	memcpy(to, w->job->bytes.at + w->at, n);
	w->at += n;
}

static void ask_for_rgb(work *w)
{
	int type = png.png_get_color_type(w->png, w->info);
	if (png.png_get_bit_depth(w->png, w->info) == 16)
		png.png_set_strip_16(w->png);
	if (type == PNG_COLOR_TYPE_PALETTE)
		png.png_set_palette_to_rgb(w->png);
	if (type == PNG_COLOR_TYPE_GRAY)
		png.png_set_expand_gray_1_2_4_to_8(w->png);
	if (!(type & PNG_COLOR_MASK_COLOR))
		png.png_set_gray_to_rgb(w->png);
	if (png.png_get_valid(w->png, w->info, PNG_INFO_tRNS))
		png.png_set_tRNS_to_alpha(w->png);
}

static void decode_all(work *w)
{
	ds_image_job *j = w->job;
	png.png_set_read_fn(w->png, w, on_read);
	png.png_set_user_limits(w->png, DS_IMAGE_SIDE, DS_IMAGE_SIDE);
	png.png_read_info(w->png, w->info);
	w->rc = ds_image_reserve(j, png.png_get_image_width(w->png, w->info),
		png.png_get_image_height(w->png, w->info), w->e);
	if (w->rc != DS_OK)
		return;
	ask_for_rgb(w);
	int passes = png.png_set_interlace_handling(w->png);
	png.png_read_update_info(w->png, w->info);
	size_t bytes = png.png_get_rowbytes(w->png, w->info), wide = (size_t)j->w;
	bool alpha = bytes == 4 * wide;
	if (!alpha && bytes != 3 * wide)
		png.png_error(w->png, "rows of an odd width");
	uint8_t *four = alpha ? ds_arena_get(j->mem, bytes * (size_t)j->h) : NULL;
	for (int pass = 0; pass < passes; pass++)
		for (size_t y = 0; y < (size_t)j->h; y++)
			png.png_read_row(
				w->png, alpha ? four + y * bytes : j->at + y * bytes, NULL);
	if (alpha)
		ds_image_drop_alpha(j->at, four, wide * (size_t)j->h);
	png.png_read_end(w->png, NULL);
}

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	work w = { .job = j, .e = e };
	DS_TRY(ds_lazy_open(&png_lazy, e));
	w.png = png.png_create_read_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
	w.info = w.png ? png.png_create_info_struct(w.png) : NULL;
	if (!w.info) {
		png.png_destroy_read_struct(&w.png, NULL, NULL);
		return ds_fail(e, DS_IO, "libpng has no memory");
	}
	if (setjmp(w.out)) {
		png.png_destroy_read_struct(&w.png, &w.info, NULL);
		return ds_fail(e, DS_BAD, "%s", w.what);
	}
	decode_all(&w);
	png.png_destroy_read_struct(&w.png, &w.info, NULL);
	return w.rc;
}

static bool looks(ds_str s)
{
	return ds_str_starts(s, DS_S("\x89PNG\r\n\x1A\n"));
}

const ds_image_format ds_image_png = { "PNG", looks, decode };
