/*
 * block.h - a block of records in memory, column by column
 *
 * A block and all that hangs on it live in one arena (block->mem) until that is reset. Columns are
 * views: into the bytes that were read, or into the arena. A column that nobody asks for stays as it
 * was stored, compressed or not, and is passed on with its hash untouched. One thread at a time per block.
 */
#ifndef DS_RECORD_BLOCK_H
#define DS_RECORD_BLOCK_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct ds_compressor;

typedef enum { /* the numbers are in the format */
	DS_T_UTF8 = 1,
	DS_T_JSON = 2, /* one JSON value as text */
	DS_T_BYTES = 3,
	DS_T_BOOL = 4,
	DS_T_I64 = 5,
	DS_T_F64 = 6,
	DS_T_U16S = 7, /* lists: u16[] u32[] f32[] */
	DS_T_U32S = 8,
	DS_T_F32S = 9,
} ds_type;

enum { DS_MAX_COLUMNS = 1024, DS_MAX_ROWS = 1 << 24, DS_BLOCK_BYTES = 1 << 20 };

/* Bytes of input that a block is made of: DS_BLOCK_BYTES, or what DS_BLOCK in the environment says. */
size_t ds_block_target(void);

/* The parts of a column as they are stored; only record/ looks inside. */
typedef struct {
	const void *at;     /* stored bytes, padded to 64 */
	uint64_t bytes;     /* of them, padding included */
	uint64_t raw_bytes; /* after decompression */
	uint64_t hash;      /* XXH3-64 of the stored bytes */
	uint8_t codec;      /* 0 none, 1 zstd */
	uint8_t tail;       /* codec 1: bytes of padding at the end of the stored ones */
	uint8_t presence;   /* bit 0: a bitmap of presence, bit 1: a bitmap of nulls */
	bool valid;         /* at/bytes/hash describe this column (not so for a built one) */
	bool checked;       /* the hash was verified */
} ds_stored;

typedef struct {
	ds_str name;
	ds_type type;
	/* Below: set once decoded (ds_block_get, or built here). */
	bool decoded;
	const uint8_t *present; /* bitmap, bit i of byte i/8; NULL: every record has the field */
	const uint8_t *nulls;   /* bitmap of explicit nulls (which are present); NULL: none */
	const uint32_t *
		off; /* n_rows + 1, in elements (bytes for utf8 json bytes); NULL for bool i64 f64 */
	const void *data; /* u8, i64, f64, or the elements that off cuts */
	ds_stored stored;
} ds_col;

typedef struct ds_block {
	uint32_t n_rows, n_cols;
	ds_col *cols; /* in the order of first appearance */
	ds_arena *mem;
	uint64_t first_record; /* number of its first record over the whole input of this run */
	const char *origin;    /* the input file's name, for messages */
	const char *format;    /* of that file: its importer's name; NULL: not known */
	const struct ds_chain
		*chain;         /* DSR input only: of the stream it is of, as its header has it */
	uint64_t origin_record; /* number of its first record in that file, from 1 */
	const uint64_t *
		row_of; /* where rows were dropped: each row's offset from first_record; else NULL */
	uint64_t input_bytes; /* bytes of input it was made from, for progress */
	uint64_t offset;      /* where its frame began in the input, for messages; DSR input only */
	struct ds_compressor
		*compressor; /* lent by the worker to decompress; NULL: one for each column */
} ds_block;

ds_block *ds_block_new(ds_arena *mem, uint32_t n_rows); /* without columns */
ds_col *ds_block_find(
	const ds_block *b, const char *name); /* NULL: no such column; maybe undecoded */
/* The decoded column, its hash checked, or *out = NULL where no record of the block has the field. */
DS_MUST ds_rc ds_block_get(ds_block *b, const char *name, const ds_col **out, ds_err *e);
DS_MUST ds_rc ds_col_decode(ds_block *b, ds_col *c, ds_err *e);
/* Hashes of all columns that came from outside and were not checked yet; DS_SHORT names block and column. */
DS_MUST ds_rc ds_block_check(ds_block *b, ds_err *e);
/* The same and the structure of every column, as decoding checks it. Decodes. */
DS_MUST ds_rc ds_block_verify(ds_block *b, ds_err *e);
/*
 * The same rows for another thread, which may decode and ask as it likes: what that makes goes into mem.
 * b must not change, and must live, meanwhile.
 */
ds_block *ds_block_lend(const ds_block *b, ds_arena *mem);
uint64_t ds_block_raw_bytes(const ds_block *b);      /* of all columns as stored without a codec */
void ds_block_remove(ds_block *b, const char *name); /* fine where there is none */
void ds_block_rename(ds_block *b, const char *name, const char *to);
/* Keeps rows[0..n), ascending; decodes what it must. All rows kept costs nothing. */
DS_MUST ds_rc ds_block_select(ds_block *b, const uint32_t *rows, uint32_t n, ds_err *e);
/* A copy of some rows of a block in another arena; rows NULL: of the first n. */
DS_MUST ds_rc ds_block_copy(
	ds_block **out, ds_arena *mem, ds_block *b, const uint32_t *rows, uint32_t n, ds_err *e);
