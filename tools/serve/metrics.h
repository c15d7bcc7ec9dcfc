/*
 * metrics.h - counts and times, as Prometheus reads them
 *
 * Names are vLLM's where they mean the same, so that its dashboards show this server too. Any thread may count.
 */
#ifndef SERVE_METRICS_H
#define SERVE_METRICS_H

#include "base/str.h"

typedef struct metrics metrics;
metrics *metrics_new(const char *model);
void metrics_free(metrics *m); /* NULL is fine */

typedef enum { TIME_FIRST, TIME_BETWEEN, TIME_ALL, TIME_QUEUE, TIMES } metrics_time;
void metrics_seconds(metrics *m, metrics_time which, double s);
void metrics_sequence(
	metrics *m, size_t in, size_t out, size_t reused, const char *finish); /* a text is over */
void metrics_vectors(metrics *m, size_t n, size_t tokens);
void metrics_answer(metrics *m, int status); /* of HTTP */
void metrics_rpc(metrics *m, int code);      /* of gRPC */

typedef struct { /* what is so now */
	size_t running, waiting;
	double used; /* share of the caches */
	bool ready;
} metrics_now;
void metrics_print(metrics *m, const metrics_now *now, ds_buf *out);

#endif
