/*
 * png.c - PNG by libpng: every kind of it as 8 bits of RGB
 *
 * Of 16 bits the upper 8 are taken; what is transparent is laid on white, and gamma is left as it is stored.
 */
#include "image/image_impl.h"

#include <setjmp.h>
#include <string.h>

#include <png.h>

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
	work *w = png_get_error_ptr(p);
	snprintf(w->what, sizeof(w->what), "%s", text);
	longjmp(w->out, 1);
}

static void on_warning(png_structp p, png_const_charp text)
{
}

static void on_read(png_structp p, png_bytep to, size_t n)
{
	work *w = png_get_io_ptr(p);
	if (n > w->job->bytes.n - w->at)
		png_error(p, "it ends early");
	memcpy(to, w->job->bytes.at + w->at, n);
	w->at += n;
}

static void ask_for_rgb(work *w)
{
	int type = png_get_color_type(w->png, w->info);
	if (png_get_bit_depth(w->png, w->info) == 16)
		png_set_strip_16(w->png);
	if (type == PNG_COLOR_TYPE_PALETTE)
		png_set_palette_to_rgb(w->png);
	if (type == PNG_COLOR_TYPE_GRAY)
		png_set_expand_gray_1_2_4_to_8(w->png);
	if (!(type & PNG_COLOR_MASK_COLOR))
		png_set_gray_to_rgb(w->png);
	if (png_get_valid(w->png, w->info, PNG_INFO_tRNS))
		png_set_tRNS_to_alpha(w->png);
}

static void decode_all(work *w)
{
	ds_image_job *j = w->job;
	png_set_read_fn(w->png, w, on_read);
	png_set_user_limits(w->png, DS_IMAGE_SIDE, DS_IMAGE_SIDE);
	png_read_info(w->png, w->info);
	w->rc = ds_image_reserve(j, png_get_image_width(w->png, w->info),
		png_get_image_height(w->png, w->info), w->e);
	if (w->rc != DS_OK)
		return;
	ask_for_rgb(w);
	int passes = png_set_interlace_handling(w->png);
	png_read_update_info(w->png, w->info);
	size_t bytes = png_get_rowbytes(w->png, w->info), wide = (size_t)j->w;
	bool alpha = bytes == 4 * wide;
	if (!alpha && bytes != 3 * wide)
		png_error(w->png, "rows of an odd width");
	uint8_t *four = alpha ? ds_arena_get(j->mem, bytes * (size_t)j->h) : NULL;
	for (int pass = 0; pass < passes; pass++)
		for (size_t y = 0; y < (size_t)j->h; y++)
			png_read_row(w->png, alpha ? four + y * bytes : j->at + y * bytes, NULL);
	if (alpha)
		ds_image_drop_alpha(j->at, four, wide * (size_t)j->h);
	png_read_end(w->png, NULL);
}

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	work w = { .job = j, .e = e };
	w.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
	w.info = w.png ? png_create_info_struct(w.png) : NULL;
	if (!w.info) {
		png_destroy_read_struct(&w.png, NULL, NULL);
		return ds_fail(e, DS_IO, "libpng has no memory");
	}
	if (setjmp(w.out)) {
		png_destroy_read_struct(&w.png, &w.info, NULL);
		return ds_fail(e, DS_BAD, "%s", w.what);
	}
	decode_all(&w);
	png_destroy_read_struct(&w.png, &w.info, NULL);
	return w.rc;
}

static bool looks(ds_str s)
{
	return ds_str_starts(s, DS_S("\x89PNG\r\n\x1A\n"));
}

const ds_image_format ds_image_png = { "PNG", looks, decode };
