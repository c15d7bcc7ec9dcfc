/*
 * codec.c - the door to zstd and zlib, and to the doors of the others
 */
#include "base/codec_impl.h"

#include "base/mem.h"

#include <limits.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

struct ds_compressor {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
	int level;
};

void *ds_codec_have(void *p)
{
	if (!p)
		ds_mem_out(0);
	return p;
}

/* A lack of memory says nothing about the bytes. */
static ds_rc zstd_failed(size_t code, ds_rc rc, ds_err *e)
{
	bool memory = ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation;
	return ds_fail(e, memory ? DS_IO : rc, "zstd: %s", ZSTD_getErrorName(code));
}

ds_compressor *ds_compressor_new(int level)
{
	ds_compressor *p = DS_NEW(ds_compressor, 1);
	p->level = level < 1 ? 3 : level;
	return p;
}

void ds_compressor_free(ds_compressor *p)
{
	if (!p)
		return;
	ZSTD_freeCCtx(p->cctx);
	ZSTD_freeDCtx(p->dctx);
	ds_mem_free(p);
}

size_t ds_compress_bound(size_t n)
{
	return ZSTD_compressBound(n);
}

ds_rc ds_compress(
	ds_compressor *p, const void *in, size_t n, void *out, size_t avail, size_t *got, ds_err *e)
{
	if (!p->cctx)
		p->cctx = ds_codec_have(ZSTD_createCCtx());
	*got = ZSTD_compressCCtx(p->cctx, out, avail, in, n, p->level);
	if (ZSTD_isError(*got))
		return zstd_failed(*got, DS_BAD, e);
	return DS_OK;
}

ds_rc ds_decompress(ds_compressor *p, const void *in, size_t in_n, void *out, size_t n, ds_err *e)
{
	if (!p->dctx)
		p->dctx = ds_codec_have(ZSTD_createDCtx());
	size_t got = ZSTD_decompressDCtx(p->dctx, out, n, in, in_n);
	if (ZSTD_isError(got))
		return zstd_failed(got, DS_SHORT, e);
	if (got != n)
		return ds_fail(e, DS_SHORT, "zstd: %zu bytes came out, %zu were promised", got, n);
	return DS_OK;
}

uint32_t ds_crc32(const void *p, size_t n)
{
	return (uint32_t)crc32_z(0, p, n);
}

void ds_codec_move(ds_str *in, size_t taken, char **out, size_t *avail, size_t given)
{
	in->at += taken;
	in->n -= taken;
	*out += given;
	*avail -= given;
}

/* Of the two one is NULL. */
typedef struct {
	ZSTD_CCtx *cctx;
	ZSTD_DCtx *dctx;
} zstd_coder;

static void *zstd_open(bool compress, int level)
{
	zstd_coder *c = DS_NEW(zstd_coder, 1);
	if (compress) {
		c->cctx = ds_codec_have(ZSTD_createCCtx());
		ZSTD_CCtx_setParameter(c->cctx, ZSTD_c_compressionLevel, level < 1 ? 3 : level);
		ZSTD_CCtx_setParameter(c->cctx, ZSTD_c_checksumFlag, 1);
	} else {
		c->dctx = ds_codec_have(ZSTD_createDCtx());
		/* 2 GiB, as zstd --long=31 writes; taken only by a frame that says that it needs it. */
		ZSTD_DCtx_setParameter(c->dctx, ZSTD_d_windowLogMax, sizeof(size_t) > 4 ? 31 : 27);
	}
	return c;
}

static void zstd_close(void *state)
{
	zstd_coder *c = state;
	ZSTD_freeCCtx(c->cctx);
	ZSTD_freeDCtx(c->dctx);
	ds_mem_free(c);
}

static void zstd_reset(void *state)
{
	zstd_coder *c = state;
	if (c->cctx)
		ZSTD_CCtx_reset(c->cctx, ZSTD_reset_session_only);
	else
		ZSTD_DCtx_reset(c->dctx, ZSTD_reset_session_only);
}

static ds_rc zstd_step(
	void *state, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e)
{
	zstd_coder *c = state;
	ZSTD_inBuffer from = { in->at, in->n, 0 };
	ZSTD_outBuffer to = { *out, *avail, 0 };
	size_t rc;
	/* With room for a whole frame it is decompressed at once, and of a damaged one nothing comes out. */
	if (c->dctx && to.size >= ZSTD_BLOCKSIZE_MAX)
		to.size = ZSTD_BLOCKSIZE_MAX - 1;
	if (c->cctx) {
		rc = ZSTD_compressStream2(
			c->cctx, &to, &from, finish ? ZSTD_e_end : ZSTD_e_continue);
		*ended = finish && rc == 0;
	} else {
		rc = ZSTD_decompressStream(c->dctx, &to, &from);
		*ended = rc == 0;
	}
	ds_codec_move(in, from.pos, out, avail, to.pos);
	if (!ZSTD_isError(rc))
		return DS_OK;
	return zstd_failed(rc, c->cctx ? DS_BAD : DS_SHORT, e);
}

/* zlib's three: they differ in what is around the deflated bytes. */
typedef struct {
	z_stream z;
	bool compress;
} zlib_coder;

