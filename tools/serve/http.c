/*
 * http.c - connections and calls
 *
 * libmicrohttpd's threads wait with epoll; a call whose answer is not there yet is suspended, which costs no
 * thread. A suspended connection does not notice that its peer left, and a peer that sends a byte now and then is never
 * idle: both are the watch's business, a thread that looks at all connections a few times a second.
 */
#include "http.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCH_MS = 100, HEADER_BYTES = 32 << 10, MOST_HEADERS = 6 };

typedef struct conn conn;
struct conn {
	conn *before, *next;
	int fd;
	uint64_t since_ns; /* of the last answer, or of its beginning */
	struct call *call; /* whose answer is awaited; NULL: a request is */
	bool shut;
};

typedef enum { READS, HANDLES, WAITS, STREAMS, ANSWERED } call_state;

typedef struct call {
	http_call is;
	http *server;
	struct MHD_Connection *connection;
	conn *conn;
	atomic_int refs;
	call_state state;
	bool too_large;
	ds_buf body;
	void (*render)(http_call *c);
	struct MHD_Response *response;
	struct {
		const char *name;
		char value[128];
	} headers[MOST_HEADERS];
	size_t n_headers;
	/* a stream's; under the lock */
	pthread_mutex_t lock;
	ds_buf out;
	size_t sent;
	bool parked, ended;
} call;

struct http {
	http_opts o;
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock; /* of the list */
	conn *first;
	size_t n_conns;
	ds_thread *watch;
	atomic_bool stops;
};

/* ---- a call's life ---- */

static call *of(http_call *c)
{
	return (call *)c; /* its first member */
}

void http_hold(http_call *c)
{
	atomic_fetch_add(&of(c)->refs, 1);
}

void http_drop(http_call *h)
{
	call *c = of(h);
	if (atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	ds_buf_free(&c->body);
	ds_buf_free(&c->out);
	pthread_mutex_destroy(&c->lock);
	ds_mem_free(c);
}

/* The client's own id where it is a plain word, else one that nobody else has. */
static void set_id(call *c)
{
	const char *given =
		MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, "x-request-id");
	size_t n = given ? strlen(given) : 0;
	bool plain = n > 0 && n < sizeof(c->is.id);
	for (size_t i = 0; plain && i < n; i++)
		plain = given[i] > ' ' && given[i] < 127 && given[i] != '"' && given[i] != '\\';
	if (plain) {
		memcpy(c->is.id, given, n + 1);
		return;
	}
	uint64_t r[2] = { 0 };
	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		r[0] = clock_ns();
	snprintf(c->is.id, sizeof(c->is.id), "%016llx%08llx", (unsigned long long)r[0],
		(unsigned long long)(r[1] & 0xffffffff));
}

static void set_client(call *c)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = i ? i->client_addr : NULL;
	if (a && a->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, c->is.client,
			sizeof(c->is.client));
	else if (a && a->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, c->is.client,
			sizeof(c->is.client));
}

static const char *header(struct MHD_Connection *k, const char *name)
{
	const char *v = MHD_lookup_connection_value(k, MHD_HEADER_KIND, name);
	return v ? v : "";
}

