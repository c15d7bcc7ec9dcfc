/*
 * main.c - what every program does before and after its run
 */
#include "base/args_impl.h"

#include "base/cpu.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/outs.h"
#include "base/progress.h"
#include "base/temp.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

enum { MAX_JOBS = 4096, NEAR_NULL = 1 << 16 };

/* Files opened later must not become stdin, stdout or stderr; using a closed one must still fail. */
static void fill_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
			if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
				_exit(DS_IO);
}

/* A second signal, such as the one to the whole group, waits until the first has cleaned up. */
static void on_end(int sig)
{
	static atomic_flag ending = ATOMIC_FLAG_INIT;
	if (atomic_flag_test_and_set(&ending))
		return;
	ds_temp_discard();
	signal(sig, SIG_DFL);
	raise(sig);
}

static char bus_line[128];

/* A mapped file became shorter while it was read: nothing that was computed can be trusted. */
static void on_bus(int sig)
{
	static atomic_flag ending = ATOMIC_FLAG_INIT;
	while (atomic_flag_test_and_set(&ending)) /* another thread met it too, and cleans up */
		pause();
	ssize_t unused = write(STDERR_FILENO, bus_line, strlen(bus_line));
	(void)unused;
	ds_temp_discard();
	_exit(DS_IO);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/*
 * A fault of ours, or of a library: nothing temporary stays. One without memory that a library does not
 * look for, at an address near 0 in its own code, ends as that does everywhere else.
 */
static void on_crash(int sig, siginfo_t *info, void *context)
{
	static atomic_flag ending = ATOMIC_FLAG_INIT;
	static const char *const ours[] = { "libc.so", "libm.so", "ld-linux" };
	Dl_info at = { 0 };
	char why[128];
	while (atomic_flag_test_and_set(&ending))
		pause();
	ds_temp_discard();
#ifdef REG_RIP
	const ucontext_t *u = context;
	bool known = sig == SIGSEGV && (uintptr_t)info->si_addr < NEAR_NULL &&
		     dladdr((void *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP], &at) && at.dli_fname;
	const char *name = known ? strrchr(at.dli_fname, '/') : NULL;
	known = name && strstr(name, ".so");
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		known = known && !strstr(name, ours[i]);
	if (known) {
		snprintf(why, sizeof(why), "out of memory in %.80s", name + 1);
		ds_mem_die(why);
	}
#endif
	signal(sig, SIG_DFL);
	raise(sig);
}

static void set_crashes(void)
{
	static const int crashes[] = { SIGSEGV, SIGABRT, SIGILL, SIGFPE };
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i],
			&(struct sigaction){ .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO },
			NULL);
}
#else
static void set_crashes(void) /* sanitizers have their own */
{
}
#endif

static void set_signals(const char *program)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction now, end = { .sa_handler = on_end };
	snprintf(bus_line, sizeof(bus_line), "%s: an input file was cut while it was read\n",
		program);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* then write(2) says so, as it does of a full disk */
	sigaction(SIGBUS, &(struct sigaction){ .sa_handler = on_bus }, NULL);
	set_crashes();
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		/* nohup stays nohup */
		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaction(ends[i], &end, NULL);
}

static ds_rc read_on_error(ds_common *c, ds_err *e)
{
	const char *how = ds_args_shared.on_error;
	if (!how || strcmp(how, "stop") == 0) {
		c->in.on_error = DS_ON_STOP;
	} else if (strcmp(how, "skip") == 0) {
		c->in.on_error = DS_ON_SKIP;
	} else if (ds_str_starts(ds_str_of(how), DS_S("reject=")) && how[7]) {
		c->in.on_error = DS_ON_REJECT;
		c->in.reject_path = how + 7;
	} else {
		return ds_fail(
			e, DS_USAGE, "'--on-error': '%s' is none of stop, skip, reject=FILE", how);
	}
	return DS_OK;
}

/* A report's form by the name that it is written under; names that say nothing are left alone. */
static ds_rc read_report_name(ds_common *c, ds_err *e)
{
	static const char *const forms[] = { ".json", "json", ".tsv", "tsv" };
	static const char *const others[] = { ".dsr", ".jsonl", ".csv", ".parquet", ".arrow", ".gz",
		".zst", ".bz2", ".xz", ".tar" };
	ds_str name = ds_str_of(c->out.path ? c->out.path : "");
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (ds_str_ends(name, ds_str_of(others[i])))
			return ds_fail(e, DS_USAGE, "-o %s: a report is not written as %s",
				c->out.path, others[i]);
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i += 2) {
		if (!ds_str_ends(name, ds_str_of(forms[i])))
			continue;
		if (c->out.to && strcmp(c->out.to, forms[i + 1]) != 0)
			return ds_fail(e, DS_USAGE, "-o %s and --to %s contradict one another",
				c->out.path, c->out.to);
		c->out.to = forms[i + 1];
	}
	return DS_OK;
}

/* What reading and writing both ask for. */
static void share(ds_common *c)
{
	c->in.who = &c->who;
	c->out.program = c->who.program;
	c->out.field = c->in.field;
	c->out.columns = c->in.columns;
	c->out.tsv_escapes = c->in.tsv_escapes;
	c->out.jobs = c->jobs;
	c->out.shard_bytes = c->shard_size.bytes;
}

