/*
 * rule_keep_regex.c - records whose text matches stay, the others go
 */
#include "rule_regex.h"

static ds_rc keep(void *thread, ds_str text, bool *stays, ds_err *e)
{
	return ds_regex_find(thread, text, stays, e);
}

const ds_rule ds_rule_keep_regex = {
	.name = "keep-regex",
	.value = "RE",
	.help = "keep only records that match",
	.open = rule_regex_open,
	.close = rule_regex_close,
	.thread_new = rule_regex_thread_new,
	.thread_free = rule_regex_thread_free,
	.keep = keep,
};
