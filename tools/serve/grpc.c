/*
 * grpc.c - calls of gRPC's core, in C
 *
 * One thread takes what the completion queue has. Each operation of a call holds it until it comes back, so nothing of a call
 * is freed while the library may still write there. Sending is one operation at a time: what is sent in between waits in
 * the call. Peers that vanish are operations that come back without what they were for, a message above all: NULL.
 */
#include "grpc.h"

#include "base/mem.h"
#include "base/thread.h"
#include "clock.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdio.h>

enum { WAITING_CALLS = 64, MOST_STREAMS = 1024 };

typedef enum { OP_NEW, OP_CLOSE, OP_RECEIVE, OP_SEND, OP_STATUS, OPS } op_kind;
struct call;
typedef struct { /* a tag of the completion queue */
	op_kind kind;
	struct call *call;
} op;

typedef struct call {
	rpc is;
	rpc_server *server;
	grpc_call *core;
	grpc_call_details details;
	grpc_metadata_array headers;
	atomic_int refs;
	op ops[OPS];
	char *method, *authorization, *client;
	grpc_byte_buffer *received;
	int cancelled;
	/* under the lock: sending */
	pthread_mutex_t lock;
	ds_buf waiting; /* of grpc_byte_buffer *, in order */
	grpc_byte_buffer *sending;
	bool greeted, busy, ends, ended;
	grpc_slice why;
} call;

struct rpc_server {
	rpc_opts o;
	grpc_completion_queue *queue;
	grpc_server *core;
	ds_thread *thread;
	op shut;
};

static call *of(rpc *c)
{
	return (call *)c; /* its first member */
}

/* ---- a call's life ---- */

void rpc_hold(rpc *c)
{
	atomic_fetch_add(&of(c)->refs, 1);
}

void rpc_drop(rpc *r)
{
	call *c = of(r);
	if (atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	if (c->core) {
		c->server->o.over(c->server->o.context, r);
		if (r->drop_own)
			r->drop_own(r->own);
		grpc_call_unref(c->core);
	}
	for (size_t i = 0; i < c->waiting.n; i += sizeof(grpc_byte_buffer *))
		grpc_byte_buffer_destroy(*(grpc_byte_buffer **)(void *)(c->waiting.at + i));
	ds_buf_free(&c->waiting);
	grpc_slice_unref(c->why);
	grpc_call_details_destroy(&c->details);
	grpc_metadata_array_destroy(&c->headers);
	pthread_mutex_destroy(&c->lock);
	ds_mem_free(c->method);
	ds_mem_free(c->authorization);
	gpr_free(c->client);
	ds_mem_free(c);
}

/* Waits for a call of any method. */
static void await_call(rpc_server *s)
{
	call *c = DS_NEW(call, 1);
	c->server = s;
	for (int k = 0; k < OPS; k++)
		c->ops[k] = (op){ (op_kind)k, c };
	atomic_init(&c->refs, 1);
	atomic_init(&c->is.gone, false);
	pthread_mutex_init(&c->lock, NULL);
	grpc_call_details_init(&c->details);
	grpc_metadata_array_init(&c->headers);
	c->why = grpc_empty_slice();
	if (grpc_server_request_call(s->core, &c->core, &c->details, &c->headers, s->queue,
		    s->queue, &c->ops[OP_NEW]) != GRPC_CALL_OK)
		rpc_drop(&c->is);
}

/* Starts an operation, which holds the call until it comes back; false: it will not. */
static bool start(call *c, op_kind kind, const grpc_op *ops, size_t n)
{
	rpc_hold(&c->is);
	if (grpc_call_start_batch(c->core, ops, n, &c->ops[kind], NULL) == GRPC_CALL_OK)
		return true;
	rpc_drop(&c->is);
	return false;
}

static char *text_of(grpc_slice s)
{
	size_t n = GRPC_SLICE_LENGTH(s);
	char *text = ds_mem_zero(n + 1);
	memcpy(text, GRPC_SLICE_START_PTR(s), n);
	return text;
}

static const char *find_header(call *c, const char *name)
{
	for (size_t i = 0; i < c->headers.count && !c->authorization; i++)
		if (grpc_slice_str_cmp(c->headers.metadata[i].key, name) == 0)
			c->authorization = text_of(c->headers.metadata[i].value);
	return c->authorization ? c->authorization : "";
}

/* In the clock that the rest of the server goes by. */
static uint64_t deadline_of(gpr_timespec t)
{
	if (gpr_time_cmp(t, gpr_inf_future(t.clock_type)) == 0)
		return 0;
	gpr_timespec left = gpr_time_sub(t, gpr_now(t.clock_type));
	int64_t ns =
		left.tv_sec > 1000000000 ? INT64_MAX / 2 : left.tv_sec * 1000000000 + left.tv_nsec;
	return clock_ns() + (uint64_t)(ns > 0 ? ns : 1);
}

static void take_call(call *c)
{
	grpc_op close = { .op = GRPC_OP_RECV_CLOSE_ON_SERVER,
		.data.recv_close_on_server.cancelled = &c->cancelled };
	await_call(c->server);
	c->method = text_of(c->details.method);
	c->client = grpc_call_get_peer(c->core);
	c->is.method = c->method;
	c->is.client = c->client;
	c->is.authorization = find_header(c, "authorization");
	c->is.began_ns = clock_ns();
	c->is.deadline_ns = deadline_of(c->details.deadline);
	start(c, OP_CLOSE, &close, 1);
	rpc_next(&c->is);
}

/* ---- messages ---- */

void rpc_next(rpc *r)
{
	call *c = of(r);
	grpc_op receive = { .op = GRPC_OP_RECV_MESSAGE,
		.data.recv_message.recv_message = &c->received };
	start(c, OP_RECEIVE, &receive, 1);
}

static void take_message(call *c, bool came)
{
	rpc_server *s = c->server;
	grpc_byte_buffer_reader r;
	if (!came || !c->received || !grpc_byte_buffer_reader_init(&r, c->received)) {
		if (c->received)
			grpc_byte_buffer_destroy(c->received);
		c->received = NULL;
		s->o.message(s->o.context, &c->is, (ds_str){ NULL, 0 });
		return;
	}
	grpc_slice all = grpc_byte_buffer_reader_readall(&r);
	grpc_byte_buffer_reader_destroy(&r);
	grpc_byte_buffer_destroy(c->received);
	c->received = NULL;
	s->o.message(s->o.context, &c->is,
		(ds_str){ (const char *)GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all) });
	grpc_slice_unref(all);
}

