/*
 * rules.h - the rules of a run, in order
 *
 * Rules are noted as they are met on the command line and in rule files; rules_open, once all are
 * known, puts the default list where it belongs and opens them. Then they are only read.
 */
#ifndef DS_CLEAN_RULES_H
#define DS_CLEAN_RULES_H

#include "rule.h"

typedef struct {
	const ds_rule *rule; /* NULL: the default list goes here */
	char *value;         /* NULL for a flag */
	char *where;         /* "--regex", "rules.txt:3" */
	char *when;          /* the records that it is for (when.h), NULL: all */
	char *name;          /* for counts: "regex s/a/b/" */
	unsigned counter;    /* of cleaner.counters; those of its reasons follow */
	void *state;
} rules_use;

typedef struct {
	rules_use *at;
	size_t n;
	char *when;   /* while files are read: of the rules that come */
	ds_buf inner; /* for the provenance: files that rule files name, " include=xxh3:..." */
	const ds_rule **off; /* --html off: the default list comes without html */
	size_t n_off;
} rules;

/* Notes one: name "default", a rule's name, or "rules" with a file's name. DS_USAGE: no such rule. */
DS_MUST ds_rc rules_note(rules *r, const char *where, ds_str name, const char *value, ds_err *e);
DS_MUST ds_rc rules_open(rules *r, const rule_env *env, ds_err *e);
void rules_close(rules *r);
bool rules_have(const rules *r, const ds_rule *rule);
bool rules_off(const rules *r, const ds_rule *rule); /* by a value that says so */
/* Notes what a rule file says, and what the files say that it includes. */
DS_MUST ds_rc rules_open_file(rules *r, const char *name, ds_err *e);
/* The same of a text; name is for messages, and where includes are. For fuzzing. */
DS_MUST ds_rc rules_read(rules *r, const char *name, ds_str text, ds_err *e);

/* What each thread has of the rules' own. */
void **rules_threads_new(const rules *r);
void rules_threads_free(const rules *r, void **threads);

#endif
