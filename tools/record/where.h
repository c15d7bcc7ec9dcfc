/*
 * where.h - an expression over the fields of a record: dsrec where
 *
 *     label = 'pos' and (tokens >= 20 or not meta.score < 0.5) and text !~ '/lorem ipsum/i'
 *
 * A comparison has a path to a field (record/field.h) on its left, between backquotes where it holds other
 * bytes than names usually do, and a number, a quoted string, true, false or null on its right. It is false
 * where the field is not there, or is null and null is not what it is compared with; where a path leads to
 * several values, it is true if it is for one of them. Values of different kinds are not equal, and neither is
 * less. Strings are compared byte by byte. `not` binds closer than `and`, `and` closer than `or`.
 *
 * A where is made once and read by all threads; each has a where_run.
 */
#ifndef DS_TOOLS_RECORD_WHERE_H
#define DS_TOOLS_RECORD_WHERE_H

#include "record/field.h"

typedef struct where where;
typedef struct where_run where_run;

/* DS_USAGE: what is wrong, and at which byte. */
DS_MUST ds_rc where_parse(where **w, ds_str text, ds_err *e);
void where_free(where *w);
const char *const *where_fields(const where *w); /* the paths, each once; NULL-ended */
DS_AUTO_WITH(where, where_free)

where_run *where_run_new(const where *w); /* w must outlive it */
void where_run_free(where_run *r);
/* DS_BAD: broken JSON, or a pattern's limit. */
DS_MUST ds_rc where_holds(where_run *r, ds_block *b, uint32_t row, bool *holds, ds_err *e);

#endif