static ds_rc read_common(ds_args *a, ds_common *c, ds_err *e)
{
	c->who.program = a->tool->name;
	c->who.command = a->cmd ? a->cmd->name : NULL;
	c->in.max_record = ds_args_shared.max_record.bytes;
	if (c->jobs < 1 || c->jobs > MAX_JOBS)
		return ds_fail(
			e, DS_USAGE, "'--jobs': %d is not between 1 and %d", c->jobs, MAX_JOBS);
	if (c->in.max_record < 1)
		return ds_fail(e, DS_USAGE, "'--max-record': at least 1 byte");
	if (c->in.field.paths.n == 1 && !strpbrk(c->in.field.paths.at[0], ".[\\"))
		c->in.field.column = c->in.field.paths.at[0];
	if (!c->in.field.column[0])
		return ds_fail(e, DS_USAGE, "'--field': a field's name is not empty");
	if (c->json) {
		if (c->out.to && strcmp(c->out.to, "json") != 0)
			return ds_fail(e, DS_USAGE, "'--json' and '--to %s' exclude each other",
				c->out.to);
		c->out.to = "json";
	}
	if (a->takes & DS_TAKES_REPORT)
		DS_TRY(read_report_name(c, e));
	c->json = c->out.to && strcmp(c->out.to, "json") == 0;
	DS_TRY(read_on_error(c, e));
	c->in.files = a->files;
	c->in.n_files = a->n_files;
	share(c);
	return DS_OK;
}

/* Adds "-" where stdin is to be read; false where that would wait for a person to type. */
static bool want_stdin(ds_args *a, ds_common *c)
{
	if (c->in.n_files || !(a->takes & (DS_TAKES_INPUT | DS_TAKES_STREAM)) ||
		(a->takes & DS_TAKES_NO_STDIN))
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (a->opts[i].given && (a->opts[i].arg->flags & DS_ARG_INPUT))
			return true;
	if (isatty(STDIN_FILENO))
		return false;
	a->files[0] = "-";
	c->in.n_files = 1;
	return true;
}

static ds_rc print_help(const ds_args *a, FILE *to)
{
	ds_buf text = { 0 };
	ds_args_help(a, &text);
	fwrite(text.at, 1, text.n, to);
	ds_buf_free(&text);
	return to == stderr ? DS_USAGE : DS_OK;
}

/* What printf kept back can still fail to be written. */
static ds_rc flush_stdout(ds_rc rc, ds_err *e)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return rc;
	return rc == DS_OK ? ds_fail_errno(e, "cannot write stdout") : rc;
}

/* The outputs of a run that succeeded come into their places, and then it says what it did. */
static ds_rc finish(const ds_args *a, const ds_common *c, ds_rc rc, const ds_late *late, ds_err *e)
{
	if (rc == DS_OK)
		rc = ds_outs_commit(e);
	if (rc == DS_OK && late->rc != DS_OK) {
		*e = late->err;
		rc = late->rc;
	}
	if (rc == DS_OK)
		ds_say_all();
	else
		ds_outs_discard();
	if (rc != DS_OK && rc != DS_PIPE && a->tool->failed && a->takes & DS_TAKES_OUTPUT &&
		!ds_out_stdout_used())
		a->tool->failed(c, e->msg);
	return rc;
}

/* Everything up to the end of run; *silent: the user got help instead of a message. */
static ds_rc go(ds_args *a, int argc, char **argv, int skip, bool *silent, ds_err *e)
{
	const ds_tool *tool = a->tool;
	ds_shared *s = &ds_args_shared;
	ds_common *c = &s->common;
	ds_rc (*run)(const ds_common *, ds_err *) = a->cmd ? a->cmd->run : tool->run;
	DS_TRY(ds_args_parse(a, argc, argv, skip, e));
	if (s->help)
		return print_help(a, stdout);
	if (s->version) {
		printf("%s (dstools) %s\n", tool->name, DS_VERSION);
		return DS_OK;
	}
	if (!run && a->n_files) {
		const char *near = ds_args_nearest_command(tool, a->files[0]);
		return ds_fail(e, DS_USAGE, "unknown command '%s'%s%s", a->files[0],
			near ? ", the nearest is " : "", near ? near : "");
	}
	DS_TRY(read_common(a, c, e));
	if (!run || !want_stdin(a, c)) {
		*silent = true;
		return print_help(a, stderr);
	}
	DS_TRY(ds_args_outputs(a, c, e));
	ds_buf recorded = { 0 };
	ds_rc rc = ds_args_record(a, &recorded, e);
	c->recorded = ds_buf_view(&recorded);
	ds_late late = { DS_OK, { "" } };
	c->who.late = &late;
	if (rc == DS_OK)
		rc = ds_args_places(a, c, e);
	if (rc == DS_OK)
		rc = run(c, e);
	rc = finish(a, c, flush_stdout(rc, e), &late, e);
	ds_buf_free(&recorded);
	return rc;
}

int ds_main(const ds_tool *tool, int argc, char **argv)
{
	ds_err e = { "" };
	ds_args a;
	bool silent = false;
	int skip = 0;
	fill_descriptors();
	ds_mem_at_death(ds_temp_discard);
	ds_mem_cxx();
	set_signals(tool->name);
	ds_args_shared = (ds_shared){
		.common = { .jobs = (int)ds_cpu_cores(), .in.field.column = "text" },
		.level = { ds_args_level, NULL },
		.max_record = { (uint64_t)1 << 30 },
	};
	if (argc == 2 && strcmp(argv[1], "--print-options") == 0) {
		ds_buf text = { 0 };
		ds_args_print(tool, &text);
		fwrite(text.at, 1, text.n, stdout);
		ds_buf_free(&text);
		return (int)flush_stdout(DS_OK, &e);
	}
	const ds_cmd *cmd = ds_args_command(tool, argc, argv, &skip);
	ds_args_open(&a, tool, cmd);
	ds_rc rc = go(&a, argc, argv, skip, &silent, &e);
	rc = flush_stdout(rc, &e);
	ds_args_close(&a);
	if (rc != DS_OK && rc != DS_PIPE && !silent)
		fprintf(stderr, "%s: %s\n", tool->name, e.msg[0] ? e.msg : "failed");
	return (int)rc;
}
