/*
 * args_value.c - what the user wrote, into C values
 */
#include "base/args_impl.h"

#include "base/mem.h"

#include <limits.h>
#include <math.h>

static ds_rc not_a(ds_err *e, const ds_arg *arg, const char *value, const char *what)
{
	return ds_fail(e, DS_USAGE, "'--%s': '%s' is not %s", arg->name, value, what);
}

/* true where every alternative of "a|b|c" is a plain word: then nothing else is accepted. */
static bool is_choice(const char *alternatives)
{
	if (!alternatives || !strchr(alternatives, '|'))
		return false;
	for (const char *p = alternatives; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr("|-_.+", *p)))
			return false;
	return true;
}

static bool is_among(const char *alternatives, const char *value)
{
	ds_str rest = ds_str_of(alternatives);
	while (rest.at)
		if (ds_str_is(ds_str_cut(rest, '|', &rest), value))
			return true;
	return false;
}

static bool parse_size(ds_str s, uint64_t *out)
{
	static const char suffixes[] = "KMGT";
	int shift = 0;
	if (s.n > 1) {
		char last = s.at[s.n - 1];
		const char *at = strchr(suffixes, last >= 'a' && last <= 'z' ? last - 32 : last);
		if (last && at) {
			shift = 10 * (int)(at - suffixes + 1);
			s.n--;
		}
	}
	int64_t v;
	if (!ds_str_i64(s, &v) || v < 0 || v > INT64_MAX >> shift)
		return false;
	*out = (uint64_t)v << shift;
	return true;
}

static ds_rc set_number(const ds_arg *arg, const char *value, ds_err *e)
{
	ds_str s = ds_str_of(value);
	int64_t v;
	double f;
	switch (arg->kind) {
	case DS_KIND_F64:
		if (!ds_str_f64(s, &f) || !isfinite(f))
			return not_a(e, arg, value, "a number");
		*(double *)arg->target = f;
		return DS_OK;
	case DS_KIND_SIZE:
		if (!parse_size(s, &((ds_size *)arg->target)->bytes))
			return not_a(e, arg, value, "a size such as 4096, 64K or 1G");
		return DS_OK;
	default:
		break;
	}
	if (!ds_str_i64(s, &v))
		return not_a(e, arg, value, "a whole number");
	if (arg->kind == DS_KIND_U64 && v < 0)
		return not_a(e, arg, value, "a whole number from 0");
	if (arg->kind == DS_KIND_INT && (v < INT_MIN || v > INT_MAX))
		return not_a(e, arg, value, "a whole number of this size");
	if (arg->kind == DS_KIND_INT)
		*(int *)arg->target = (int)v;
	else if (arg->kind == DS_KIND_I64)
		*(int64_t *)arg->target = v;
	else
		*(uint64_t *)arg->target = (uint64_t)v;
	return DS_OK;
}

static void add_text(ds_strs *list, const char *value)
{
	list->at = ds_mem_grow(
		list->at, list->n * sizeof(*list->at), (list->n + 1) * sizeof(*list->at));
	list->at[list->n++] = value;
}

ds_rc ds_args_set(const ds_arg *arg, const char *value, ds_err *e)
{
	ds_call *call;
	switch (arg->kind) {
	case DS_KIND_FLAG:
		*(bool *)arg->target = true;
		return DS_OK;
	case DS_KIND_TEXT:
		if (value && is_choice(arg->value) && !is_among(arg->value, value))
			return ds_fail(e, DS_USAGE, "'--%s': '%s' is none of %s", arg->name, value,
				arg->value);
		*(const char **)arg->target = value ? value : "";
		return DS_OK;
	case DS_KIND_TEXTS:
		add_text(arg->target, value);
		return DS_OK;
	case DS_KIND_CALL:
		call = arg->target;
		return call->fn ? call->fn(call->context, arg->name, value, e) : DS_OK;
	default:
		return set_number(arg, value, e);
	}
}

ds_before ds_args_before(const ds_arg *arg)
{
	ds_before b = { 0 };
	switch (arg->kind) {
	case DS_KIND_FLAG:
		b.flag = *(bool *)arg->target;
		break;
	case DS_KIND_INT:
		b.i = *(int *)arg->target;
		break;
	case DS_KIND_I64:
		b.i64 = *(int64_t *)arg->target;
		break;
	case DS_KIND_U64:
		b.u64 = *(uint64_t *)arg->target;
		break;
	case DS_KIND_F64:
		b.f64 = *(double *)arg->target;
		break;
	case DS_KIND_TEXT:
		b.text = *(const char **)arg->target;
		break;
	case DS_KIND_SIZE:
		b.bytes = ((ds_size *)arg->target)->bytes;
		break;
	case DS_KIND_TEXTS:
	case DS_KIND_CALL:
		break;
	}
	return b;
}
