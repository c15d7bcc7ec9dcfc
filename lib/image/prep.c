/*
 * prep.c - preprocessor_config.json, and the steps in their order
 */
#include "image/prep_impl.h"

#include "json/json.h"

#include <math.h>
#include <string.h>

enum { MOST_SIDE = 1 << 14 };

ds_prep ds_prep_clip(int32_t size)
{
	return (ds_prep){ .resizes = true,
		.cuts = true,
		.rescales = true,
		.normalizes = true,
		.shortest = size,
		.filter = DS_FILTER_BICUBIC,
		.cut_w = size,
		.cut_h = size,
		.factor = 1.0 / 255,
		.mean = { 0.48145466, 0.4578275, 0.40821073 },
		.deviation = { 0.26862954, 0.26130258, 0.27577711 } };
}

ds_prep ds_prep_vit(int32_t size)
{
	return (ds_prep){ .resizes = true,
		.rescales = true,
		.normalizes = true,
		.w = size,
		.h = size,
		.filter = DS_FILTER_BILINEAR,
		.factor = 1.0 / 255,
		.mean = { 0.5, 0.5, 0.5 },
		.deviation = { 0.5, 0.5, 0.5 } };
}

/* ---- preprocessor_config.json ---- */

static ds_rc side(const ds_json *v, const char *name, int32_t *out, ds_err *e)
{
	if (v->kind != DS_J_I64 || v->i < 1 || v->i > MOST_SIDE)
		return ds_fail(
			e, DS_USAGE, "%s is not a whole number from 1 to %d", name, MOST_SIDE);
	*out = (int32_t)v->i;
	return DS_OK;
}

/* {"height": …, "width": …}, or {"shortest_edge": …}, or one number as older files have it. */
static ds_rc read_size(ds_prep *p, const ds_json *v, ds_err *e)
{
	bool was_shortest = p->shortest > 0;
	const ds_json *edge = ds_json_get(v, "shortest_edge");
	const ds_json *w = ds_json_get(v, "width"), *h = ds_json_get(v, "height");
	p->shortest = p->w = p->h = 0;
	if (v->kind == DS_J_I64 && was_shortest)
		return side(v, "size", &p->shortest, e);
	if (v->kind == DS_J_I64) {
		DS_TRY(side(v, "size", &p->w, e));
		p->h = p->w;
		return DS_OK;
	}
	if (edge && !ds_json_get(v, "longest_edge"))
		return side(edge, "size", &p->shortest, e);
	if (!w || !h)
		return ds_fail(
			e, DS_USAGE, "size has neither height and width nor shortest_edge alone");
	DS_TRY(side(w, "size", &p->w, e));
	return side(h, "size", &p->h, e);
}

static ds_rc read_cut(ds_prep *p, const ds_json *v, ds_err *e)
{
	const ds_json *w = ds_json_get(v, "width"), *h = ds_json_get(v, "height");
	if (v->kind == DS_J_I64)
		w = h = v;
	if (!w || !h)
		return ds_fail(e, DS_USAGE, "crop_size has no height and width");
	DS_TRY(side(w, "crop_size", &p->cut_w, e));
	return side(h, "crop_size", &p->cut_h, e);
}

static ds_rc read_channels(const ds_json *v, const char *name, double out[3], ds_err *e)
{
	if (!v || v->kind == DS_J_NULL)
		return DS_OK;
	if (v->kind != DS_J_ARR || v->n != 3)
		return ds_fail(e, DS_USAGE, "%s is not a list of 3 numbers", name);
	for (int i = 0; i < 3; i++) {
		const ds_json *n = v->items[i];
		if ((n->kind != DS_J_I64 && n->kind != DS_J_F64) || !isfinite(n->f))
			return ds_fail(e, DS_USAGE, "%s is not a list of 3 numbers", name);
		out[i] = n->f;
	}
	return DS_OK;
}

static ds_rc read_all(ds_prep *p, const ds_json *v, ds_err *e)
{
	const ds_json *size = ds_json_get(v, "size"), *cut = ds_json_get(v, "crop_size");
	p->resizes = ds_json_flag(v, "do_resize", p->resizes);
	p->cuts = ds_json_flag(v, "do_center_crop", p->cuts);
	p->rescales = ds_json_flag(v, "do_rescale", p->rescales);
	p->normalizes = ds_json_flag(v, "do_normalize", p->normalizes);
	p->factor = ds_json_num(v, "rescale_factor", p->factor);
	if (size && size->kind != DS_J_NULL)
		DS_TRY(read_size(p, size, e));
	if (cut && cut->kind != DS_J_NULL)
		DS_TRY(read_cut(p, cut, e));
	int64_t filter = ds_json_int(v, "resample", p->filter);
	if (filter < 0 || filter >= DS_N_FILTERS)
		return ds_fail(e, DS_USAGE, "resample=%lld is none of Pillow's filters",
			(long long)filter);
	p->filter = (ds_filter)filter;
	DS_TRY(read_channels(ds_json_get(v, "image_mean"), "image_mean", p->mean, e));
	DS_TRY(read_channels(ds_json_get(v, "image_std"), "image_std", p->deviation, e));
	for (int i = 0; i < 3; i++)
		if (p->deviation[i] == 0)
			return ds_fail(e, DS_USAGE, "image_std has a 0");
	if (ds_json_flag(v, "do_pad", false))
		return ds_fail(e, DS_USAGE, "do_pad is not supported");
	return isfinite(p->factor) ? DS_OK : ds_fail(e, DS_USAGE, "rescale_factor is not finite");
}

