/*
 * labelmap.h - many spellings of a label, and the one they stand for
 *
 *     positive: good 积极 "very good" /^pos/i 4..5      # a comment
 *
 * A line a label: the canonical name, which is a variant of itself, and variants: words (compared after
 * trimming, NFC and case folding), numbers and ranges (by value), expressions (those of ds_regex_parse,
 * between slashes). A word counts before a number, a number before an expression, an earlier expression
 * before a later one. A word or number that stands for two labels is an error that names both lines.
 */
#ifndef DS_CLEAN_LABELMAP_H
#define DS_CLEAN_LABELMAP_H

#include "rule.h"
#include "text/regex.h"

typedef struct labelmap labelmap;
/* name is for messages. DS_USAGE: "name:line: what". */
DS_MUST ds_rc labelmap_read(labelmap **m, const char *name, ds_str text, ds_err *e);
void labelmap_free(labelmap *m);
extern const char labelmap_sentiment[]; /* the map that is built in */

/* A thread's: what its expressions need. */
typedef struct labelmap_run labelmap_run;
labelmap_run *labelmap_run_new(const labelmap *m);
void labelmap_run_free(labelmap_run *r);
/* The canonical name in *out, which lives as the map does; *found false: none. Scratch from mem. */
DS_MUST ds_rc labelmap_find(
	labelmap_run *r, const rule_value *v, ds_arena *mem, ds_str *out, bool *found, ds_err *e);
DS_AUTO_WITH(labelmap, labelmap_free)

#endif
