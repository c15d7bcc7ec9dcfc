/*
 * rule_entities.c - character references become characters, once
 */
#include "rule.h"

#include "text/html/html.h"

static ds_rc record(void *thread, rule_record *r, ds_err *e)
{
	size_t n;
	if (!r->decoded && r->source != RULE_SOURCE_CODE)
		r->text = ds_html_decode(r->text, r->mem, &n);
	return DS_OK;
}

const ds_rule ds_rule_entities = {
	.name = "entities",
	.help = "decode &amp; and the like, but in program text",
	.default_value = "",
	.keeps_lines = true,
	.record = record,
};
