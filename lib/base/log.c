/*
 * log.c - reads DS_TRACE before main, so that nobody has to remember to
 */
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

unsigned ds_log_mask;
static int log_fd = STDERR_FILENO;

static unsigned kind_of(const char *name, size_t n)
{
	static const struct {
		const char *name;
		unsigned bit;
	} kinds[] = {
		{ "io", DS_LOG_IO },
		{ "graph", DS_LOG_GRAPH },
		{ "plan", DS_LOG_PLAN },
		{ "sched", DS_LOG_SCHED },
		{ "err", DS_LOG_ERR },
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].name) == n && memcmp(kinds[i].name, name, n) == 0)
			return kinds[i].bit;
	return 0;
}

/* A constructor is safe here: err.c refers to ds_log_mask, so every program links this file. */
__attribute__((constructor)) static void start(void)
{
	const char *at = getenv("DS_TRACE");
	if (!at)
		return;
	const char *colon = strchr(at, ':');
	if (colon) {
		int fd = open(colon + 1, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (fd >= 0)
			log_fd = fd;
	}
	while (*at && *at != ':') {
		size_t n = strcspn(at, ",:");
		ds_log_mask |= kind_of(at, n);
		at += n + (at[n] == ',');
	}
}

void ds_log_line(const char *file, int line, const char *fmt, ...)
{
	char text[2048];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int n = snprintf(text, sizeof(text), "%ld.%06ld %s:%d: ", (long)now.tv_sec,
		now.tv_nsec / 1000, file, line);
	va_list ap;
	va_start(ap, fmt);
	int more = vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n = n + more > (int)sizeof(text) - 2 ? (int)sizeof(text) - 2 : n + more;
	text[n++] = '\n';
	/* One write a line: lines of threads do not mix. A trace that cannot be written is lost. */
	ssize_t unused = write(log_fd, text, (size_t)n);
	(void)unused;
}
