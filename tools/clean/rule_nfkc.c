/*
 * rule_nfkc.c - compatibility forms go: ﬁ, ①, full width, superscripts
 */
#include "rule.h"

#include "base/args.h"
#include "text/unicode.h"

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	*text = ds_nfkc(*text, mem);
	return DS_OK;
}

const ds_rule ds_rule_nfkc = {
	.name = "nfkc",
	.help = "normalise to Unicode form KC",
	.keeps_lines = true,
	.flags = DS_ARG_HIDDEN,
	.apply = apply,
};
