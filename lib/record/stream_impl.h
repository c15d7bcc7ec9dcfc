/*
 * stream_impl.h - the numbers of docs/format.md, for the files that read and write streams
 *
 * Plain values over bytes; nothing here owns memory.
 */
#ifndef DS_RECORD_STREAM_IMPL_H
#define DS_RECORD_STREAM_IMPL_H

#include "record/stream.h"

_Static_assert(
	__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "streams are read in place: little-endian");

enum {
	DS_UNIT = 64,        /* everything begins at a multiple of it */
	DS_HEAD_BYTES = 64,  /* stream header, frame header, footer */
	DS_ENTRY_BYTES = 48, /* of a column table */
	DS_INDEX_BYTES = 32, /* of an entry of the trailer's index */
	DS_TOTALS_BYTES = 64,
	DS_MAJOR = 1,
	DS_MINOR = 0,
};
enum { DS_KIND_RECORDS = 1, DS_KIND_TRAILER = 2, DS_KIND_ABORT = 3, DS_KIND_OPTIONAL = 0x8000 };
enum { DS_HAS_PRESENT = 1, DS_HAS_NULLS = 2 };
enum { DS_CODEC_NONE = 0, DS_CODEC_ZSTD = 1 };

typedef struct {
	uint16_t kind, n_cols;
	uint32_t n_rows;
	uint64_t body_bytes; /* of the column table, or of the payload, padding included */
	uint64_t data_bytes; /* of the columns */
	uint64_t seq;        /* frames before it in its stream */
	uint64_t
		first; /* records before it in its stream; other kinds: the payload's exact bytes */
	uint64_t body_hash;
} ds_frame_head;

typedef enum { DS_HEAD_OK, DS_HEAD_NO_MAGIC, DS_HEAD_DAMAGED } ds_head_state;

void ds_frame_head_put(uint8_t out[DS_HEAD_BYTES], const ds_frame_head *h);
ds_head_state ds_frame_head_get(const uint8_t in[DS_HEAD_BYTES], ds_frame_head *h);
extern const uint8_t ds_frame_magic[8];

void ds_stream_head_put(uint8_t out[DS_HEAD_BYTES], uint64_t payload_bytes, uint64_t payload_hash);
/* DS_SHORT: damaged. DS_BAD: whole, but of a version that is not known here. */
DS_MUST ds_rc ds_stream_head_get(const uint8_t in[DS_HEAD_BYTES], uint64_t *payload_bytes,
	uint64_t *payload_hash, ds_err *e);

typedef struct {
	uint64_t trailer_bytes, stream_bytes, checksum;
} ds_footer;
void ds_footer_put(uint8_t out[DS_HEAD_BYTES], const ds_footer *f);
bool ds_footer_get(const uint8_t in[DS_HEAD_BYTES], ds_footer *f);

typedef struct { /* the trailer's totals */
	uint64_t records, blocks, frames, raw_bytes, checksum, trailer_at, chain_bytes, zero;
} ds_totals;
void ds_totals_put(uint8_t out[DS_TOTALS_BYTES], const ds_totals *t);
void ds_totals_get(const uint8_t in[DS_TOTALS_BYTES], ds_totals *t);

typedef struct {
	uint64_t offset, bytes, first;
	uint32_t n_rows;
	uint16_t kind;
} ds_index_row;
void ds_index_put(uint8_t out[DS_INDEX_BYTES], const ds_index_row *r);
void ds_index_get(const uint8_t in[DS_INDEX_BYTES], ds_index_row *r);

/* One entry of the column table. name and data are where the table and the columns begin. */
typedef struct {
	uint32_t name_at, name_bytes;
	uint8_t type, presence, codec, tail;
	uint64_t at, bytes, raw_bytes, hash;
} ds_entry;
void ds_entry_put(uint8_t out[DS_ENTRY_BYTES], const ds_entry *x);
void ds_entry_get(const uint8_t in[DS_ENTRY_BYTES], ds_entry *x);

/* The parts of a column without a codec, each padded to 64 bytes. */
typedef struct {
	uint64_t present, nulls, off, data, all;
} ds_block_layout;
ds_block_layout ds_layout_of(ds_type type, unsigned presence, uint32_t n_rows, uint64_t elements);
bool ds_type_known(unsigned t);
unsigned ds_type_size(ds_type t); /* bytes of an element */
bool ds_type_lists(ds_type t);    /* cut by offsets */

static inline uint64_t ds_pad(uint64_t n)
{
	return (n + DS_UNIT - 1) & ~(uint64_t)(DS_UNIT - 1);
}
bool ds_zeros(const void *p, size_t n);
typedef struct { /* bytes that columns may decompress to */
	uint64_t column, all;
} ds_limits;
/*
 * Makes a block's columns of a column table that was verified; data is where the columns are. DS_BAD
 * over the limits.
 */
DS_MUST ds_rc ds_table_read(ds_block *b, const ds_frame_head *h, const uint8_t *table,
	const uint8_t *data, const ds_limits *limit, ds_err *e);

#endif
