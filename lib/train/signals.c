/*
 * signals.c - a thread that waits for SIGINT and SIGTERM
 */
#include "train/signals.h"

#include "base/temp.h"
#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

enum { LOOK_NS = 50 * 1000 * 1000 }; /* how long closing may take */

static sigset_t ends, before;
static atomic_bool heeded, stop, closed;
static ds_thread *watcher;

static void end_process(int sig)
{
	sigset_t one;
	ds_temp_discard();
	signal(sig, SIG_DFL);
	sigemptyset(&one);
	sigaddset(&one, sig);
	raise(sig);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

static void watch(void *context)
{
	const struct timespec look = { 0, LOOK_NS };
	while (!atomic_load(&closed)) {
		int sig = sigtimedwait(&ends, NULL, &look);
		if (sig < 0)
			continue;
		if (!atomic_load(&heeded) || atomic_load(&stop))
			end_process(sig);
		atomic_store(&stop, true);
	}
}

ds_rc ds_signals_open(ds_err *e)
{
	static const int wanted[] = { SIGINT, SIGTERM };
	struct sigaction now;
	sigemptyset(&ends);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		/* nohup stays nohup */
		if (sigaction(wanted[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&ends, wanted[i]);
	pthread_sigmask(SIG_BLOCK, &ends, &before);
	return ds_thread_start(&watcher, watch, NULL, e);
}

void ds_signals_close(void)
{
	if (!watcher)
		return;
	atomic_store(&closed, true);
	ds_thread_join(watcher);
	watcher = NULL;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void ds_signals_heed(void)
{
	atomic_store(&heeded, true);
}

bool ds_signals_stop(void)
{
	return atomic_load(&stop);
}
