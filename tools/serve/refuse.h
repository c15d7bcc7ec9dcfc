/*
 * refuse.h - why a request is not served, as OpenAI's error object and gRPC's status say it
 */
#ifndef SERVE_REFUSE_H
#define SERVE_REFUSE_H

#include "http.h"

typedef struct {
	int status; /* of HTTP */
	const char *code;
	char param[64];
	double retry_s; /* over 0: it may be tried again then */
	ds_err why;
} refusal;

/* Returns false, so that it can be returned. code may be NULL. */
bool refuse(refusal *r, int status, const char *code, const char *param, const char *fmt, ...)
	DS_PRINTF(5, 6);
void refusal_json(const refusal *r, ds_buf *out); /* {"error":{…}} */
void refusal_answer(const refusal *r, http_call *c);
int refusal_grpc(const refusal *r); /* the status code of gRPC */

#endif
