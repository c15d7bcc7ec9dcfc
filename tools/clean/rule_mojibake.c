/*
 * rule_mojibake.c - Ã© is é again
 */
#include "rule.h"

#include "text/mojibake.h"

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	*text = ds_mojibake_fix(*text, mem);
	return DS_OK;
}

const ds_rule ds_rule_mojibake = {
	.name = "mojibake",
	.help = "mend UTF-8 that was read in another charset",
	.keeps_lines = true,
	.apply = apply,
};
