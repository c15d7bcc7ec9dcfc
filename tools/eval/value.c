/*
 * value.c - fields of a record by the kind of use, whatever type their column has
 *
 * A record that lacks a field is an error: leaving it out would flatter.
 */
#include "value.h"

#include "record/field.h"
#include "json/json.h"

#include <math.h>

ds_rc value_lacks(ds_block *b, uint32_t row, const char *field, const char *option, ds_err *e)
{
	ds_field_names there = { 0 };
	/* Said of all records where it is so of the first ones. */
	if (b->first_record || ds_block_find(b, field))
		return ds_fail(e, DS_BAD, "record %llu has no field '%s'",
			(unsigned long long)ds_block_record(b, row), field);
	ds_rc rc = ds_field_names_add(&there, b, e);
	if (rc == DS_OK)
		rc = ds_field_missing(field, &there, option, e);
	ds_field_names_free(&there);
	return rc;
}

static ds_rc wrong(
	const ds_block *b, uint32_t row, const char *field, const char *wanted, ds_err *e)
{
	return ds_fail(e, DS_BAD, "record %llu: field '%s' is not %s",
		(unsigned long long)ds_block_record(b, row), field, wanted);
}

/* A value as a tree, made from its column's type. */
static ds_rc tree(
	ds_json *v, ds_block *b, uint32_t row, const char *field, ds_arena *mem, ds_err *e)
{
	const ds_col *c = ds_block_find(b, field);
	const ds_json *parsed;
	if (!c || !ds_col_has(c, row) || ds_col_null(c, row))
		return value_lacks(b, row, field, NULL, e);
	*v = (ds_json){ 0 };
	switch (c->type) {
	case DS_T_I64:
		v->kind = DS_J_I64;
		v->i = ds_col_i64(c, row);
		v->f = (double)v->i;
		return DS_OK;
	case DS_T_F64:
		v->kind = DS_J_F64;
		v->f = ds_col_f64(c, row);
		return DS_OK;
	case DS_T_BOOL:
		v->kind = DS_J_BOOL;
		v->b = ds_col_bool(c, row);
		return DS_OK;
	case DS_T_UTF8:
	case DS_T_BYTES:
		v->kind = DS_J_STR;
		v->s = ds_col_bytes(c, row);
		return DS_OK;
	case DS_T_JSON:
		DS_TRY(ds_json_parse(&parsed, mem, ds_col_bytes(c, row), e));
		*v = *parsed;
		return v->kind == DS_J_NULL ? value_lacks(b, row, field, NULL, e) : DS_OK;
	default:
		return wrong(b, row, field, "text or a number", e);
	}
}

static ds_str number_text(double v, ds_arena *mem)
{
	char text[32];
	ds_str s = { text, ds_f64_print(text, v) };
	if (ds_str_ends(s, DS_S(".0")))
		s.n -= 2;
	return ds_arena_str(mem, s);
}

static bool is_number(const ds_json *v)
{
	return v->kind == DS_J_I64 || v->kind == DS_J_F64 || v->kind == DS_J_BIG;
}

static bool as_text(const ds_json *v, ds_str *out, ds_arena *mem)
{
	if (v->kind == DS_J_STR)
		*out = v->s;
	else if (v->kind == DS_J_BOOL)
		*out = v->b ? DS_S("true") : DS_S("false");
	else if (v->kind == DS_J_I64)
		*out = ds_arena_fmt(mem, "%lld", (long long)v->i);
	else if (is_number(v))
		*out = number_text(v->f, mem);
	else
		return false;
	return true;
}

/* Text that no number begins as, or a whole number that is spelled as it would be printed. */
static bool is_spelled(ds_str s)
{
	bool signed_ = s.n && s.at[0] == '-';
	size_t n = s.n - signed_;
	if (!n || n > 15)
		return false;
	const char *at = s.at + signed_;
	if (at[0] < '1' || at[0] > '9')
		return (n == 1 && at[0] == '0' && !signed_) ||
		       ((at[0] | 32) >= 'a' && (at[0] | 32) <= 'z' && !strchr("iInN", at[0]) &&
			       !signed_);
	for (size_t i = 1; i < n; i++)
		if (at[i] < '0' || at[i] > '9')
			return false;
	return true;
}

ds_rc value_class(
	ds_str *out, ds_block *b, uint32_t row, const char *field, ds_arena *mem, ds_err *e)
{
	ds_json v;
	double f;
	DS_TRY(tree(&v, b, row, field, mem, e));
	if (!as_text(&v, out, mem))
		return wrong(b, row, field, "the name of a class", e);
	if (v.kind == DS_J_STR && v.s.n < 32 && !is_spelled(v.s) && ds_str_f64(v.s, &f) &&
		isfinite(f))
		*out = number_text(f, mem);
	return DS_OK;
}

