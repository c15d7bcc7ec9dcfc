/*
 * frames.h - rows that the steps of a run over many machines hand one another, and where each goes
 *
 * A frame is 40 bytes of head, little-endian, and its rows: "dsframe1", u32 kind, u32 0, u64 to (a partition
 * or a shard, as the kind says), u64 bytes of rows, u64 XXH3-64 of the kind, to and rows. Frames stand one after
 * another in any order, so what an engine concatenates is whole. A record's number is its shard and its
 * row there, so numbers are known before anything is counted and have the order of one stream of all.
 */
#ifndef DSDEDUP_FRAMES_H
#define DSDEDUP_FRAMES_H

#include "base/err.h"
#include "base/io.h"
#include "base/str.h"

enum { FRAME_HEAD = 40, FRAME_SHARD_BITS = 24, FRAME_ROW_BITS = 40 };

typedef enum {           /* words of a row; to */
	FRAME_TEXTS = 1, /* exact key low and high, number; partition */
	FRAME_SAMES,     /* number, the first with its exact key; shard of the number */
	FRAME_KEYS,      /* band << 40 | key, number | FRAME_IS_SAME; partition */
	FRAME_PAIRS,     /* number, an earlier one that it met; shard of the number */
	FRAME_FULLS,     /* number that filled a bucket; its shard */
	FRAME_ASKS,      /* number, a shard that wants its sketch; shard of the number */
	FRAME_SKETCHES, /* number, count, then as many u32, padded to a word; shard that wanted it */
	FRAME_EDGES,    /* number, a number alike; partition of the first */
	FRAME_MEMBERS, /* number, first of its cluster; partition of that, or shard of the number */
	FRAME_VALUES, /* number, first of its cluster, its value, exact key low and high; partition of the first */
	FRAME_CHANGED, /* how many edges a star step moved; partition 0 */
	FRAME_VERDICTS, /* number, the one that stays, 1: of the same exact key; shard of the number */
	FRAME_KINDS
} frame_kind;
#define FRAME_IS_SAME (UINT64_C(1) << 63)

static inline uint64_t frame_number(uint64_t shard, uint64_t row)
{
	return shard << FRAME_ROW_BITS | row;
}
static inline uint64_t frame_shard(uint64_t number)
{
	return number >> FRAME_ROW_BITS;
}
static inline uint64_t frame_row(uint64_t number)
{
	return number & ((UINT64_C(1) << FRAME_ROW_BITS) - 1);
}
unsigned frame_words(frame_kind kind); /* of a row; FRAME_SKETCHES: of its beginning */

typedef struct frames_out frames_out;
/* As ds_out_open has it. */
DS_MUST ds_rc frames_create(frames_out **out, const char *path, ds_err *e);
/* A row is kept until many are there, and then written with those that go to the same place. */
DS_MUST ds_rc frames_row(
	frames_out *o, frame_kind kind, uint64_t to, const uint64_t *words, ds_err *e);
DS_MUST ds_rc frames_whole(frames_out *o, frame_kind kind, uint64_t to, ds_str rows, ds_err *e);
DS_MUST ds_rc frames_finish(frames_out *o, ds_err *e);
void frames_discard(frames_out *o); /* without finish nothing is left behind; NULL is fine */
DS_AUTO_WITH(frames_out, frames_discard)

typedef struct { /* kind 0: the end */
	frame_kind kind;
	uint64_t to;
	const uint64_t *words; /* aligned; until the next call */
	size_t n_rows;         /* FRAME_SKETCHES: of words, not rows */
} frame;

typedef struct frames_in frames_in;
enum { FRAMES_ALL = -1 };
/* Of files one after another ("-": stdin) the frames to `to`, or FRAMES_ALL. */
frames_in *frames_open(const char *const *files, size_t n, int64_t to);
/* The same of bytes that the caller keeps. */
frames_in *frames_of_mem(ds_str bytes, const char *name);
/* DS_SHORT: cut or damaged, DS_BAD: none of ours, by the file's name. */
DS_MUST ds_rc frames_next(frames_in *f, frame *out, ds_err *e);
void frames_close(frames_in *f);
DS_AUTO_WITH(frames_in, frames_close)

/* Walks the sketches of a frame: false at the end; DS_BAD where one is longer than the frame. */
typedef struct {
	uint64_t number;
	const uint32_t *at;
	uint32_t n;
} frame_sketch;
DS_MUST ds_rc frame_sketch_next(
	const frame *f, size_t *at, frame_sketch *out, bool *more, ds_err *e);

#endif
