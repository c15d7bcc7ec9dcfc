/*
 * json_columns.h - JSON objects become the columns of a block
 *
 * First every object is walked and checked, and for each value only its place in the text is noted;
 * then each column is built at its exact size, of the type that all its values allow. A column whose
 * values do not agree becomes `json`: the text of each value. The text must outlive the block's making.
 */
#ifndef DS_RECORD_JSON_COLUMNS_H
#define DS_RECORD_JSON_COLUMNS_H

#include "record/block.h"
#include "json/scan.h"

/*
 * Keys beyond the columns that a block may have share one json column of this name: an object each,
 * whose members are fields of the record again on output. A key of this very name goes there too.
 */
#define DS_MORE "*"

typedef struct ds_json_columns ds_json_columns;
/* Columns and cells are in mem. most_rows decides how many columns there may be: 1,024, fewer for many rows. */
ds_json_columns *ds_json_columns_new(ds_arena *mem, const char *text, size_t most_rows);
void ds_json_columns_free(ds_json_columns *c); /* not what is in mem; NULL is fine */
DS_AUTO_WITH(ds_json_columns, ds_json_columns_free)
/* One object as the next row. false: s says why, and there is no such row. */
bool ds_json_columns_add(ds_json_columns *c, ds_json_scan *s);
void ds_json_columns_undo(ds_json_columns *c);  /* takes the last row back */
void ds_json_columns_reset(ds_json_columns *c); /* no rows, no columns */
uint32_t ds_json_columns_rows(const ds_json_columns *c);
/* lone: surrogates that had no other half are added to it. */
DS_MUST ds_rc ds_json_columns_finish(ds_json_columns *c, ds_block **out, uint64_t *lone, ds_err *e);

#endif
