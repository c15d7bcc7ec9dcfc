/*
 * stage.h - the staged run: what its four stages share
 *
 * A folder holds sign-NNNNN.dsr (a record for each record of input N: its signature), band-NNNN.dsr
 * (sorted pairs of a bucket's key and a record's number, where a bucket has two or more; the last is of
 * exact keys) and cluster.dsr (a record for each record: what becomes of it). All are streams with
 * trailers, written aside and renamed, and each has an optional block that says what it was made from.
 * Records are numbered from 0 over all inputs.
 */
#ifndef DSDEDUP_STAGE_H
#define DSDEDUP_STAGE_H

#include "base/thread.h"
#include "dedup.h"
#include "record/stream.h"

enum { STAGE_SIGN, STAGE_BAND, STAGE_CLUSTER };
enum { STAYS, IS_SAME, IS_NEAR, IS_AGAINST };           /* what becomes of a record */
extern const char *const stage_why[];                   /* as a word in column why */
enum { STAGE_BANDS_MOST = 1000, STAGE_ROWS = 1 << 16 }; /* a column each; rows of a block */

typedef struct { /* the optional block; little-endian as it is */
	char magic[8];
	uint64_t words[DS_SEEN_WORDS];
	uint64_t stage, part;
	ds_h128 from;   /* sign: the input; else all files of the stage before */
	uint64_t sizes; /* cluster: it has sizes */
	uint64_t full;  /* cluster: buckets that reached DS_BUCKET_MOST */
	char keep[64];  /* --keep, cut */
} stage_head;
stage_head stage_head_of(unsigned stage, uint64_t part, const ds_seen_plan *p, const char *keep);

/* A stream with its reader, so that views into it last. */
typedef struct {
	char *path;
	ds_reader *reader;
	ds_arena *mem;
	stage_head head;
	ds_chain *chain;
	ds_h128 sum; /* of the head and the stream's end, which has a sum of all */
	ds_block **blocks;
	size_t n_blocks;
	uint64_t n;           /* records */
	uint64_t first_input; /* sign: number of the input's first record over all */
	uint64_t n_input;     /* sign: records of the input, bad ones included */
} stage_file;
/* Reads all blocks and decodes the columns that are named (NULL-ended). Missing file: DS_IO. */
DS_MUST ds_rc stage_open(stage_file *f, const char *dir, const char *name, unsigned stage,
	const char *const *columns, ds_err *e);
void stage_close(stage_file *f);
/* A file that is there, whole and made from the same; a damaged one is no error, just false. */
bool stage_is_done(const char *dir, const char *name, const stage_head *want);

typedef struct { /* all signatures of a folder */
	const char *dir;
	stage_file *files;
	size_t n_files;
	ds_seen_plan plan;
	char keep[sizeof((stage_head *)0)->keep];
	ds_h128 sum;
	uint64_t n; /* records */
	struct {
		uint64_t first; /* number */
		ds_block *block;
		const stage_file *of;
	} * blocks; /* of all files, in order */
	size_t n_blocks;
	ds_arena *mem;
} signs;
DS_MUST ds_rc signs_open(signs **out, const char *dir, const char *const *columns, ds_err *e);
void signs_close(signs *s);
DS_AUTO_WITH(signs, signs_close)
/* Where a number is: its block in signs.blocks, and its row there. */
size_t signs_find(const signs *s, uint64_t number, uint32_t *row);
DS_MUST ds_rc signs_id(const signs *s, uint64_t number, ds_arena *mem, ds_seen_id *id, ds_err *e);
const char *signs_band_name(unsigned band, char name[32]); /* of a column */
/* Of a folder's bands and exact keys, NULL-ended, for signs_open; they live as mem does. */
DS_MUST ds_rc signs_band_columns(const char *dir, ds_arena *mem, const char ***out, ds_err *e);
unsigned signs_bands(const signs *s); /* files of bands: with the one of exact keys, if asked for */

/* Writes a stream of a stage: blocks in order, then finish. */
typedef struct {
	ds_out *out;
	ds_writer *writer;
	ds_arena *mem; /* reset by stage_put */
	const ds_chain *chain;
	ds_stage_entry *entry;
} stage_out;
DS_MUST ds_rc stage_create(stage_out *o, const ds_common *c, const signs *s, const char *name,
	const stage_head *head, ds_err *e);
DS_MUST ds_rc stage_put(stage_out *o, ds_block *b, ds_err *e);
DS_MUST ds_rc stage_finish(stage_out *o, ds_err *e);
void stage_discard(stage_out *o); /* frees; without finish nothing is left behind */

/* The folder that is the first operand. */
DS_MUST ds_rc stage_dir(const ds_common *c, const char **dir, ds_err *e);

#endif
