/*
 * metric_accuracy.c - the share of records whose pred equals their label
 *
 * Values are compared as text, numbers by value: 1 and 1.0 are one class. A record without label or
 * without pred is an error: leaving it out would flatter.
 */
#include "metric.h"

#include "base/mem.h"
#include "record/json.h"

typedef struct {
	uint64_t n, right;
} part;

static void *part_new(void *state)
{
	return DS_NEW(part, 1);
}

/* A number in one spelling: 1 and 1.0 are the same class. */
static ds_str number(ds_arena *mem, double v)
{
	char text[32];
	ds_str s = { text, ds_f64_print(text, v) };
	if (ds_str_ends(s, DS_S(".0")))
		s.n -= 2;
	return ds_arena_str(mem, s);
}

/* A value out of a column of several types; false: a string, or nothing that names a class. */
static ds_rc mixed(
	const ds_col *c, uint32_t row, ds_arena *mem, ds_str *out, bool *is_scalar, ds_err *e)
{
	const ds_json *v;
	DS_TRY(ds_json_parse(&v, mem, ds_col_bytes(c, row), e));
	*is_scalar = true;
	if (v->kind == DS_J_BOOL)
		*out = v->b ? DS_S("true") : DS_S("false");
	else if (v->kind == DS_J_I64)
		*out = ds_arena_fmt(mem, "%lld", (long long)v->i);
	else if (v->kind == DS_J_F64)
		*out = number(mem, v->f);
	else
		*is_scalar = false;
	return DS_OK;
}

static ds_rc value(
	ds_block *b, uint32_t row, const char *field, ds_arena *mem, ds_str *out, ds_err *e)
{
	const ds_col *c = ds_block_find(b, field);
	bool has = false, is_scalar = false;
	if (!c || !ds_col_has(c, row) || ds_col_null(c, row))
		return ds_fail(e, DS_BAD, "record %llu has no field '%s'",
			(unsigned long long)ds_block_record(b, row), field);
	switch (c->type) {
	case DS_T_I64:
		*out = ds_arena_fmt(mem, "%lld", (long long)ds_col_i64(c, row));
		return DS_OK;
	case DS_T_F64:
		*out = number(mem, ds_col_f64(c, row));
		return DS_OK;
	case DS_T_BOOL:
		*out = ds_col_bool(c, row) ? DS_S("true") : DS_S("false");
		return DS_OK;
	case DS_T_JSON:
		DS_TRY(mixed(c, row, mem, out, &is_scalar, e));
		if (is_scalar)
			return DS_OK;
		break;
	default:
		break;
	}
	return ds_block_text(b, c, row, out, &has, e);
}

static ds_rc update(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	part *t = p;
	for (uint32_t i = from; i < to; i++) {
		ds_str x, y;
		DS_TRY(value(b, i, "pred", mem, &x, e));
		DS_TRY(value(b, i, "label", mem, &y, e));
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