static conn *conn_of(struct MHD_Connection *k)
{
	const union MHD_ConnectionInfo *i =
		MHD_get_connection_info(k, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return i ? i->socket_context : NULL;
}

static call *call_new(http *h, struct MHD_Connection *k, const char *path, const char *method)
{
	call *c = DS_NEW(call, 1);
	c->server = h;
	c->connection = k;
	c->conn = conn_of(k);
	c->is.method = method;
	c->is.path = path;
	c->is.authorization = header(k, "authorization");
	atomic_init(&c->refs, 1);
	atomic_init(&c->is.gone, false);
	atomic_init(&c->is.n_tokens, 0);
	pthread_mutex_init(&c->lock, NULL);
	set_id(c);
	set_client(c);
	return c;
}

/* Its connection awaits an answer, or the next request. */
static void set_busy(call *c, bool busy)
{
	if (!c->conn)
		return;
	pthread_mutex_lock(&c->server->lock);
	c->conn->call = busy ? c : NULL;
	c->conn->since_ns = clock_ns();
	pthread_mutex_unlock(&c->server->lock);
}

/* ---- answers ---- */

void http_header(http_call *h, const char *name, const char *value)
{
	call *c = of(h);
	assert(c->n_headers < MOST_HEADERS);
	c->headers[c->n_headers].name = name;
	snprintf(c->headers[c->n_headers++].value, sizeof(c->headers->value), "%s", value);
}

static void dress(call *c, const char *type)
{
	MHD_add_response_header(c->response, "Content-Type", type);
	MHD_add_response_header(c->response, "x-request-id", c->is.id);
	for (size_t i = 0; i < c->n_headers; i++)
		MHD_add_response_header(c->response, c->headers[i].name, c->headers[i].value);
}

void http_answer(http_call *h, int status, const char *type, ds_str body)
{
	call *c = of(h);
	assert(!c->response);
	h->status = status;
	h->out_bytes = body.n;
	c->response = MHD_create_response_from_buffer(
		body.n, (void *)(uintptr_t)body.at, MHD_RESPMEM_MUST_COPY);
	if (c->response)
		dress(c, type);
}

void http_later(http_call *h, void (*render)(http_call *c))
{
	call *c = of(h);
	c->render = render;
	c->state = WAITS;
	MHD_suspend_connection(c->connection);
}

void http_wake(http_call *h)
{
	MHD_resume_connection(of(h)->connection);
}

static ssize_t next_bytes(void *context, uint64_t at, char *to, size_t size)
{
	call *c = context;
	ssize_t n = 0;
	pthread_mutex_lock(&c->lock);
	if (c->sent < c->out.n) {
		size_t left = c->out.n - c->sent;
		n = (ssize_t)(left < size ? left : size);
		memcpy(to, c->out.at + c->sent, (size_t)n);
		c->sent += (size_t)n;
		if (c->sent == c->out.n)
			c->sent = c->out.n = 0;
	} else if (c->ended) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		c->parked = true;
		MHD_suspend_connection(c->connection);
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

void http_stream(http_call *h, const char *type)
{
	call *c = of(h);
	h->status = MHD_HTTP_OK;
	c->state = STREAMS;
	c->response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, next_bytes, c, NULL);
	if (!c->response)
		return;
	dress(c, type);
	MHD_add_response_header(c->response, "Cache-Control", "no-cache");
	MHD_add_response_header(c->response, "X-Accel-Buffering", "no");
}

/* Under the lock: there is something new. */
static void unpark(call *c)
{
	if (c->parked)
		MHD_resume_connection(c->connection);
	c->parked = false;
}

void http_stream_add(http_call *h, ds_str bytes)
{
	call *c = of(h);
	pthread_mutex_lock(&c->lock);
	if (!atomic_load(&h->gone)) {
		ds_buf_add_str(&c->out, bytes);
		h->out_bytes += bytes.n;
		unpark(c);
	}
	pthread_mutex_unlock(&c->lock);
}

void http_stream_end(http_call *h)
{
	call *c = of(h);
	pthread_mutex_lock(&c->lock);
	c->ended = true;
	unpark(c);
	pthread_mutex_unlock(&c->lock);
}

/* ---- what libmicrohttpd calls ---- */

static enum MHD_Result send_answer(call *c)
{
	if (!c->response)
		return MHD_NO;
	enum MHD_Result r = MHD_queue_response(c->connection, (unsigned)c->is.status, c->response);
	MHD_destroy_response(c->response);
	c->response = NULL;
	c->state = ANSWERED;
	return r;
}

/* The first call of a request, before its body: refused where that says it is too large. */
static enum MHD_Result begin(
	http *h, struct MHD_Connection *k, const char *path, const char *method, void **own)
{
	call *c = call_new(h, k, path, method);
	int64_t length;
	*own = c;
	if (!ds_str_i64(ds_str_of(header(k, "content-length")), &length) ||
		(uint64_t)length <= h->o.body_bytes)
		return MHD_YES;
	h->o.too_large(h->o.context, &c->is, h->o.body_bytes);
	return send_answer(c);
}

static void take_body(call *c, const char *data, size_t n)
{
	c->too_large = c->too_large || c->body.n + n > c->server->o.body_bytes;
	if (!c->too_large)
		ds_buf_add(&c->body, data, n);
}

static enum MHD_Result access_call(void *context, struct MHD_Connection *k, const char *path,
	const char *method, const char *version, const char *data, size_t *n, void **own)
{
	http *h = context;
	call *c = *own;
	if (!c)
		return begin(h, k, path, method, own);
	if (*n) {
		take_body(c, data, *n);
		*n = 0;
		return MHD_YES;
	}
	if (c->state == READS) {
		c->state = HANDLES;
		c->is.body = ds_buf_view(&c->body);
		c->is.whole_ns = clock_ns();
		set_busy(c, true);
		if (c->too_large)
			h->o.too_large(h->o.context, &c->is, h->o.body_bytes);
		else
			h->o.handle(h->o.context, &c->is);
		/* A call that waits may already have been woken: its answer is made when it is asked again. */
		return c->state == WAITS ? MHD_YES : send_answer(c);
	}
	if (c->state == WAITS && !c->response)
		c->render(&c->is);
	return send_answer(c);
}

static void completed(
	void *context, struct MHD_Connection *k, void **own, enum MHD_RequestTerminationCode why)
{
	http *h = context;
	call *c = *own;
	if (!c)
		return;
	*own = NULL;
	set_busy(c, false);
	pthread_mutex_lock(&c->lock);
	if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		atomic_store(&c->is.gone, true);
	c->parked = false;
	pthread_mutex_unlock(&c->lock);
	h->o.over(h->o.context, &c->is);
	if (c->is.drop_own)
		c->is.drop_own(c->is.own);
	http_drop(&c->is);
}

static void conn_open(http *h, struct MHD_Connection *k, void **own)
{
	conn *n = DS_NEW(conn, 1);
	int on = 1;
	n->fd = MHD_get_connection_info(k, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	n->since_ns = clock_ns();
	(void)setsockopt(n->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	pthread_mutex_lock(&h->lock);
	n->next = h->first;
	if (n->next)
		n->next->before = n;
	h->first = n;
	h->n_conns++;
	pthread_mutex_unlock(&h->lock);
	*own = n;
}

static void conn_close(http *h, conn *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&h->lock);
	*(n->before ? &n->before->next : &h->first) = n->next;
	if (n->next)
		n->next->before = n->before;
	h->n_conns--;
	pthread_mutex_unlock(&h->lock);
	ds_mem_free(n);
}

static void connection(void *context, struct MHD_Connection *k, void **own,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		conn_open(context, k, own);
	else
		conn_close(context, *own);
}

/* ---- the watch ---- */

/* Under the lock: connections that no request comes from are shut, calls whose clients have left are marked. */
static void look(http *h)
{
	uint64_t now = clock_ns(), idle_ns = (uint64_t)h->o.idle_s * 1000000000u;
	for (conn *n = h->first; n; n = n->next) {
		if (n->call) {
			struct pollfd p = { n->fd, POLLRDHUP, 0 };
			if (poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)))
				atomic_store(&n->call->is.gone, true);
		} else if (!n->shut && now - n->since_ns > idle_ns) {
			n->shut = true;
			shutdown(n->fd, SHUT_RDWR);
		}
	}
}

