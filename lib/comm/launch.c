/*
 * launch.c - forking ranks and watching over them
 */
#include "comm/launch.h"

#include "base/mem.h"
#include "base/thread.h"
#include "comm/shm_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_NS = 200 * 1000 * 1000, GRACE_SECONDS = 5 };

struct ds_launched {
	ds_shm *m;
	int rank;
};

typedef struct {
	ds_shm *m;
	int n, alive;
	pid_t *pids;  /* 0: it has ended */
	double until; /* when the rest is killed; 0: not yet */
	sigset_t mine, before;
} watch;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void send_all(const watch *a, int sig)
{
	for (int i = 0; i < a->n; i++)
		if (a->pids[i])
			kill(a->pids[i], sig);
}

/* How a process ended, where it did not say itself. */
static void note_end(watch *a, int rank, int status)
{
	char why[128];
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
	ds_shm_fail(a->m, rank, WIFSIGNALED(status) ? DS_IO : WEXITSTATUS(status), why);
	if (a->until == 0)
		a->until = now() + GRACE_SECONDS;
}

static void reap(watch *a)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int i = 0; i < a->n; i++)
			if (a->pids[i] == pid) {
				a->pids[i] = 0;
				a->alive--;
				note_end(a, i, status);
			}
}

/* Until all have ended. A signal of a terminal reaches the ranks by itself. */
static void watch_over(watch *a)
{
	const struct timespec look = { 0, LOOK_NS };
	while (a->alive) {
		siginfo_t info;
		int sig = sigtimedwait(&a->mine, &info, &look);
		if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
			send_all(a, sig);
		reap(a);
		if (a->until > 0 && now() > a->until)
			send_all(a, SIGKILL);
	}
}

static ds_rc result(const watch *a, int *by, ds_err *e)
{
	int rc;
	const char *why;
	*by = ds_shm_failed(a->m, &rc, &why);
	if (*by < 0)
		return DS_OK;
	/* What is wrong with the request is wrong on every rank. */
	if (rc == DS_USAGE)
		return ds_fail(e, DS_USAGE, "%s", why);
	return ds_fail(e, rc ? (ds_rc)rc : DS_IO, "rank %d: %s", *by, *why ? why : "ended");
}

static void become(const watch *a, pid_t parent, int rank, ds_world **w, ds_launched **l)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(DS_IO);
	sigprocmask(SIG_SETMASK, &a->before, NULL);
	*l = DS_NEW(ds_launched, 1);
	**l = (ds_launched){ a->m, rank };
	*w = ds_world_over(ds_shm_link(a->m, rank));
}

/* True in a rank. */
static bool fork_all(watch *a, ds_world **w, ds_launched **l)
{
	pid_t parent = getpid();
	for (int i = 0; i < a->n; i++) {
		a->pids[i] = fork();
		if (a->pids[i] == 0) {
			become(a, parent, i, w, l);
			return true;
		}
		if (a->pids[i] < 0) {
			a->pids[i] = 0;
			ds_shm_fail(a->m, i, DS_IO, strerror(errno));
			a->until = now();
			return false;
		}
		a->alive++;
	}
	return false;
}

ds_rc ds_launch(int ranks, ds_world **w, ds_launched **l, int *by, ds_err *e)
{
	watch a = { .n = ranks };
	*w = NULL;
	*l = NULL;
	*by = -1;
	a.m = ds_shm_new(ranks);
	if (!a.m)
		return ds_fail_errno(e, "no shared memory for %d ranks", ranks);
	a.pids = DS_NEW(pid_t, (size_t)ranks);
	sigemptyset(&a.mine);
	sigaddset(&a.mine, SIGCHLD);
	sigaddset(&a.mine, SIGINT);
	sigaddset(&a.mine, SIGTERM);
	sigaddset(&a.mine, SIGHUP);
	sigprocmask(SIG_BLOCK, &a.mine, &a.before);
	fflush(NULL);
	bool rank = fork_all(&a, w, l);
	ds_rc rc = DS_OK;
	if (!rank) {
		watch_over(&a);
		rc = result(&a, by, e);
		ds_shm_free(a.m);
		sigprocmask(SIG_SETMASK, &a.before, NULL);
	}
	ds_mem_free(a.pids);
	return rc;
}

void ds_launch_end(ds_launched *l, ds_world *w, ds_rc rc, const ds_err *e)
{
	ds_world_close(w);
	if (!l)
		return;
	if (rc != DS_OK)
		ds_shm_fail(l->m, l->rank, rc, e->msg);
	ds_shm_free(l->m);
	ds_mem_free(l);
}

/* ---- threads ---- */

typedef struct {
	ds_shm *m;
	int rank;
	ds_rank_fn *fn;
	void *context;
} seat;

static void sit(void *context)
{
	const seat *s = context;
	ds_err e = { "" };
	ds_world *w = ds_world_over(ds_shm_link(s->m, s->rank));
	ds_rc rc = s->fn(s->context, w, &e);
	ds_world_close(w);
	if (rc != DS_OK)
		ds_shm_fail(s->m, s->rank, rc, e.msg);
}

ds_rc ds_launch_threads(int ranks, ds_rank_fn *fn, void *context, ds_err *e)
{
	ds_shm *m = ds_shm_new(ranks);
	if (!m)
		return ds_fail_errno(e, "no shared memory for %d ranks", ranks);
	seat *seats = DS_NEW(seat, (size_t)ranks);
	ds_thread **threads = DS_NEW(ds_thread *, (size_t)ranks);
	ds_rc rc = DS_OK;
	for (int i = 0; i < ranks && rc == DS_OK; i++) {
		seats[i] = (seat){ m, i, fn, context };
		rc = ds_thread_start(&threads[i], sit, &seats[i], e);
		if (rc != DS_OK)
			ds_shm_fail(m, i, rc, e->msg);
	}
	for (int i = 0; i < ranks; i++)
		ds_thread_join(threads[i]);
	int code;
	const char *why;
	int by = ds_shm_failed(m, &code, &why);
	if (by >= 0 && rc == DS_OK)
		rc = ds_fail(e, (ds_rc)code, "rank %d: %s", by, why);
	ds_mem_free(threads);
	ds_mem_free(seats);
	ds_shm_free(m);
	return rc;
}
