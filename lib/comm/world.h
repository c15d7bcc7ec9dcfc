/*
 * world.h - the ranks of a job: bytes between two of them, collectives among some
 *
 * A rank sees the job through its ds_world, which it opens at the start (launch.h) and uses from one thread. Members of
 * a group call the same collectives on it in the same order; what two ranks send one another is received in the order in
 * which it was sent. Sums are made in the order of ranks, so they have the same bits on every rank and in every run.
 *
 * Waiting costs no core: a rank that has nothing to do sleeps until another rings. Where a rank has ended, or a wait
 * takes longer than ds_world_limit, calls fail with DS_IO, and so will all later ones.
 */
#ifndef DS_COMM_WORLD_H
#define DS_COMM_WORLD_H

#include "base/err.h"
#include "comm/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DS_MAX_RANKS = 1024 };

typedef struct ds_world ds_world;

typedef struct { /* ranks first, first + stride …: n of them; n 1 is nobody else */
	int first, stride, n;
} ds_group;

typedef enum { DS_NUM_F32, DS_NUM_F64, DS_NUM_I64, DS_NUM_BYTES } ds_num;

int ds_world_rank(const ds_world *w); /* NULL: 0 */
int ds_world_size(const ds_world *w); /* NULL: 1 */
void ds_world_close(ds_world *w);     /* NULL is fine */

static inline int ds_group_rank(const ds_group *g, int member)
{
	return g->first + member * g->stride;
}
/* The caller's number in a group. */
int ds_group_me(const ds_world *w, const ds_group *g);
ds_group ds_world_all(const ds_world *w);

/* What the rank does next, for whoever waits for it: an op and whose; both are copied. */
void ds_world_say(ds_world *w, const char *op, const char *of);
/* Where its calls are noted, borrowed; NULL: nowhere. */
void ds_world_trace(ds_world *w, ds_trace *t);
/* Seconds that a wait may take; 0: for ever. */
void ds_world_limit(ds_world *w, double seconds);

/* What a thread beside the rank's may ask: the first rank that failed, with its words, -1: none; the limit; what the
 * ranks do, where that is known, as "; rank 0: …". */
int ds_world_failed(const ds_world *w, const char **why);
double ds_world_patience(const ds_world *w);
void ds_world_doing(const ds_world *w, char *text, size_t n);

/* ---- between two; sizes agree; send may return before anything is received ---- */
DS_MUST ds_rc ds_world_send(ds_world *w, int to, const void *at, size_t n, ds_err *e);
DS_MUST ds_rc ds_world_recv(ds_world *w, int from, void *at, size_t n, ds_err *e);

/* ---- among a group; at: count numbers; starts[n + 1]: whose part of them begins where ---- */
DS_MUST ds_rc ds_world_all_reduce(
	ds_world *w, const ds_group *g, void *at, int64_t count, ds_num type, ds_err *e);
/* A member's part becomes the sum; what is in the others' is lost. */
DS_MUST ds_rc ds_world_reduce_scatter(
	ds_world *w, const ds_group *g, void *at, const int64_t *starts, ds_num type, ds_err *e);
/* Every member's part, everywhere. */
DS_MUST ds_rc ds_world_all_gather(
	ds_world *w, const ds_group *g, void *at, const int64_t *starts, ds_num type, ds_err *e);
typedef struct {
	void *at;
	const int64_t *starts; /* [n + 1] */
} ds_world_parts;
/* Part k of `from` goes to member k; part k of `to` comes from it. */
DS_MUST ds_rc ds_world_all_to_all(ds_world *w, const ds_group *g, ds_world_parts from,
	ds_world_parts to, ds_num type, ds_err *e);
DS_MUST ds_rc ds_world_broadcast(
	ds_world *w, const ds_group *g, int member, void *at, size_t n, ds_err *e);
DS_MUST ds_rc ds_world_barrier(ds_world *w, const ds_group *g, ds_err *e);

/* ---- what it took ---- */

typedef enum {
	DS_MOVE_POINT, /* send, recv */
	DS_MOVE_ALL_REDUCE,
	DS_MOVE_REDUCE_SCATTER,
	DS_MOVE_ALL_GATHER,
	DS_MOVE_ALL_TO_ALL,
	DS_MOVE_OTHER, /* broadcast, barrier */
	DS_N_MOVES
} ds_move;
const char *ds_move_name(ds_move m);
typedef struct {
	int64_t calls, bytes; /* bytes: that this rank sent */
	double seconds, waited;
} ds_traffic;
ds_traffic ds_world_traffic(const ds_world *w, ds_move m);

#endif
