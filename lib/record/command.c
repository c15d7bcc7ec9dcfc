/*
 * command.c - a program whose output is the input
 */
#include "record/command.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEPT = 400 };

struct ds_command {
	pid_t pid; /* 0: waited for */
	int out, err;
	ds_thread *reader;
	char last[KEPT], line[KEPT]; /* the last whole line with something in it; the one begun */
	size_t n_last, n_line;
};

static void end_line(ds_command *x)
{
	ds_str line = ds_str_trim((ds_str){ x->line, x->n_line });
	if (line.n) {
		memcpy(x->last, line.at, line.n);
		x->n_last = line.n;
	}
	x->n_line = 0;
}

static void read_errors(void *context)
{
	ds_command *x = context;
	char buf[4096];
	for (;;) {
		ssize_t n = read(x->err, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n')
				end_line(x);
			else if (x->n_line < KEPT)
				x->line[x->n_line++] = buf[i];
		}
	}
	end_line(x);
}

static void become(const char *command, int in, int out, int err)
{
	int from = in >= 0 ? in : open("/dev/null", O_RDONLY);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	setpgid(0, 0);
	if (from >= 0 && dup2(from, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

ds_rc ds_command_open(ds_command **out, const char *command, int in, ds_err *e)
{
	int p[2], q[2];
	if (pipe2(p, O_CLOEXEC) != 0)
		return ds_fail_errno(e, "--exec");
	if (pipe2(q, O_CLOEXEC) != 0) {
		close(p[0]);
		close(p[1]);
		return ds_fail_errno(e, "--exec");
	}
	DS_AUTO(ds_command) x = DS_NEW(ds_command, 1);
	x->out = p[0];
	x->err = q[0];
	x->pid = fork();
	if (x->pid == 0)
		become(command, in, p[1], q[1]);
	int failed = errno;
	close(p[1]);
	close(q[1]);
	if (x->pid < 0) {
		x->pid = 0;
		errno = failed;
		return ds_fail_errno(e, "--exec: cannot start a program");
	}
	DS_TRY(ds_thread_start(&x->reader, read_errors, x, e));
	*out = x;
	x = NULL;
	return DS_OK;
}

int ds_command_fd(const ds_command *x)
{
	return x->out;
}

static int wait_for(ds_command *x)
{
	int status = 0;
	while (x->pid && waitpid(x->pid, &status, 0) < 0 && errno == EINTR)
		;
	x->pid = 0;
	return status;
}

ds_rc ds_command_wait(ds_command *x, ds_err *e)
{
	int status = wait_for(x);
	ds_thread_join(x->reader);
	x->reader = NULL;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return DS_OK;
	ds_str said = { x->last, x->n_last };
	const char *colon = said.n ? ": " : "";
	if (WIFSIGNALED(status))
		return ds_fail(e, DS_IO, "--exec: the program was ended by signal %d%s%.*s",
			WTERMSIG(status), colon, DS_FMT(said));
	return ds_fail(e, DS_IO, "--exec: the program exited with %d%s%.*s", WEXITSTATUS(status),
		colon, DS_FMT(said));
}

void ds_command_close(ds_command *x)
{
	if (!x)
		return;
	if (x->pid)
		kill(-x->pid, SIGTERM);
	close(x->out);
	wait_for(x);
	ds_thread_join(x->reader);
	close(x->err);
	ds_mem_free(x);
}
