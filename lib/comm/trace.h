/*
 * trace.h - what a rank did when, as chrome://tracing and Perfetto read it
 *
 * Spans may lie in one another. Times are those of CLOCK_MONOTONIC, which the ranks of one machine share. One thread.
 */
#ifndef DS_COMM_TRACE_H
#define DS_COMM_TRACE_H

#include "base/str.h"

#include <stdint.h>

typedef struct ds_trace ds_trace;
ds_trace *ds_trace_new(void);
void ds_trace_free(ds_trace *t); /* NULL is fine */
/* A span from `began` to now; bytes below 0: none are meant. name and of are copied. t NULL: nothing happens. */
void ds_trace_add(ds_trace *t, const char *name, const char *of, double began, int64_t bytes);
double ds_trace_now(void); /* seconds */
/* The spans as members of a JSON array of trace events, each followed by a comma. */
void ds_trace_print(const ds_trace *t, int rank, ds_buf *out);

#endif
