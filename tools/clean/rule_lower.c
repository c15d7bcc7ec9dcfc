/*
 * rule_lower.c - lower case
 */
#include "rule.h"

#include "base/args.h"
#include "text/unicode.h"

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	*text = ds_utf8_lower(*text, mem);
	return DS_OK;
}

const ds_rule ds_rule_lower = {
	.name = "lower",
	.help = "lower case, by Unicode",
	.keeps_lines = true,
	.flags = DS_ARG_HIDDEN,
	.apply = apply,
};
