/*
 * record.h - dsrec's subcommands, and what several of them share
 */
#ifndef DS_TOOLS_RECORD_H
#define DS_TOOLS_RECORD_H

#include "base/args.h"
#include "base/codec.h"
#include "base/progress.h"
#include "record/sink.h"
#include "record/source.h"

/* Options of the subcommands; written while parsing alone. */
typedef struct {
	const char *exec; /* import */
	const char *to;   /* export */
	int64_t lines;    /* head, view */
	bool full;        /* view */
	const char *by;   /* split */
	ds_size memory;   /* shuf */
	int top;          /* stat */
} record_options;
extern record_options opt;

ds_rc run_view(const ds_common *c, ds_err *e);
ds_rc run_head(const ds_common *c, ds_err *e);
ds_rc run_stat(const ds_common *c, ds_err *e);
ds_rc run_check(const ds_common *c, ds_err *e);
ds_rc run_log(const ds_common *c, ds_err *e);
ds_rc run_shuf(const ds_common *c, ds_err *e);
ds_rc run_split(const ds_common *c, ds_err *e);
ds_rc run_index(const ds_common *c, ds_err *e);
ds_rc run_select(const ds_common *c, ds_err *e);
ds_rc run_rename(const ds_common *c, ds_err *e);
ds_rc run_drop(const ds_common *c, ds_err *e);
ds_rc run_where(const ds_common *c, ds_err *e);

/* A run whose first operand is no file, but part of what is asked. */
typedef struct {
	ds_common common; /* with that operand recorded, and out of the files */
	const char *word;
	ds_buf recorded;
} worded_run;
/* what: it, for the message where it is not there. */
DS_MUST ds_rc worded_open(worded_run *w, const ds_common *c, const char *what, ds_err *e);
void worded_close(worded_run *w);

/* Opens a file that must be a DSR stream; anything else is DS_BAD. */
DS_MUST ds_rc open_stream(ds_reader **r, const char *path, ds_err *e);

/* A report goes to stdout or -o: gathered whole, then written at once. */
DS_MUST ds_rc write_report(const ds_common *c, const ds_buf *text, ds_err *e);
/* The format of a report: 't' table, 's' tsv, 'j' json. */
char report_form(const ds_common *c);
/* A bar of `width` cells for part/whole, in eighths of a cell. */
void add_bar(ds_buf *out, double part, double whole, unsigned width);
/* A whole number with its digits grouped by commas. */
void add_grouped(ds_buf *out, uint64_t n);
/* Bytes as a person may see them: no controls but those that text needs, valid UTF-8. */
void add_visible(ds_buf *out, ds_str s, bool one_line);
void add_padded(ds_buf *out, ds_str s, unsigned width); /* to that many columns, cut with … */

#endif
