/*
 * shards.h - one output cut into files of about a size: -o 'out-%05d.dsr' --shard-size 1G
 *
 * A shard that has the size when a block ends is full, and the next block begins another. Each is an output of
 * its own, with its chain and the optional blocks so far. All stay open to the end, for their trailers tell what
 * only the end knows, so there may be as many as files may be open. One thread at a time.
 */
#ifndef DS_RECORD_SHARDS_H
#define DS_RECORD_SHARDS_H

#include "record/sink.h"

typedef struct {
	ds_output_opts how; /* the run's, with this file's name */
	ds_sink *sink;
	uint64_t records, bytes;
} ds_shard_file;

typedef struct {
	const ds_output_opts *c;
	const ds_chain *head; /* that each begins with; must outlive it */
	ds_arena *mem;
	ds_shard_file **at;
	size_t n, cap;
	ds_opt *opts;
	size_t n_opts;
} ds_shards;

/* DS_USAGE: no name with one %d, or %05d, in it. Fine where no shards are asked for. */
DS_MUST ds_rc ds_shards_check(const ds_output_opts *c, ds_err *e);
ds_shards *ds_shards_new(const ds_output_opts *c, const ds_chain *head);
void ds_shards_free(ds_shards *s); /* with their sinks; NULL is fine */
/* The shard for the next block; another than the one before where that is full. */
DS_MUST ds_rc ds_shards_next(ds_shards *s, ds_shard_file **out, ds_err *e);
DS_MUST ds_rc ds_shards_opt(ds_shards *s, ds_opt opt, ds_err *e); /* into this and those to come */

#endif
