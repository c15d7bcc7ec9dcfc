/*
 * main.c - dsserve: a model over HTTP and gRPC
 *
 * Sockets are open before the model is loaded, so that who asks is told to wait. The main thread then waits for
 * signals: SIGTERM and SIGINT drain, a second one ends at once, SIGHUP reads the tokens anew.
 */
#include "kserve.h"
#include "route.h"

#include "base/io.h"
#include "base/machine.h"
#include "base/mem.h"
#include "base/progress.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static struct {
	const char *model, *name, *http, *grpc, *keys, *log, *cert, *key, *layout, *precision;
	int64_t slots, context, queue, idle;
	double deadline, drain;
	ds_size memory, body;
	bool ignore_keys;
} opt = { .slots = 8, .queue = 512, .idle = 60, .deadline = 600, .drain = 30, .body = { 4 << 20 } };

enum { LOOK_MS = 20, PEM_BYTES = 1 << 20 };

/* Many clients, many descriptors. */
static void allow_connections(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max < 1 << 20 ? l.rlim_max : 1 << 20;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static sigset_t all_signals(void)
{
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGINT);
	sigaddset(&s, SIGHUP);
	return s;
}

/* The signal that comes within so many seconds; 0: none. */
static int wait_signal(double seconds)
{
	sigset_t s = all_signals();
	struct timespec t = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
	int got = sigtimedwait(&s, NULL, &t);
	return got < 0 ? 0 : got;
}

static void wait_for_end(server *s)
{
	for (;;) {
		int got = wait_signal(3600);
		ds_err e;
		if (got == SIGTERM || got == SIGINT)
			return;
		if (got == SIGHUP && keys_reload(s->keys, &e) != DS_OK)
			ds_warn(&s->common->who, "the tokens stay as they were: %s", e.msg);
	}
}

typedef struct {
	server s;
	http *http;
	kserve *grpc;
	ds_buf at, grpc_at; /* where it listens, to be shown */
} running;

/* Until all calls are answered, the time is over, or a second signal says that it is. */
static void drain(running *r, double seconds)
{
	server *s = &r->s;
	uint64_t until = clock_ns() + (uint64_t)(seconds * 1e9);
	atomic_store(&s->phase, SERVE_DRAINS);
	kserve_phase(r->grpc);
	while (atomic_load(&s->n_calls) > 0 && clock_ns() < until) {
		int got = wait_signal(LOOK_MS / 1000.0);
		if (got == SIGTERM || got == SIGINT)
			return;
	}
}

/* The last part of the directory's real path. */
static ds_rc settle_name(server *s, ds_err *e)
{
	char *real = realpath(opt.model, NULL);
	ds_buf b = { 0 };
	if (!opt.name && !real)
		return ds_fail_errno(e, "%s", opt.model);
	const char *slash = real ? strrchr(real, '/') : NULL;
	ds_buf_add_shown(&b, ds_str_of(opt.name            ? opt.name
				       : slash && slash[1] ? slash + 1
							   : "model"));
	for (size_t i = 0; i < b.n; i++)
		if (b.at[i] == '"' || b.at[i] == '\\')
			b.at[i] = '_';
	s->name = ds_arena_str(s->mem, ds_buf_view(&b)).at;
	ds_buf_free(&b);
	ds_mem_plain_free(real);
	return DS_OK;
}

