/*
 * sched.c - the queue and the thread that empties it
 */
#include "sched.h"

#include "base/mem.h"
#include "base/thread.h"
#include "batches.h"
#include "clock.h"

#include <pthread.h>

struct sched {
	sched_opts o;
	ds_slots *slots;
	batches *vectors, *labels;
	work **owner; /* of each slot */
	ds_thread *thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more;
	work *first, **last;
	size_t n_waiting, n_running;
	double each_s; /* a work takes, smoothed: from one that is done to the next while some wait */
	uint64_t done_ns, steps;
	int64_t in_use; /* positions */
	bool stops;
};

/* ---- the queue ---- */

bool sched_put(sched *s, work *const *works, size_t n)
{
	uint64_t now = clock_ns();
	pthread_mutex_lock(&s->lock);
	bool fits = s->n_waiting + n <= s->o.most_waiting && !s->stops;
	for (size_t i = 0; fits && i < n; i++) {
		works[i]->put_ns = now;
		works[i]->next = NULL;
		*s->last = works[i];
		s->last = &works[i]->next;
	}
	s->n_waiting += fits ? n : 0;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	return fits;
}

sched_state sched_look(sched *s)
{
	pthread_mutex_lock(&s->lock);
	sched_state r = { .waiting = s->n_waiting,
		.running = s->n_running,
		.wait_s = s->each_s * (double)(s->n_waiting + 1),
		.steps = s->steps };
	if (s->slots)
		r.used = (double)s->in_use / (double)(s->o.slots * s->o.context);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int64_t sched_longest(const sched *s, work_kind kind)
{
	if (kind == WORK_TEXT)
		return s->o.context;
	return batches_longest(kind == WORK_VECTOR ? s->vectors : s->labels);
}

/* Out of the queue, under the lock; at: the link to it. */
static work *unlink_work(sched *s, work **at)
{
	work *w = *at;
	*at = w->next;
	if (s->last == &w->next)
		s->last = at;
	s->n_waiting--;
	return w;
}

static bool over(const work *w, uint64_t now, work_end *end)
{
	*end = atomic_load(w->gone) ? WORK_GONE : WORK_LATE;
	return *end == WORK_GONE || (w->deadline_ns && now > w->deadline_ns);
}

static void finish(sched *s, work *w, work_end end, const char *why)
{
	uint64_t now = clock_ns();
	pthread_mutex_lock(&s->lock);
	if (w->begun_ns && end == WORK_DONE) {
		uint64_t from = s->done_ns > w->begun_ns ? s->done_ns : w->begun_ns;
		s->each_s += 0.1 * ((double)(now - from) / 1e9 - s->each_s);
		s->done_ns = now;
	}
	if (w->begun_ns)
		s->n_running--;
	pthread_mutex_unlock(&s->lock);
	w->done(w, end, why); /* it may be freed by that */
}

/* Works of the queue that nobody waits for any more, as a list. */
static work *reap(sched *s, bool all)
{
	work *dead = NULL;
	work_end end;
	uint64_t now = clock_ns();
	for (work **at = &s->first; *at;) {
		if (!all && !over(*at, now, &end)) {
			at = &(*at)->next;
			continue;
		}
		work *w = unlink_work(s, at);
		w->next = dead;
		dead = w;
	}
	return dead;
}

static void bury(sched *s, work *dead, bool all)
{
	uint64_t now = clock_ns();
	while (dead) {
		work *w = dead;
		work_end end;
		dead = w->next;
		finish(s, w, over(w, now, &end) || !all ? end : WORK_STOPPED, NULL);
	}
}

/* The first of a kind, under the lock; NULL: none waits. class_of: of a length, -1: any. */
static work *take(sched *s, work_kind kind, const batches *b, int class_of)
{
	for (work **at = &s->first; *at; at = &(*at)->next) {
		work *w = *at;
		if (w->kind != kind ||
			(class_of >= 0 && batches_class(b, w->ask.n_prompt) != class_of))
			continue;
		w->begun_ns = clock_ns();
		s->n_running++;
		return unlink_work(s, at);
	}
	return NULL;
}

/* ---- texts ---- */

static void admit(sched *s)
{
	while (s->slots && ds_slots_free(s->slots)) {
		int64_t slot;
		ds_err e;
		pthread_mutex_lock(&s->lock);
		work *w = take(s, WORK_TEXT, NULL, -1);
		pthread_mutex_unlock(&s->lock);
		if (!w)
			return;
		if (ds_slots_admit(s->slots, &w->ask, &slot, &e) != DS_OK) {
			finish(s, w, WORK_FAILED, e.msg);
			continue;
		}
		s->owner[slot] = w;
		w->n_reused = ds_slots_reused(s->slots, slot);
	}
}

static void release(sched *s, int64_t slot, work_end end, const char *why)
{
	work *w = s->owner[slot];
	s->owner[slot] = NULL;
	ds_slots_release(s->slots, slot);
	finish(s, w, end, why);
}

static void take_event(sched *s, const ds_slot_event *v)
{
	work *w = s->owner[v->slot];
	if (!w->first_ns)
		w->first_ns = clock_ns();
	bool enough = w->token(w, v);
	if (enough || v->end != DS_SLOT_GOES_ON)
		release(s, v->slot, WORK_DONE, NULL);
}

/* How much of the caches is in use: what prompts and answers will take at most would say too much. */
static void count_positions(sched *s)
{
	int64_t n = 0;
	for (int64_t i = 0; i < s->o.slots; i++)
		n += s->owner[i] ? (int64_t)s->owner[i]->ask.n_prompt : 0;
	pthread_mutex_lock(&s->lock);
	s->in_use = n;
	s->steps++;
	pthread_mutex_unlock(&s->lock);
}

static void step(sched *s)
{
	const ds_slot_event *events;
	size_t n;
	ds_err e;
	uint64_t now = clock_ns();
	work_end end;
	for (int64_t i = 0; i < s->o.slots; i++)
		if (s->owner[i] && over(s->owner[i], now, &end))
			release(s, i, end, NULL);
	if (!ds_slots_busy(s->slots))
		return;
	if (ds_slots_step(s->slots, &events, &n, &e) != DS_OK) {
		for (int64_t i = 0; i < s->o.slots; i++)
			if (s->owner[i])
				release(s, i, WORK_FAILED, e.msg);
		return;
	}
	for (size_t i = 0; i < n; i++)
		take_event(s, &events[i]);
	count_positions(s);
}

/* ---- vectors and labels ---- */

/* As many as there are of the first one's length. */
static void batch(sched *s, work_kind kind, batches *b)
{
	work *works[BATCH_MOST];
	size_t n = 0;
	ds_err e;
	if (!b)
		return;
	pthread_mutex_lock(&s->lock);
	works[0] = take(s, kind, b, -1);
	if (works[0]) {
		int class_of = batches_class(b, works[0]->ask.n_prompt);
		size_t most = batches_most(b, class_of);
		for (n = 1; n < most; n++)
			if (!(works[n] = take(s, kind, b, class_of)))
				break;
	}
	pthread_mutex_unlock(&s->lock);
	if (!n)
		return;
	ds_rc rc = batches_run(b, batches_class(b, works[0]->ask.n_prompt), works, n, &e);
	uint64_t now = clock_ns();
	for (size_t i = 0; i < n; i++) {
		works[i]->first_ns = now;
		finish(s, works[i], rc == DS_OK ? WORK_DONE : WORK_FAILED,
			rc == DS_OK ? NULL : e.msg);
	}
}

/* ---- the thread ---- */

/* Waits until there is something to do; false: it is over. */
static bool wait_for_work(sched *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->first && !s->stops && !(s->slots && ds_slots_busy(s->slots)))
		pthread_cond_wait(&s->more, &s->lock);
	bool goes_on = !s->stops;
	work *dead = reap(s, s->stops);
	pthread_mutex_unlock(&s->lock);
	bury(s, dead, !goes_on);
	return goes_on;
}

