/*
 * http.h - HTTP/1.1 by libmicrohttpd: whole requests in, answers out, at once or later
 *
 * A call is a request that is being answered. The handler gets it on one of the server's threads when its body is
 * there. It answers at once, or says that it will (http_later, http_stream) before it gives the call to another thread,
 * which may then add, end and wake. A call lives until both the connection and whoever holds it have dropped it.
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "base/str.h"

#include <stdatomic.h>

typedef struct http http;
typedef struct http_call {
	const char *method, *path;   /* the path is decoded, without its query */
	const char *authorization;   /* the header's value; "" where there is none */
	char id[64], client[64];     /* of the request, as it came or made up; the peer's address */
	ds_str body;                 /* lives as the call does */
	uint64_t whole_ns;           /* when it was there */
	atomic_bool gone;            /* the client is not there any more */
	int status;                  /* of the answer */
	uint64_t out_bytes;          /* of its body */
	size_t in_tokens;            /* for the log: of prompts */
	atomic_size_t n_tokens;      /* of answers */
	void *own;                   /* the handler's */
	void (*drop_own)(void *own); /* called when the call is over; NULL: nothing is */
} http_call;

typedef struct {
	int listener; /* a listening socket, which is closed with the server */
	unsigned threads, idle_s;
	uint64_t body_bytes;    /* a larger one is refused */
	const char *cert, *key; /* PEM; NULL: no TLS */
	void (*handle)(void *context, http_call *c);
	void (*over)(void *context, http_call *c); /* answered, or given up: for the log */
	/* A body that is too large, before it was read. */
	void (*too_large)(void *context, http_call *c, uint64_t limit_bytes);
	void *context;
} http_opts;

/* A socket that listens on [HOST:]PORT; port 0: one that is free. *at: where, to be shown. */
DS_MUST ds_rc http_listen(int *fd, const char *where, ds_buf *at, ds_err *e);
DS_MUST ds_rc http_open(http **h, const http_opts *o, ds_err *e);
/* Every call must have been woken or ended. */
void http_close(http *h);
DS_AUTO_WITH(http, http_close)

void http_header(http_call *c, const char *name, const char *value); /* of the answer; before it */
void http_answer(http_call *c, int status, const char *type, ds_str body); /* body is copied */
/* In the handler: the answer comes after http_wake, from render, on one of the server's threads. */
void http_later(http_call *c, void (*render)(http_call *c));
void http_wake(http_call *c);
/* In the handler: what is added is sent as it comes. */
void http_stream(http_call *c, const char *type);
void http_stream_add(http_call *c, ds_str bytes);
void http_stream_end(http_call *c);
void http_hold(http_call *c);
void http_drop(http_call *c);

#endif
