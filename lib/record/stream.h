/*
 * stream.h - DSR streams, byte for byte (docs/format.md)
 *
 * A reader takes a stream of one or more concatenated DSR streams from a ds_in and hands out blocks;
 * it verifies every hash it passes, ordering and the trailer. A writer makes one stream.
 */
#ifndef DS_RECORD_STREAM_H
#define DS_RECORD_STREAM_H

#include "base/io.h"
#include "record/block.h"
#include "record/chain.h"

enum { DS_MAGIC_BYTES = 16 };
extern const uint8_t ds_stream_magic[DS_MAGIC_BYTES];
/* Enough of the magic is there to know that this was meant to be a DSR stream. */
bool ds_stream_looks(ds_str head);

enum { /* kinds of optional blocks; unknown ones are passed along */
	DS_OPT_TOKENIZER = 0x8001,
	DS_OPT_DEDUP = 0x8002, /* what stages of dsdedup tell one another */
};
typedef struct ds_opt { /* an optional block */
	uint16_t kind;
	ds_str bytes;
} ds_opt;

typedef struct ds_reader ds_reader;
/* Takes the ds_in over (closes it). mmap where it can: then views last until ds_reader_close. */
DS_MUST ds_rc ds_reader_open(ds_reader **r, ds_in *in, ds_err *e);
void ds_reader_close(ds_reader *r);
void ds_reader_salvage(ds_reader *r, bool on);           /* skip damage, count it, go on */
void ds_reader_limit(ds_reader *r, uint64_t max_record); /* --max-record; 1 GiB unless set */
/*
 * One raw block into mem: header and table parsed and verified, columns undecoded. *out = NULL: the end, and it
 * was whole (or, salvaging, what there was of it). Cheap and to be called in order; verifying the columns'
 * hashes is left to ds_block_check, which any thread may call (ds_pipe_run does; salvaging, it is done here).
 * DS_SHORT: damaged, early end, or an abort block. Messages begin with the input's name.
 */
DS_MUST ds_rc ds_reader_next(ds_reader *r, ds_arena *mem, ds_block **out, ds_err *e);
/* Chain of the stream (header's, after the end the trailer's); several streams: merged. mem lives as r. */
ds_chain *ds_reader_chain(const ds_reader *r);
/* Of the stream that the last block is of, as its header has it; NULL: salvaged without one. */
const ds_chain *ds_reader_stream_chain(const ds_reader *r);
/* Optional blocks seen so far, each kind and content once, in order. */
const ds_opt *ds_reader_opts(const ds_reader *r, size_t *n);
typedef struct {
	uint64_t blocks, records;        /* handed out */
	uint64_t bad_blocks, lost_bytes; /* salvaging: what was passed over */
	uint64_t first_bad_offset;
	bool damaged; /* something was wrong, if only the end missing */
} ds_reader_stats;
ds_reader_stats ds_reader_get_stats(const ds_reader *r);
DS_AUTO_WITH(ds_reader, ds_reader_close)

/* Random access through the trailer's index: for mapped regular files. */
typedef struct {
	uint64_t offset, bytes, first_record;
	uint32_t n_rows;
} ds_index_entry;
/* All blocks of all concatenated streams; found from the end backwards. The file must be mappable. */
DS_MUST ds_rc ds_reader_index(ds_reader *r, const ds_index_entry **entries, size_t *n, ds_err *e);
DS_MUST ds_rc ds_reader_at(
	ds_reader *r, const ds_index_entry *at, ds_arena *mem, ds_block **out, ds_err *e);

typedef struct ds_writer ds_writer;
/* Writes to `out`, which the caller keeps, finishes and closes. */
DS_MUST ds_rc ds_writer_open(ds_writer **w, ds_out *out, const ds_chain *chain, ds_err *e);
void ds_writer_close(ds_writer *w); /* without finish: writes nothing more */
/*
 * Encodes a block (any thread, own compressor; NULL: no codec) into bytes in its arena; untouched columns are taken
 * as stored, after a look at their hash. Without a compressor, compressed columns are decompressed; with one,
 * columns that are compressed already stay as they are. The frame is good until the block's arena is reset.
 */
typedef struct {
	ds_str head;   /* frame header and column table */
	ds_str *parts; /* then these, in order; views into the block or mem */
	size_t n_parts;
	uint64_t bytes;
	uint32_t n_rows;
	uint64_t raw_bytes;
} ds_frame;
struct ds_compressor;
DS_MUST ds_rc ds_block_encode(ds_frame *out, ds_block *b, struct ds_compressor *p, ds_err *e);
DS_MUST ds_rc ds_writer_frame(ds_writer *w, ds_frame *f, ds_err *e); /* in order, one at a time */
DS_MUST ds_rc ds_writer_opt(ds_writer *w, ds_opt opt, ds_err *e);
/*
 * How a reader repeats what an abort block says. A program that fails because of that passes on what
 * follows it, so the last of many says once which program failed first, and why.
 */
#define DS_WRITER_FAILED "the program that wrote this failed: "
DS_MUST ds_rc ds_writer_abort(ds_writer *w, const char *reason, ds_err *e);
DS_MUST ds_rc ds_writer_finish(
	ds_writer *w, const ds_chain *final_chain, ds_err *e); /* the trailer */
DS_AUTO_WITH(ds_writer, ds_writer_close)

#endif
