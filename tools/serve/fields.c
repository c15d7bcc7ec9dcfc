/*
 * fields.c - reading by a table
 */
#include "fields.h"

#include <math.h>

static const char *const kind_names[] = {
	[DS_J_NULL] = "null",
	[DS_J_BOOL] = "a boolean",
	[DS_J_I64] = "an integer",
	[DS_J_F64] = "a number",
	[DS_J_BIG] = "a number that is too large",
	[DS_J_STR] = "a string",
	[DS_J_ARR] = "an array",
	[DS_J_OBJ] = "an object",
};
static const char *const wanted[] = {
	[FIELD_TEXT] = "a string",
	[FIELD_INT] = "an integer",
	[FIELD_NUM] = "a number",
	[FIELD_BOOL] = "a boolean",
};

bool fields_object(ds_str body, ds_arena *mem, const ds_json **object, refusal *r)
{
	ds_err e;
	if (ds_json_parse(object, mem, body, &e) != DS_OK)
		return refuse(r, 400, "invalid_json", NULL, "the body is not JSON: %s", e.msg);
	if ((*object)->kind != DS_J_OBJ)
		return refuse(r, 400, NULL, NULL, "the body is %s, not an object",
			kind_names[(*object)->kind]);
	return true;
}

static const field *find(const field *table, unsigned where, ds_str name)
{
	for (const field *f = table; f->name; f++)
		if ((f->where & where) && ds_str_is(name, f->name))
			return f;
	return NULL;
}

static bool fits(const field *f, const ds_json *v)
{
	bool whole = v->kind == DS_J_I64 || (v->kind == DS_J_F64 && floor(v->f) == v->f &&
						    fabs(v->f) < 9007199254740992.0);
	switch (f->kind) {
	case FIELD_TEXT:
		return v->kind == DS_J_STR;
	case FIELD_INT:
		return whole;
	case FIELD_NUM:
		return v->kind == DS_J_I64 || v->kind == DS_J_F64 || v->kind == DS_J_BIG;
	case FIELD_BOOL:
		return v->kind == DS_J_BOOL;
	default:
		return true;
	}
}

static void put(const field *f, const ds_json *v, void *into)
{
	void *to = (char *)into + f->at;
	switch (f->kind) {
	case FIELD_TEXT:
		*(ds_str *)to = v->s;
		break;
	case FIELD_INT:
		*(int64_t *)to = v->kind == DS_J_I64 ? v->i : (int64_t)v->f;
		break;
	case FIELD_NUM:
		*(double *)to = v->f;
		break;
	case FIELD_BOOL:
		*(bool *)to = v->b;
		break;
	case FIELD_JSON:
		*(const ds_json **)to = v;
		break;
	case FIELD_HINT:
		break;
	}
}

bool fields_read(const field *table, unsigned where, const ds_json *request, void *into, refusal *r)
{
	for (const ds_json *v = request->first; v; v = v->next) {
		const field *f = find(table, where, v->key);
		if (!f) {
			ds_buf name = { 0 };
			ds_buf_add_shown(
				&name, (ds_str){ v->key.at, v->key.n < 60 ? v->key.n : 60 });
			refuse(r, 400, "unknown_parameter", ds_buf_text(&name),
				"unknown parameter '%s'", ds_buf_text(&name));
			ds_buf_free(&name);
			return false;
		}
		if (v->kind == DS_J_NULL)
			continue;
		if (!fits(f, v))
			return refuse(r, 400, "invalid_type", f->name, "'%s' is %s, not %s",
				f->name, kind_names[v->kind], wanted[f->kind]);
		bool number = f->kind == FIELD_INT || f->kind == FIELD_NUM;
		if (number && !(v->f >= f->low && v->f <= f->high))
			return refuse(r, 400, "invalid_value", f->name,
				"'%s' is %g, not between %.15g and %.15g", f->name, v->f, f->low,
				f->high);
		put(f, v, into);
	}
	return true;
}

void fields_schema(const field *table, unsigned where, ds_buf *out)
{
	static const char *const types[] = { "string", "integer", "number", "boolean" };
	const char *comma = "";
	for (const field *f = table; f->name; f++) {
		if (!(f->where & where))
			continue;
		ds_buf_fmt(out, "%s\"%s\":{", comma, f->name);
		if (f->kind < FIELD_JSON)
			ds_buf_fmt(out, "\"type\":\"%s\",\"nullable\":true,", types[f->kind]);
		else if (f->schema)
			ds_buf_fmt(out, "%s,", f->schema);
		if ((f->kind == FIELD_INT || f->kind == FIELD_NUM) && fabs(f->high) < 1e15)
			ds_buf_fmt(out, "\"minimum\":%.15g,\"maximum\":%.15g,", f->low, f->high);
		ds_buf_add_c(out, "\"description\":");
		ds_json_add_str(out, ds_str_of(f->help));
		ds_buf_add_c(out, "}");
		comma = ",";
	}
}
