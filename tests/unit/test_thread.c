#include "test.h"

#include "base/thread.h"

#include <stdatomic.h>
#include <string.h>

enum { TASKS = 1000 };

typedef struct {
	unsigned char hits[TASKS];
	unsigned threads;
	atomic_uint wrong;
} board;

static void hit(void *context, size_t task, unsigned worker)
{
	board *b = context;
	b->hits[task]++;
	if (worker >= b->threads)
		atomic_fetch_add(&b->wrong, 1);
}

static void every_task_runs_once_however_many_threads(void **state)
{
	for (unsigned threads = 1; threads < 6; threads++) {
		DS_AUTO(ds_pool) p = ds_pool_new(threads);
		assert_int_equal(ds_pool_threads(p), threads);
		for (size_t round = 0; round < 300; round++) {
			board b = { .threads = threads };
			size_t n = round * 7 % TASKS;
			ds_pool_run(p, n, hit, &b);
			for (size_t i = 0; i < TASKS; i++)
				assert_int_equal(b.hits[i], i < n);
			assert_int_equal(b.wrong, 0);
		}
	}
}

typedef struct {
	ds_gate *gate;
	atomic_ulong next;
	unsigned long seen[TASKS];
	size_t n;
} line;

static void pass(void *context)
{
	line *l = context;
	for (;;) {
		unsigned long ticket = atomic_fetch_add(&l->next, 1);
		if (ticket >= TASKS)
			return;
		ds_gate_enter(l->gate, ticket);
		l->seen[l->n++] = ticket;
		ds_gate_leave(l->gate, ticket);
	}
}

static void a_gate_lets_tickets_pass_in_order(void **state)
{
	line l = { .gate = ds_gate_new() };
	ds_thread *t[5];
	ds_err e;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ds_thread_start(&t[i], pass, &l, &e), DS_OK);
	for (int i = 0; i < 5; i++)
		ds_thread_join(t[i]);
	assert_int_equal(l.n, TASKS);
	for (size_t i = 0; i < TASKS; i++)
		assert_int_equal(l.seen[i], i);
	ds_gate_free(l.gate);
	ds_thread_join(NULL);
}

TESTS(cmocka_unit_test(every_task_runs_once_however_many_threads),
	cmocka_unit_test(a_gate_lets_tickets_pass_in_order))
