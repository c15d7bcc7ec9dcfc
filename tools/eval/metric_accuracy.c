/*
 * metric_accuracy.c - the share of records whose pred equals their label
 *
 * Values are compared as text, numbers by value: 1 and 1.0 are one class. A record without label or
 * without pred is an error: leaving it out would flatter.
 */
#include "metric.h"

#include "base/mem.h"

typedef struct {
	uint64_t n, right;
} part;

static void *part_new(void *state)
{
	return DS_NEW(part, 1);
}

static ds_rc value(ds_block *b, const ds_col *c, uint32_t row, const char *field, ds_arena *mem,
	ds_str *out, ds_err *e)
{
	bool has = false;
	if (!c || !ds_col_has(c, row) || ds_col_null(c, row))
		return ds_fail(e, DS_BAD, "record %llu has no field '%s'",
			(unsigned long long)ds_block_record(b, row), field);
	if (c->type == DS_T_I64) {
		*out = ds_arena_fmt(mem, "%lld", (long long)ds_col_i64(c, row));
		return DS_OK;
	}
	if (c->type == DS_T_F64) {
		char text[32];
		ds_str s = { text, ds_f64_print(text, ds_col_f64(c, row)) };
		if (ds_str_ends(s, DS_S(".0")))
			s.n -= 2;
		*out = ds_arena_str(mem, s);
		return DS_OK;
	}
	if (c->type == DS_T_BOOL) {
		*out = ds_col_bool(c, row) ? DS_S("true") : DS_S("false");
		return DS_OK;
	}
	return ds_block_text(b, c, row, out, &has, e);
}

static ds_rc update(void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem,
	ds_err *e)
{
	part *t = p;
	const ds_col *pred = ds_block_find(b, "pred"), *label = ds_block_find(b, "label");
	for (uint32_t i = from; i < to; i++) {
		ds_str x, y;
		DS_TRY(value(b, pred, i, "pred", mem, &x, e));
		DS_TRY(value(b, label, i, "label", mem, &y, e));
		t->right += ds_str_eq(x, y);
		t->n++;
	}
	return DS_OK;
}

static ds_rc merge(void *state, void *into, void *p, ds_err *e)
{
	part *a = into, *b = p;
	a->n += b->n;
	a->right += b->right;
	return DS_OK;
}

static ds_rc compute(void *state, void *p, metric_result *out, ds_err *e)
{
	const part *t = p;
	if (t->n == 0)
		return ds_fail(e, DS_BAD, "accuracy: there are no records");
	out->score = (double)t->right / (double)t->n;
	ds_buf_fmt(&out->detail, "%llu of %llu", (unsigned long long)t->right,
		(unsigned long long)t->n);
	return DS_OK;
}

const metric metric_accuracy = {
	.name = "accuracy",
	.help = "share of records whose pred equals their label",
	.fields = { "pred", "label" },
	.part_new = part_new,
	.part_free = ds_mem_free,
	.update = update,
	.merge = merge,
	.compute = compute,
};
