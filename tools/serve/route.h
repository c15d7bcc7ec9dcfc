/*
 * route.h - paths and what answers them: the table, and the way through it
 */
#ifndef SERVE_ROUTE_H
#define SERVE_ROUTE_H

#include "answers.h"

typedef struct {
	const char *method, *path; /* a path that ends with {…} has anything there */
	bool open;                 /* no token is asked for */
	answer *answer;
	const char *summary;
	const field *fields; /* of its body; NULL: it has none */
	unsigned where;
	const char *gives; /* the media type */
} route;
extern const route routes[]; /* ends with a NULL path */

void route_call(void *server, http_call *c);
void route_over(void *server, http_call *c); /* counts it, writes the access log */
void route_too_large(void *server, http_call *c, uint64_t limit_bytes);

#endif
