/*
 * keyset.h - keys seen so far, by 64 bits of hash
 *
 * 16 to 32 bytes a key. Of a million keys two are taken for one with a chance of one in 37 million, so
 * it serves where that costs a name or a warning, not a record. Start with { 0 }; one thread at a time.
 */
#ifndef DS_RECORD_KEYSET_H
#define DS_RECORD_KEYSET_H

#include "base/str.h"

typedef struct {
	uint64_t *at;
	size_t n, cap;
} ds_keyset;

bool ds_keyset_add(ds_keyset *k, ds_str key); /* false: it was there */
void ds_keyset_free(ds_keyset *k);

#endif
