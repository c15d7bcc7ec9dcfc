/*
 * rule_min_chars.c - records of fewer characters go
 */
#include "rule_chars.h"

static ds_rc keep(void *thread, ds_str text, bool *stays, ds_err *e)
{
	uint64_t least = *(const uint64_t *)thread;
	/* A character takes at least one byte and at most four. */
	*stays = text.n >= least && (text.n / 4 >= least || ds_utf8_count(text) >= least);
	return DS_OK;
}

const ds_rule ds_rule_min_chars = {
	.name = "min-chars",
	.value = "N",
	.help = "drop records with fewer characters",
	.open = rule_chars_open,
	.close = ds_mem_free,
	.keep = keep,
};