static ds_rc text(
	ds_str *out, ds_block *b, uint32_t row, const char *field, ds_arena *mem, ds_err *e)
{
	ds_json v;
	DS_TRY(tree(&v, b, row, field, mem, e));
	return as_text(&v, out, mem) ? DS_OK : wrong(b, row, field, "text", e);
}

static ds_rc references(metric_record *r, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	ds_json v;
	DS_TRY(tree(&v, b, row, "ref", mem, e));
	size_t n = v.kind == DS_J_ARR ? v.n : 1;
	ds_str *refs = ds_arena_get(mem, (n + 1) * sizeof(*refs));
	for (size_t i = 0; i < n; i++)
		if (!as_text(v.kind == DS_J_ARR ? v.items[i] : &v, &refs[i], mem))
			return wrong(b, row, "ref", "a text or texts", e);
	if (n == 0)
		return wrong(b, row, "ref", "a text or texts: it is empty", e);
	r->refs = refs;
	r->n_refs = n;
	return DS_OK;
}

/* The double that is spelled as the float is: what a probability like 0.3 was before it became one. */
static double as_spelled(float f)
{
	char text[32];
	double v = f;
	ds_str s = { text, ds_f32_print(text, f) };
	return ds_str_f64(s, &v) ? v : f;
}

static ds_rc list_of_floats(
	metric_record *r, ds_block *b, const ds_col *c, uint32_t row, ds_arena *mem, ds_err *e)
{
	size_t n;
	if (!ds_col_has(c, row) || ds_col_null(c, row))
		return value_lacks(b, row, "score", NULL, e);
	const float *f = ds_col_f32s(c, row, &n);
	double *s = ds_arena_get(mem, (n + 1) * sizeof(*s));
	for (size_t i = 0; i < n; i++)
		s[i] = as_spelled(f[i]);
	r->scores = s;
	r->n_scores = n;
	return DS_OK;
}

static ds_rc list_of_numbers(metric_record *r, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	ds_json v;
	DS_TRY(tree(&v, b, row, "score", mem, e));
	size_t n = v.kind == DS_J_ARR ? v.n : 1;
	double *s = ds_arena_get(mem, (n + 1) * sizeof(*s));
	for (size_t i = 0; i < n; i++) {
		const ds_json *x = v.kind == DS_J_ARR ? v.items[i] : &v;
		if (!is_number(x))
			return wrong(b, row, "score", "a number or numbers", e);
		s[i] = x->f;
	}
	r->scores = s;
	r->n_scores = n;
	return DS_OK;
}

static ds_rc scores(metric_record *r, ds_block *b, uint32_t row, ds_arena *mem, ds_err *e)
{
	const ds_col *c = ds_block_find(b, "score");
	if (c && c->type == DS_T_F32S)
		DS_TRY(list_of_floats(r, b, c, row, mem, e));
	else
		DS_TRY(list_of_numbers(r, b, row, mem, e));
	if (r->n_scores == 0)
		return wrong(b, row, "score", "a number or numbers: it is empty", e);
	for (size_t i = 0; i < r->n_scores; i++)
		if (!isfinite(r->scores[i]))
			return wrong(b, row, "score", "finite", e);
	return DS_OK;
}

static ds_rc number(
	double *out, ds_block *b, uint32_t row, const char *field, ds_arena *mem, ds_err *e)
{
	ds_json v;
	DS_TRY(tree(&v, b, row, field, mem, e));
	*out = v.f;
	if (v.kind == DS_J_STR ? !ds_str_f64(v.s, out) : !is_number(&v))
		return wrong(b, row, field, "a number", e);
	return isfinite(*out) ? DS_OK : wrong(b, row, field, "finite", e);
}

static bool has(const ds_block *b, const char *field, uint32_t row)
{
	const ds_col *c = ds_block_find(b, field);
	return c && ds_col_has(c, row);
}

ds_rc value_record(
	metric_record *r, ds_block *b, uint32_t row, unsigned needs, ds_arena *mem, ds_err *e)
{
	*r = (metric_record){ 0 };
	if (needs & METRIC_LABEL)
		DS_TRY(value_class(&r->pred_class, b, row, "pred", mem, e));
	if (needs & METRIC_PRED)
		DS_TRY(text(&r->pred, b, row, "pred", mem, e));
	if (needs & METRIC_REF)
		DS_TRY(references(r, b, row, mem, e));
	if (needs & METRIC_SCORE)
		DS_TRY(scores(r, b, row, mem, e));
	if (needs & (METRIC_LABEL | METRIC_SCORE))
		DS_TRY(value_class(&r->label, b, row, "label", mem, e));
	if (needs & METRIC_NUMBERS) {
		DS_TRY(number(&r->x, b, row, "pred", mem, e));
		DS_TRY(number(&r->y, b, row, has(b, "label", row) ? "label" : "ref", mem, e));
	}
	return DS_OK;
}
