/*
 * world.c - collectives over a link
 *
 * A sum is made by its owner: members send it their parts, it adds them in the order of ranks and sends the result to
 * all, in slices, so that sending and adding go hand in hand. Each rank sends 2 (n - 1) / n of the bytes, as a ring
 * would, with 2 steps in place of 2 (n - 1), and the bits do not depend on who was first.
 *
 * While a rank waits for room it takes in whatever comes, from anybody, so two that send to one another cannot stop
 * one another.
 */
#include "base/mem.h"
#include "comm/link_impl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SLICE_BYTES = 1 << 16, SPINS = 64 };

typedef struct { /* what came before it was asked for */
	char *at;
	size_t from, n, cap;
} early;

struct ds_world {
	ds_link *link;
	early *early; /* [n] */
	char *slice;
	double limit;
	ds_trace *trace;
	char doing[DS_SAYING_BYTES];
	ds_traffic traffic[DS_N_MOVES];
	double waited;
	int depth; /* a collective within another counts as its outer one */
	ds_move move;
};

static size_t num_bytes(ds_num t)
{
	static const uint8_t bytes[] = { 4, 8, 8, 1 };
	return bytes[t];
}

const char *ds_move_name(ds_move m)
{
	static const char *const names[] = { "send", "all_reduce", "reduce_scatter", "all_gather",
		"all_to_all", "other" };
	return names[m];
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

ds_world *ds_world_over(ds_link *l)
{
	ds_world *w = DS_NEW(ds_world, 1);
	w->link = l;
	w->early = DS_NEW(early, (size_t)l->n);
	w->slice = ds_mem_get(SLICE_BYTES);
	return w;
}

void ds_world_close(ds_world *w)
{
	if (!w)
		return;
	for (int i = 0; i < w->link->n; i++)
		ds_mem_free(w->early[i].at);
	ds_mem_free(w->early);
	ds_mem_free(w->slice);
	w->link->close(w->link);
	ds_mem_free(w);
}

int ds_world_rank(const ds_world *w)
{
	return w ? w->link->rank : 0;
}

int ds_world_size(const ds_world *w)
{
	return w ? w->link->n : 1;
}

int ds_group_me(const ds_world *w, const ds_group *g)
{
	return g->n > 1 ? (ds_world_rank(w) - g->first) / g->stride : 0;
}

ds_group ds_world_all(const ds_world *w)
{
	return (ds_group){ 0, 1, ds_world_size(w) };
}

void ds_world_trace(ds_world *w, ds_trace *t)
{
	w->trace = t;
}

void ds_world_limit(ds_world *w, double seconds)
{
	w->limit = seconds;
}

ds_traffic ds_world_traffic(const ds_world *w, ds_move m)
{
	return w ? w->traffic[m] : (ds_traffic){ 0 };
}

void ds_world_say(ds_world *w, const char *op, const char *of)
{
	if (!w)
		return;
	snprintf(w->doing, sizeof(w->doing), "%s%s%s", op, *of ? " of " : "", of);
	w->link->say(w->link, w->doing, -1);
}

/* ---- waiting ---- */

int ds_world_failed(const ds_world *w, const char **why)
{
	return w->link->failed(w->link, why);
}

double ds_world_patience(const ds_world *w)
{
	return w->limit;
}

void ds_world_doing(const ds_world *w, char *text, size_t size)
{
	char what[DS_SAYING_BYTES];
	size_t n = 0;
	text[0] = 0;
	for (int i = 0; i < w->link->n && n + DS_SAYING_BYTES + 64 < size; i++) {
		int waits;
		double since;
		if (!w->link->saying(w->link, i, what, &waits, &since))
			continue;
		n += (size_t)snprintf(
			text + n, size - n, "; rank %d: %s for %.0f s", i, what, since);
		if (waits >= 0)
			n += (size_t)snprintf(text + n, size - n, ", waits for rank %d", waits);
	}
}

/* Who waits for whom at which op. */
static ds_rc timed_out(ds_world *w, int rank, ds_err *e)
{
	char text[1024];
	ds_world_doing(w, text, sizeof(text));
	return ds_fail(
		e, DS_IO, "waited %.0f s for rank %d at %s%s", w->limit, rank, w->doing, text);
}

typedef struct {
	double began; /* 0: not yet */
	uint32_t seen;
	int spins;
} patience;

/* To be called where nothing moved; p->seen is what the bell said before that was found out. */
static ds_rc wait(ds_world *w, patience *p, int rank, ds_err *e)
{
	const char *why;
	if (p->spins++ < SPINS)
		return DS_OK;
	if (p->began == 0) {
		p->began = now();
		w->link->say(w->link, w->doing, rank);
	}
	int failed = w->link->failed(w->link, &why);
	if (failed >= 0)
		return ds_fail(e, DS_IO, "rank %d ended%s%s", failed, *why ? ": " : "", why);
	if (w->limit > 0 && now() - p->began > w->limit)
		return timed_out(w, rank, e);
	w->link->wait(w->link, p->seen);
	return DS_OK;
}

static void waited(ds_world *w, const patience *p)
{
	if (p->began == 0)
		return;
	w->waited += now() - p->began;
	w->link->say(w->link, w->doing, -1);
}

/* Whatever has come, from anybody; true: something had. */
static bool take_in(ds_world *w)
{
	bool any = false;
	for (int i = 0; i < w->link->n; i++) {
		early *a = &w->early[i];
		if (i == w->link->rank)
			continue;
		for (;;) {
			if (a->from == a->n)
				a->from = a->n = 0;
			if (a->cap - a->n < SLICE_BYTES) {
				size_t more = 2 * a->cap + 2 * SLICE_BYTES;
				a->at = ds_mem_grow(a->at, a->cap, more);
				a->cap = more;
			}
			size_t got = w->link->get(w->link, i, a->at + a->n, a->cap - a->n);
			if (!got)
				break;
			a->n += got;
			any = true;
		}
	}
	return any;
}

static size_t take_early(early *a, char *to, size_t n)
{
	size_t some = a->n - a->from < n ? a->n - a->from : n;
	memcpy(to, a->at + a->from, some);
	a->from += some;
	return some;
}

static ds_rc put(ds_world *w, int to, const void *from, size_t n, ds_err *e)
{
	const char *at = from;
	patience p = { 0 };
	w->traffic[w->move].bytes += (int64_t)n;
	while (n) {
		p.seen = w->link->bell(w->link);
		size_t some = w->link->put(w->link, to, at, n);
		at += some;
		n -= some;
		if (n && !some && !take_in(w))
			DS_TRY(wait(w, &p, to, e));
	}
	waited(w, &p);
	return DS_OK;
}

static ds_rc get(ds_world *w, int from, void *to, size_t n, ds_err *e)
{
	char *at = to;
	patience p = { 0 };
	size_t some = w->early[from].n ? take_early(&w->early[from], at, n) : 0;
	for (at += some, n -= some; n; at += some, n -= some) {
		p.seen = w->link->bell(w->link);
		some = w->link->get(w->link, from, at, n);
		if (!some)
			DS_TRY(wait(w, &p, from, e));
	}
	waited(w, &p);
	return DS_OK;
}

/* ---- counted ---- */

typedef struct {
	double began, waited;
	int64_t sent;
} span;

static span begin(ds_world *w, ds_move m)
{
	if (w->depth++ == 0)
		w->move = m;
	return (span){ now(), w->waited, w->traffic[w->move].bytes };
}

static ds_rc end(ds_world *w, span s, ds_rc rc)
{
	if (--w->depth)
		return rc;
	ds_traffic *t = &w->traffic[w->move];
	ds_trace_add(w->trace, w->doing, "", s.began, t->bytes - s.sent);
	t->calls++;
	t->seconds += now() - s.began;
	t->waited += w->waited - s.waited;
	return rc;
}

/* ---- between two ---- */

ds_rc ds_world_send(ds_world *w, int to, const void *at, size_t n, ds_err *e)
{
	span s = begin(w, DS_MOVE_POINT);
	return end(w, s, put(w, to, at, n, e));
}

ds_rc ds_world_recv(ds_world *w, int from, void *at, size_t n, ds_err *e)
{
	span s = begin(w, DS_MOVE_POINT);
	return end(w, s, get(w, from, at, n, e));
}

/* ---- among a group ---- */

static void add(void *to, const void *from, size_t n, ds_num type)
{
	switch (type) {
	case DS_NUM_F32:
		for (size_t i = 0; i < n; i++)
			((float *)to)[i] += ((const float *)from)[i];
		break;
	case DS_NUM_F64:
		for (size_t i = 0; i < n; i++)
			((double *)to)[i] += ((const double *)from)[i];
		break;
	case DS_NUM_I64:
		for (size_t i = 0; i < n; i++)
			((int64_t *)to)[i] += ((const int64_t *)from)[i];
		break;
	default:
		break;
	}
}

typedef struct { /* numbers of a part, a slice at a time */
	char *at;
	size_t n;
} piece;

static piece slice_of(void *at, const int64_t *starts, int k, int64_t slice, size_t size)
{
	int64_t a_slice = SLICE_BYTES / (int64_t)size;
	int64_t from = starts[k] + slice * a_slice, to = from + a_slice;
	if (to > starts[k + 1])
		to = starts[k + 1];
	return from < to ? (piece){ (char *)at + (size_t)from * size, (size_t)(to - from) }
			 : (piece){ 0 };
}

static int64_t slices(const int64_t *starts, int n, size_t size)
{
	int64_t most = 0, a_slice = SLICE_BYTES / (int64_t)size;
	for (int k = 0; k < n; k++)
		if (starts[k + 1] - starts[k] > most)
			most = starts[k + 1] - starts[k];
	return (most + a_slice - 1) / a_slice;
}

/* My slice becomes the sum of all members', in the order of ranks; others' are in the link, mine is at `mine`. */
static ds_rc sum_slice(
	ds_world *w, const ds_group *g, int me, piece mine, char *own, ds_num type, ds_err *e)
{
	size_t size = num_bytes(type), bytes = mine.n * size;
	memcpy(own, mine.at, bytes);
	for (int k = 0; k < g->n; k++) {
		const char *from = own;
		if (k != me) {
			DS_TRY(get(w, ds_group_rank(g, k), w->slice, bytes, e));
			from = w->slice;
		}
		if (k == 0)
			memcpy(mine.at, from, bytes);
		else
			add(mine.at, from, mine.n, type);
	}
	return DS_OK;
}

static ds_rc scatter(
	ds_world *w, const ds_group *g, void *at, const int64_t *starts, ds_num type, ds_err *e)
{
	char own[SLICE_BYTES] __attribute__((aligned(64)));
	int me = ds_group_me(w, g);
	size_t size = num_bytes(type);
	for (int64_t s = 0, n = slices(starts, g->n, size); s < n; s++) {
		for (int k = 1; k < g->n; k++) {
			int to = (me + k) % g->n;
			piece p = slice_of(at, starts, to, s, size);
			DS_TRY(put(w, ds_group_rank(g, to), p.at, p.n * size, e));
		}
		piece mine = slice_of(at, starts, me, s, size);
		if (mine.n)
			DS_TRY(sum_slice(w, g, me, mine, own, type, e));
	}
	return DS_OK;
}

static ds_rc gather(
	ds_world *w, const ds_group *g, void *at, const int64_t *starts, ds_num type, ds_err *e)
{
	int me = ds_group_me(w, g);
	size_t size = num_bytes(type);
	for (int64_t s = 0, n = slices(starts, g->n, size); s < n; s++) {
		piece mine = slice_of(at, starts, me, s, size);
		for (int k = 1; k < g->n; k++)
			DS_TRY(put(
				w, ds_group_rank(g, (me + k) % g->n), mine.at, mine.n * size, e));
		for (int k = 1; k < g->n; k++) {
			int from = (me + g->n - k) % g->n;
			piece p = slice_of(at, starts, from, s, size);
			DS_TRY(get(w, ds_group_rank(g, from), p.at, p.n * size, e));
		}
	}
	return DS_OK;
}

/* Equal parts, as far as they go. */
static void cut(int64_t *starts, int64_t count, int n)
{
	for (int k = 0; k <= n; k++)
		starts[k] = count * k / n;
}

ds_rc ds_world_all_reduce(
	ds_world *w, const ds_group *g, void *at, int64_t count, ds_num type, ds_err *e)
{
	int64_t starts[DS_MAX_RANKS + 1];
	if (g->n < 2)
		return DS_OK;
	span s = begin(w, DS_MOVE_ALL_REDUCE);
	cut(starts, count, g->n);
	ds_rc rc = scatter(w, g, at, starts, type, e);
	if (rc == DS_OK)
		rc = gather(w, g, at, starts, type, e);
	return end(w, s, rc);
}

ds_rc ds_world_reduce_scatter(
	ds_world *w, const ds_group *g, void *at, const int64_t *starts, ds_num type, ds_err *e)
{
	if (g->n < 2)
		return DS_OK;
	span s = begin(w, DS_MOVE_REDUCE_SCATTER);
	return end(w, s, scatter(w, g, at, starts, type, e));
}

ds_rc ds_world_all_gather(
	ds_world *w, const ds_group *g, void *at, const int64_t *starts, ds_num type, ds_err *e)
{
	if (g->n < 2)
		return DS_OK;
	span s = begin(w, DS_MOVE_ALL_GATHER);
	return end(w, s, gather(w, g, at, starts, type, e));
}

typedef struct {
	char *at;
	size_t bytes;
} stretch;

static stretch part_of(ds_world_parts p, int k, size_t size)
{
	return (stretch){ (char *)p.at + (size_t)p.starts[k] * size,
		(size_t)(p.starts[k + 1] - p.starts[k]) * size };
}

static ds_rc exchange(ds_world *w, const ds_group *g, ds_world_parts from, ds_world_parts to,
	size_t size, ds_err *e)
{
	int me = ds_group_me(w, g);
	stretch own = part_of(from, me, size);
	memcpy(part_of(to, me, size).at, own.at, own.bytes);
	for (int k = 1; k < g->n; k++) {
		int a = (me + k) % g->n, b = (me + g->n - k) % g->n;
		stretch out = part_of(from, a, size), in = part_of(to, b, size);
		DS_TRY(put(w, ds_group_rank(g, a), out.at, out.bytes, e));
		DS_TRY(get(w, ds_group_rank(g, b), in.at, in.bytes, e));
	}
	return DS_OK;
}

ds_rc ds_world_all_to_all(ds_world *w, const ds_group *g, ds_world_parts from, ds_world_parts to,
	ds_num type, ds_err *e)
{
	span s = begin(w, DS_MOVE_ALL_TO_ALL);
	return end(w, s, exchange(w, g, from, to, num_bytes(type), e));
}

ds_rc ds_world_broadcast(ds_world *w, const ds_group *g, int member, void *at, size_t n, ds_err *e)
{
	ds_rc rc = DS_OK;
	if (g->n < 2)
		return DS_OK;
	span s = begin(w, DS_MOVE_OTHER);
	int me = ds_group_me(w, g);
	if (me != member)
		rc = get(w, ds_group_rank(g, member), at, n, e);
	for (int k = 0; k < g->n && me == member && rc == DS_OK; k++)
		if (k != me)
			rc = put(w, ds_group_rank(g, k), at, n, e);
	return end(w, s, rc);
}

ds_rc ds_world_barrier(ds_world *w, const ds_group *g, ds_err *e)
{
	int64_t one = 1;
	if (g->n < 2)
		return DS_OK;
	span s = begin(w, DS_MOVE_OTHER);
	return end(w, s, ds_world_all_reduce(w, g, &one, 1, DS_NUM_I64, e));
}
