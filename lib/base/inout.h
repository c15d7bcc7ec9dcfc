/*
 * inout.h - what a run reads, what it writes, and who it is: small structs that the layers take
 *
 * The command line fills them (args.h); a program that reads or writes something else besides makes its own. All
 * pointers are the caller's and outlive what was opened with them.
 */
#ifndef DS_BASE_INOUT_H
#define DS_BASE_INOUT_H

#include "base/err.h"
#include "base/str.h"

typedef struct { /* an option given any number of times: names in order */
	const char **at;
	size_t n;
} ds_strs;

typedef enum { DS_ON_STOP, DS_ON_SKIP, DS_ON_REJECT } ds_on_error;

/* What ends a run that did all it could: told when it is over, in place of its summary. */
typedef struct {
	ds_rc rc; /* DS_OK: nothing */
	ds_err err;
} ds_late;

#define DS_VERSION "0.1.0"

typedef struct {             /* who speaks on stderr */
	const char *program; /* "dsrec" */
	const char *command; /* "cat", or NULL */
	bool quiet, verbose;
	ds_late *late; /* NULL: nobody would tell it (tests) */
} ds_voice;

typedef struct {
	ds_strs paths;      /* as given (record/field.h); none: column */
	const char *column; /* that text gets which has no name: a plain --field, else text */
} ds_field_opts;

typedef struct ds_input_opts {
	const char **files; /* "-": stdin */
	size_t n_files;
	const char *exec; /* a command whose output is the input, in place of files; or NULL */
	const char *from; /* a format of formats.def; NULL: by name, magic and content */
	ds_field_opts field;
	const char *split;    /* line|para|file, NULL: by the kind of input */
	const char *columns;  /* a,b,c for CSV/TSV without a header */
	const char *encoding; /* charset of text, NULL: UTF-8, or what a byte order mark says */
	bool tsv_escapes;
	const char *media;  /* text|all, NULL: text; of WARC records */
	const char *status; /* 200,3xx: WARC responses that are wanted, NULL: all */
	bool salvage;
	ds_on_error on_error;
	const char *reject_path; /* for DS_ON_REJECT */
	uint64_t max_record;     /* bytes */
	const ds_voice *who;     /* says what is amiss; NULL: nobody does (tests) */
} ds_input_opts;

typedef struct ds_output_opts {
	const char *program; /* named where a stream ends early */
	const char *path;    /* NULL: stdout */
	const char *to;      /* a format; NULL: by the name, else dsr */
	ds_field_opts field; /* whose text is written, where the format is text alone */
	const char *columns; /* as the input's */
	bool tsv_escapes;
	int level;            /* zstd's, 0: none */
	int jobs;             /* threads of writers that pack by themselves; 0 is 1 */
	uint64_t shard_bytes; /* 0: the output is one */
} ds_output_opts;

#endif
