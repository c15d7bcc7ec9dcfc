/*
 * progress.c - the live line, warnings and the summary line
 *
 * One live line a process: its state is global so that a warning from anywhere can wipe it first.
 */
#include "base/progress.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REDRAW_NS = 100 * 1000 * 1000 };

struct ds_progress {
	const ds_voice *who;
	bool live;
	int64_t start_ns;
	atomic_llong total, due_ns;
	atomic_ullong records, bytes;
	char note[256]; /* under draw_lock */
	bool whole;     /* the note is all there is to show */
};

static pthread_mutex_t draw_lock = PTHREAD_MUTEX_INITIALIZER;
static bool line_is_up; /* under draw_lock */
static ds_buf said;     /* the same: what ds_say_all prints */

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* In a pipeline the last program shows its progress; the others would write over it. */
static bool stdout_is_pipe(void)
{
	struct stat st;
	return fstat(STDOUT_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
}

ds_progress *ds_progress_new(const ds_voice *who)
{
	ds_progress *p = DS_NEW(ds_progress, 1);
	p->who = who;
	p->start_ns = now_ns();
	atomic_store(&p->total, -1);
	/* Nothing in the first half second: most runs end before. */
	atomic_store(&p->due_ns, p->start_ns + 5 * (int64_t)REDRAW_NS);
	p->live = !who->quiet && isatty(STDERR_FILENO) && (who->verbose || !stdout_is_pipe());
	return p;
}

static void wipe(void)
{
	if (line_is_up)
		fputs("\r\033[K", stderr);
	line_is_up = false;
}

void ds_progress_free(ds_progress *p)
{
	if (!p)
		return;
	ds_progress_clear(p);
	ds_mem_free(p);
}

void ds_progress_total(ds_progress *p, int64_t bytes)
{
	atomic_store(&p->total, bytes);
}

const char *ds_human_bytes(char out[16], double bytes)
{
	static const char units[] = "kMGTPE";
	if (bytes < 1000) {
		snprintf(out, 16, "%.0f B", bytes);
		return out;
	}
	int unit = -1;
	while (bytes >= 999.5 && unit < 5) {
		bytes /= 1000;
		unit++;
	}
	snprintf(out, 16, bytes < 9.95 ? "%.1f %cB" : "%.0f %cB", bytes, units[unit]);
	return out;
}

const char *ds_human_count(char out[16], double count)
{
	static const char units[] = "kMGTPE";
	if (count < 1000) {
		snprintf(out, 16, "%.0f", count);
		return out;
	}
	int unit = -1;
	while (count >= 999.5 && unit < 5) {
		count /= 1000;
		unit++;
	}
	snprintf(out, 16, count < 99.95 ? "%.1f %c" : "%.0f %c", count, units[unit]);
	return out;
}

static void draw_whole(ds_progress *p)
{
	fprintf(stderr, "\r%s: %s\033[K", p->who->program, p->note);
	line_is_up = true;
}

static void draw(ds_progress *p, int64_t now)
{
	if (p->whole) {
		draw_whole(p);
		return;
	}
	char records[16], rate[16], size[16];
	double seconds = (double)(now - p->start_ns) / 1e9;
	double bytes = (double)atomic_load(&p->bytes);
	long long total = atomic_load(&p->total);
	ds_buf line = { 0 };
	ds_buf_fmt(&line, "%s: %s records, %s, %s/s", p->who->program,
		ds_human_count(records, (double)atomic_load(&p->records)),
		ds_human_bytes(size, bytes),
		ds_human_bytes(rate, seconds > 0 ? bytes / seconds : 0));
	if (total > 0 && bytes > 0) {
		double part = bytes < (double)total ? bytes / (double)total : 1;
		long left = (long)(seconds / part - seconds + 0.5);
		ds_buf_fmt(&line, ", %.0f%%, ETA %ld:%02ld", part * 100, left / 60, left % 60);
	}
	if (p->note[0])
		ds_buf_fmt(&line, ", %s", p->note);
	fprintf(stderr, "\r%s\033[K", ds_buf_text(&line));
	line_is_up = true;
	ds_buf_free(&line);
}

void ds_progress_add(ds_progress *p, uint64_t records, uint64_t bytes)
{
	atomic_fetch_add_explicit(&p->records, records, memory_order_relaxed);
	atomic_fetch_add_explicit(&p->bytes, bytes, memory_order_relaxed);
	if (!p->live)
		return;
	int64_t now = now_ns();
	long long due = atomic_load(&p->due_ns);
	/* One thread wins the turn to draw; nobody waits for it. */
	if (now < due || !atomic_compare_exchange_strong(&p->due_ns, &due, now + REDRAW_NS))
		return;
	pthread_mutex_lock(&draw_lock);
	draw(p, now);
	pthread_mutex_unlock(&draw_lock);
}

void ds_progress_note(ds_progress *p, const char *fmt, ...)
{
	pthread_mutex_lock(&draw_lock);
	p->note[0] = '\0';
	if (fmt) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(p->note, sizeof(p->note), fmt, ap);
		va_end(ap);
		ds_tidy(p->note);
	}
	pthread_mutex_unlock(&draw_lock);
}

void ds_progress_line(ds_progress *p, const char *fmt, ...)
{
	va_list ap;
	if (!p->live)
		return;
	pthread_mutex_lock(&draw_lock);
	va_start(ap, fmt);
	vsnprintf(p->note, sizeof(p->note), fmt, ap);
	va_end(ap);
	ds_tidy(p->note);
	p->whole = true;
	pthread_mutex_unlock(&draw_lock);
	ds_progress_add(p, 0, 0);
}

bool ds_progress_live(const ds_progress *p)
{
	return p->live;
}

void ds_progress_clear(ds_progress *p)
{
	pthread_mutex_lock(&draw_lock);
	wipe();
	pthread_mutex_unlock(&draw_lock);
}

double ds_progress_seconds(const ds_progress *p)
{
	return (double)(now_ns() - p->start_ns) / 1e9;
}

__attribute__((format(printf, 4, 0))) static void print_line(
	const ds_voice *who, const char *before, bool now, const char *fmt, va_list ap)
{
	char what[4096];
	vsnprintf(what, sizeof(what), fmt, ap);
	ds_tidy(what);
	pthread_mutex_lock(&draw_lock);
	if (now) {
		wipe();
		fprintf(stderr, "%s: %s%s\n", who->program, before, what);
	} else {
		ds_buf_fmt(&said, "%s: %s\n", who->program, what);
	}
	pthread_mutex_unlock(&draw_lock);
}

void ds_say_all(void)
{
	pthread_mutex_lock(&draw_lock);
	if (said.n) {
		wipe();
		fwrite(said.at, 1, said.n, stderr);
	}
	ds_buf_free(&said);
	said = (ds_buf){ 0 };
	pthread_mutex_unlock(&draw_lock);
}

void ds_warn(const ds_voice *who, const char *fmt, ...)
{
	if (who->quiet)
		return;
	va_list ap;
	va_start(ap, fmt);
	print_line(who, "warning: ", true, fmt, ap);
	va_end(ap);
}

void ds_say(const ds_voice *who, const char *fmt, ...)
{
	if (who->quiet || (who->late && who->late->rc != DS_OK)) /* a failure is one line */
		return;
	va_list ap;
	va_start(ap, fmt);
	print_line(who, "", false, fmt, ap);
	va_end(ap);
}

void ds_tell(const ds_voice *who, const char *fmt, ...)
{
	if (who->quiet)
		return;
	va_list ap;
	va_start(ap, fmt);
	print_line(who, "", true, fmt, ap);
	va_end(ap);
}