static ds_rc open_log(server *s, ds_err *e)
{
	s->log = -1;
	if (!opt.log)
		return DS_OK;
	s->log = strcmp(opt.log, "-") == 0
			 ? dup(1)
			 : open(opt.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return s->log < 0 ? ds_fail_errno(e, "%s", opt.log) : DS_OK;
}

static ds_rc read_pem(const char *path, server *s, const char **text, ds_err *e)
{
	ds_buf b = { 0 };
	if (!path)
		return DS_OK;
	ds_rc rc = ds_file_read(path, PEM_BYTES, &b, e);
	if (rc == DS_OK)
		*text = ds_arena_str(s->mem, ds_buf_view(&b)).at;
	ds_buf_free(&b);
	return rc;
}

static ds_rc check(ds_err *e)
{
	if (!opt.model)
		return ds_fail(e, DS_USAGE, "name the model with -m DIR");
	if (!opt.http && !opt.grpc)
		return ds_fail(e, DS_USAGE, "say where to listen: --http 8080, --grpc 8081");
	if (opt.slots < 1 || opt.slots > 256)
		return ds_fail(
			e, DS_USAGE, "--slots %lld is not between 1 and 256", (long long)opt.slots);
	if (opt.context < 0 || opt.queue < 1 || opt.queue > 1 << 20)
		return ds_fail(
			e, DS_USAGE, "--context is negative, or --queue not between 1 and 1048576");
	if (opt.idle < 1 || !(opt.deadline >= 0) || !(opt.drain >= 0))
		return ds_fail(e, DS_USAGE, "--idle, --deadline and --drain are times in seconds");
	if (!opt.cert != !opt.key)
		return ds_fail(e, DS_USAGE, "--tls-cert and --tls-key belong together");
	return DS_OK;
}

static ds_rc listen_http(running *r, ds_err *e)
{
	http_opts o = { .threads = 2,
		.idle_s = (unsigned)opt.idle,
		.body_bytes = opt.body.bytes,
		.handle = route_call,
		.over = route_over,
		.too_large = route_too_large,
		.context = &r->s };
	DS_TRY(read_pem(opt.cert, &r->s, &o.cert, e));
	DS_TRY(read_pem(opt.key, &r->s, &o.key, e));
	DS_TRY(http_listen(&o.listener, opt.http, &r->at, e));
	return http_open(&r->http, &o, e);
}

static ds_rc listen_grpc(running *r, ds_err *e)
{
	rpc_opts o = { .where = opt.grpc, .message_bytes = opt.body.bytes };
	DS_TRY(read_pem(opt.cert, &r->s, &o.cert, e));
	DS_TRY(read_pem(opt.key, &r->s, &o.key, e));
	return kserve_open(&r->grpc, &r->s, &o, &r->grpc_at, e);
}

static void tell(running *r)
{
	ds_buf b = { 0 };
	ds_buf_fmt(&b, "%s at", r->s.name);
	if (opt.http)
		ds_buf_fmt(&b, " http%s://%s", opt.cert ? "s" : "", ds_buf_text(&r->at));
	if (opt.grpc)
		ds_buf_fmt(&b, "%s grpc://%s", opt.http ? "," : "", ds_buf_text(&r->grpc_at));
	ds_tell(&r->s.common->who, "%s", ds_buf_text(&b));
	ds_buf_free(&b);
}

static ds_rc serve(running *r, ds_err *e)
{
	server *s = &r->s;
	sched_opts o = { .slots = opt.slots,
		.context = opt.context,
		.limit_bytes = opt.memory.bytes ? opt.memory.bytes : (uint64_t)ds_machine_bytes() };
	DS_TRY(ds_precision_find(&o.precision, opt.precision, e));
	DS_TRY(settle_name(s, e));
	DS_TRY(keys_open(&s->keys, opt.keys, e));
	DS_TRY(open_log(s, e));
	s->metrics = metrics_new(s->name);
	if (opt.http)
		DS_TRY(listen_http(r, e));
	if (opt.grpc)
		DS_TRY(listen_grpc(r, e));
	DS_TRY(serve_load(s, &o, opt.model, opt.ignore_keys, opt.layout, e));
	kserve_phase(r->grpc);
	tell(r);
	wait_for_end(s);
	drain(r, opt.drain);
	return DS_OK;
}

/* What still runs is given up first; then everybody has an answer, and connections may be closed. */
static void close_all(running *r)
{
	server *s = &r->s;
	atomic_store(&s->phase, SERVE_DRAINS);
	sched_stop(s->sched);
	uint64_t until = clock_ns() + 1000000000u;
	while (atomic_load(&s->n_calls) > 0 && clock_ns() < until)
		usleep(LOOK_MS * 1000);
	http_close(r->http);
	kserve_close(r->grpc);
	serve_unload(s);
	keys_close(s->keys);
	metrics_free(s->metrics);
	if (s->log >= 0)
		close(s->log);
	ds_arena_free(s->mem);
	ds_buf_free(&r->at);
	ds_buf_free(&r->grpc_at);
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	running r = { .s = { .common = c,
			      .created = time(NULL),
			      .most_waiting = (size_t)opt.queue,
			      .deadline_s = opt.deadline,
			      .log = -1 } };
	sigset_t signals = all_signals();
	DS_TRY(check(e));
	allow_connections();
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* all threads to come have them blocked too */
	r.s.mem = ds_arena_new(1 << 14);
	pthread_mutex_init(&r.s.scratches.lock, NULL);
	atomic_init(&r.s.phase, SERVE_LOADS);
	atomic_init(&r.s.n_calls, 0);
	ds_rc rc = serve(&r, e);
	close_all(&r);
	return rc;
}

static const ds_arg args[] = {
	DS_ARG('m', "model", &opt.model, "DIR", "the model directory"),
	DS_ARG(0, "http", &opt.http, "[HOST:]PORT", "where to listen for HTTP; host 127.0.0.1"),
	DS_ARG(0, "grpc", &opt.grpc, "[HOST:]PORT", "and for gRPC"),
	DS_ARG(0, "name", &opt.name, "NAME", "the model's name for clients (the directory's)"),
	DS_ARG(0, "slots", &opt.slots, "N", "texts computed together (8)"),
	DS_ARG(0, "context", &opt.context, "N",
		"tokens of each, prompt and answer (the model's, up to 4096)"),
	DS_ARG(0, "queue", &opt.queue, "N", "texts that may wait; more are refused with 429 (512)"),
	DS_ARG(0, "deadline", &opt.deadline, "S", "seconds for a request, 0: no limit (600)"),
	DS_ARG(0, "drain", &opt.drain, "S", "seconds that SIGTERM leaves to what runs (30)"),
	DS_ARG(0, "idle", &opt.idle, "S",
		"seconds after which a connection without a whole request is closed (60)"),
	DS_ARG(0, "max-body", &opt.body, "SIZE", "bytes of a request at most (4M)"),
	DS_ARG(0, "precision", &opt.precision, "fp32|bf16|int8",
		"in which matrix products take their operands (fp32)"),
	DS_ARG(0, "memory", &opt.memory, "SIZE",
		"what weights and texts may take: fewer slots if need be"),
	DS_ARG(0, "tokens", &opt.keys, "FILE",
		"bearer tokens that are let in, one a line (anybody is)"),
	DS_ARG(0, "tls-cert", &opt.cert, "FILE", "serve HTTPS and TLS with this certificate (PEM)"),
	DS_ARG(0, "tls-key", &opt.key, "FILE", "and its key"),
	DS_ARG(0, "access-log", &opt.log, "FILE", "a line of JSON for each request; - is stdout"),
	DS_ARG(0, "chat", &opt.layout, "LAYOUT",
		"how conversations are laid out (the model's own)"),
	DS_ARG(0, "ignore-keys", &opt.ignore_keys, NULL,
		"leave out what a model has and this program does not"),
	{ 0 },
};

int main(int argc, char **argv)
{
	static const ds_tool tool = {
		.name = "dsserve",
		.usage = "-m DIR --http [HOST:]PORT --grpc [HOST:]PORT [options]",
		.what = "a model over HTTP and gRPC, as OpenAI's and KServe's clients expect it",
		.args = args,
		.takes = DS_TAKES_JOBS | DS_TAKES_NO_STDIN,
		.run = run,
		.examples = {
			"dsserve -m run/ --http 8080 --grpc 8081",
			"dsserve -m run/ --http 0.0.0.0:8080 --tokens tokens.txt --slots 16",
			"curl 127.0.0.1:8080/v1/completions -d '{\"prompt\":\"The\",\"max_tokens\":8}'",
		},
	};
	return ds_main(&tool, argc, argv);
}