static void *zlib_begin(int window_bits, bool compress, int level)
{
	zlib_coder *c = DS_NEW(zlib_coder, 1);
	level = level < 1 ? 6 : level > 9 ? 9 : level;
	c->compress = compress;
	int rc = compress ? deflateInit2(
				    &c->z, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY)
			  : inflateInit2(&c->z, window_bits);
	ds_codec_have(rc == Z_OK ? c : NULL);
	return c;
}

static void *gzip_open(bool compress, int level)
{
	return zlib_begin(15 + 16, compress, level);
}

static void *zlib_open(bool compress, int level)
{
	return zlib_begin(15, compress, level);
}

static void *deflate_open(bool compress, int level)
{
	return zlib_begin(-15, compress, level);
}

static void zlib_close(void *state)
{
	zlib_coder *c = state;
	if (c->compress)
		deflateEnd(&c->z);
	else
		inflateEnd(&c->z);
	ds_mem_free(c);
}

static void zlib_reset(void *state)
{
	zlib_coder *c = state;
	if (c->compress)
		deflateReset(&c->z);
	else
		inflateReset(&c->z);
}

static ds_rc zlib_step(
	void *state, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e)
{
	zlib_coder *c = state;
	uInt in_n = in->n > UINT_MAX ? UINT_MAX : (uInt)in->n;
	uInt out_n = *avail > UINT_MAX ? UINT_MAX : (uInt)*avail;
	c->z.next_in = (Bytef *)in->at;
	c->z.avail_in = in_n;
	c->z.next_out = (Bytef *)*out;
	c->z.avail_out = out_n;
	int rc = c->compress ? deflate(&c->z, finish && in_n == in->n ? Z_FINISH : Z_NO_FLUSH)
			     : inflate(&c->z, Z_NO_FLUSH);
	ds_codec_move(in, in_n - c->z.avail_in, out, avail, out_n - c->z.avail_out);
	*ended = rc == Z_STREAM_END;
	/* Z_BUF_ERROR: nothing could be done now, more input or room is needed */
	if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR)
		return DS_OK;
	return ds_fail(e,
		rc == Z_MEM_ERROR ? DS_IO
		: c->compress     ? DS_BAD
				  : DS_SHORT,
		"gzip: %s",
		c->z.msg            ? c->z.msg
		: rc == Z_MEM_ERROR ? "no memory"
				    : "damaged");
}

static const ds_coder coder_gzip = { "gzip", gzip_open, zlib_close, zlib_reset, zlib_step };
static const ds_coder coder_zlib = { "zlib", zlib_open, zlib_close, zlib_reset, zlib_step };
static const ds_coder coder_deflate = { "deflate", deflate_open, zlib_close, zlib_reset,
	zlib_step };
static const ds_coder coder_zstd = { "zstd", zstd_open, zstd_close, zstd_reset, zstd_step };
static const ds_coder *const coders[] = {
	[DS_GZIP] = &coder_gzip,
	[DS_ZSTD] = &coder_zstd,
	[DS_BZIP2] = &ds_coder_bzip2,
	[DS_XZ] = &ds_coder_xz,
	[DS_ZLIB] = &coder_zlib,
	[DS_DEFLATE] = &coder_deflate,
	[DS_BROTLI] = &ds_coder_brotli,
};

struct ds_codec {
	const ds_coder *coder;
	void *state;
};

ds_codec *ds_codec_open(ds_wrap wrap, bool compress, int level)
{
	ds_codec *c = DS_NEW(ds_codec, 1);
	c->coder = coders[wrap];
	c->state = c->coder->open(compress, level);
	return c;
}

void ds_codec_close(ds_codec *c)
{
	if (!c)
		return;
	c->coder->close(c->state);
	ds_mem_free(c);
}

void ds_codec_reset(ds_codec *c)
{
	c->coder->reset(c->state);
}

ds_rc ds_codec_step(
	ds_codec *c, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e)
{
	return c->coder->step(c->state, in, out, avail, finish, ended, e);
}

const char *ds_wrap_name(ds_wrap wrap)
{
	return wrap == DS_RAW ? "plain" : coders[wrap]->name;
}

static const struct {
	const char *suffix;
	ds_wrap wrap;
} suffixes[] = { { ".gz", DS_GZIP }, { ".zst", DS_ZSTD }, { ".bz2", DS_BZIP2 }, { ".xz", DS_XZ } };

static size_t suffix_of(ds_str name, ds_wrap *wrap)
{
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		size_t n = strlen(suffixes[i].suffix);
		*wrap = suffixes[i].wrap;
		if (name.n > n && strncasecmp(name.at + name.n - n, suffixes[i].suffix, n) == 0)
			return n;
	}
	*wrap = DS_RAW;
	return 0;
}

ds_wrap ds_wrap_of_name(ds_str name)
{
	ds_wrap wrap;
	suffix_of(name, &wrap);
	return wrap;
}

ds_str ds_name_unwrapped(ds_str name)
{
	ds_wrap wrap;
	return (ds_str){ name.at, name.n - suffix_of(name, &wrap) };
}
