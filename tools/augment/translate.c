/*
 * translate.c - a queue of batches and the workers that take them
 */
#include "translate.h"

#include "base/hash.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/thread.h"
#include "child.h"

#include <pthread.h>

enum { TRIES = 3, WAYS = 2 };

typedef struct job {
	const ds_str *lines;
	ds_str *out; /* in mem */
	size_t n;
	ds_arena *mem;
	ds_rc rc;
	ds_err err;
	bool done;
	struct job *next;
} job;

typedef struct {
	translator *t;
	ds_thread *thread;
	child *child[WAYS];
} worker;

struct translator {
	translate_plan plan;
	ds_journal *cache;
	uint64_t salt[WAYS]; /* of the commands, for keys of the cache */
	worker *workers;
	pthread_mutex_t lock;
	pthread_cond_t more, done;
	job *first, **last; /* under lock, as what follows */
	bool stop, failed;
};

static ds_h128 key_of(const translator *t, int way, ds_str line)
{
	ds_h128 h = ds_hash128(line.at, line.n);
	h.lo ^= t->salt[way];
	h.hi += t->salt[way];
	return h;
}

static ds_rc three_tries(
	child *c, const ds_str *lines, size_t n, ds_arena *mem, ds_str *out, ds_err *e)
{
	ds_rc rc = DS_IO;
	for (int i = 0; i < TRIES && rc == DS_IO; i++)
		rc = child_run(c, lines, n, mem, out, e);
	return rc;
}

/* One way for all lines of a job, out of the cache or by the program. */
static ds_rc go(worker *k, job *j, int way, const ds_str *lines, ds_str *out, ds_err *e)
{
	translator *t = k->t;
	static const char *const options[WAYS] = { "--translator", "--back" };
	ds_str *asked = ds_arena_get(j->mem, j->n * sizeof(*asked));
	ds_str *answers = ds_arena_get(j->mem, j->n * sizeof(*answers));
	size_t *place = ds_arena_get(j->mem, j->n * sizeof(*place)), n = 0;
	for (size_t i = 0; i < j->n; i++) {
		bool found = !lines[i].n; /* an empty line is its own translation */
		out[i] = (ds_str){ "", 0 };
		if (t->cache && !found)
			DS_TRY(ds_journal_find(
				t->cache, key_of(t, way, lines[i]), j->mem, &out[i], &found, e));
		if (found)
			continue;
		asked[n] = lines[i];
		place[n++] = i;
	}
	if (!n)
		return DS_OK;
	DS_TRY_AT(three_tries(k->child[way], asked, n, j->mem, answers, e), e,
		"%s: failed %d times", options[way], TRIES);
	for (size_t i = 0; i < n; i++) {
		out[place[i]] = answers[i];
		if (t->cache)
			DS_TRY(ds_journal_add(t->cache, key_of(t, way, asked[i]), answers[i], e));
	}
	return DS_OK;
}

static ds_rc there_and_back(worker *k, job *j, ds_err *e)
{
	ds_str *between = ds_arena_get(j->mem, j->n * sizeof(*between));
	DS_TRY(go(k, j, 0, j->lines, between, e));
	return go(k, j, 1, between, j->out, e);
}

static void serve(void *context)
{
	worker *k = context;
	translator *t = k->t;
	pthread_mutex_lock(&t->lock);
	for (;;) {
		while (!t->first && !t->stop)
			pthread_cond_wait(&t->more, &t->lock);
		job *j = t->first;
		if (!j)
			break;
		t->first = j->next;
		if (!t->first)
			t->last = &t->first;
		bool give_up = t->failed;
		pthread_mutex_unlock(&t->lock);
		j->rc = give_up ? ds_fail(&j->err, DS_IO, "given up")
				: there_and_back(k, j, &j->err);
		pthread_mutex_lock(&t->lock);
		t->failed |= j->rc != DS_OK;
		j->done = true;
		pthread_cond_broadcast(&t->done);
	}
	pthread_mutex_unlock(&t->lock);
}

ds_rc translator_open(translator **out, const translate_plan *plan, ds_err *e)
{
	DS_AUTO(translator) t = DS_NEW(translator, 1);
	const char *const commands[WAYS] = { plan->there, plan->back };
	static const char *const options[WAYS] = { "--translator", "--back" };
	t->plan = *plan;
	t->last = &t->first;
	t->workers = DS_NEW(worker, (size_t)plan->workers);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->more, NULL);
	pthread_cond_init(&t->done, NULL);
	if (plan->cache)
		DS_TRY_AT(ds_journal_open(&t->cache, plan->cache, e), e, "--cache");
	for (int way = 0; way < WAYS; way++)
		t->salt[way] = ds_hash64_seed(commands[way], strlen(commands[way]), 1);
	for (int i = 0; i < plan->workers; i++) {
		worker *k = &t->workers[i];
		k->t = t;
		for (int way = 0; way < WAYS; way++)
			k->child[way] = child_new(&(child_plan){
				options[way], commands[way], plan->persistent, plan->timeout_s });
		DS_TRY(ds_thread_start(&k->thread, serve, k, e));
	}
	*out = t;
	t = NULL;
	return DS_OK;
}

void translator_close(translator *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->stop = true;
	pthread_cond_broadcast(&t->more);
	pthread_mutex_unlock(&t->lock);
	for (int i = 0; i < t->plan.workers; i++) {
		ds_thread_join(t->workers[i].thread);
		for (int way = 0; way < WAYS; way++)
			child_free(t->workers[i].child[way]);
	}
	ds_journal_close(t->cache);
	pthread_cond_destroy(&t->more);
	pthread_cond_destroy(&t->done);
	pthread_mutex_destroy(&t->lock);
	ds_mem_free(t->workers);
	ds_mem_free(t);
}

static void enqueue(translator *t, job *jobs, size_t n)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < n; i++) {
		*t->last = &jobs[i];
		t->last = &jobs[i].next;
	}
	pthread_cond_broadcast(&t->more);
	for (size_t i = 0; i < n; i++)
		while (!jobs[i].done)
			pthread_cond_wait(&t->done, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

ds_rc translator_run(
	translator *t, const ds_str *lines, size_t n, ds_arena *mem, ds_str *out, ds_err *e)
{
	size_t batch = (size_t)t->plan.batch, n_jobs = (n + batch - 1) / batch;
	job *jobs = ds_arena_zero(mem, (n_jobs + 1) * sizeof(*jobs));
	for (size_t i = 0; i < n_jobs; i++) {
		jobs[i].lines = lines + i * batch;
		jobs[i].out = out + i * batch;
		jobs[i].n = i + 1 < n_jobs ? batch : n - i * batch;
		jobs[i].mem = ds_arena_new(1 << 16);
	}
	enqueue(t, jobs, n_jobs);
	ds_rc rc = DS_OK;
	for (size_t i = 0; i < n_jobs; i++) {
		if (jobs[i].rc != DS_OK && (rc == DS_OK || strcmp(e->msg, "given up") == 0)) {
			rc = jobs[i].rc;
			*e = jobs[i].err;
		}
		for (size_t k = 0; rc == DS_OK && k < jobs[i].n; k++)
			jobs[i].out[k] = ds_arena_str(mem, jobs[i].out[k]);
		ds_arena_free(jobs[i].mem);
	}
	return rc;
}
