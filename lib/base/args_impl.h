/*
 * args_impl.h - what the parts of args share; only for args*.c
 */
#ifndef DS_BASE_ARGS_IMPL_H
#define DS_BASE_ARGS_IMPL_H

#include "base/args.h"

typedef union { /* a target's value before parsing: given options that equal it are not recorded */
	bool flag;
	int i;
	int64_t i64;
	uint64_t u64;
	double f64;
	const char *text;
	uint64_t bytes;
} ds_before;

typedef struct {
	const ds_arg *arg;
	bool shared; /* one of those that all programs have */
	bool given;
	ds_before before;
} ds_opt_state;

typedef struct { /* an occurrence of a DS_KIND_CALL, in the order given */
	size_t opt;
	const char *value;
} ds_called;

typedef struct {
	const ds_tool *tool;
	const ds_cmd *cmd; /* NULL: the program itself */
	unsigned takes;
	ds_opt_state *opts;
	size_t n;
	ds_called *called;
	size_t n_called;
	const char **files;
	size_t n_files;
} ds_args;

typedef struct { /* what shared options write to before it is checked and put into ds_common */
	ds_common common;
	ds_call level;
	const char *on_error;
	ds_size max_record;
	bool help, version;
} ds_shared;
extern ds_shared ds_args_shared; /* written while parsing alone */

/* The tables of a program or of one of its subcommands, joined; own options hide shared ones. */
void ds_args_open(ds_args *a, const ds_tool *tool, const ds_cmd *cmd);
void ds_args_close(ds_args *a);
/* The subcommand that argv names, its place in *at; NULL: none. */
const ds_cmd *ds_args_command(const ds_tool *tool, int argc, char **argv, int *at);
DS_MUST ds_rc ds_args_parse(ds_args *a, int argc, char **argv, int skip, ds_err *e);

/* One option's value into its target. value NULL: none was given. */
DS_MUST ds_rc ds_args_set(const ds_arg *arg, const char *value, ds_err *e);
ds_before ds_args_before(const ds_arg *arg);

/* The canonical spelling of what was given. */
DS_MUST ds_rc ds_args_record(const ds_args *a, ds_buf *out, ds_err *e);

/* Outputs of one name, and inputs that would be written over: DS_USAGE. */
DS_MUST ds_rc ds_args_outputs(const ds_args *a, const ds_common *c, ds_err *e);
/* Outputs that cannot be made where they are named, found before there is anything to write. */
DS_MUST ds_rc ds_args_places(const ds_args *a, const ds_common *c, ds_err *e);

void ds_args_help(const ds_args *a, ds_buf *out);
void ds_args_print(
	const ds_tool *tool, ds_buf *out); /* --print-options: a line an option, by tabs */
/* The name most like this one among the options, or the commands of a tool; NULL: none is near. */
const char *ds_args_nearest(const ds_args *a, const char *name, size_t n);
const char *ds_args_nearest_command(const ds_tool *tool, const char *name);

ds_rc ds_args_level(void *context, const char *name, const char *value, ds_err *e); /* -z */

/* The options that all programs share, with the groups (DS_TAKES_…) that each belongs to. */
typedef struct {
	unsigned groups; /* 0: always there */
	ds_arg arg;
} ds_shared_arg;
extern const ds_shared_arg ds_args_common[]; /* ends with a NULL name */

#endif
