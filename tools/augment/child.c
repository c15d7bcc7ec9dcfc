/*
 * child.c - writing, reading and listening at once, so that no pipe that is full blocks another
 */
#include "child.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IN, OUT, ERR };
enum { PIECE = 1 << 16, PIECES = 16, KEPT = 400, PER_BYTE = 64, SPARE = 1 << 20, LATE_MS = 5 };

struct child {
	child_plan plan;
	pid_t pid; /* 0: none */
	int fd[3]; /* -1: closed */
	ds_buf in, out;
	size_t written, n_lines; /* of in; line ends in out */
	char line[KEPT],
		last[KEPT]; /* of stderr: the one begun, the last whole one that says something */
	size_t n_line, n_last;
	int64_t alive_ms; /* when it last took input or gave output; stderr is no sign of work */
};

child *child_new(const child_plan *plan)
{
	child *c = DS_NEW(child, 1);
	c->plan = *plan;
	c->fd[IN] = c->fd[OUT] = c->fd[ERR] = -1;
	return c;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void shut(child *c, int which)
{
	if (c->fd[which] >= 0)
		close(c->fd[which]);
	c->fd[which] = -1;
}

static void end(child *c)
{
	shut(c, IN);
	shut(c, OUT);
	if (c->pid) {
		kill(-c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	c->pid = 0;
	shut(c, ERR);
}

void child_free(child *c)
{
	if (!c)
		return;
	end(c);
	ds_buf_free(&c->in);
	ds_buf_free(&c->out);
	ds_mem_free(c);
}

static void become(const char *command, pid_t parent, int in, int out, int err)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	setpgid(0, 0);
	if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static ds_rc start(child *c, ds_err *e)
{
	int p[3][2];
	pid_t self = getpid();
	c->n_line = c->n_last = 0;
	for (int i = 0; i < 3; i++) {
		if (pipe2(p[i], O_CLOEXEC) == 0)
			continue;
		ds_rc rc = ds_fail_errno(e, "cannot make a pipe");
		while (i-- > 0) {
			close(p[i][0]);
			close(p[i][1]);
		}
		return rc;
	}
	c->pid = fork();
	if (c->pid == 0)
		become(c->plan.command, self, p[IN][0], p[OUT][1], p[ERR][1]);
	int failed = errno;
	if (c->pid > 0)
		setpgid(c->pid, c->pid); /* the child does so too: whoever comes first */
	for (int i = 0; i < 3; i++) {
		close(p[i][i == IN ? 0 : 1]);
		c->fd[i] = p[i][i == IN ? 1 : 0];
		fcntl(c->fd[i], F_SETFL, O_NONBLOCK);
	}
	if (c->pid > 0)
		return DS_OK;
	c->pid = 0;
	end(c);
	errno = failed;
	return ds_fail_errno(e, "cannot start a program");
}

static void hear(child *c, const char *p, size_t n)
{
	for (size_t i = 0; i <= n; i++) {
		if (i < n && p[i] != '\n') {
			if (c->n_line < KEPT)
				c->line[c->n_line++] = p[i];
			continue;
		}
		if (i == n)
			return;
		ds_str line = ds_str_trim((ds_str){ c->line, c->n_line });
		if (line.n) {
			memmove(c->last, line.at, line.n);
			c->n_last = line.n;
		}
		c->n_line = 0;
	}
}

/* A few pieces at a time: one that writes without end would be listened to for ever. */
static void listen_to(child *c)
{
	char buf[4096];
	ssize_t n;
	for (int i = 0; i < PIECES && c->fd[ERR] >= 0; i++) {
		n = read(c->fd[ERR], buf, sizeof(buf));
		if (n > 0) {
			hear(c, buf, (size_t)n);
		} else if (n == 0) {
			hear(c, "\n", 1);
			shut(c, ERR);
		} else if (errno != EINTR) {
			return;
		}
	}
}

static void feed(child *c)
{
	while (c->fd[IN] >= 0 && c->written < c->in.n) {
		size_t n = c->in.n - c->written;
		ssize_t r = write(c->fd[IN], c->in.at + c->written, n < PIECE ? n : PIECE);
		if (r > 0) {
			c->written += (size_t)r;
			c->alive_ms = now_ms();
		} else if (r < 0 && errno == EAGAIN) {
			return;
		} else if (r < 0 && errno != EINTR) {
			shut(c, IN); /* it reads no more; its answer will show whether that was right */
		}
	}
	if (!c->plan.persistent)
		shut(c, IN);
}

static void collect(child *c)
{
	while (c->fd[OUT] >= 0) {
		ds_buf_reserve(&c->out, PIECE);
		ssize_t n = read(c->fd[OUT], c->out.at + c->out.n, PIECE);
		if (n > 0) {
			for (const char *p = c->out.at + c->out.n, *to = p + n;
				(p = memchr(p, '\n', (size_t)(to - p))); p++)
				c->n_lines++;
			c->out.n += (size_t)n;
			c->alive_ms = now_ms();
			if (c->out.n > PER_BYTE * c->in.n + SPARE)
				return;
		} else if (n == 0) {
			shut(c, OUT);
		} else if (errno != EINTR) {
			return;
		}
	}
}

static ds_rc complain(child *c, ds_err *e, const char *what)
{
	listen_to(c);
	hear(c, "\n", 1);
	ds_str said = { c->last, c->n_last };
	end(c);
	return ds_fail(e, DS_IO, "%s%s%.*s", what, said.n ? ": " : "", DS_FMT(said));
}

/* Until all that is awaited is there. */
static ds_rc converse(child *c, size_t n, ds_err *e)
{
	char what[120];
	c->alive_ms = now_ms();
	while (c->fd[OUT] >= 0 && !(c->plan.persistent && c->n_lines >= n)) {
		struct pollfd p[3];
		for (int i = 0; i < 3; i++)
			p[i] = (struct pollfd){ c->fd[i], i == IN ? POLLOUT : POLLIN, 0 };
		if (c->written == c->in.n)
			p[IN].fd = -1;
		int64_t left = c->alive_ms + 1000 * (int64_t)c->plan.timeout_s - now_ms();
		if (left <= 0) {
			snprintf(what, sizeof(what), "no sign of life for %d s", c->plan.timeout_s);
			return complain(c, e, what);
		}
		if (poll(p, 3, (int)(left < 1000 ? left : 1000)) < 0 && errno != EINTR)
			return ds_fail_errno(e, "poll");
		listen_to(c);
		feed(c);
		collect(c);
		if (c->out.n > PER_BYTE * c->in.n + SPARE) {
			snprintf(what, sizeof(what), "it printed over %zu bytes for %zu", c->out.n,
				c->in.n);
			return complain(c, e, what);
		}
	}
	return DS_OK;
}

/* One that goes on may say more than it was asked for, which would be the answers of the next lines. */
static void linger(child *c)
{
	struct pollfd p = { c->fd[OUT], POLLIN, 0 };
	if (c->fd[OUT] >= 0 && poll(&p, 1, LATE_MS) > 0)
		collect(c);
}

/* Its output has ended: what did it exit with? */
static ds_rc reap(child *c, ds_err *e)
{
	char what[80];
	int status = 0;
	int64_t until = now_ms() + 1000 * (int64_t)c->plan.timeout_s;
	for (long ns = 100000;; ns = ns < 20000000 ? 2 * ns : ns) {
		pid_t got = waitpid(c->pid, &status, WNOHANG);
		if (got == c->pid || (got < 0 && errno != EINTR))
			break;
		if (now_ms() > until)
			return complain(c, e, "it closed its output and does not end");
		listen_to(c);
		nanosleep(&(struct timespec){ 0, ns }, NULL);
	}
	kill(-c->pid, SIGKILL); /* what it may have left in its group */
	c->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return DS_OK;
	if (WIFSIGNALED(status))
		snprintf(what, sizeof(what), "ended by signal %d", WTERMSIG(status));
	else
		snprintf(what, sizeof(what), "exited with %d", WEXITSTATUS(status));
	return complain(c, e, what);
}

static ds_rc cut(child *c, size_t n, ds_arena *mem, ds_str *out, ds_err *e)
{
	char what[120];
	ds_str rest = ds_buf_view(&c->out);
	size_t lines = c->n_lines + (rest.n && rest.at[rest.n - 1] != '\n');
	if (lines != n) {
		snprintf(
			what, sizeof(what), "it printed %zu line%s for %zu", lines, ds_s(lines), n);
		return complain(c, e, what);
	}
	rest = ds_arena_str(mem, rest);
	for (size_t i = 0; i < n; i++) {
		out[i] = ds_str_cut(rest, '\n', &rest);
		if (out[i].n && out[i].at[out[i].n - 1] == '\r')
			out[i].n--;
	}
	return DS_OK;
}

ds_rc child_run(child *c, const ds_str *lines, size_t n, ds_arena *mem, ds_str *out, ds_err *e)
{
	ds_buf_clear(&c->in);
	ds_buf_clear(&c->out);
	c->written = c->n_lines = 0;
	for (size_t i = 0; i < n; i++) {
		ds_buf_add_str(&c->in, lines[i]);
		ds_buf_add_byte(&c->in, '\n');
	}
	if (!c->pid)
		DS_TRY(start(c, e));
	else
		collect(c); /* what nobody asked for makes too many lines below */
	DS_TRY(converse(c, n, e));
	linger(c);
	if (c->fd[OUT] < 0) { /* a batch is at its end, or one that should have gone on is gone */
		DS_TRY(reap(c, e));
		if (c->plan.persistent && c->n_lines < n)
			return complain(c, e, "it ended before it had answered");
	}
	DS_TRY(cut(c, n, mem, out, e));
	if (!c->plan.persistent || c->fd[OUT] < 0)
		end(c);
	return DS_OK;
}
