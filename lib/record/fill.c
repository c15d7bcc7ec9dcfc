/*
 * fill.c - one field out of two columns
 */
#include "record/block_impl.h"
#include "record/import.h"

ds_rc ds_fill_column(ds_block *b, const ds_col *from, ds_err *e)
{
	const ds_col *own = ds_block_find_str(b, from->name);
	if (!own) {
		ds_block_add(b, from);
		return DS_OK;
	}
	bool bytes = from->type == DS_T_UTF8 || from->type == DS_T_BYTES;
	ds_colb *col = ds_colb_new_n(b, own->name, own->type);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		if (ds_col_has(own, row))
			ds_colb_bytes(col, ds_col_bytes(own, row));
		else if (ds_col_has(from, row) && ds_col_null(from, row))
			ds_colb_null(col);
		else if (ds_col_has(from, row) && bytes)
			ds_colb_bytes(col, ds_col_bytes(from, row));
		else
			ds_colb_absent(col);
	}
	return ds_colb_put(col, e);
}
