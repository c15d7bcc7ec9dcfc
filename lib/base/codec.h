/*
 * codec.h - compressed bytes: zstd on blocks of memory, streams of every kind in parts
 *
 * Each library has one door: zlib and zstd codec.c, the others codec_NAME.c. A ds_compressor keeps its working memory between calls; one thread at a time per object.
 */
#ifndef DS_BASE_CODEC_H
#define DS_BASE_CODEC_H

#include "base/err.h"
#include "base/io.h"

typedef struct ds_compressor ds_compressor;
ds_compressor *ds_compressor_new(int level); /* 1…22 */
void ds_compressor_free(ds_compressor *p);
size_t ds_compress_bound(size_t n);
DS_MUST ds_rc ds_compress(ds_compressor *p, const void *in, size_t n, void *out, size_t avail,
	size_t *got, ds_err *e);
/* Exactly n bytes must come out; anything else is DS_SHORT. */
DS_MUST ds_rc ds_decompress(
	ds_compressor *p, const void *in, size_t in_n, void *out, size_t n, ds_err *e);
DS_AUTO_WITH(ds_compressor, ds_compressor_free)

uint32_t ds_crc32(const void *p, size_t n); /* gzip's */

/*
 * One stream to undo or make, fed in parts; see in.c and out.c. in/out move forward over what was used,
 * also where it fails. zlib, raw deflate and brotli are for undoing alone. Damage is DS_SHORT.
 */
typedef struct ds_codec ds_codec;
ds_codec *ds_codec_open(ds_wrap wrap, bool compress, int level);
const char *ds_wrap_name(ds_wrap wrap); /* for messages */
void ds_codec_close(ds_codec *c);
/* *ended: a whole member has been read (decoding), or all is written (encoding with finish). */
DS_MUST ds_rc ds_codec_step(
	ds_codec *c, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e);
void ds_codec_reset(ds_codec *c); /* for the next member */

#endif
