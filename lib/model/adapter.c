/*
 * adapter.c - LoRA in PEFT's layout
 */
#include "model/adapter.h"

#include "model/soft.h"
#include "record/json.h"
#include "text/regex.h"

static bool named(ds_str target, ds_str module)
{
	if (!ds_str_ends(module, target))
		return false;
	return module.n == target.n || module.at[module.n - target.n - 1] == '.';
}

bool ds_lora_by_regex(const ds_lora *l)
{
	return strpbrk(l->targets, "^$*+?()[]{}|\\") != NULL;
}

/* Of the whole path. A wrong expression matches nothing here, and ds_lora_check says what is wrong. */
static ds_rc matches(const ds_lora *l, ds_str module, bool *found, ds_err *e)
{
	ds_buf whole = { 0 };
	ds_regex *r = NULL;
	*found = false;
	ds_buf_fmt(&whole, "^(?:%s)$", l->targets);
	ds_rc rc = ds_regex_parse(&r, ds_buf_view(&whole), e);
	if (rc == DS_OK) {
		ds_regex_run *run = ds_regex_run_new(r);
		rc = ds_regex_find(run, module, found, e);
		ds_regex_run_free(run);
	}
	ds_regex_free(r);
	ds_buf_free(&whole);
	return rc;
}

bool ds_lora_wants(const ds_lora *l, ds_str module)
{
	ds_err e;
	bool found;
	if (ds_lora_by_regex(l))
		return matches(l, module, &found, &e) == DS_OK && found;
	ds_str rest = ds_str_of(l->targets);
	while (rest.at && rest.n)
		if (named(ds_str_trim(ds_str_cut(rest, ',', &rest)), module))
			return true;
	return false;
}

bool ds_adapter_owns(const char *param)
{
	return ds_str_starts(ds_str_of(param), DS_S(DS_LORA_PREFIX)) ||
	       strcmp(param, DS_SOFT_PARAM) == 0;
}

/* target.at NULL: any module will do. */
static bool names_something(ds_str target, const ds_graph *g)
{
	static const char prefix[] = DS_LORA_PREFIX, end[] = ".lora_A.weight";
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *t = &g->tensors[i];
		if (t->class != DS_CLASS_PARAM || !ds_adapter_owns(t->name))
			continue;
		ds_str module = { t->name + sizeof(prefix) - 1,
			strlen(t->name) - (sizeof(prefix) - 1) };
		if (!ds_str_ends(module, DS_S(".lora_A.weight")))
			continue;
		module.n -= sizeof(end) - 1;
		if (!target.at || named(target, module))
			return true;
	}
	return false;
}

ds_rc ds_lora_check(const ds_lora *l, const ds_graph *g, ds_err *e)
{
	ds_str rest = ds_str_of(l->targets);
	bool found;
	if (ds_lora_by_regex(l)) {
		DS_TRY_AT(matches(l, DS_S(""), &found, e), e, "target_modules");
		return names_something((ds_str){ 0 }, g) ? DS_OK
							 : ds_fail(e, DS_USAGE,
								   "target_modules: the model has "
								   "no linear layer that is '%s'",
								   l->targets);
	}
	while (rest.at && rest.n) {
		ds_str target = ds_str_trim(ds_str_cut(rest, ',', &rest));
		if (!names_something(target, g))
			return ds_fail(e, DS_USAGE,
				"target_modules: the model has no linear layer '%.*s'",
				DS_FMT(target));
	}
	return DS_OK;
}

void ds_lora_print(const ds_lora *l, const char *base_model, bool in_out, ds_buf *out)
{
	char number[32];
	ds_str rest = ds_str_of(l->targets);
	ds_buf_add_c(out, "{\n  \"peft_type\": \"LORA\",\n  \"task_type\": \"CAUSAL_LM\",\n"
			  "  \"base_model_name_or_path\": ");
	ds_json_add_str(out, ds_str_of(base_model));
	number[ds_f64_print(number, l->alpha)] = 0;
	ds_buf_fmt(out, ",\n  \"r\": %lld,\n  \"lora_alpha\": %s,\n", (long long)l->r, number);
	number[ds_f64_print(number, l->dropout)] = 0;
	ds_buf_fmt(out, "  \"lora_dropout\": %s,\n  \"target_modules\": ", number);
	if (ds_lora_by_regex(l)) {
		ds_json_add_str(out, rest);
		rest.n = 0;
	} else {
		ds_buf_add_byte(out, '[');
	}
	for (const char *comma = ""; rest.at && rest.n; comma = ", ") {
		ds_buf_add_c(out, comma);
		ds_json_add_str(out, ds_str_trim(ds_str_cut(rest, ',', &rest)));
	}
	ds_buf_fmt(out,
		"%s,\n  \"fan_in_fan_out\": %s,\n  \"bias\": \"none\",\n"
		"  \"modules_to_save\": null,\n  \"inference_mode\": true\n}\n",
		ds_lora_by_regex(l) ? "" : "]", in_out ? "true" : "false");
}

static ds_rc read_targets(ds_lora *l, const ds_json *v, ds_arena *mem, ds_err *e)
{
	ds_buf list = { 0 };
	ds_rc rc = DS_OK;
	if (v && v->kind == DS_J_STR) {
		l->targets = ds_arena_str(mem, v->s).at;
		return DS_OK;
	}
	if (!v || v->kind != DS_J_ARR || !v->n)
		return ds_fail(e, DS_USAGE, "target_modules is not a list of names");
	for (size_t i = 0; i < v->n && rc == DS_OK; i++) {
		if (v->items[i]->kind != DS_J_STR ||
			memchr(v->items[i]->s.at, ',', v->items[i]->s.n))
			rc = ds_fail(e, DS_USAGE, "target_modules is not a list of names");
		ds_buf_add_c(&list, i ? "," : "");
		ds_buf_add_str(&list, v->items[i]->s);
	}
	l->targets = ds_arena_str(mem, ds_buf_view(&list)).at;
	ds_buf_free(&list);
	return rc;
}

ds_rc ds_lora_parse(ds_lora *l, ds_str json, const char **base_model, ds_arena *mem, ds_err *e)
{
	const ds_json *v;
	ds_rc rc = ds_json_parse(&v, mem, json, e);
	if (rc != DS_OK)
		return rc == DS_BAD ? DS_USAGE : rc;
	ds_str type = ds_json_text(v, "peft_type", "");
	if (!ds_str_is(type, "LORA"))
		return ds_fail(e, DS_USAGE, "peft_type '%.*s' is not supported, only LORA is",
			DS_FMT(type));
	if (ds_json_flag(v, "use_rslora", false) || ds_json_flag(v, "use_dora", false))
		return ds_fail(e, DS_USAGE, "rsLoRA and DoRA are not supported");
	*l = (ds_lora){ .r = ds_json_int(v, "r", 0),
		.alpha = ds_json_num(v, "lora_alpha", 0),
		.dropout = ds_json_num(v, "lora_dropout", 0) };
	if (l->r < 1 || l->r > 1 << 16)
		return ds_fail(e, DS_USAGE, "r=%lld is not between 1 and 65536", (long long)l->r);
	ds_str base = ds_json_text(v, "base_model_name_or_path", "");
	if (!base.n)
		return ds_fail(e, DS_USAGE, "no base_model_name_or_path");
	*base_model = ds_arena_str(mem, base).at;
	return read_targets(l, ds_json_get(v, "target_modules"), mem, e);
}
