/*
 * thread.h - a pool for loops, a gate for order
 *
 * The pool runs a loop's tasks on its threads and the caller's; which thread takes which task is
 * open, so a task writes only what belongs to it. Between loops workers spin briefly, then sleep.
 */
#ifndef DS_BASE_THREAD_H
#define DS_BASE_THREAD_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ds_pool ds_pool;
typedef void ds_task(void *context, size_t task, unsigned worker); /* worker < threads */

ds_pool *ds_pool_new(unsigned threads); /* the caller's included; at least 1 */
void ds_pool_free(ds_pool *p);
unsigned ds_pool_threads(const ds_pool *p);
/* Returns when all tasks are done. Not to be called from a task. */
void ds_pool_run(ds_pool *p, size_t tasks, ds_task *fn, void *context);
DS_AUTO_WITH(ds_pool, ds_pool_free)

/* A thread that is joined by its owner. */
typedef struct ds_thread ds_thread;
DS_MUST ds_rc ds_thread_start(ds_thread **t, void (*fn)(void *), void *context, ds_err *e);
void ds_thread_join(ds_thread *t); /* frees it; NULL is fine */

/* Lets holders of tickets 0, 1, 2 … pass one at a time, in that order. */
typedef struct ds_gate ds_gate;
ds_gate *ds_gate_new(void);
void ds_gate_free(ds_gate *g);
void ds_gate_enter(ds_gate *g, uint64_t ticket); /* waits for its turn */
void ds_gate_leave(ds_gate *g, uint64_t ticket); /* lets ticket + 1 in */

#endif
