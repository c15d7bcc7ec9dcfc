/*
 * gif.c - GIF by giflib: the first picture of it, on the screen that it is part of
 *
 * Where the first picture leaves some of the screen free, that is the transparent colour's, or colour 0; what is
 * transparent is white.
 */
#include "image/image_impl.h"

#include "base/lazy.h"
#include "sonames.h"

#include <string.h>

#include <gif_lib.h>

#define FUNCTIONS(F) \
	F(DGifGetRecordType) \
	F(DGifGetExtensionNext) \
	F(DGifGetExtension) \
	F(DGifExtensionToGCB) \
	F(DGifGetLine) \
	F(DGifOpen) \
	F(DGifGetImageDesc) \
	F(DGifCloseFile) \
	F(GifErrorString)
DS_LAZY(gif, DS_SONAME_gif, FUNCTIONS)

typedef struct {
	ds_str rest;
} input;

static int on_read(GifFileType *g, GifByteType *to, int n)
{
	input *in = g->UserData;
	size_t some = (size_t)n < in->rest.n ? (size_t)n : in->rest.n;
	memcpy(to, in->rest.at, some);
	in->rest.at += some;
	in->rest.n -= some;
	return (int)some;
}

static ds_rc fail(const GifFileType *g, int code, ds_err *e)
{
	const char *what = gif.GifErrorString(g ? g->Error : code);
	return ds_fail(e, DS_BAD, "%s", what ? what : "damaged or cut short");
}

/* Extensions up to the first picture; the transparent colour, -1 for none. */
static ds_rc find_picture(GifFileType *g, int *clear, ds_err *e)
{
	*clear = -1;
	for (;;) {
		GifRecordType type;
		GifByteType *block;
		int code;
		if (gif.DGifGetRecordType(g, &type) != GIF_OK)
			return fail(g, 0, e);
		if (type == IMAGE_DESC_RECORD_TYPE)
			return DS_OK;
		if (type != EXTENSION_RECORD_TYPE)
			return ds_fail(e, DS_BAD, "no picture in it");
		if (gif.DGifGetExtension(g, &code, &block) != GIF_OK)
			return fail(g, 0, e);
		GraphicsControlBlock c;
		if (block && code == GRAPHICS_EXT_FUNC_CODE &&
			gif.DGifExtensionToGCB(block[0], block + 1, &c) == GIF_OK)
			*clear = c.TransparentColor;
		while (block)
			if (gif.DGifGetExtensionNext(g, &block) != GIF_OK)
				return fail(g, 0, e);
	}
}

static void put(uint8_t *to, const ColorMapObject *map, int color, int clear)
{
	static const GifColorType black = { 0, 0, 0 }, white = { 255, 255, 255 };
	const GifColorType *c = color == clear            ? &white
				: color < map->ColorCount ? &map->Colors[color]
							  : &black;
	to[0] = c->Red;
	to[1] = c->Green;
	to[2] = c->Blue;
}

static ds_rc read_picture(GifFileType *g, ds_image_job *j, int clear, ds_err *e)
{
	static const int first[] = { 0, 4, 2, 1 }, step[] = { 8, 8, 4, 2 };
	const GifImageDesc *d = &g->Image;
	const ColorMapObject *map = d->ColorMap ? d->ColorMap : g->SColorMap;
	if (!map)
		return ds_fail(e, DS_BAD, "no colours in it");
	if (d->Left < 0 || d->Top < 0 || d->Width < 1 || d->Height < 1 ||
		d->Left > j->w - d->Width || d->Top > j->h - d->Height)
		return ds_fail(e, DS_BAD, "its picture is not inside the screen");
	for (int64_t i = 0; i < (int64_t)j->w * j->h; i++)
		put(j->at + 3 * i, map, clear < 0 ? 0 : clear, clear);
	GifPixelType *line = ds_arena_get(j->mem, (size_t)d->Width);
	for (int pass = 0; pass < (d->Interlace ? 4 : 1); pass++)
		for (int y = d->Interlace ? first[pass] : 0; y < d->Height;
			y += d->Interlace ? step[pass] : 1) {
			if (gif.DGifGetLine(g, line, d->Width) != GIF_OK)
				return fail(g, 0, e);
			uint8_t *to =
				j->at + 3 * ((size_t)(d->Top + y) * (size_t)j->w + (size_t)d->Left);
			for (int x = 0; x < d->Width; x++)
				put(to + 3 * x, map, line[x], clear);
		}
	return DS_OK;
}

static ds_rc decode(ds_image_job *j, ds_err *e)
{
	input in = { j->bytes };
	int code = 0, clear;
	DS_TRY(ds_lazy_open(&gif_lazy, e));
	GifFileType *g = gif.DGifOpen(&in, on_read, &code);
	if (!g)
		return fail(NULL, code, e);
	ds_rc rc = find_picture(g, &clear, e);
	if (rc == DS_OK && gif.DGifGetImageDesc(g) != GIF_OK)
		rc = fail(g, 0, e);
	if (rc == DS_OK)
		rc = ds_image_reserve(j, (uint64_t)g->SWidth, (uint64_t)g->SHeight, e);
	if (rc == DS_OK)
		rc = read_picture(g, j, clear, e);
	gif.DGifCloseFile(g, &code);
	return rc;
}

static bool looks(ds_str s)
{
	return ds_str_starts(s, DS_S("GIF87a")) || ds_str_starts(s, DS_S("GIF89a"));
}

const ds_image_format ds_image_gif = { "GIF", looks, decode };
