/*
 * lsh.h - who came first into a bucket: the tables behind duplicate search
 *
 * A table has one or more bands. A band maps 40-bit keys to the first `most` records that came with
 * that key, in the order of coming; later ones see them but are not kept. A member takes 8 bytes in a
 * table that is 56 to 75 % full: 11 to 14 bytes. One thread at a time, or one for each band.
 */
#ifndef DS_TEXT_LSH_H
#define DS_TEXT_LSH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DS_LSH_KEY_BITS = 40, DS_LSH_SEGMENTS = 256, DS_LSH_MOST = 64 };
#define DS_LSH_RECORDS (UINT32_MAX - 1) /* records are numbered below this */

typedef struct ds_lsh ds_lsh;
ds_lsh *ds_lsh_new(unsigned bands, unsigned most); /* most <= DS_LSH_MOST */
void ds_lsh_free(ds_lsh *t);
/* Fetches what find and add of this key will touch. */
void ds_lsh_prefetch(const ds_lsh *t, unsigned band, uint64_t key);
/* The members of a bucket, in order; out has room for `most`. */
size_t ds_lsh_find(const ds_lsh *t, unsigned band, uint64_t key, uint32_t *out);
/* The same, and then the record joins them where there is room; *filled: it was the last that could. */
size_t ds_lsh_add(
	ds_lsh *t, unsigned band, uint64_t key, uint32_t record, uint32_t *out, bool *filled);
uint64_t ds_lsh_bytes(const ds_lsh *t); /* of memory */

/*
 * For saving: a segment holds the keys of one band that have the same upper 8 bits. Members are
 * tag << 32 | record + 1 (tag: the lower 32 bits of the key); empty slots are 0. Read around from
 * `first` they can be put back in that order.
 */
typedef struct {
	const uint64_t *slot;
	size_t n_slots, n, first;
} ds_lsh_view;
ds_lsh_view ds_lsh_segment(const ds_lsh *t, unsigned band, unsigned segment);
/* Into an empty segment. false: a member is of no record, or a bucket is over-full. */
bool ds_lsh_put_segment(ds_lsh *t, unsigned band, unsigned segment, const uint64_t *members,
	size_t n, uint64_t n_records);
DS_AUTO_WITH(ds_lsh, ds_lsh_free)

#endif