/* Under the lock: the next thing that is to be sent, unless something is on its way. */
static void send_more(call *c)
{
	grpc_op ops[2] = { { .op = GRPC_OP_SEND_INITIAL_METADATA } };
	size_t n = c->greeted ? 0 : 1;
	if (c->busy || c->ended)
		return;
	if (c->waiting.n) {
		memcpy(&c->sending, c->waiting.at, sizeof(c->sending));
		c->waiting.n -= sizeof(c->sending);
		memmove(c->waiting.at, c->waiting.at + sizeof(c->sending), c->waiting.n);
		ops[n++] = (grpc_op){ .op = GRPC_OP_SEND_MESSAGE,
			.data.send_message.send_message = c->sending };
		c->busy = start(c, OP_SEND, ops, n);
	} else if (c->ends) {
		ops[n++] = (grpc_op){ .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
			.data.send_status_from_server = { .status = (grpc_status_code)c->is.code,
				.status_details = &c->why } };
		c->busy = c->ended = start(c, OP_STATUS, ops, n);
	}
	c->greeted = c->greeted || c->busy;
}

static void take_sent(call *c)
{
	pthread_mutex_lock(&c->lock);
	c->busy = false;
	if (c->sending)
		grpc_byte_buffer_destroy(c->sending);
	c->sending = NULL;
	send_more(c);
	pthread_mutex_unlock(&c->lock);
}

void rpc_send(rpc *r, ds_str bytes)
{
	call *c = of(r);
	grpc_slice s = grpc_slice_from_copied_buffer(bytes.at, bytes.n);
	grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&s, 1);
	grpc_slice_unref(s);
	pthread_mutex_lock(&c->lock);
	ds_buf_add(&c->waiting, &b, sizeof(b));
	send_more(c);
	pthread_mutex_unlock(&c->lock);
}

void rpc_end(rpc *r, int code, const char *why)
{
	call *c = of(r);
	pthread_mutex_lock(&c->lock);
	assert(!c->ends);
	c->ends = true;
	r->code = code;
	c->why = grpc_slice_from_copied_string(why);
	send_more(c);
	pthread_mutex_unlock(&c->lock);
}

/* ---- the thread ---- */

static void take_op(op *o, bool good)
{
	call *c = o->call;
	switch (o->kind) {
	case OP_NEW:
		if (good)
			take_call(c);
		break;
	case OP_CLOSE:
		if (c->cancelled || !good)
			atomic_store(&c->is.gone, true);
		c->server->o.left(c->server->o.context, &c->is);
		break;
	case OP_RECEIVE:
		take_message(c, good);
		break;
	default:
		take_sent(c);
	}
	rpc_drop(&c->is);
}

