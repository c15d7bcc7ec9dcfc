/*
 * rule_regex.c - s/PATTERN/REPLACEMENT/flags
 */
#include "rule_regex.h"

static ds_rc open_subst(void **state, const char *value, const rule_env *env, ds_err *e)
{
	ds_regex *r = NULL;
	DS_TRY(ds_regex_parse_subst(&r, ds_str_of(value), e));
	*state = r;
	return DS_OK;
}

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	size_t n;
	return ds_regex_subst(thread, *text, mem, text, &n, e);
}

const ds_rule ds_rule_regex = {
	.name = "regex",
	.value = "s/RE/NEW/FLAGS",
	.help = "replace what matches (flags g i m s x)",
	.open = open_subst,
	.close = rule_regex_close,
	.thread_new = rule_regex_thread_new,
	.thread_free = rule_regex_thread_free,
	.apply = apply,
};
