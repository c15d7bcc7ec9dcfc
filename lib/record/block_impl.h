/*
 * block_impl.h - what the files about blocks share
 */
#ifndef DS_RECORD_BLOCK_IMPL_H
#define DS_RECORD_BLOCK_IMPL_H

#include "record/stream_impl.h"

ds_col *ds_block_find_str(const ds_block *b, ds_str name);
void ds_block_remove_str(ds_block *b, ds_str name);
/* An empty array for n columns. */
void ds_block_reserve(ds_block *b, uint32_t n);
/* Adds a column behind the others; pointers to columns do not survive it. */
ds_col *ds_block_add(ds_block *b, const ds_col *c);
unsigned ds_col_presence(const ds_col *c);                       /* of a decoded column */
ds_block_layout ds_col_layout(const ds_col *c, uint32_t n_rows); /* the same */
/* The value of a row that has one as JSON text; may be a view into the column. */
ds_str ds_col_json(ds_arena *mem, const ds_col *c, uint32_t row);
/* Quoted and escaped; bytes that are not UTF-8 stay as they are, so that the string gives the same bytes back. */
ds_str ds_json_quoted(ds_arena *mem, ds_str s);
ds_str ds_col_json_list(ds_arena *mem, const ds_col *c, uint32_t row); /* strings and lists */

size_t ds_number_print(char *out, double v); /* as JSON; 32 bytes suffice */

#endif
