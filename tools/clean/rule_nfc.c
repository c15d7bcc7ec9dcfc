/*
 * rule_nfc.c - one spelling for characters that have several
 */
#include "rule.h"

#include "text/unicode.h"

static ds_rc record(void *thread, rule_record *r, ds_err *e)
{
	r->text = ds_nfc(r->text, r->mem);
	r->composed = true;
	return DS_OK;
}

const ds_rule ds_rule_nfc = {
	.name = "nfc",
	.help = "normalise to Unicode form C",
	.default_value = "",
	.keeps_lines = true,
	.record = record,
};
