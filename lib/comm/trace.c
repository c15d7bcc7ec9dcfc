/*
 * trace.c - spans of time in a list
 */
#include "comm/trace.h"

#include "base/mem.h"

#include <stdio.h>
#include <time.h>

enum { MOST_SPANS = 1 << 20, NAME_BYTES = 80 }; /* spans beyond that are left out */

typedef struct {
	char name[NAME_BYTES];
	double began, seconds;
	int64_t bytes;
} span;

struct ds_trace {
	span *spans;
	size_t n, cap;
};

ds_trace *ds_trace_new(void)
{
	return DS_NEW(ds_trace, 1);
}

void ds_trace_free(ds_trace *t)
{
	if (!t)
		return;
	ds_mem_free(t->spans);
	ds_mem_free(t);
}

double ds_trace_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void ds_trace_add(ds_trace *t, const char *name, const char *of, double began, int64_t bytes)
{
	if (!t || t->n == MOST_SPANS)
		return;
	if (t->n == t->cap) {
		size_t more = t->cap ? 2 * t->cap : 1024;
		t->spans = ds_mem_grow(t->spans, t->cap * sizeof(span), more * sizeof(span));
		t->cap = more;
	}
	span *s = &t->spans[t->n++];
	*s = (span){ .began = began, .seconds = ds_trace_now() - began, .bytes = bytes };
	snprintf(s->name, sizeof(s->name), "%s%s%s", name, *of ? " " : "", of);
}

/* Names of tensors and ops; what JSON would not take is left out. */
static void print_name(const char *name, ds_buf *out)
{
	for (; *name; name++)
		if ((unsigned char)*name >= ' ' && *name != '"' && *name != '\\')
			ds_buf_add_byte(out, *name);
}

void ds_trace_print(const ds_trace *t, int rank, ds_buf *out)
{
	ds_buf_fmt(out,
		"{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": %d, \"args\": {\"name\": "
		"\"rank "
		"%d\"}},\n",
		rank, rank);
	for (size_t i = 0; i < t->n; i++) {
		const span *s = &t->spans[i];
		ds_buf_add_c(out, "{\"ph\": \"X\", \"name\": \"");
		print_name(s->name, out);
		ds_buf_fmt(out, "\", \"pid\": %d, \"tid\": 0, \"ts\": %.3f, \"dur\": %.3f", rank,
			s->began * 1e6, s->seconds * 1e6);
		if (s->bytes >= 0)
			ds_buf_fmt(out, ", \"args\": {\"bytes\": %lld}", (long long)s->bytes);
		ds_buf_add_c(out, "},\n");
	}
}
