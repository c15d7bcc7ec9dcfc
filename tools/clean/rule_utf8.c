/*
 * rule_utf8.c - what is not UTF-8 becomes U+FFFD
 */
#include "rule.h"

#include "text/unicode.h"

static ds_rc open_fix(void **state, const char *value, const rule_env *env, ds_err *e)
{
	if (strcmp(value, "fix") != 0)
		return ds_fail(e, DS_USAGE, "'%s': it is fix", value);
	return DS_OK;
}

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	size_t n;
	*text = ds_utf8_repair(*text, mem, &n);
	return DS_OK;
}

const ds_rule ds_rule_utf8 = {
	.name = "utf8",
	.value = "fix",
	.help = "put U+FFFD for each part that is not UTF-8",
	.default_value = "fix",
	.mends = "html",
	.keeps_lines = true,
	.open = open_fix,
	.apply = apply,
};
