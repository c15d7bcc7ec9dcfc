/*
 * access.h - the access log: a line of JSON for each request
 */
#ifndef SERVE_ACCESS_H
#define SERVE_ACCESS_H

#include "serve.h"

typedef struct {
	const char *id, *client, *method, *path; /* id may be NULL */
	int status;
	uint64_t began_ns, bytes_in, bytes_out; /* began: 0 is now */
	size_t in_tokens, out_tokens;
	bool gone; /* the client left before the end */
} access_line;
void access_log(const server *s, const access_line *a); /* where there is a log */

#endif
