/*
 * keyset.c - hashes in a table with open addressing; 0 is an empty place
 */
#include "record/keyset.h"

#include "base/hash.h"
#include "base/mem.h"

static bool put(ds_keyset *k, uint64_t hash)
{
	size_t i = hash & (k->cap - 1);
	while (k->at[i] && k->at[i] != hash)
		i = (i + 1) & (k->cap - 1);
	if (k->at[i])
		return false;
	k->at[i] = hash;
	k->n++;
	return true;
}

static void grow(ds_keyset *k)
{
	ds_keyset more = { .cap = k->cap ? 2 * k->cap : 64 };
	more.at = DS_NEW(uint64_t, more.cap);
	for (size_t i = 0; i < k->cap; i++)
		if (k->at[i])
			put(&more, k->at[i]);
	ds_keyset_free(k);
	*k = more;
}

bool ds_keyset_add(ds_keyset *k, ds_str key)
{
	uint64_t hash = ds_hash64(key.at, key.n);
	if (2 * k->n >= k->cap)
		grow(k);
	return put(k, hash ? hash : 1);
}

void ds_keyset_free(ds_keyset *k)
{
	ds_mem_free(k->at);
	*k = (ds_keyset){ NULL, 0, 0 };
}
