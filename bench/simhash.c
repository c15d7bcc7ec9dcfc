/*
 * simhash.c - what bench/simhash.sh runs: all near pairs among made fingerprints
 *
 * simhash N DISTANCE: N fingerprints of 64 bits, every 50th that of an earlier one with 0 to DISTANCE + 2 bits
 * changed. One thread makes the keys of a block while another looks up the block before.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "text/seen.h"
#include "text/simhash.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { BLOCK = 1 << 14 };

typedef struct {
	const uint64_t *prints;
	size_t n;
	unsigned distance, tables;
	ds_seen_item *items;
	uint64_t *keys;
} block;

static void *sign(void *arg)
{
	block *b = arg;
	for (size_t i = 0; i < b->n; i++) {
		uint64_t *keys = b->keys + i * b->tables;
		ds_simhash_keys(b->prints + i, 1, b->distance, keys);
		b->items[i] = (ds_seen_item){ .bands = keys,
			.sketch = (const uint32_t *)(const void *)(b->prints + i),
			.n_sketch = 2 };
	}
	return NULL;
}

static uint64_t *make(size_t n, unsigned distance, uint8_t *changed)
{
	uint64_t *x = DS_NEW(uint64_t, n);
	ds_rng r = ds_rng_of(1, 1);
	for (size_t i = 0; i < n; i++) {
		x[i] = ds_rng_u64(r, i);
		changed[i] = 255;
		if (i % 50 != 49)
			continue;
		x[i] = x[ds_rng_below(ds_rng_of(1, 2), i, i)];
		changed[i] = (uint8_t)(i / 50 % (distance + 3));
		for (unsigned k = 0; k < changed[i]; k++) /* different bits: 7 is odd */
			x[i] ^= UINT64_C(1) << (i + 7 * k) % 64;
	}
	return x;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
	unsigned distance = argc > 2 ? (unsigned)atoi(argv[2]) : 3,
		 tables = ds_simhash_tables(distance);
	uint8_t *changed = DS_NEW(uint8_t, n);
	uint64_t *prints = make(n, distance, changed);
	ds_seen_plan p = { .near = true,
		.simhash = true,
		.bits = 64,
		.distance = distance,
		.bands = { tables, 0 } };
	DS_AUTO(ds_seen) seen = ds_seen_new(&p);
	ds_seen_jobs(seen, 2);
	block b[2];
	for (int i = 0; i < 2; i++)
		b[i] = (block){ .distance = distance,
			.tables = tables,
			.items = DS_NEW(ds_seen_item, BLOCK),
			.keys = DS_NEW(uint64_t, (size_t)BLOCK * tables) };
	size_t near = 0, planted = 0, found = 0, false_ones = 0;
	double start = now();
	b[0].prints = prints;
	b[0].n = n < BLOCK ? n : BLOCK;
	sign(&b[0]);
	for (size_t at = 0, turn = 0; at < n; turn ^= 1) {
		block *mine = &b[turn], *next = &b[turn ^ 1];
		pthread_t other;
		size_t after = at + mine->n;
		next->prints = prints + after;
		next->n = n - after < BLOCK ? n - after : BLOCK;
		if (pthread_create(&other, NULL, sign, next) != 0)
			return 4;
		ds_err e;
		if (ds_seen_add(seen, mine->items, mine->n, &e) != DS_OK)
			return 1;
		pthread_join(other, NULL);
		for (size_t i = 0; i < mine->n; i++) {
			bool is = mine->items[i].dup_of != DS_NO_TEXT,
			     want = changed[at + i] <= distance;
			near += is;
			planted += want;
			found += is && want;
			false_ones += is && ds_simhash_distance(prints[at + i],
						    prints[mine->items[i].dup_of]) > distance;
		}
		at = after;
	}
	double seconds = now() - start;
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("%zu fingerprints of 64 bits, distance %u, 2 threads: %.1f s, %.0f a second, %ld "
	       "MB\n",
		n, distance, seconds, (double)n / seconds, u.ru_maxrss / 1024);
	printf("%zu near; of %zu planted %zu found; %zu beyond the distance\n", near, planted,
		found, false_ones);
	return found < planted || false_ones;
}