static void take_all(void *context)
{
	rpc_server *s = context;
	for (;;) {
		grpc_event v = grpc_completion_queue_next(
			s->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
		if (v.type == GRPC_QUEUE_SHUTDOWN)
			return;
		if (v.tag == &s->shut)
			grpc_completion_queue_shutdown(s->queue);
		else
			take_op(v.tag, v.success);
	}
}

/* ---- opening ---- */

static void say_nothing(gpr_log_func_args *a)
{
}

static grpc_server_credentials *credentials(const rpc_opts *o)
{
	if (!o->cert)
		return grpc_insecure_server_credentials_create();
	grpc_ssl_pem_key_cert_pair pair = { o->key, o->cert };
	return grpc_ssl_server_credentials_create_ex(
		NULL, &pair, 1, GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE, NULL);
}

static grpc_server *new_server(const rpc_opts *o)
{
	grpc_arg a[] = {
		/* Two servers on one port would each get some of the calls. */
		{ .type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_ALLOW_REUSEPORT,
			.value.integer = 0 },
		{ .type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
			.value.integer =
				o->message_bytes < INT32_MAX ? (int)o->message_bytes : INT32_MAX },
		{ .type = GRPC_ARG_INTEGER,
			.key = (char *)GRPC_ARG_MAX_CONCURRENT_STREAMS,
			.value.integer = MOST_STREAMS },
	};
	grpc_channel_args args = { sizeof(a) / sizeof(*a), a };
	return grpc_server_create(&args, NULL);
}

static ds_rc listen_at(rpc_server *s, ds_buf *at, ds_err *e)
{
	char where[300];
	bool port_alone = !strchr(s->o.where, ':');
	snprintf(where, sizeof(where), "%s%s", port_alone ? "127.0.0.1:" : "", s->o.where);
	ds_str host, port = { NULL, 0 };
	const char *colon = strrchr(where, ':');
	int64_t number;
	host = (ds_str){ where, (size_t)(colon - where) };
	port = ds_str_of(colon + 1);
	if (!host.n || !ds_str_i64(port, &number) || number < 0 || number > 65535)
		return ds_fail(e, DS_USAGE, "'%.200s' is not [HOST:]PORT", s->o.where);
	grpc_server_credentials *k = credentials(&s->o);
	int got = k ? grpc_server_add_http2_port(s->core, where, k) : 0;
	if (k)
		grpc_server_credentials_release(k);
	if (!got)
		return ds_fail(e, DS_IO, "cannot listen for gRPC on %.200s", s->o.where);
	ds_buf_fmt(at, "%.*s:%d", (int)host.n, host.at, got);
	return DS_OK;
}

static void release(rpc_server *s)
{
	grpc_event v;
	grpc_server_shutdown_and_notify(s->core, s->queue, &s->shut);
	grpc_server_cancel_all_calls(s->core);
	if (s->thread) {
		ds_thread_join(s->thread);
	} else {
		do
			v = grpc_completion_queue_next(
				s->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
		while (v.type == GRPC_OP_COMPLETE && v.tag != &s->shut);
		grpc_completion_queue_shutdown(s->queue);
		while (grpc_completion_queue_next(
			       s->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL)
				.type != GRPC_QUEUE_SHUTDOWN)
			;
	}
	grpc_server_destroy(s->core);
	grpc_completion_queue_destroy(s->queue);
	grpc_shutdown_blocking();
	ds_mem_free(s);
}

ds_rc rpc_open(rpc_server **out, const rpc_opts *o, ds_buf *at, ds_err *e)
{
	gpr_set_log_function(say_nothing);
	grpc_init();
	rpc_server *s = DS_NEW(rpc_server, 1);
	s->o = *o;
	s->queue = grpc_completion_queue_create_for_next(NULL);
	s->core = new_server(o);
	grpc_server_register_completion_queue(s->core, s->queue, NULL);
	ds_rc rc = listen_at(s, at, e);
	grpc_server_start(s->core);
	if (rc == DS_OK)
		rc = ds_thread_start(&s->thread, take_all, s, e);
	if (rc != DS_OK) {
		release(s);
		return rc;
	}
	for (int i = 0; i < WAITING_CALLS; i++)
		await_call(s);
	*out = s;
	return DS_OK;
}

void rpc_close(rpc_server *s)
{
	if (s)
		release(s);
}
