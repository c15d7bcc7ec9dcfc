/*
 * reader_impl.h - what the files of the reader share
 *
 * feed: bytes of the input one after another, as views into a mapped file or copies in an arena.
 * reader.c walks frames over it, reader_end.c keeps what headers, trailers and optional blocks say,
 * index.c goes by the trailers alone.
 */
#ifndef DS_RECORD_READER_IMPL_H
#define DS_RECORD_READER_IMPL_H

#include "record/stream_impl.h"

#include "base/hash.h"

typedef struct {
	ds_in *in;
	bool mapped, salvage;
	ds_str map;    /* mapped: the whole input */
	uint64_t at;   /* bytes taken */
	ds_buf window; /* salvage without a map: bytes since the last ds_reader_feed_keep */
	uint64_t window_at;
	uint64_t forgotten; /* mapped */
} ds_reader_feed;

void ds_reader_feed_open(ds_reader_feed *f, ds_in *in);
void ds_reader_feed_close(ds_reader_feed *f); /* closes the input */
/* What is far behind in a mapped file, or all of it, need not stay in memory. */
void ds_reader_feed_forget(ds_reader_feed *f, bool all);
/* The next n bytes at a multiple of 64, a view or in mem; *got < n only at the end of the input. */
DS_MUST ds_rc ds_reader_feed_take(ds_reader_feed *f, ds_arena *mem, uint64_t n, const uint8_t **out,
	uint64_t *got, ds_err *e);
/* Salvage: the bytes from here on may be wanted again; earlier ones not. */
void ds_reader_feed_keep(ds_reader_feed *f);
void ds_reader_feed_back(ds_reader_feed *f, uint64_t at); /* to a place not before the last keep */
/* Salvage: a view of up to n bytes from here on, which are not taken. */
DS_MUST ds_rc ds_reader_feed_look(ds_reader_feed *f, uint64_t n, ds_str *view, ds_err *e);
/* Salvage: moves on, one byte at least, to where a frame or (*header) a stream could begin; else to the end. */
DS_MUST ds_rc ds_reader_feed_search(ds_reader_feed *f, bool *found, bool *header, ds_err *e);

struct ds_reader {
	ds_reader_feed feed;
	ds_arena *mem; /* lives as long as the reader: chains, optional blocks */
	bool salvage;
	uint64_t max_record;
	enum { DS_AT_HEADER, DS_AT_FRAME, DS_AT_END } state;
	/* of the stream that is being read */
	uint64_t stream_at, seq, first, blocks, raw_bytes;
	ds_hasher *sum, *index;
	bool broken;    /* salvage: something of this stream was lost */
	bool uncounted; /* salvage: something was lost since the last frame */
	bool aborted;   /* salvage: the last step met an abort block */
	uint64_t
		frame_end; /* salvage: where the frame of records ends that the last step took; 0: none */
	ds_chain *chain;
	/* of the whole input */
	uint64_t records;
	ds_chain **done; /* chains of streams that ended, different ones */
	size_t n_done;
	ds_opt *opts;
	size_t n_opts, opts_cap;
	ds_reader_stats stats;
	ds_index_entry *entries; /* ds_reader_index */
	size_t n_entries;
	bool indexed;
};

/* A frame's limit: what a record may take, widened to ids, and a block besides. */
static inline uint64_t ds_reader_max_bytes(const ds_reader *r)
{
	uint64_t most = UINT64_MAX / 8;
	return (r->max_record < most ? 4 * r->max_record : 4 * most) + ((uint64_t)64 << 20);
}
/* A column's: a record and a block besides. */
static inline ds_limits ds_reader_limits(const ds_reader *r)
{
	uint64_t block = (uint64_t)64 << 20, most = UINT64_MAX / 8;
	return (ds_limits){ (r->max_record < most ? r->max_record : most) + block,
		ds_reader_max_bytes(r) };
}
/* What is known of a frame before its bytes are taken. */
DS_MUST ds_rc ds_frame_plausible(const ds_frame_head *h, uint64_t limit, ds_err *e);
DS_MUST ds_rc ds_reader_add_opt(ds_reader *r, uint16_t kind, ds_str bytes, ds_err *e);
DS_MUST ds_rc ds_reader_header_chain(ds_reader *r, ds_str payload, uint64_t exact, ds_err *e);
/* The trailer's payload against what was read; takes its chain. */
DS_MUST ds_rc ds_reader_trailer(
	ds_reader *r, const ds_frame_head *h, ds_str body, uint64_t trailer_at, ds_err *e);
void ds_reader_end_chain(ds_reader *r); /* the stream's chain joins those that are done */
/* Splits a trailer's payload; false where it is not one. */
bool ds_trailer_cut(ds_str body, uint64_t exact, ds_totals *t, ds_str *index, ds_str *chain);

#endif
