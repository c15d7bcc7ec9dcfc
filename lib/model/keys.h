/*
 * keys.h - settings by name: a table of keys, and values read into a plain struct
 *
 * One table says for each key its names, kind, place in the struct and limits, so that --set k=v, an
 * option --k v, a line of config.ini and a member of config.json are read by the same code and
 * refused with the same words. Values of kind TEXT are copied into an arena. Everything wrong here is
 * DS_USAGE.
 */
#ifndef DS_MODEL_KEYS_H
#define DS_MODEL_KEYS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "json/json.h"

typedef enum {
	DS_KEY_I64,    /* int64_t; words of `choices` stand for -1, -2 … */
	DS_KEY_F64,    /* double */
	DS_KEY_BOOL,   /* bool: true false 1 0 yes no on off */
	DS_KEY_CHOICE, /* int: the index among `choices`, "a|b|c" */
	DS_KEY_NAME,   /* const char *: one of `choices` itself */
	DS_KEY_TEXT,   /* const char *, NULL: none */
} ds_key_kind;

typedef struct {
	const char *name;    /* NULL ends a table */
	const char *also[3]; /* other names of the same key */
	ds_key_kind kind;
	size_t offset;       /* in the struct */
	double min, max;     /* I64, F64 */
	const char *choices; /* CHOICE, and words of I64 */
	const char *help;    /* one line, for --help and the manual */
} ds_key;

/* The key called `name` (any of its names; dashes stand for underscores), or NULL. */
const ds_key *ds_key_find(const ds_key *table, ds_str name);
/* Of all names in up to two tables the one nearest to `name`; never NULL for tables with keys. */
const char *ds_key_nearest(const ds_key *a, const ds_key *b, ds_str name);
DS_MUST ds_rc ds_key_set(const ds_key *k, void *base, ds_str value, ds_arena *mem, ds_err *e);
/* The same from a JSON value; null leaves what is there. */
DS_MUST ds_rc ds_key_set_json(
	const ds_key *k, void *base, const ds_json *v, ds_arena *mem, ds_err *e);
/* The value as ds_key_set reads it; nothing for a TEXT that is NULL. */
void ds_key_print(const ds_key *k, const void *base, ds_buf *out);
bool ds_key_equal(const ds_key *k, const void *a, const void *b);

/* Receives one pair; value lives as long as the text it was cut from. */
typedef ds_rc ds_pair_fn(void *context, ds_str name, ds_str value, ds_err *e);
/*
 * k=v,k=v: a comma starts a new pair only before a name for which known() holds and '=', so a value
 * may hold commas. The first name is passed on whatever it is: fn refuses it.
 */
DS_MUST ds_rc ds_pairs_each(ds_str text, bool (*known)(void *context, ds_str name), ds_pair_fn *fn,
	void *context, ds_err *e);
/*
 * config.ini: "key = value" lines; '#' and ';' begin comments, [section] lines are for people. Errors
 * get "line N: " in front.
 */
DS_MUST ds_rc ds_ini_each(ds_str text, ds_pair_fn *fn, void *context, ds_err *e);

#endif
