/*
 * regex.h - regular expressions (PCRE2, JIT, UTF), with limits so that none can hang
 *
 * A ds_regex is shared and never changes; each thread has a ds_regex_run for it. Text may hold bytes
 * that are not UTF-8: nothing matches across them. A literal that every match must contain is looked
 * for first, so that a pattern that cannot match costs next to nothing.
 */
#ifndef DS_TEXT_REGEX_H
#define DS_TEXT_REGEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

typedef struct ds_regex ds_regex;
typedef struct ds_regex_run ds_regex_run;

/*
 * What a person writes: /PATTERN/flags with flags i (any case), m (^ and $ at lines), s (. takes line
 * ends), x (blanks are for reading), or a bare PATTERN. DS_USAGE: what is wrong, and where.
 */
DS_MUST ds_rc ds_regex_parse(ds_regex **r, ds_str expression, ds_err *e);
/*
 * s/PATTERN/REPL/flags, any punctuation in place of the '/'; flags as above and g (all, not the first).
 * REPL: $1 ${12} $& ${name}, \1, \n \t \r, a backslash before anything else that is no letter or digit.
 */
DS_MUST ds_rc ds_regex_parse_subst(ds_regex **r, ds_str expression, ds_err *e);
/*
 * What a tokenizer splits at. ruby: in Oniguruma's Ruby syntax, as tokenizer.json has it: \s and \w by
 * Unicode's properties, ^ and $ at lines, {n,m}+ repeats. Else as Rust has it: $ is the end of the text.
 */
DS_MUST ds_rc ds_regex_parse_split(ds_regex **r, ds_str pattern, bool ruby, ds_err *e);
/* Exactly this text. */
DS_MUST ds_rc ds_regex_parse_literal(ds_regex **r, ds_str text, ds_err *e);
void ds_regex_free(ds_regex *r);
/* The i-th of the literals of which a match has one, and which are looked for first; n = 0: none. */
ds_str ds_regex_literal(const ds_regex *r, unsigned i);
DS_AUTO_WITH(ds_regex, ds_regex_free)

ds_regex_run *ds_regex_run_new(const ds_regex *r); /* r must outlive it */
void ds_regex_run_free(ds_regex_run *run);
/* DS_BAD: the match limit was reached, or the stack's. */
DS_MUST ds_rc ds_regex_find(ds_regex_run *run, ds_str text, bool *found, ds_err *e);
typedef struct {
	bool found;
	size_t begin, end; /* in the text, where one was found */
} ds_match;
/* The first match at or after `from`; an empty one right there only if `empty`. */
DS_MUST ds_rc ds_regex_next(
	ds_regex_run *run, ds_str text, size_t from, bool empty, ds_match *out, ds_err *e);
/* *out is text itself where nothing matched (*n = 0), else in mem. Of what ds_regex_parse_subst made. */
DS_MUST ds_rc ds_regex_subst(
	ds_regex_run *run, ds_str text, ds_arena *mem, ds_str *out, size_t *n, ds_err *e);

#endif