static void watch(void *context)
{
	http *h = context;
	while (!atomic_load(&h->stops)) {
		usleep(WATCH_MS * 1000);
		pthread_mutex_lock(&h->lock);
		look(h);
		pthread_mutex_unlock(&h->lock);
	}
}

/* ---- opening ---- */

/* Cuts "[::1]:80", "host:80", "80" into host and port. */
static ds_rc cut_address(const char *where, char *host, size_t size, const char **port, ds_err *e)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon ? (size_t)(colon - where) : 0;
	int64_t number;
	*port = colon ? colon + 1 : where;
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	}
	if (n >= size || !ds_str_i64(ds_str_of(*port), &number) || number < 0 || number > 65535)
		return ds_fail(e, DS_USAGE, "'%.200s' is not [HOST:]PORT", where);
	snprintf(host, size, "%.*s", (int)n, where);
	if (!colon)
		snprintf(host, size, "127.0.0.1");
	return DS_OK;
}

static void show_address(int fd, ds_buf *at)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	char host[NI_MAXHOST], port[NI_MAXSERV];
	if (getsockname(fd, (struct sockaddr *)&a, &n) == 0 &&
		getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		ds_buf_fmt(at, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

static int bind_one(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 4096) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

ds_rc http_listen(int *fd, const char *where, ds_buf *at, ds_err *e)
{
	char host[256];
	const char *port;
	DS_TRY(cut_address(where, host, sizeof(host), &port, e));
	struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *all;
	int bad = getaddrinfo(host[0] ? host : NULL, port, &want, &all);
	if (bad)
		return ds_fail(e, DS_USAGE, "'%.200s': %s", where, gai_strerror(bad));
	*fd = -1;
	for (const struct addrinfo *a = all; a && *fd < 0; a = a->ai_next)
		*fd = bind_one(a);
	int why = errno;
	freeaddrinfo(all);
	errno = why;
	if (*fd < 0)
		return ds_fail_errno(e, "cannot listen on %.200s", where);
	show_address(*fd, at);
	return DS_OK;
}

static struct MHD_Daemon *start(http *h)
{
	const http_opts *o = &h->o;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
	long most = sysconf(_SC_OPEN_MAX);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->key },
		{ MHD_OPTION_END, 0, NULL },
	};
	if (o->cert)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(flags, 0, NULL, NULL, access_call, h, MHD_OPTION_LISTEN_SOCKET,
		o->listener, MHD_OPTION_THREAD_POOL_SIZE, o->threads, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(most > 256 ? most - 128 : 128), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HEADER_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, o->idle_s,
		MHD_OPTION_NOTIFY_COMPLETED, completed, h, MHD_OPTION_NOTIFY_CONNECTION, connection,
		h, MHD_OPTION_ARRAY, o->cert ? tls : tls + 2, MHD_OPTION_END);
}

ds_rc http_open(http **out, const http_opts *o, ds_err *e)
{
	http *h = DS_NEW(http, 1);
	h->o = *o;
	pthread_mutex_init(&h->lock, NULL);
	atomic_init(&h->stops, false);
	h->daemon = start(h);
	if (!h->daemon) {
		ds_mem_free(h);
		return ds_fail(e, DS_IO,
			o->cert ? "cannot serve HTTPS: is the certificate one, and the key its own?"
				: "cannot serve HTTP");
	}
	*out = h;
	return ds_thread_start(&h->watch, watch, h, e);
}

void http_close(http *h)
{
	if (!h)
		return;
	atomic_store(&h->stops, true);
	ds_thread_join(h->watch);
	MHD_stop_daemon(h->daemon);
	pthread_mutex_destroy(&h->lock);
	ds_mem_free(h);
}
