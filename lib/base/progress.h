/*
 * progress.h - what a person sees on stderr
 *
 * A live line where stderr is a terminal and stdout is not a pipe (or -v insists), redrawn at most
 * ten times a second; one summary line at the end, unless -q. Any thread may add.
 */
#ifndef DS_BASE_PROGRESS_H
#define DS_BASE_PROGRESS_H

#include "base/inout.h"

typedef struct ds_progress ds_progress;
ds_progress *ds_progress_new(const ds_voice *who);
void ds_progress_free(ds_progress *p);
void ds_progress_total(ds_progress *p, int64_t bytes); /* -1: unknown, then no ETA */
void ds_progress_add(ds_progress *p, uint64_t records, uint64_t bytes);
/* Replaces the right part of the live line, e.g. "loss 2.31"; NULL takes it away. */
void ds_progress_note(ds_progress *p, const char *fmt, ...) DS_PRINTF(2, 3);
/* Replaces all of the live line behind the program's name, for work that is not counted in records. */
void ds_progress_line(ds_progress *p, const char *fmt, ...) DS_PRINTF(2, 3);
bool ds_progress_live(const ds_progress *p); /* is there a live line at all? */
void ds_progress_clear(ds_progress *p); /* wipes the live line before something else is printed */
double ds_progress_seconds(const ds_progress *p);
DS_AUTO_WITH(ds_progress, ds_progress_free)

/* "program: warning: …" on stderr, not with -q; wipes a live line first. */
void ds_warn(const ds_voice *who, const char *fmt, ...) DS_PRINTF(2, 3);
/* "program: …": the summary line, not with -q. It waits until the run has succeeded (ds_say_all). */
void ds_say(const ds_voice *who, const char *fmt, ...) DS_PRINTF(2, 3);
void ds_say_all(void);
/* The same at once, for what is of use while the run goes on. */
void ds_tell(const ds_voice *who, const char *fmt, ...) DS_PRINTF(2, 3);
/* "1.2 GB", "12.3 k": at most 15 characters. */
const char *ds_human_bytes(char out[16], double bytes);
const char *ds_human_count(char out[16], double count);

#endif
