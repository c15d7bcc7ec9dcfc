/*
 * grpc.h - gRPC by its core library: messages in, messages out
 *
 * Every call is a stream of messages both ways; one with a single message each way is no other kind. The handler gets a
 * call's messages one by one on the server's thread, and asks for the next; answers may be sent and the call ended by any
 * thread. A call lives until it is over and whoever holds it has dropped it.
 */
#ifndef SERVE_GRPC_H
#define SERVE_GRPC_H

#include "base/str.h"

#include <stdatomic.h>

typedef struct rpc_server rpc_server;
typedef struct rpc {
	const char *method; /* "/package.Service/Method" */
	const char *authorization, *client;
	uint64_t began_ns, deadline_ns; /* 0: none */
	atomic_bool gone;               /* the client does not wait any more */
	int code;                       /* what it ended with */
	void *own;                      /* the handler's, dropped when the call is over */
	void (*drop_own)(void *own);
} rpc;

typedef struct {
	const char *where; /* [HOST:]PORT */
	uint64_t message_bytes;
	const char *cert, *key; /* PEM; NULL: no TLS */
	/* A message, which lives until it returns; at NULL: the client has no more. */
	void (*message)(void *context, rpc *c, ds_str bytes);
	void (*left)(void *context, rpc *c); /* the client has, or the call has ended */
	void (*over)(void *context, rpc *c);
	void *context;
} rpc_opts;

/* DS_USAGE, DS_IO: cannot listen there. *at: where it does, to be shown. */
DS_MUST ds_rc rpc_open(rpc_server **s, const rpc_opts *o, ds_buf *at, ds_err *e);
/* Calls that were not ended are cancelled. */
void rpc_close(rpc_server *s); /* NULL is fine */

void rpc_next(rpc *c);               /* the next message is wanted; in the handler, or later */
void rpc_send(rpc *c, ds_str bytes); /* any thread; in order */
void rpc_end(rpc *c, int code, const char *why); /* behind what was sent; once */
void rpc_hold(rpc *c);
void rpc_drop(rpc *c);

enum { /* codes of gRPC that are used by name */
	RPC_OK = 0,
	RPC_INVALID = 3,
	RPC_NOT_FOUND = 5,
	RPC_UNIMPLEMENTED = 12,
	RPC_UNAVAILABLE = 14,
	RPC_UNAUTHENTICATED = 16,
};

#endif
