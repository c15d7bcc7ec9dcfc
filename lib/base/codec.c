/*
 * codec.c - the door to zstd and zlib
 */
#include "base/codec.h"

#include "base/mem.h"

#include <limits.h>
#include <zlib.h>
#include <zstd.h>

struct ds_packer {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	int level;
};

/* The contexts come from the libraries' own malloc; without memory there is nothing to go on with. */
static void *have(void *p)
{
	if (!p)
		ds_mem_free(ds_mem_get(SIZE_MAX)); /* says so and ends */
	return p;
}

ds_packer *ds_packer_new(int level)
{
	ds_packer *p = DS_NEW(ds_packer, 1);
	p->level = level < 1 ? 3 : level;
	return p;
}

void ds_packer_free(ds_packer *p)
{
	if (!p)
		return;
	ZSTD_freeCCtx(p->pack);
	ZSTD_freeDCtx(p->unpack);
	ds_mem_free(p);
}

size_t ds_pack_bound(size_t n)
{
	return ZSTD_compressBound(n);
}

ds_rc ds_pack(
	ds_packer *p, const void *in, size_t n, void *out, size_t room, size_t *got, ds_err *e)
{
	if (!p->pack)
		p->pack = have(ZSTD_createCCtx());
	*got = ZSTD_compressCCtx(p->pack, out, room, in, n, p->level);
	if (ZSTD_isError(*got))
		return ds_fail(e, DS_BAD, "zstd: %s", ZSTD_getErrorName(*got));
	return DS_OK;
}

ds_rc ds_unpack(ds_packer *p, const void *in, size_t in_n, void *out, size_t n, ds_err *e)
{
	if (!p->unpack)
		p->unpack = have(ZSTD_createDCtx());
	size_t got = ZSTD_decompressDCtx(p->unpack, out, n, in, in_n);
	if (ZSTD_isError(got))
		return ds_fail(e, DS_SHORT, "zstd: %s", ZSTD_getErrorName(got));
	if (got != n)
		return ds_fail(e, DS_SHORT, "zstd: %zu bytes came out, %zu were promised", got, n);
	return DS_OK;
}

struct ds_codec {
	ds_wrap wrap;
	bool compress;
	ZSTD_CCtx *zc;
	ZSTD_DCtx *zd;
	z_stream gz;
};

enum { GZIP_BITS = 15 + 16 };

ds_codec *ds_codec_open(ds_wrap wrap, bool compress, int level)
{
	ds_codec *c = DS_NEW(ds_codec, 1);
	c->wrap = wrap;
	c->compress = compress;
	if (wrap == DS_ZSTD && compress) {
		c->zc = have(ZSTD_createCCtx());
		ZSTD_CCtx_setParameter(c->zc, ZSTD_c_compressionLevel, level < 1 ? 3 : level);
		ZSTD_CCtx_setParameter(c->zc, ZSTD_c_checksumFlag, 1);
	} else if (wrap == DS_ZSTD) {
		c->zd = have(ZSTD_createDCtx());
		/* As the zstd program: a window over 128 MiB is refused, so memory is bounded. */
		ZSTD_DCtx_setParameter(c->zd, ZSTD_d_windowLogMax, 27);
	} else {
		int rc = compress ? deflateInit2(&c->gz,
					    level < 1   ? 6
					    : level > 9 ? 9
							: level,
					    Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY)
				  : inflateInit2(&c->gz, GZIP_BITS);
		have(rc == Z_OK ? c : NULL);
	}
	return c;
}

void ds_codec_close(ds_codec *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->zc);
	ZSTD_freeDCtx(c->zd);
	if (c->wrap == DS_GZIP && c->compress)
		deflateEnd(&c->gz);
	else if (c->wrap == DS_GZIP)
		inflateEnd(&c->gz);
	ds_mem_free(c);
}

void ds_codec_reset(ds_codec *c)
{
	if (c->zc)
		ZSTD_CCtx_reset(c->zc, ZSTD_reset_session_only);
	if (c->zd)
		ZSTD_DCtx_reset(c->zd, ZSTD_reset_session_only);
	if (c->wrap == DS_GZIP && c->compress)
		deflateReset(&c->gz);
	else if (c->wrap == DS_GZIP)
		inflateReset(&c->gz);
}

static void move_on(ds_str *in, size_t taken, char **out, size_t *room, size_t given)
{
	in->at += taken;
	in->n -= taken;
	*out += given;
	*room -= given;
}

static ds_rc step_zstd(
	ds_codec *c, ds_str *in, char **out, size_t *room, bool finish, bool *ended, ds_err *e)
{
	ZSTD_inBuffer from = { in->at, in->n, 0 };
	ZSTD_outBuffer to = { *out, *room, 0 };
	size_t rc;
	if (c->compress) {
		rc = ZSTD_compressStream2(c->zc, &to, &from, finish ? ZSTD_e_end : ZSTD_e_continue);
		*ended = finish && rc == 0;
	} else {
		rc = ZSTD_decompressStream(c->zd, &to, &from);
		*ended = rc == 0;
	}
	if (ZSTD_isError(rc))
		return ds_fail(
			e, c->compress ? DS_BAD : DS_SHORT, "zstd: %s", ZSTD_getErrorName(rc));
	move_on(in, from.pos, out, room, to.pos);
	return DS_OK;
}

static ds_rc step_gzip(
	ds_codec *c, ds_str *in, char **out, size_t *room, bool finish, bool *ended, ds_err *e)
{
	uInt in_n = in->n > UINT_MAX ? UINT_MAX : (uInt)in->n;
	uInt out_n = *room > UINT_MAX ? UINT_MAX : (uInt)*room;
	c->gz.next_in = (Bytef *)in->at;
	c->gz.avail_in = in_n;
	c->gz.next_out = (Bytef *)*out;
	c->gz.avail_out = out_n;
	int rc = c->compress ? deflate(&c->gz, finish && in_n == in->n ? Z_FINISH : Z_NO_FLUSH)
			     : inflate(&c->gz, Z_NO_FLUSH);
	move_on(in, in_n - c->gz.avail_in, out, room, out_n - c->gz.avail_out);
	*ended = rc == Z_STREAM_END;
	/* Z_BUF_ERROR: nothing could be done now, more input or room is needed */
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return ds_fail(e, c->compress ? DS_BAD : DS_SHORT, "gzip: %s",
			c->gz.msg ? c->gz.msg : "damaged");
	return DS_OK;
}

ds_rc ds_codec_step(
	ds_codec *c, ds_str *in, char **out, size_t *room, bool finish, bool *ended, ds_err *e)
{
	return c->wrap == DS_ZSTD ? step_zstd(c, in, out, room, finish, ended, e)
				  : step_gzip(c, in, out, room, finish, ended, e);
}
