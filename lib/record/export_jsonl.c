/*
 * export_jsonl.c - JSON Lines: an object a line, fields in the order of the block's columns; or one array
 *
 * Absent fields are not printed, null is. Bound by copying: names are escaped once a block, text is
 * looked at and copied in the same step.
 */
#include "record/export.h"
#include "record/json_columns.h"

typedef struct {
	ds_json_field field;
	ds_str label; /* ,"name": */
	bool more;    /* an object whose members are fields */
} column;

static column *columns_of(ds_block *b, size_t *bytes, uint64_t *replaced)
{
	column *cols = ds_arena_get(b->mem, sizeof(*cols) * (b->n_cols + 1u));
	for (uint32_t i = 0; i < b->n_cols; i++) {
		const ds_col *c = &b->cols[i];
		ds_text label = ds_text_new(b->mem, c->name.n);
		ds_text_byte(&label, ',');
		ds_text_json_str(&label, c->name, replaced);
		ds_text_byte(&label, ':');
		cols[i] = (column){ ds_json_field_of(c, b->n_rows), { label.at, label.n },
			c->type == DS_T_JSON && ds_str_is(c->name, DS_MORE) };
		*bytes += (label.n + 12) * b->n_rows;
		if (c->off)
			*bytes += (size_t)(c->off[b->n_rows] - c->off[0]) *
				  (c->type == DS_T_BYTES ? 2 : 1);
	}
	return cols;
}

/* The members of an object as fields of the record, without its braces. */
static void add_members(ds_text *t, const column *c, uint32_t row, uint64_t *replaced)
{
	size_t before = t->n;
	ds_text_byte(t, ',');
	ds_text_json_value(t, &c->field, row, replaced);
	size_t n = t->n - before - 1;
	if (n < 2 || t->at[before + 1] != '{') { /* not ours after all */
		t->n = before;
		ds_text_add(t, c->label.at, c->label.n);
		ds_text_json_value(t, &c->field, row, replaced);
	} else if (n == 2) {
		t->n = before;
	} else {
		memmove(t->at + before + 1, t->at + before + 2, n - 2);
		t->n -= 2;
	}
}

/* array: each object stands on a line of its own, with a comma before the line end where one was before it. */
static ds_rc encode_block(ds_block *b, bool array, ds_sink_part *out, ds_err *e)
{
	size_t bytes = 4u * b->n_rows + 1;
	for (uint32_t i = 0; i < b->n_cols; i++)
		DS_TRY(ds_col_decode(b, &b->cols[i], e));
	column *cols = columns_of(b, &bytes, &out->n_replaced);
	ds_text t = ds_text_new(b->mem, bytes);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		if (array)
			ds_text_add(&t, row ? ",\n" : "\n", row ? 2 : 1);
		size_t first = t.n;
		for (uint32_t i = 0; i < b->n_cols; i++) {
			const column *c = &cols[i];
			if (!ds_col_has(c->field.col, row))
				continue;
			if (c->more) {
				add_members(&t, c, row, &out->n_replaced);
				continue;
			}
			ds_text_add(&t, c->label.at, c->label.n);
			ds_text_json_value(&t, &c->field, row, &out->n_replaced);
		}
		if (t.n == first)
			ds_text_byte(&t, '{');
		else
			t.at[first] = '{'; /* in the place of the first comma */
		ds_text_byte(&t, '}');
		if (!array)
			ds_text_byte(&t, '\n');
	}
	out->text = (ds_str){ t.at, t.n };
	out->n_rows = b->n_rows;
	return DS_OK;
}

static ds_rc encode(const ds_output_opts *how, ds_block *b, ds_sink_part *out, ds_err *e)
{
	return encode_block(b, false, out, e);
}

static ds_rc encode_array(const ds_output_opts *how, ds_block *b, ds_sink_part *out, ds_err *e)
{
	return encode_block(b, true, out, e);
}

const ds_exporter ds_export_jsonl = {
	.name = "jsonl",
	.what = "JSON Lines, an object a line",
	.suffixes = ".jsonl .ndjson .jsonlines",
	.encode = encode,
};
const ds_exporter ds_export_json = {
	.name = "json",
	.what = "one JSON array of objects",
	.suffixes = ".json",
	.head = "[",
	.between = ",",
	.tail = "\n]\n",
	.encode = encode_array,
};
