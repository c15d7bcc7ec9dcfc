/*
 * export_text.c - one field's bytes and a LF, for every record
 *
 * A record without the field gives an empty line, so that lines still count records.
 */
#include "record/export.h"

/* A column as it is: text and bytes plain, everything else as JSON. */
static void add_column(ds_text *t, const ds_col *c, uint32_t n_rows, ds_field_count *count)
{
	for (uint32_t row = 0; row < n_rows; row++) {
		bool has = c && ds_col_has(c, row);
		if (has)
			ds_text_plain(t, c, row);
		ds_text_byte(t, '\n');
		count->n_with += has;
		count->n_without += !has;
	}
}

static ds_rc add_texts(ds_text *out, ds_texts *t, ds_err *e)
{
	for (uint32_t row = 0; row < t->b->n_rows; row++) {
		ds_str text;
		bool has;
		DS_TRY(ds_texts_joined(t, row, &text, &has, e));
		if (has)
			ds_text_add(out, text.at, text.n);
		ds_text_byte(out, '\n');
	}
	return DS_OK;
}

static ds_rc encode(const ds_output_opts *how, ds_block *b, ds_sink_part *out, ds_err *e)
{
	const ds_col *c = NULL;
	ds_texts texts;
	bool plain = ds_field_is_column(out->field);
	if (plain)
		DS_TRY(ds_block_get(b, ds_field_column(out->field), &c, e));
	else
		DS_TRY(ds_texts_open(&texts, out->field, b, &out->count, e));
	size_t bytes = c && c->off ? c->off[b->n_rows] - c->off[0] : 0;
	ds_text t = ds_text_new(b->mem, bytes + b->n_rows);
	if (plain)
		add_column(&t, c, b->n_rows, &out->count);
	else
		DS_TRY(add_texts(&t, &texts, e));
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
