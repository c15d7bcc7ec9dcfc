/*
 * codec_block.h - blocks as columnar files compress them, whose decompressed size is known
 */
#ifndef DS_BASE_CODEC_BLOCK_H
#define DS_BASE_CODEC_BLOCK_H

#include "base/codec.h"

typedef enum {
	DS_BLOCK_RAW,
	DS_BLOCK_SNAPPY,
	DS_BLOCK_GZIP, /* also zlib's header, and several members after one another */
	DS_BLOCK_BROTLI,
	DS_BLOCK_LZ4,        /* one block, nothing around it */
	DS_BLOCK_LZ4_HADOOP, /* Hadoop's sizes in front of each block, or what it was taken for */
	DS_BLOCK_LZ4_FRAME,
	DS_BLOCK_ZSTD,
} ds_block_codec;

/* Exactly n bytes must come out; anything else is DS_SHORT. zstd uses the compressor's own context. */
DS_MUST ds_rc ds_block_decompress(
	ds_block_codec codec, ds_compressor *zstd, ds_str in, void *out, size_t n, ds_err *e);

#endif
