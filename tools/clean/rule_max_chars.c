/*
 * rule_max_chars.c - records of more characters go
 */
#include "rule_chars.h"

#include "base/args.h"

static ds_rc keep(void *thread, ds_str text, bool *stays, ds_err *e)
{
	uint64_t most = *(const uint64_t *)thread;
	*stays = text.n <= most || (text.n / 4 <= most && ds_utf8_count(text) <= most);
	return DS_OK;
}

const ds_rule ds_rule_max_chars = {
	.name = "max-chars",
	.value = "N",
	.help = "drop records with more characters",
	.flags = DS_ARG_HIDDEN,
	.open = rule_chars_open,
	.close = ds_mem_free,
	.keep = keep,
};
