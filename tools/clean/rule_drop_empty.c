/*
 * rule_drop_empty.c - records whose text has nothing but blanks
 */
#include "rule.h"

static ds_rc keep(void *thread, ds_str text, bool *stays, ds_err *e)
{
	*stays = ds_str_trim(text).n > 0;
	return DS_OK;
}

const ds_rule ds_rule_drop_empty = {
	.name = "drop-empty",
	.help = "drop records without text",
	.default_value = "",
	.keep = keep,
};
