/*
 * export_text.c - one field's bytes and a LF, for every record
 *
 * A record without the field gives an empty line, so that lines still count records.
 */
#include "record/export.h"

static ds_rc encode(const ds_common *common, ds_block *b, ds_sink_part *out, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, common->field, &c, e));
	size_t bytes = c && c->off ? c->off[b->n_rows] - c->off[0] : 0;
	ds_text t = ds_text_new(b->mem, bytes + b->n_rows);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		if (c && ds_col_has(c, row)) {
			ds_text_plain(&t, c, row);
			out->n_values++;
		}
		ds_text_byte(&t, '\n');
	}
	out->text = (ds_str){ t.at, t.n };
	out->n_rows = b->n_rows;
	return DS_OK;
}

const ds_exporter ds_export_text = {
	.name = "text",
	.what = "the field's bytes (--field) and a line end",
	.suffixes = ".txt .text",
	.encode = encode,
};
