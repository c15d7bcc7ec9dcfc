/*
 * tags.c - a column begins with the first record that has its field
 */
#include "tags.h"

static const ds_type types[] = { DS_T_UTF8, DS_T_F64, DS_T_I64 };

static void fill(tags *t, unsigned i, uint32_t rows)
{
	for (; t->at[i].rows < rows; t->at[i].rows++)
		ds_colb_absent(t->at[i].column);
}

/* The column of that name; t->n where there is no more room. */
static unsigned column_of(tags *t, const rule_tag *tag)
{
	unsigned i = 0;
	while (i < t->n && strcmp(t->at[i].name, tag->name) != 0)
		i++;
	if (i == t->n && i < RULE_TAGS_MAX) {
		t->at[i].name = tag->name;
		t->at[i].kind = (int)tag->kind;
		t->at[i].column = ds_colb_new(t->b, tag->name, types[tag->kind]);
		t->n++;
	}
	return i;
}

void tags_put(tags *t, uint32_t row, const rule_tag *all, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		unsigned i = column_of(t, &all[k]);
		if (i == t->n || t->at[i].kind != (int)all[k].kind)
			continue;
		fill(t, i, row);
		if (all[k].kind == RULE_TAG_TEXT)
			ds_colb_bytes(t->at[i].column, ds_str_of(all[k].text));
		else if (all[k].kind == RULE_TAG_COUNT)
			ds_colb_i64(t->at[i].column, (int64_t)all[k].number);
		else
			ds_colb_f64(t->at[i].column, all[k].number);
		t->at[i].rows++;
	}
}

ds_rc tags_finish(tags *t, ds_err *e)
{
	for (unsigned i = 0; i < t->n; i++) {
		fill(t, i, t->b->n_rows);
		DS_TRY(ds_colb_put(t->at[i].column, e));
	}
	return DS_OK;
}