ds_rc ds_prep_parse(ds_prep *p, ds_str json, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	const ds_json *v;
	if (ds_json_parse(&v, mem, json, e) != DS_OK)
		return DS_USAGE;
	return v->kind == DS_J_OBJ ? read_all(p, v, e) : ds_fail(e, DS_USAGE, "not a JSON object");
}

static void print_channels(const char *name, const double v[3], ds_buf *out)
{
	char text[3][32];
	for (int i = 0; i < 3; i++)
		text[i][ds_f64_print(text[i], v[i])] = 0;
	ds_buf_fmt(out, ",\n  \"%s\": [%s, %s, %s]", name, text[0], text[1], text[2]);
}

void ds_prep_print(const ds_prep *p, const char *processor, ds_buf *out)
{
	static const char *const words[] = { "false", "true" };
	char factor[32];
	factor[ds_f64_print(factor, p->factor)] = 0;
	ds_buf_fmt(out, "{\n  \"image_processor_type\": \"%s\",\n  \"do_convert_rgb\": true",
		processor);
	ds_buf_fmt(out, ",\n  \"do_resize\": %s,\n  \"size\": ", words[p->resizes]);
	if (p->shortest)
		ds_buf_fmt(out, "{\"shortest_edge\": %d}", p->shortest);
	else
		ds_buf_fmt(out, "{\"height\": %d, \"width\": %d}", p->h, p->w);
	ds_buf_fmt(
		out, ",\n  \"resample\": %d,\n  \"do_center_crop\": %s", p->filter, words[p->cuts]);
	if (p->cuts)
		ds_buf_fmt(out, ",\n  \"crop_size\": {\"height\": %d, \"width\": %d}", p->cut_h,
			p->cut_w);
	ds_buf_fmt(out, ",\n  \"do_rescale\": %s,\n  \"rescale_factor\": %s", words[p->rescales],
		factor);
	ds_buf_fmt(out, ",\n  \"do_normalize\": %s", words[p->normalizes]);
	print_channels("image_mean", p->mean, out);
	print_channels("image_std", p->deviation, out);
	ds_buf_add_c(out, "\n}\n");
}

ds_rc ds_prep_check(const ds_prep *p, int32_t size, ds_err *e)
{
	int32_t w = p->cuts ? p->cut_w : p->w, h = p->cuts ? p->cut_h : p->h;
	int32_t from_w = p->shortest ? p->shortest : p->w,
		from_h = p->shortest ? p->shortest : p->h;
	if (!p->resizes || (p->shortest && !p->cuts))
		return ds_fail(e, DS_USAGE,
			"pictures would keep a size of their own, the model takes %d x %d", size,
			size);
	if (w != size || h != size)
		return ds_fail(e, DS_USAGE, "pictures become %d x %d, the model takes %d x %d", w,
			h, size, size);
	if (p->cuts && (from_w < w || from_h < h))
		return ds_fail(e, DS_USAGE, "crop_size is over size");
	return DS_OK;
}

/* ---- a picture ---- */

static ds_rc to_size(const ds_prep *p, const ds_image *in, ds_arena *mem, ds_image *out, ds_err *e)
{
	int32_t w = p->w, h = p->h;
	if (p->shortest) {
		int32_t shorter = in->w < in->h ? in->w : in->h,
			longer = in->w < in->h ? in->h : in->w;
		double other = (double)p->shortest * longer / shorter;
		if (other * p->shortest > DS_IMAGE_MOST)
			return ds_fail(e, DS_BAD,
				"%d x %d pixels would become %d x %.0f, the limit is %d", in->w,
				in->h, p->shortest, other, DS_IMAGE_MOST);
		w = in->w <= in->h ? p->shortest : (int32_t)other;
		h = in->w <= in->h ? (int32_t)other : p->shortest;
	}
	*out = ds_image_resize(in, w, h, p->filter, mem);
	return DS_OK;
}

/* What each of the 256 values of a channel becomes, rounded where numpy rounds. */
static void make_table(const ds_prep *p, float table[3][256])
{
	for (int c = 0; c < 3; c++)
		for (int v = 0; v < 256; v++) {
			float x = p->rescales ? (float)(v * p->factor) : (float)v;
			if (p->normalizes)
				x = (x - (float)p->mean[c]) / (float)p->deviation[c];
			table[c][v] = x;
		}
}

static void put_patches(const ds_image *im, int32_t patch, float table[3][256], float *out)
{
	for (int32_t y = 0; y < im->h; y += patch)
		for (int32_t x = 0; x < im->w; x += patch)
			for (int c = 0; c < 3; c++)
				for (int32_t i = 0; i < patch; i++) {
					const uint8_t *at = im->at + (size_t)(y + i) * im->ld +
							    3 * (size_t)x + c;
					for (int32_t k = 0; k < patch; k++)
						*out++ = table[c][at[3 * k]];
				}
}

ds_rc ds_prep_run(const ds_prep *p, const ds_image *in, const ds_vary *vary, int32_t patch,
	ds_arena *mem, float *out, ds_err *e)
{
	float table[3][256];
	ds_image im;
	if (vary && vary->crop > 0) {
		ds_image part = ds_vary_part(in, vary);
		im = ds_image_resize(&part, p->cuts ? p->cut_w : p->w, p->cuts ? p->cut_h : p->h,
			p->filter, mem);
	} else {
		DS_TRY(to_size(p, in, mem, &im, e));
		if (p->cuts)
			im = ds_image_part(&im, (im.w - p->cut_w) / 2, (im.h - p->cut_h) / 2,
				p->cut_w, p->cut_h);
	}
	if (vary)
		im = ds_vary_pixels(&im, vary, mem);
	make_table(p, table);
	put_patches(&im, patch, table, out);
	return DS_OK;
}