/*
 * The rows of all blocks one after another as one block in mem; columns are merged by name. Where their
 * types differ (u16[] and u32[] apart), the column becomes json, as within a block.
 */
DS_MUST ds_rc ds_block_join(
	ds_block **out, ds_arena *mem, ds_block *const *parts, size_t n, ds_err *e);
/* Raw size of row i over all columns; decodes. */
DS_MUST ds_rc ds_block_row_bytes(ds_block *b, uint32_t row, uint64_t *bytes, ds_err *e);
/* Record number over the whole input of the run: what `id` is where a record has none. */
static inline uint64_t ds_block_record(const ds_block *b, uint32_t row)
{
	return b->first_record + (b->row_of ? b->row_of[row] : row);
}

/* Accessors of a decoded column. */
static inline bool ds_bit(const uint8_t *map, uint32_t i)
{
	return map[i >> 3] >> (i & 7) & 1;
}
static inline bool ds_col_has(const ds_col *c, uint32_t row) /* present, null included */
{
	return !c->present || ds_bit(c->present, row);
}
static inline bool ds_col_null(const ds_col *c, uint32_t row)
{
	return c->nulls && ds_bit(c->nulls, row);
}
static inline ds_str ds_col_bytes(const ds_col *c, uint32_t row) /* utf8, json, bytes */
{
	return (ds_str){ (const char *)c->data + c->off[row], c->off[row + 1] - c->off[row] };
}
static inline bool ds_col_bool(const ds_col *c, uint32_t row)
{
	return ((const uint8_t *)c->data)[row];
}
static inline int64_t ds_col_i64(const ds_col *c, uint32_t row)
{
	return ((const int64_t *)c->data)[row];
}
static inline double ds_col_f64(const ds_col *c, uint32_t row)
{
	return ((const double *)c->data)[row];
}
static inline const uint16_t *ds_col_u16s(const ds_col *c, uint32_t row, size_t *n)
{
	*n = c->off[row + 1] - c->off[row];
	return (const uint16_t *)c->data + c->off[row];
}
static inline const uint32_t *ds_col_u32s(const ds_col *c, uint32_t row, size_t *n)
{
	*n = c->off[row + 1] - c->off[row];
	return (const uint32_t *)c->data + c->off[row];
}
static inline const float *ds_col_f32s(const ds_col *c, uint32_t row, size_t *n)
{
	*n = c->off[row + 1] - c->off[row];
	return (const float *)c->data + c->off[row];
}
/*
 * The text of a field whatever its column's type: a view for utf8 and bytes, the decoded string of a
 * JSON string (in the block's arena). *has is false for absent and null. Another type of value is a
 * record error: DS_BAD "field 'text' is a number, wanted a string".
 */
DS_MUST ds_rc ds_block_text(
	ds_block *b, const ds_col *c, uint32_t row, ds_str *out, bool *has, ds_err *e);
/* Token ids as u32, widened into the arena where the column is u16. Same rules. */
DS_MUST ds_rc ds_block_ids(ds_block *b, const ds_col *c, uint32_t row, const uint32_t **out,
	size_t *n, bool *has, ds_err *e);
/* The record's id as text (its `id` field printed, else its number), in the arena. */
DS_MUST ds_rc ds_block_id(ds_block *b, uint32_t row, ds_str *out, ds_err *e);

/*
 * Builds one column, a row at a time, in the block's arena; ds_colb_put adds it to the block, in the
 * place of a column of that name. As many rows as the block has must have been added. The total of a
 * column's elements is at most 4 GiB - 64 KiB: over that ds_colb_put fails with DS_BAD.
 */
typedef struct ds_colb ds_colb;
ds_colb *ds_colb_new(ds_block *b, const char *name, ds_type type); /* name is copied */
ds_colb *ds_colb_new_n(ds_block *b, ds_str name, ds_type type);
void ds_colb_absent(ds_colb *c);
void ds_colb_null(ds_colb *c);
void ds_colb_bytes(ds_colb *c, ds_str v); /* utf8 json bytes: copied */
void ds_colb_bool(ds_colb *c, bool v);
void ds_colb_i64(ds_colb *c, int64_t v);
void ds_colb_f64(ds_colb *c, double v);
void ds_colb_list(ds_colb *c, const void *v, size_t n); /* u16s u32s f32s: n elements, copied */
/* Room for n more elements to be written in place, then ds_colb_wrote: no copy. */
void *ds_colb_reserve(ds_colb *c, size_t n);
void ds_colb_wrote(ds_colb *c, size_t n); /* ends the row */
DS_MUST ds_rc ds_colb_put(ds_colb *c, ds_err *e);

const char *ds_type_name(ds_type t); /* "utf8" "u32[]" … */

#endif