static void serve_all(void *context)
{
	sched *s = context;
	while (wait_for_work(s)) {
		batch(s, WORK_VECTOR, s->vectors);
		batch(s, WORK_LABEL, s->labels);
		admit(s);
		if (s->slots)
			step(s);
	}
	for (int64_t i = 0; s->slots && i < s->o.slots; i++)
		if (s->owner[i])
			release(s, i, WORK_STOPPED, NULL);
}

/* ---- opening ---- */

static ds_rc open_engines(sched *s, ds_err *e)
{
	const sched_opts *o = &s->o;
	ds_exec *weights = NULL;
	if (o->slots) {
		ds_slots_opts how = { .slots = o->slots,
			.context = o->context,
			.limit_bytes = o->limit_bytes,
			.precision = o->precision,
			.scores = true };
		DS_TRY(ds_slots_open(&s->slots, o->model, o->device, &how, e));
		s->owner = DS_NEW(work *, (size_t)o->slots);
		weights = ds_slots_weights(s->slots);
	}
	/* A classifier has weights that its trunk alone does not have. */
	if (o->labels) {
		DS_TRY(batches_open(&s->labels, o, WORK_LABEL, weights, e));
		weights = batches_weights(s->labels);
	}
	if (!ds_model_soft(o->model))
		DS_TRY(batches_open(&s->vectors, o, WORK_VECTOR, weights, e));
	return DS_OK;
}

static ds_rc warm(sched *s, ds_err *e)
{
	static const uint32_t id = 0;
	const ds_slot_event *events;
	size_t n;
	int64_t slot;
	if (!s->slots)
		return DS_OK;
	ds_slot_ask ask = { .prompt = &id, .n_prompt = 1, .how = { .top_p = 1 }, .max_tokens = 2 };
	DS_TRY(ds_slots_admit(s->slots, &ask, &slot, e));
	while (ds_slots_busy(s->slots))
		DS_TRY(ds_slots_step(s->slots, &events, &n, e));
	ds_slots_release(s->slots, slot);
	return DS_OK;
}

ds_rc sched_open(sched **out, const sched_opts *o, ds_err *e)
{
	DS_AUTO(sched) s = DS_NEW(sched, 1);
	s->o = *o;
	s->last = &s->first;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	DS_TRY(open_engines(s, e));
	DS_TRY(warm(s, e));
	DS_TRY(ds_thread_start(&s->thread, serve_all, s, e));
	*out = s;
	s = NULL;
	return DS_OK;
}

void sched_stop(sched *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stops = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	ds_thread_join(s->thread);
	s->thread = NULL;
}

void sched_close(sched *s)
{
	if (!s)
		return;
	sched_stop(s);
	batches_close(s->vectors);
	batches_close(s->labels);
	ds_slots_close(s->slots);
	ds_mem_free(s->owner);
	pthread_cond_destroy(&s->more);
	pthread_mutex_destroy(&s->lock);
	ds_mem_free(s);
}
