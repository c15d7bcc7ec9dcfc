/*
 * rule_nfc.c - one spelling for characters that have several
 */
#include "rule.h"

#include "text/unicode.h"

static ds_rc apply(void *thread, ds_str *text, ds_arena *mem, ds_err *e)
{
	*text = ds_nfc(*text, mem);
	return DS_OK;
}

const ds_rule ds_rule_nfc = {
	.name = "nfc",
	.help = "normalise to Unicode form C",
	.apply = apply,
};
