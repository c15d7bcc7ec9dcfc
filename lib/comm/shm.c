/*
 * shm.c - a link through shared memory
 *
 * Sleeping is by futex on the rank's bell, so that ranks that outnumber the cores leave them to those that have
 * something to do.
 */
#include "comm/shm_impl.h"

#include "base/mem.h"

#include <linux/futex.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SAYING_WORDS = DS_SAYING_BYTES / sizeof(uint64_t) };
enum { RING_BYTES = 1 << 18, NAP_NS = 50 * 1000 * 1000, WHY_BYTES = 512 };

typedef struct { /* bytes [tail, head) are in the ring, counted from the beginning of time */
	_Alignas(64) atomic_size_t head;
	_Alignas(64) atomic_size_t tail;
	_Alignas(64) char at[RING_BYTES];
} ring;

typedef struct {
	_Alignas(64) atomic_uint bell, asleep;
	_Alignas(64) atomic_uint version; /* odd while the rest is written */
	_Atomic uint64_t doing[SAYING_WORDS];
	atomic_int waits_for;
	_Atomic double since;
} desk;

struct ds_shm {
	int n;
	size_t bytes;
	atomic_int failed; /* rank + 1 */
	atomic_int told;   /* why is written */
	int rc;
	char why[WHY_BYTES];
	desk desks[]; /* [n], then n * n rings */
};

typedef struct {
	ds_link base;
	ds_shm *m;
} shm_link;

static ring *ring_of(ds_shm *m, int from, int to)
{
	return (ring *)(m->desks + m->n) + (size_t)from * (size_t)m->n + to;
}

ds_shm *ds_shm_new(int ranks)
{
	size_t n = (size_t)ranks, bytes = sizeof(ds_shm) + n * sizeof(desk) + n * n * sizeof(ring);
	ds_shm *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED)
		return NULL;
	m->n = ranks;
	m->bytes = bytes;
	return m;
}

void ds_shm_free(ds_shm *m)
{
	if (m)
		munmap(m, m->bytes);
}

static void ring_bell(ds_shm *m, int rank)
{
	desk *d = &m->desks[rank];
	atomic_fetch_add(&d->bell, 1);
	if (atomic_load(&d->asleep))
		syscall(SYS_futex, &d->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void ds_shm_fail(ds_shm *m, int rank, int rc, const char *why)
{
	int nobody = 0;
	if (!atomic_compare_exchange_strong(&m->failed, &nobody, rank + 1))
		return;
	m->rc = rc;
	snprintf(m->why, sizeof(m->why), "%s", why);
	atomic_store(&m->told, 1);
	for (int i = 0; i < m->n; i++)
		ring_bell(m, i);
}

int ds_shm_failed(ds_shm *m, int *rc, const char **why)
{
	int rank = atomic_load(&m->failed) - 1;
	bool told = atomic_load(&m->told);
	*rc = told ? m->rc : 0;
	*why = told ? m->why : "";
	return rank;
}

/* ---- a link ---- */

static size_t shm_put(ds_link *l, int to, const void *at, size_t n)
{
	ds_shm *m = ((shm_link *)l)->m;
	ring *r = ring_of(m, l->rank, to);
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t avail = RING_BYTES - (head - atomic_load_explicit(&r->tail, memory_order_acquire));
	size_t some = n < avail ? n : avail, from = head % RING_BYTES;
	size_t first = some < RING_BYTES - from ? some : RING_BYTES - from;
	if (!some)
		return 0;
	memcpy(r->at + from, at, first);
	memcpy(r->at, (const char *)at + first, some - first);
	atomic_store_explicit(&r->head, head + some, memory_order_release);
	ring_bell(m, to);
	return some;
}

static size_t shm_get(ds_link *l, int from, void *at, size_t n)
{
	ds_shm *m = ((shm_link *)l)->m;
	ring *r = ring_of(m, from, l->rank);
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	size_t there = atomic_load_explicit(&r->head, memory_order_acquire) - tail;
	size_t some = n < there ? n : there, begin = tail % RING_BYTES;
	size_t first = some < RING_BYTES - begin ? some : RING_BYTES - begin;
	if (!some)
		return 0;
	memcpy(at, r->at + begin, first);
	memcpy((char *)at + first, r->at, some - first);
	atomic_store_explicit(&r->tail, tail + some, memory_order_release);
	if (there > RING_BYTES / 2) /* whoever waits for room waits on a ring that was full */
		ring_bell(m, from);
	return some;
}

static uint32_t shm_bell(ds_link *l)
{
	return atomic_load(&((shm_link *)l)->m->desks[l->rank].bell);
}

static void shm_wait(ds_link *l, uint32_t seen)
{
	desk *d = &((shm_link *)l)->m->desks[l->rank];
	const struct timespec nap = { 0, NAP_NS };
	atomic_store(&d->asleep, 1);
	syscall(SYS_futex, &d->bell, FUTEX_WAIT, seen, &nap, NULL, 0);
	atomic_store(&d->asleep, 0);
}

static int link_failed(ds_link *l, const char **why)
{
	int rc;
	return ds_shm_failed(((shm_link *)l)->m, &rc, why);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void shm_say(ds_link *l, const char *what, int waits_for)
{
	desk *d = &((shm_link *)l)->m->desks[l->rank];
	char text[DS_SAYING_BYTES] = "";
	memcpy(text, what, strnlen(what, DS_SAYING_BYTES - 1));
	atomic_fetch_add(&d->version, 1);
	for (size_t i = 0; i < SAYING_WORDS; i++) {
		uint64_t word;
		memcpy(&word, text + i * sizeof(word), sizeof(word));
		atomic_store_explicit(&d->doing[i], word, memory_order_relaxed);
	}
	atomic_store(&d->waits_for, waits_for);
	atomic_store(&d->since, now());
	atomic_fetch_add(&d->version, 1);
}

static bool shm_saying(
	ds_link *l, int rank, char what[DS_SAYING_BYTES], int *waits_for, double *seconds)
{
	desk *d = &((shm_link *)l)->m->desks[rank];
	for (int tries = 0; tries < 100; tries++) {
		unsigned v = atomic_load(&d->version);
		for (size_t i = 0; i < SAYING_WORDS; i++) {
			uint64_t word = atomic_load_explicit(&d->doing[i], memory_order_relaxed);
			memcpy(what + i * sizeof(word), &word, sizeof(word));
		}
		what[DS_SAYING_BYTES - 1] = 0;
		*waits_for = atomic_load(&d->waits_for);
		*seconds = now() - atomic_load(&d->since);
		if (v && v % 2 == 0 && atomic_load(&d->version) == v)
			return true;
	}
	return false;
}

static void shm_close(ds_link *l)
{
	ds_mem_free(l);
}

ds_link *ds_shm_link(ds_shm *m, int rank)
{
	shm_link *l = DS_NEW(shm_link, 1);
	l->m = m;
	l->base = (ds_link){ .rank = rank,
		.n = m->n,
		.put = shm_put,
		.get = shm_get,
		.bell = shm_bell,
		.wait = shm_wait,
		.failed = link_failed,
		.say = shm_say,
		.saying = shm_saying,
		.close = shm_close };
	return &l->base;
}
