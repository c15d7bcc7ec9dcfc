/*
 * args.h - one table of options: parsing, --help, completions, the manual and the provenance entry
 *
 * A program is a ds_tool: its options, its subcommands, three examples and a run function. ds_main
 * parses, adds the options that all programs share, calls run and turns the result into the exit
 * status and the one line on stderr. GNU habits: --opt=value, --opt value, operands in between, --,
 * attached short values (-z19, -j2), unique prefixes of long options are not accepted.
 */
#ifndef DS_BASE_ARGS_H
#define DS_BASE_ARGS_H

#include "base/inout.h"

typedef struct { /* sizes with a suffix: 4096, 64K, 2M, 1G, powers of 1024 */
	uint64_t bytes;
} ds_size;

typedef struct { /* called at every occurrence, in the order given; value NULL for a flag */
	ds_rc (*fn)(void *context, const char *name, const char *value, ds_err *e);
	void *context;
} ds_call;

typedef enum {
	DS_KIND_FLAG,  /* bool: set to true */
	DS_KIND_INT,   /* int */
	DS_KIND_I64,   /* int64_t */
	DS_KIND_U64,   /* uint64_t */
	DS_KIND_F64,   /* double */
	DS_KIND_TEXT,  /* const char * */
	DS_KIND_SIZE,  /* ds_size */
	DS_KIND_TEXTS, /* ds_strs */
	DS_KIND_CALL,  /* ds_call */
} ds_kind;

enum {
	DS_ARG_UNRECORDED = 1, /* does not change records: left out of the provenance chain */
	DS_ARG_FILE =
		2, /* names a file whose content is what counts: recorded by XXH3-128 of it; "FILE|word": the word is none */
	DS_ARG_OPTIONAL =
		4, /* DS_KIND_TEXT/CALL: the value may be left out (-z), and is attached unless it is
				the very word that `value` is (--space collapse) */
	DS_ARG_HIDDEN = 8, /* not on the first screen of --help; in the manual all the same */
	DS_ARG_INPUT = 16, /* is the input itself: where it is given, no FILE does not mean stdin */
	DS_ARG_NEW = 32,   /* with DS_ARG_FILE: it may be absent, and is recorded as "new" then */
	DS_ARG_OUT =
		64, /* names a file that the run writes: no other output, and no input, may be the same */
};

typedef struct {
	char letter;      /* 0: long only */
	const char *name; /* without dashes; NULL ends the table */
	void *target;
	ds_kind kind;
	/* What to call the value in --help; NULL for flags. "a|b|c", all of them plain lower-case words, is
	 * completed, and for DS_KIND_TEXT nothing else is accepted. */
	const char *value;
	const char *help; /* one line, lower case, no full stop */
	unsigned flags;
} ds_arg;

#define DS_KIND_OF(target) \
	_Generic((target),                                                                         \
		bool *: DS_KIND_FLAG,                                                              \
		int *: DS_KIND_INT,                                                                \
		int64_t *: DS_KIND_I64,                                                            \
		uint64_t *: DS_KIND_U64,                                                           \
		double *: DS_KIND_F64,                                                             \
		const char **: DS_KIND_TEXT,                                                       \
		ds_size *: DS_KIND_SIZE,                                                           \
		ds_strs *: DS_KIND_TEXTS,                                                          \
		ds_call *: DS_KIND_CALL)
#define DS_ARG(letter, name, target, value, help) \
	{ \
		letter, name, target, DS_KIND_OF(target), value, help, 0 \
	}
#define DS_ARG_F(letter, name, target, value, help, flags) \
	{ \
		letter, name, target, DS_KIND_OF(target), value, help, flags \
	}

/* Which groups of shared options a program or subcommand takes. */
enum {
	DS_TAKES_INPUT =
		1, /* FILE… --from --field --split --on-error --max-record --encoding --columns --tsv-escapes */
	DS_TAKES_OUTPUT = 2,    /* -o --to (records) -z --shard-size */
	DS_TAKES_REPORT = 4,    /* -o --to table|tsv|json --json */
	DS_TAKES_SEED = 8,      /* --seed */
	DS_TAKES_JOBS = 16,     /* -j */
	DS_TAKES_NO_STDIN = 32, /* no FILE does not mean stdin (dstrain, dsdedup band) */
	DS_TAKES_SALVAGE = 64,  /* --salvage, which DS_TAKES_INPUT has as well */
	DS_TAKES_PATH = 128,    /* -o --out alone: a file or folder that is not a record stream */
	DS_TAKES_STREAM =
		512, /* FILE… or stdin, streams alone: none of the options about formats */
	DS_TAKES_STATS = 256, /* --stats, which DS_TAKES_OUTPUT has as well */
};

typedef struct ds_common { /* the shared options, checked */
	ds_voice who;
	ds_input_opts in; /* files: operands; where none was given and stdin is read: one "-" */
	ds_output_opts out;
	int jobs; /* at least 1 */
	bool json;
	ds_size shard_size;
	uint64_t seed;
	const char *stats_path;
	ds_str recorded; /* this run's arguments in canonical spelling, for the chain */
} ds_common;

typedef struct {
	const char *name, *usage,
		*what;      /* usage: what follows the name, NULL: the usual; what: one line */
	const ds_arg *args; /* ends with { 0 }; NULL: none */
	unsigned takes;
	ds_rc (*run)(const ds_common *c, ds_err *e);
} ds_cmd;

typedef struct {
	const char *name, *usage, *what;
	const ds_arg *args; /* where run is NULL: of every subcommand */
	unsigned takes;
	ds_rc (*run)(const ds_common *c, ds_err *e); /* NULL: a subcommand is needed */
	const ds_cmd *cmds;                          /* ends with { 0 }; NULL: none */
	const char *examples[3];
	/* run failed, and a reader of stdout was told nothing yet: ds_run_failed where records are written. */
	void (*failed)(const ds_common *c, const char *reason);
	/* Called before parsing, to build a table that is not constant; may be NULL. */
	const ds_arg *(*more_args)(void); /* options besides args, ended by { 0 } */
} ds_tool;

/*
 * Appends how a file is recorded, "xxh3:" and the hash of what is in it; wants is the value's spelling
 * in the table ("FILE|word"), whose words stand for themselves.
 */
DS_MUST ds_rc ds_args_add_file(ds_buf *out, const char *wants, const char *value, ds_err *e);

void ds_args_add_word(ds_buf *out, const char *value); /* as a shell would read it back */

/*
 * Ignores SIGPIPE and SIGXFSZ (a child that is to be ended by them must set them back) and, on SIGINT, SIGTERM and
 * SIGHUP, removes temporary files and ends as that signal does; run may install other handlers.
 */
int ds_main(const ds_tool *tool, int argc, char **argv);

#endif
