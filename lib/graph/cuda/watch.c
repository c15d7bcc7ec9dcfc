/*
 * watch.c - a thread that ends what would wait for ever
 *
 * While the rank's thread waits for its device, this one looks at the moves that have not ended. Where another rank has
 * failed, NCCL says that something is wrong, or nothing has moved for as long as a wait may take (ds_world_limit), it
 * aborts the communicators, so that the device and the rank's thread go on, and remembers which move it was. It asks CUDA
 * nothing: moves say by a number in host memory that they ended.
 */
#include "graph/cuda/comm_impl.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST = 256, LOOK_NS = 50 * 1000 * 1000 };

typedef struct {
	ds_cuda_comm *comm;
	uint64_t number;
	char what[DS_CUDA_TEXT];
} watched;

struct ds_cuda_watch {
	const ds_cuda_api *api;
	ds_world *world;
	ds_thread *thread;
	pthread_mutex_t lock;
	pthread_cond_t bell;
	watched all[MOST]; /* in the order in which they were asked for */
	int n;
	bool waits, ends, aborted;
	double since; /* when the wait began, or when a move last ended */
	char why[DS_ERR_BYTES];
};

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Drops those that have ended; true: there were some. */
static bool drop_ended(ds_cuda_watch *w)
{
	int kept = 0, before = w->n;
	for (int i = 0; i < w->n; i++) {
		watched *a = &w->all[i];
		if (w->api->comm->moved(a->comm) < a->number)
			w->all[kept++] = *a;
	}
	w->n = kept;
	return kept < before;
}

static void abort_all(ds_cuda_watch *w)
{
	for (int i = 0; i < w->n; i++)
		w->api->comm->abort(w->all[i].comm);
	w->aborted = true;
}

static void look(ds_cuda_watch *w)
{
	const char *said = "";
	double limit = ds_world_patience(w->world);
	if (drop_ended(w))
		w->since = now();
	if (!w->n || w->aborted)
		return;
	int by = ds_world_failed(w->world, &said), rc = w->api->comm->error(w->all[0].comm);
	if (by >= 0) {
		snprintf(w->why, sizeof(w->why), "%s: rank %d ended%s%s", w->all[0].what, by,
			*said ? ": " : "", said);
	} else if (rc) {
		snprintf(w->why, sizeof(w->why), "%s: %s", w->all[0].what, w->api->text(rc));
	} else if (limit > 0 && now() - w->since > limit) {
		char doing[DS_ERR_BYTES / 2];
		ds_world_doing(w->world, doing, sizeof(doing));
		snprintf(w->why, sizeof(w->why), "%s did not end within %.0f s%s", w->all[0].what,
			limit, doing);
	} else {
		return;
	}
	abort_all(w);
}

static void keep_watch(void *context)
{
	ds_cuda_watch *w = context;
	pthread_mutex_lock(&w->lock);
	while (!w->ends) {
		struct timespec until;
		if (!w->waits) {
			pthread_cond_wait(&w->bell, &w->lock);
			continue;
		}
		look(w);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_NS;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&w->bell, &w->lock, &until);
	}
	pthread_mutex_unlock(&w->lock);
}

ds_rc ds_cuda_watch_new(ds_cuda_watch **out, const ds_cuda_api *api, ds_world *world, ds_err *e)
{
	ds_cuda_watch *w = DS_NEW(ds_cuda_watch, 1);
	w->api = api;
	w->world = world;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->bell, NULL);
	*out = w;
	return ds_thread_start(&w->thread, keep_watch, w, e);
}

void ds_cuda_watch_free(ds_cuda_watch *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->ends = true;
	pthread_cond_signal(&w->bell);
	pthread_mutex_unlock(&w->lock);
	ds_thread_join(w->thread);
	pthread_cond_destroy(&w->bell);
	pthread_mutex_destroy(&w->lock);
	ds_mem_free(w);
}

void ds_cuda_watch_add(ds_cuda_watch *w, ds_cuda_comm *c, uint64_t number, const char *what)
{
	pthread_mutex_lock(&w->lock);
	if (w->n == MOST && !drop_ended(w)) { /* the oldest of so many says enough */
		memmove(&w->all[1], &w->all[2], (MOST - 2) * sizeof(*w->all));
		w->n--;
	}
	w->all[w->n] = (watched){ c, number, "" };
	snprintf(w->all[w->n++].what, sizeof(w->all[0].what), "%s", what);
	pthread_mutex_unlock(&w->lock);
}

void ds_cuda_watch_begin(ds_cuda_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->waits = true;
	w->since = now();
	pthread_cond_signal(&w->bell);
	pthread_mutex_unlock(&w->lock);
}

ds_rc ds_cuda_watch_end(ds_cuda_watch *w, ds_err *e)
{
	pthread_mutex_lock(&w->lock);
	w->waits = false;
	bool aborted = w->aborted;
	pthread_mutex_unlock(&w->lock);
	return aborted ? ds_fail(e, DS_IO, "cuda: %s", w->why) : DS_OK;
}
