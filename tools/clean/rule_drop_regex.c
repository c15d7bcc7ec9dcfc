/*
 * rule_drop_regex.c - records whose text matches go
 */
#include "rule_regex.h"

static ds_rc keep(void *thread, ds_str text, bool *stays, ds_err *e)
{
	bool found;
	DS_TRY(ds_regex_find(thread, text, &found, e));
	*stays = !found;
	return DS_OK;
}

const ds_rule ds_rule_drop_regex = {
	.name = "drop-regex",
	.value = "RE",
	.help = "drop records that match",
	.open = rule_regex_open,
	.close = rule_regex_close,
	.thread_new = rule_regex_thread_new,
	.thread_free = rule_regex_thread_free,
	.keep = keep,
};
