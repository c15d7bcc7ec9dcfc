/*
 * jpeg.c - JPEG by libjpeg-turbo, with its defaults: the slow DCT, fancy upsampling
 *
 * A file that ends early, or whose codes are wrong, is damaged, although libjpeg would go on with grey. What
 * it merely warns of otherwise (bytes between segments, odd Adobe markers) is let pass.
 */
#include "image/image_impl.h"

#include "base/lazy.h"
#include "sonames.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#define FUNCTIONS(F) \
	F(jpeg_CreateDecompress) \
	F(jpeg_destroy_decompress) \
	F(jpeg_finish_decompress) \
	F(jpeg_mem_src) \
	F(jpeg_read_header) \
	F(jpeg_read_scanlines) \
	F(jpeg_start_decompress) \
	F(jpeg_std_error)
DS_LAZY(jpeg, DS_SONAME_jpeg, FUNCTIONS)

/* A progressive picture may ask for any number of passes over all of it. */
enum { MOST_SCANS = 500, CHECK_SCALE = 8 };

typedef struct {
	struct jpeg_error_mgr mgr; /* libjpeg's, first */
	jmp_buf out;
	char what[JMSG_LENGTH_MAX];
} errors;

static void on_error(j_common_ptr c)
{
	errors *r = (errors *)c->err;
	r->mgr.format_message(c, r->what);
	longjmp(r->out, 1);
}

static void on_message(j_common_ptr c, int level)
{
	switch (c->err->msg_code) {
	case JWRN_JPEG_EOF:
	case JWRN_HIT_MARKER:
	case JWRN_HUFF_BAD_CODE:
	case JWRN_ARITH_BAD_CODE:
	case JWRN_MUST_RESYNC:
	case JWRN_BOGUS_PROGRESSION:
		if (level < 0)
			on_error(c);
		break;
	default:
		break;
	}
}

static void on_progress(j_common_ptr c)
{
	if (c->is_decompressor && ((j_decompress_ptr)c)->input_scan_number > MOST_SCANS) {
		snprintf(((errors *)c->err)->what, JMSG_LENGTH_MAX, "over %d scans", MOST_SCANS);
		longjmp(((errors *)c->err)->out, 1);
	}
}

/* Adobe's inks are stored inverted, and mean 255 where there is none. */
static void from_cmyk(uint8_t *to, const uint8_t *from, int32_t n, bool inverted)
{
	for (int32_t i = 0; i < n; i++, to += 3, from += 4) {
		int k = inverted ? from[3] : 255 - from[3];
		for (int c = 0; c < 3; c++) {
			int ink = inverted ? 255 - from[c] : from[c];
			int t = ink * k + 128, v = k - ((t >> 8) + t) / 256;
			to[c] = (uint8_t)(v < 0 ? 0 : v);
		}
	}
}

/* What libjpeg and longjmp see of the caller. */
typedef struct {
	struct jpeg_decompress_struct d;
	struct jpeg_progress_mgr progress;
	errors errors;
	ds_image_job *job;
	ds_rc rc;
	ds_err *e;
} work;

static void read_rows(work *w)
{
	ds_image_job *j = w->job;
	bool four = w->d.output_components == 4;
	size_t ld = 3 * (size_t)j->w;
	uint8_t *line = four ? ds_arena_get(j->mem, 4 * (size_t)j->w) : NULL;
	while (w->d.output_scanline < w->d.output_height) {
		uint8_t *to = j->at + w->d.output_scanline * ld, *row = four ? line : to;
		jpeg.jpeg_read_scanlines(&w->d, &row, 1);
		if (four)
			from_cmyk(to, line, j->w, w->d.saw_Adobe_marker);
	}
}

static void decode_all(work *w)
{
	ds_image_job *j = w->job;
	jpeg.jpeg_mem_src(&w->d, (const unsigned char *)j->bytes.at, j->bytes.n);
	jpeg.jpeg_read_header(&w->d, TRUE);
	bool inks = w->d.jpeg_color_space == JCS_CMYK || w->d.jpeg_color_space == JCS_YCCK;
	w->d.out_color_space = inks ? JCS_CMYK : JCS_RGB;
	if (j->check)
		w->d.scale_denom = CHECK_SCALE;
	w->rc = ds_image_reserve(j, w->d.image_width, w->d.image_height, w->e);
	if (w->rc != DS_OK)
		return;
	jpeg.jpeg_start_decompress(&w->d);
	int32_t wide = j->w, high = j->h;
	j->w = (int32_t)w->d.output_width;
	j->h = (int32_t)w->d.output_height;
	read_rows(w);
	jpeg.jpeg_finish_decompress(&w->d);
	j->w = wide;
	j->h = high;
}

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	work w = { .job = j, .e = e };
	DS_TRY(ds_lazy_open(&jpeg_lazy, e));
	w.d.err = jpeg.jpeg_std_error(&w.errors.mgr);
	w.errors.mgr.error_exit = on_error;
	w.errors.mgr.emit_message = on_message;
	if (setjmp(w.errors.out)) {
		jpeg.jpeg_destroy_decompress(&w.d);
		return ds_fail(e, DS_BAD, "%s", w.errors.what);
	}
	jpeg.jpeg_CreateDecompress(&w.d, JPEG_LIB_VERSION, sizeof(w.d));
	w.progress.progress_monitor = on_progress;
	w.d.progress = &w.progress;
	decode_all(&w);
	jpeg.jpeg_destroy_decompress(&w.d);
	return w.rc;
}

static bool looks(ds_str s)
{
	return ds_str_starts(s, DS_S("\xFF\xD8\xFF"));
}

const ds_image_format ds_image_jpeg = { "JPEG", looks, decode };
