/*
 * access.c - see access.h
 */
#include "access.h"

#include "clock.h"

#include <unistd.h>

static void add(ds_buf *line, const char *key, const char *text)
{
	ds_buf_fmt(line, ",\"%s\":", key);
	if (text)
		ds_json_add_str(line, ds_str_of(text));
	else
		ds_buf_add_c(line, "null");
}

void access_log(const server *s, const access_line *a)
{
	struct timespec t;
	struct tm utc;
	char when[32];
	ds_buf line = { 0 };
	uint64_t now = clock_ns();
	if (s->log < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
	ds_buf_fmt(&line, "{\"time\":\"%s.%03ldZ\"", when, t.tv_nsec / 1000000);
	add(&line, "id", a->id);
	add(&line, "client", a->client);
	add(&line, "method", a->method);
	add(&line, "path", a->path);
	ds_buf_fmt(&line,
		",\"status\":%d,\"bytes_in\":%llu,\"bytes_out\":%llu,\"ms\":%.3f,"
		"\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"gone\":%s}\n",
		a->status, (unsigned long long)a->bytes_in, (unsigned long long)a->bytes_out,
		a->began_ns ? (double)(now - a->began_ns) / 1e6 : 0.0, a->in_tokens, a->out_tokens,
		a->gone ? "true" : "false");
	/* A log that cannot be written stops nothing. */
	if (write(s->log, line.at, line.n) < 0)
		line.n = 0;
	ds_buf_free(&line);
}
