/*
 * rules.c - which rules run, from options, rule files and the default
 */
#include "rules.h"

#include "base/args.h"
#include "base/mem.h"

enum { NAME_CHARS = 60 };

#define RULE(name) &ds_rule_##name,
const ds_rule *const ds_rules[] = {
#include "rules.def"
	NULL
};
#undef RULE

const ds_rule *ds_rule_find(ds_str name)
{
	for (size_t i = 0; ds_rules[i]; i++)
		if (ds_str_is(name, ds_rules[i]->name))
			return ds_rules[i];
	return NULL;
}

static void insert(rules *r, size_t at, const ds_rule *rule, const char *value, const char *where)
{
	r->at = ds_mem_grow(r->at, r->n * sizeof(*r->at), (r->n + 1) * sizeof(*r->at));
	memmove(r->at + at + 1, r->at + at, (r->n - at) * sizeof(*r->at));
	r->at[at] = (rules_use){ .rule = rule,
		.value = value ? ds_mem_text(value) : NULL,
		.where = ds_mem_text(where),
		.when = r->when ? ds_mem_text(r->when) : NULL };
	r->n++;
}

static void free_use(rules_use *u)
{
	if (u->state && u->rule->close)
		u->rule->close(u->state);
	ds_mem_free(u->value);
	ds_mem_free(u->where);
	ds_mem_free(u->when);
	ds_mem_free(u->name);
}

void rules_close(rules *r)
{
	for (size_t i = 0; i < r->n; i++)
		free_use(&r->at[i]);
	ds_mem_free(r->at);
	ds_mem_free(r->off);
	ds_mem_free(r->when);
	ds_buf_free(&r->inner);
	*r = (rules){ 0 };
}

static void add_off(rules *r, const ds_rule *rule)
{
	r->off = ds_mem_grow(r->off, r->n_off * sizeof(*r->off), (r->n_off + 1) * sizeof(*r->off));
	r->off[r->n_off++] = rule;
}

/* A value that may be left out is one of the words of rule->value. */
static bool may_lack(const ds_rule *rule)
{
	return rule->flags & DS_ARG_OPTIONAL;
}

ds_rc rules_note(rules *r, const char *where, ds_str name, const char *value, ds_err *e)
{
	if (ds_str_is(name, "rules") && value)
		return rules_open_file(r, value, e);
	const ds_rule *rule = ds_rule_find(name);
	bool is_default = ds_str_is(name, "default");
	if (!rule && !is_default)
		return ds_fail(e, DS_USAGE, "no rule is named '%.*s'", DS_FMT(name));
	const char *wants = rule ? rule->value : NULL;
	if (wants && !value && !may_lack(rule))
		return ds_fail(e, DS_USAGE, "'%.*s' wants a value: %s", DS_FMT(name), wants);
	if (!wants && value)
		return ds_fail(e, DS_USAGE, "'%.*s' takes no value", DS_FMT(name));
	if (rule && rule->off && value && strcmp(value, rule->off) == 0)
		add_off(r, rule);
	else
		insert(r, r->n, rule, value, where);
	return DS_OK;
}

bool rules_off(const rules *r, const ds_rule *rule)
{
	for (size_t i = 0; i < r->n_off; i++)
		if (r->off[i] == rule)
			return true;
	return false;
}

static void add_defaults(rules *r, size_t at)
{
	for (size_t i = 0; ds_rules[i]; i++) {
		const char *value = ds_rules[i]->default_value;
		if (value && !rules_off(r, ds_rules[i]))
			insert(r, at++, ds_rules[i], *value ? value : NULL, "the default");
	}
}

static char *name_of(const rules_use *u)
{
	ds_buf name = { 0 };
	bool is_long =
		u->rule->thread_new && u->value; /* patterns and maps: there may be several */
	ds_buf_add_c(&name, u->rule->name);
	if (is_long) {
		size_t n = strlen(u->value);
		ds_buf_fmt(&name, " %.*s%s", (int)(n > NAME_CHARS ? NAME_CHARS : n), u->value,
			n > NAME_CHARS ? "..." : "");
	}
	char *copy = ds_mem_text(ds_buf_text(&name));
	ds_buf_free(&name);
	return copy;
}

/* What the command line names is in the chain already; what files name is there if later runs look for it. */
static ds_rc record_inner(rules *r, const rules_use *u, ds_err *e)
{
	if (ds_str_starts(ds_str_of(u->where), DS_S("--")))
		return DS_OK;
	if (u->rule->leaves && !ds_str_is(ds_str_of(u->where), "the default"))
		ds_buf_fmt(&r->inner, u->value ? " %s=%s" : " %s", u->rule->name, u->value);
	if (!(u->rule->flags & DS_ARG_FILE))
		return DS_OK;
	ds_buf_fmt(&r->inner, " %s=", u->rule->name);
	return ds_args_add_file(&r->inner, u->rule->value, u->value, e);
}

ds_rc rules_open(rules *r, const rule_env *env, ds_err *e)
{
	if (r->n == 0)
		add_defaults(r, 0);
	for (size_t i = 0; i < r->n; i++) {
		if (r->at[i].rule)
			continue;
		r->when = r->at[i].when; /* the default list is for the same records */
		r->at[i].when = NULL;
		free_use(&r->at[i]);
		memmove(r->at + i, r->at + i + 1, (--r->n - i) * sizeof(*r->at));
		add_defaults(r, i);
		ds_mem_free(r->when);
		r->when = NULL;
	}
	for (size_t i = 0; i < r->n; i++) {
		rules_use *u = &r->at[i];
		u->name = name_of(u);
		if (u->rule->open)
			DS_TRY_AT(u->rule->open(&u->state, u->value, env, e), e, "%s", u->where);
		DS_TRY_AT(record_inner(r, u, e), e, "%s", u->where);
	}
	return DS_OK;
}

bool rules_have(const rules *r, const ds_rule *rule)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->at[i].rule == rule)
			return true;
	return false;
}

void **rules_threads_new(const rules *r)
{
	void **threads = DS_NEW(void *, r->n + 1);
	for (size_t i = 0; i < r->n; i++) {
		const rules_use *u = &r->at[i];
		threads[i] = u->rule->thread_new ? u->rule->thread_new(u->state) : u->state;
	}
	return threads;
}

void rules_threads_free(const rules *r, void **threads)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->at[i].rule->thread_free)
			r->at[i].rule->thread_free(threads[i]);
	ds_mem_free(threads);
}
