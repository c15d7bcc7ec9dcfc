/*
 * thread.c - over pthreads
 *
 * A pool's loop is one atomic number, the tasks that are left: who takes it from k to k - 1 owns
 * task tasks - k. A worker that comes late finds nothing left and has touched nothing else, so a
 * loop ends when its tasks have, not when every worker has looked in.
 */
#include "base/thread.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { SPINS = 2000, GATE_SLOTS = 64 };

typedef struct {
	ds_pool *pool;
	unsigned number;
	pthread_t thread;
} worker;

struct ds_pool {
	unsigned threads, started, spins;
	worker *workers;
	pthread_mutex_t lock;
	pthread_cond_t go, done;
	unsigned sleepers; /* under lock */
	bool stop;         /* under lock */
	atomic_ulong loop; /* grows by one a loop */
	atomic_long left;
	atomic_size_t n_done;
	/* Written before `left`, read by owners of a task only. */
	size_t tasks;
	ds_task *fn;
	void *context;
};

static void pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

static void take_tasks(ds_pool *p, unsigned number)
{
	for (;;) {
		if (atomic_load_explicit(&p->left, memory_order_relaxed) <= 0)
			return;
		long left = atomic_fetch_sub_explicit(&p->left, 1, memory_order_acq_rel);
		if (left <= 0)
			return;
		size_t tasks = p->tasks;
		p->fn(p->context, tasks - (size_t)left, number);
		if (atomic_fetch_add_explicit(&p->n_done, 1, memory_order_acq_rel) + 1 == tasks) {
			pthread_mutex_lock(&p->lock);
			pthread_cond_signal(&p->done);
			pthread_mutex_unlock(&p->lock);
		}
	}
}

/* Waits for a loop after `seen`; false when the pool ends. */
static bool wait_loop(ds_pool *p, unsigned long seen)
{
	for (unsigned i = 0; i < p->spins; i++) {
		if (atomic_load_explicit(&p->loop, memory_order_acquire) != seen)
			return true;
		pause_cpu();
	}
	pthread_mutex_lock(&p->lock);
	p->sleepers++;
	while (!p->stop && atomic_load_explicit(&p->loop, memory_order_acquire) == seen)
		pthread_cond_wait(&p->go, &p->lock);
	p->sleepers--;
	bool stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return !stop;
}

static void *work(void *arg)
{
	worker *w = arg;
	unsigned long seen = 0;
	while (wait_loop(w->pool, seen)) {
		seen = atomic_load_explicit(&w->pool->loop, memory_order_acquire);
		take_tasks(w->pool, w->number);
	}
	return NULL;
}

ds_pool *ds_pool_new(unsigned threads)
{
	ds_pool *p = DS_NEW(ds_pool, 1);
	p->threads = threads < 1 ? 1 : threads;
	/* Spinning takes the core from the others where there are more threads than cores. */
	p->spins = p->threads <= ds_cpu_cores() ? SPINS : 0;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->go, NULL);
	pthread_cond_init(&p->done, NULL);
	p->workers = DS_NEW(worker, p->threads);
	/* A system that refuses a thread gets a smaller pool: the results are the same. */
	for (unsigned i = 1; i < p->threads; i++) {
		worker *w = &p->workers[i];
		w->pool = p;
		w->number = i;
		if (pthread_create(&w->thread, NULL, work, w) != 0)
			break;
		p->started = i;
	}
	return p;
}

void ds_pool_free(ds_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	atomic_fetch_add(&p->loop, 1);
	pthread_cond_broadcast(&p->go);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 1; i <= p->started; i++)
		pthread_join(p->workers[i].thread, NULL);
	pthread_cond_destroy(&p->go);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->lock);
	ds_mem_free(p->workers);
	ds_mem_free(p);
}

unsigned ds_pool_threads(const ds_pool *p)
{
	return p->threads;
}

void ds_pool_run(ds_pool *p, size_t tasks, ds_task *fn, void *context)
{
	if (p->started == 0 || tasks <= 1) {
		for (size_t i = 0; i < tasks; i++)
			fn(context, i, 0);
		return;
	}
	p->tasks = tasks;
	p->fn = fn;
	p->context = context;
	atomic_store_explicit(&p->n_done, 0, memory_order_relaxed);
	atomic_store_explicit(&p->left, (long)tasks, memory_order_release);
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add_explicit(&p->loop, 1, memory_order_release);
	if (p->sleepers)
		pthread_cond_broadcast(&p->go);
	pthread_mutex_unlock(&p->lock);
	take_tasks(p, 0);
	for (unsigned i = 0; i < p->spins; i++) {
		if (atomic_load_explicit(&p->n_done, memory_order_acquire) == tasks)
			return;
		pause_cpu();
	}
	pthread_mutex_lock(&p->lock);
	while (atomic_load_explicit(&p->n_done, memory_order_acquire) != tasks)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

struct ds_thread {
	pthread_t thread;
	void (*fn)(void *);
	void *context;
};

static void *thread_main(void *arg)
{
	ds_thread *t = arg;
	t->fn(t->context);
	return NULL;
}

ds_rc ds_thread_start(ds_thread **t, void (*fn)(void *), void *context, ds_err *e)
{
	ds_thread *n = DS_NEW(ds_thread, 1);
	n->fn = fn;
	n->context = context;
	errno = pthread_create(&n->thread, NULL, thread_main, n);
	if (errno) {
		ds_mem_free(n);
		*t = NULL;
		return ds_fail_errno(e, "cannot start a thread");
	}
	*t = n;
	return DS_OK;
}

void ds_thread_join(ds_thread *t)
{
	if (!t)
		return;
	pthread_join(t->thread, NULL);
	ds_mem_free(t);
}

/* Tickets wait on a condition of their own (modulo 64), so that a step wakes one thread, not all. */
struct ds_gate {
	pthread_mutex_t lock;
	pthread_cond_t turn[GATE_SLOTS];
	uint64_t now;
};

ds_gate *ds_gate_new(void)
{
	ds_gate *g = DS_NEW(ds_gate, 1);
	pthread_mutex_init(&g->lock, NULL);
	for (int i = 0; i < GATE_SLOTS; i++)
		pthread_cond_init(&g->turn[i], NULL);
	return g;
}

void ds_gate_free(ds_gate *g)
{
	if (!g)
		return;
	for (int i = 0; i < GATE_SLOTS; i++)
		pthread_cond_destroy(&g->turn[i]);
	pthread_mutex_destroy(&g->lock);
	ds_mem_free(g);
}

void ds_gate_enter(ds_gate *g, uint64_t ticket)
{
	pthread_mutex_lock(&g->lock);
	while (g->now != ticket)
		pthread_cond_wait(&g->turn[ticket % GATE_SLOTS], &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void ds_gate_leave(ds_gate *g, uint64_t ticket)
{
	pthread_mutex_lock(&g->lock);
	g->now = ticket + 1;
	pthread_cond_broadcast(&g->turn[g->now % GATE_SLOTS]);
	pthread_mutex_unlock(&g->lock);
}
