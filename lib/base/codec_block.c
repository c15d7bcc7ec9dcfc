/*
 * codec_block.c - the door to snappy and lz4; the others are streams of one piece here
 */
#include "base/codec_block.h"

#include "base/lazy.h"
#include "sonames.h"

#include <limits.h>
#include <lz4.h>
#include <lz4frame.h>
#include <snappy-c.h>

#define SNAPPY(F) F(snappy_uncompressed_length) F(snappy_uncompress)
DS_LAZY(snappy, DS_SONAME_snappy, SNAPPY)
#define LZ4(F) \
	F(LZ4_decompress_safe) \
	F(LZ4F_isError) \
	F(LZ4F_createDecompressionContext) F(LZ4F_decompress) F(LZ4F_freeDecompressionContext)
DS_LAZY(lz4, DS_SONAME_lz4, LZ4)

static ds_rc wrong(const char *codec, ds_err *e)
{
	return ds_fail(e, DS_SHORT, "%s: damaged, or of another size than was promised", codec);
}

static ds_rc from_snappy(ds_str in, void *out, size_t n, ds_err *e)
{
	size_t promised, got = n;
	DS_TRY_AT(ds_lazy_open(&snappy_lazy, e), e, "snappy");
	if (snappy.snappy_uncompressed_length(in.at, in.n, &promised) != SNAPPY_OK || promised != n)
		return wrong("snappy", e);
	if (snappy.snappy_uncompress(in.at, in.n, out, &got) != SNAPPY_OK || got != n)
		return wrong("snappy", e);
	return DS_OK;
}

static bool from_lz4(ds_str in, void *out, size_t n)
{
	return in.n <= INT_MAX && n <= INT_MAX &&
	       lz4.LZ4_decompress_safe(in.at, out, (int)in.n, (int)n) == (int)n;
}

static uint32_t big_endian(const char *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

/* Sizes of what comes out and of what is there, then a block, again and again. */
static bool hadoop(ds_str in, char *out, size_t n)
{
	while (in.n >= 8) {
		size_t gives = big_endian(in.at), takes = big_endian(in.at + 4);
		in = (ds_str){ in.at + 8, in.n - 8 };
		if (takes > in.n || gives > n || !from_lz4((ds_str){ in.at, takes }, out, gives))
			return false;
		in = (ds_str){ in.at + takes, in.n - takes };
		out += gives;
		n -= gives;
	}
	return in.n == 0 && n == 0;
}

static ds_rc lz4_frame(ds_str in, char *out, size_t n, ds_err *e)
{
	LZ4F_dctx *d;
	size_t more = 1;
	if (lz4.LZ4F_isError(lz4.LZ4F_createDecompressionContext(&d, LZ4F_VERSION)))
		return ds_fail(e, DS_IO, "lz4: out of memory");
	while (more && in.n) {
		size_t took = in.n, gave = n;
		more = lz4.LZ4F_decompress(d, out, &gave, in.at, &took, NULL);
		if (lz4.LZ4F_isError(more) || (!took && !gave))
			break;
		in = (ds_str){ in.at + took, in.n - took };
		out += gave;
		n -= gave;
	}
	lz4.LZ4F_freeDecompressionContext(d);
	return more || in.n || n ? wrong("lz4", e) : DS_OK;
}

/* Also several members after one another. */
static ds_rc stream(ds_wrap wrap, ds_str in, char *out, size_t n, ds_err *e)
{
	ds_codec *c = ds_codec_open(wrap, false, 0);
	bool ended = false;
	ds_rc rc = DS_OK;
	while (rc == DS_OK && in.n) {
		size_t before = in.n, avail = n;
		if (ended)
			ds_codec_reset(c);
		rc = ds_codec_step(c, &in, &out, &n, false, &ended, e);
		if (rc == DS_OK && !ended && in.n == before && n == avail)
			break;
	}
	ds_codec_close(c);
	DS_TRY(rc);
	return !ended || in.n || n ? wrong(ds_wrap_name(wrap), e) : DS_OK;
}

ds_rc ds_block_decompress(
	ds_block_codec codec, ds_compressor *zstd, ds_str in, void *out, size_t n, ds_err *e)
{
	if (codec == DS_BLOCK_LZ4 || codec == DS_BLOCK_LZ4_HADOOP || codec == DS_BLOCK_LZ4_FRAME)
		DS_TRY_AT(ds_lazy_open(&lz4_lazy, e), e, "lz4");
	switch (codec) {
	case DS_BLOCK_SNAPPY:
		return from_snappy(in, out, n, e);
	case DS_BLOCK_GZIP:
		return stream(in.n && in.at[0] == 0x78 ? DS_ZLIB : DS_GZIP, in, out, n, e);
	case DS_BLOCK_BROTLI:
		return stream(DS_BROTLI, in, out, n, e);
	case DS_BLOCK_LZ4:
		return from_lz4(in, out, n) ? DS_OK : wrong("lz4", e);
	case DS_BLOCK_LZ4_HADOOP: /* files have either under this name */
		return hadoop(in, out, n) || from_lz4(in, out, n) ? DS_OK : wrong("lz4", e);
	case DS_BLOCK_LZ4_FRAME:
		return lz4_frame(in, out, n, e);
	case DS_BLOCK_ZSTD:
		return ds_decompress(zstd, in.at, in.n, out, n, e);
	default:
		if (in.n != n)
			return ds_fail(e, DS_SHORT, "%zu bytes, %zu were promised", in.n, n);
		memcpy(out, in.at, n);
		return DS_OK;
	}
}
