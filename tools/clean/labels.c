/*
 * labels.c - labels in and out of a block
 */
#include "labels.h"

#include "json/json.h"

static rule_value number(double v, ds_str text)
{
	return (rule_value){ RULE_VALUE_NUMBER, text, v };
}

/* A JSON value: a string is its text, a number is one, all else is left as it is written. */
static ds_rc json_value(ds_block *b, const ds_col *col, uint32_t row, rule_value *out, ds_err *e)
{
	ds_str s = ds_str_trim(ds_col_bytes(col, row));
	double v;
	bool has;
	if (s.n && s.at[0] == '"') {
		*out = (rule_value){ .kind = RULE_VALUE_TEXT };
		return ds_block_text(b, col, row, &out->text, &has, e);
	}
	*out = ds_str_f64(s, &v) ? number(v, s) : (rule_value){ RULE_VALUE_OTHER, s, 0 };
	return DS_OK;
}

ds_rc labels_get(ds_block *b, const ds_col *col, uint32_t row, rule_value *out, ds_err *e)
{
	char text[40];
	int64_t i;
	double f;
	*out = (rule_value){ .kind = RULE_VALUE_NONE };
	if (!col || !ds_col_has(col, row) || ds_col_null(col, row))
		return DS_OK;
	switch (col->type) {
	case DS_T_UTF8:
	case DS_T_BYTES:
		*out = (rule_value){ RULE_VALUE_TEXT, ds_col_bytes(col, row), 0 };
		return DS_OK;
	case DS_T_JSON:
		return json_value(b, col, row, out, e);
	case DS_T_I64:
		i = ds_col_i64(col, row);
		*out = number((double)i, ds_arena_fmt(b->mem, "%lld", (long long)i));
		return DS_OK;
	case DS_T_F64:
		f = ds_col_f64(col, row);
		*out = number(f, ds_arena_str(b->mem, (ds_str){ text, ds_f64_print(text, f) }));
		return DS_OK;
	case DS_T_BOOL:
		*out = (rule_value){ RULE_VALUE_OTHER,
			ds_str_of(ds_col_bool(col, row) ? "true" : "false"), 0 };
		return DS_OK;
	default:
		return ds_fail(e, DS_BAD, "field 'label' is %s, wanted a string or a number",
			ds_type_name(col->type));
	}
}

ds_rc labels_put(ds_block *b, const ds_col *was, const rule_value *values, ds_err *e)
{
	bool all_text = true;
	for (uint32_t i = 0; i < b->n_rows; i++)
		all_text &= values[i].kind == RULE_VALUE_NONE || values[i].kind == RULE_VALUE_TEXT;
	ds_colb *c = ds_colb_new_n(b, was->name, all_text ? DS_T_UTF8 : DS_T_JSON);
	ds_buf quoted = { 0 };
	for (uint32_t i = 0; i < b->n_rows; i++) {
		const rule_value *v = &values[i];
		if (v->kind == RULE_VALUE_NONE) {
			if (ds_col_has(was, i) && ds_col_null(was, i))
				ds_colb_null(c);
			else
				ds_colb_absent(c);
		} else if (all_text || v->kind != RULE_VALUE_TEXT) {
			ds_colb_bytes(c, v->text);
		} else {
			ds_buf_clear(&quoted);
			ds_json_add_str(&quoted, v->text);
			ds_colb_bytes(c, ds_buf_view(&quoted));
		}
	}
	ds_buf_free(&quoted);
	return ds_colb_put(c, e);
}
