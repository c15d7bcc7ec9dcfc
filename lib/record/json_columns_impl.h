/*
 * json_columns_impl.h - what the two passes of json_columns share
 */
#ifndef DS_RECORD_JSON_COLUMNS_IMPL_H
#define DS_RECORD_JSON_COLUMNS_IMPL_H

#include "record/json_columns.h"

enum { DS_JSON_NAME = 1024 }; /* longer keys are no column names; they go to DS_MORE */

typedef struct { /* one value: where it stands in the text */
	uint32_t row, at, n;
	uint8_t kind; /* ds_json_token */
} ds_json_cell;

typedef struct {
	ds_json_cell *at;
	size_t n, cap;
} ds_json_cells;

typedef struct {
	ds_str name;
	ds_json_cells cells; /* by row */
} ds_json_col;

struct ds_json_columns {
	ds_arena *mem;
	const char *text;
	ds_json_col *cols;
	uint32_t n, most_columns, n_rows;
	uint32_t next;          /* the column that the next key probably has */
	struct ds_map *by_name; /* NULL while there are few */
	ds_json_cells more;     /* key, value, key, value … */
};

#endif
