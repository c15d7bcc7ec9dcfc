/*
 * seen_impl.h - what a ds_seen is made of; only for seen*.c
 */
#ifndef DS_TEXT_SEEN_IMPL_H
#define DS_TEXT_SEEN_IMPL_H

#include "base/arena.h"
#include "base/thread.h"
#include "text/lsh.h"
#include "text/seen.h"

enum {
	DS_SEEN_BATCH_BANDS = 1 << 16,
	DS_SEEN_BITS = 16,
	DS_SEEN_CHUNK = 1 << DS_SEEN_BITS,
	DS_SEEN_CHUNKS = 1 << 16
};

typedef struct {
	ds_h128 key;
	const uint32_t *sketch;
	uint32_t n_sketch;
	uint32_t parent; /* towards the first member of its cluster */
} ds_seen_text;

typedef struct {
	const uint32_t *at, *end;
} ds_seen_list;

typedef struct {         /* some of the bands, and whom a batch met there */
	uint32_t *chain; /* per item of a batch: 1 + where its last entry in hits is, or 0 */
	ds_buf hits;     /* uint32_t */
	uint64_t n_full;
} ds_seen_lane;

struct ds_seen {
	ds_seen_plan plan;
	ds_seen_text *chunk[DS_SEEN_CHUNKS]; /* chunks never move */
	const char **names[DS_SEEN_CHUNKS];  /* length and kind before the text; NULL: no names */
	uint64_t n, n_full, sketch_bytes, name_bytes;
	ds_lsh *same, *near; /* by exact key and by bands; NULL where not asked for */
	size_t batch;        /* items at a time: few enough that hits stay below 16 MiB */
	ds_seen_lane *lane;  /* one a thread */
	unsigned n_lanes;
	ds_pool *pool;
	const ds_seen_item *now; /* the batch that goes through the lanes */
	size_t n_now;
	uint32_t number_now;
	ds_seen_list *list; /* a band each */
	ds_buf taken;       /* void * */
	ds_arena *texts;
};

static inline ds_seen_text *ds_seen_get(const ds_seen *s, uint32_t number)
{
	return &s->chunk[number >> DS_SEEN_BITS][number & (DS_SEEN_CHUNK - 1)];
}
/* The next text, with itself as its cluster; NULL: there are too many. */
ds_seen_text *ds_seen_next(ds_seen *s);
void ds_seen_join(ds_seen *s, uint32_t a, uint32_t b);

#endif
