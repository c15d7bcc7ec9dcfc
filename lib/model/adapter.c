/*
 * adapter.c - LoRA in PEFT's layout
 */
#include "model/adapter.h"

#include "model/soft.h"
#include "text/regex.h"

#include <math.h>

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

static bool by_all(const ds_lora *l)
{
	return strcmp(l->targets, "all-linear") == 0;
}

/* Of the whole path; before: what may stand in front of the expression. */
static ds_rc matches(const char *before, ds_str expression, ds_str module, bool *found, ds_err *e)
{
	ds_buf whole = { 0 };
	ds_regex *r = NULL;
	*found = false;
	ds_buf_fmt(&whole, "^%s(?:", before);
	ds_buf_add_str(&whole, expression);
	ds_buf_add_c(&whole, ")$");
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

/* The module's own number; NULL: it has none. What does not compile was refused when it was read. */
static const ds_json *own_number(const ds_json *patterns, ds_str module)
{
	ds_err e;
	bool found;
	for (const ds_json *v = patterns ? patterns->first : NULL; v; v = v->next)
		if (matches("(?:.*\\.)?", v->key, module, &found, &e) == DS_OK && found)
			return v;
	return NULL;
}

int64_t ds_lora_rank(const ds_lora *l, ds_str module)
{
	const ds_json *own = own_number(l->ranks, module);
	return own ? own->i : l->r;
}

double ds_lora_scale(const ds_lora *l, ds_str module)
{
	const ds_json *own = own_number(l->alphas, module);
	double alpha = !own ? l->alpha : own->kind == DS_J_I64 ? (double)own->i : own->f;
	double r = (double)ds_lora_rank(l, module);
	return alpha / (l->rslora ? sqrt(r) : r);
}

/* A wrong expression matches nothing here, and ds_lora_check says what is wrong. */
bool ds_lora_wants(const ds_lora *l, ds_str module)
{
	ds_err e;
	bool found;
	if (by_all(l))
		return true;
	if (ds_lora_by_regex(l))
		return matches("", ds_str_of(l->targets), module, &found, &e) == DS_OK && found;
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
		if (t->memory != DS_CLASS_PARAM || !ds_adapter_owns(t->name))
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
	if (by_all(l))
		return DS_OK;
	if (ds_lora_by_regex(l)) {
		DS_AUTO(ds_regex) r = NULL;
		DS_TRY_AT(ds_regex_parse(&r, rest, e), e, "target_modules");
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

void ds_lora_print(const ds_lora *l, const char *base_model, bool in_out, bool decoder, ds_buf *out)
{
	char number[32];
	ds_str rest = ds_str_of(l->targets);
	bool one = ds_lora_by_regex(l) || by_all(l);
	ds_buf_fmt(out,
		"{\n  \"peft_type\": \"LORA\",\n  \"task_type\": %s,\n"
		"  \"base_model_name_or_path\": ",
		decoder ? "\"CAUSAL_LM\"" : "null");
	ds_json_add_str(out, ds_str_of(base_model));
	number[ds_f64_print(number, l->alpha)] = 0;
	ds_buf_fmt(out, ",\n  \"r\": %lld,\n  \"lora_alpha\": %s,\n", (long long)l->r, number);
	number[ds_f64_print(number, l->dropout)] = 0;
	ds_buf_fmt(out, "  \"lora_dropout\": %s,\n  \"target_modules\": ", number);
	if (one) {
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
		"%s,\n  \"fan_in_fan_out\": %s,\n  \"bias\": \"none\",\n  \"use_rslora\": %s,\n"
		"  \"modules_to_save\": null,\n  \"inference_mode\": true\n}\n",
		one ? "" : "]", in_out ? "true" : "false", l->rslora ? "true" : "false");
}

/* Can it be a C string, and is it one that says something? */
static bool is_text(ds_str s)
{
	return ds_str_trim(s).n && !memchr(s.at, 0, s.n);
}

static ds_rc read_targets(ds_lora *l, const ds_json *v, ds_arena *mem, ds_err *e)
{
	ds_buf list = { 0 };
	ds_rc rc = DS_OK;
	if (v && v->kind == DS_J_STR && is_text(v->s)) {
		l->targets = ds_arena_str(mem, v->s).at;
		return DS_OK;
	}
	if (!v || v->kind != DS_J_ARR || !v->n)
		return ds_fail(e, DS_USAGE, "target_modules is not a list of names");
	for (size_t i = 0; i < v->n && rc == DS_OK; i++) {
		if (v->items[i]->kind != DS_J_STR || !is_text(v->items[i]->s) ||
			memchr(v->items[i]->s.at, ',', v->items[i]->s.n))
			rc = ds_fail(e, DS_USAGE, "target_modules is not a list of names");
		ds_buf_add_c(&list, i ? "," : "");
		ds_buf_add_str(&list, v->items[i]->s);
	}
	l->targets = ds_arena_str(mem, ds_buf_view(&list)).at;
	ds_buf_free(&list);
	return rc;
}

/* Is a member there and says something? */
static bool says(const ds_json *v, const char *name)
{
	const ds_json *m = ds_json_get(v, name);
	if (!m || m->kind == DS_J_NULL || (m->kind == DS_J_BOOL && !m->b))
		return false;
	return !((m->kind == DS_J_ARR || m->kind == DS_J_OBJ) && !m->n);
}

/* What changes the model and is not built: named rather than left out in silence. */
static ds_rc refuse_unknown(const ds_json *v, ds_err *e)
{
	static const char *const parts[] = { "use_dora", "modules_to_save",
		"trainable_token_indices", "target_parameters", "layer_replication", "lora_bias",
		"use_qalora", "use_bdlora", "alora_invocation_tokens", "monteclora_config",
		"arrow_config", "kasa_config" };
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (says(v, parts[i]))
			return ds_fail(e, DS_USAGE, "%s is not supported", parts[i]);
	ds_str bias = ds_json_text(v, "bias", "none"),
	       init = ds_json_text(v, "init_lora_weights", "");
	if (!ds_str_is(bias, "none"))
		return ds_fail(e, DS_USAGE, "bias='%.*s' is not supported, none is", DS_FMT(bias));
	/* These begin by taking a part of the base model's weights away. */
	if (ds_str_starts(init, DS_S("pissa")) || ds_str_is(init, "olora") ||
		ds_str_is(init, "corda") || ds_str_is(init, "loftq"))
		return ds_fail(e, DS_USAGE, "init_lora_weights='%.*s' changes the base model",
			DS_FMT(init));
	return DS_OK;
}

static ds_rc read_patterns(
	const ds_json *v, const char *name, bool whole, const ds_json **out, ds_err *e)
{
	bool found;
	*out = says(v, name) ? ds_json_get(v, name) : NULL;
	for (const ds_json *m = *out ? (*out)->first : NULL; m; m = m->next) {
		bool number = m->kind == DS_J_I64 ? m->i >= 1 : m->kind == DS_J_F64 && !whole;
		if (!number)
			return ds_fail(
				e, DS_USAGE, "%s: '%.*s' has no number", name, DS_FMT(m->key));
		DS_TRY_AT(matches("", m->key, DS_S(""), &found, e), e, "%s", name);
	}
	return DS_OK;
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
	DS_TRY(refuse_unknown(v, e));
	*l = (ds_lora){ .r = ds_json_int(v, "r", 8), /* PEFT's own defaults */
		.alpha = ds_json_num(v, "lora_alpha", 8),
		.rslora = ds_json_flag(v, "use_rslora", false),
		.dropout = ds_json_num(v, "lora_dropout", 0) };
	if (l->r < 1 || l->r > 1 << 16)
		return ds_fail(e, DS_USAGE, "r=%lld is not between 1 and 65536", (long long)l->r);
	if (!isfinite(l->alpha) || !isfinite(l->dropout) || l->dropout < 0 || l->dropout >= 1)
		return ds_fail(e, DS_USAGE, "lora_alpha=%g, lora_dropout=%g", l->alpha, l->dropout);
	DS_TRY(read_patterns(v, "rank_pattern", true, &l->ranks, e));
	DS_TRY(read_patterns(v, "alpha_pattern", false, &l->alphas, e));
	ds_str base = ds_json_text(v, "base_model_name_or_path", "");
	if (!is_text(base))
		return ds_fail(e, DS_USAGE, "no base_model_name_or_path");
	*base_model = ds_arena_str(mem, base).at;
	return read_targets(l, ds_json_get(v, "target_modules"), mem, e);
}
