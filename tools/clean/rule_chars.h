/*
 * rule_chars.h - the limit of --min-chars and --max-chars
 */
#ifndef DS_CLEAN_RULE_CHARS_H
#define DS_CLEAN_RULE_CHARS_H

#include "base/mem.h"
#include "rule.h"
#include "text/unicode.h"

static inline ds_rc rule_chars_open(void **state, const char *value, const rule_env *env, ds_err *e)
{
	int64_t n;
	if (!ds_str_i64(ds_str_of(value), &n) || n < 0)
		return ds_fail(e, DS_USAGE, "'%s' is no whole number from 0", value);
	uint64_t *limit = DS_NEW(uint64_t, 1);
	*limit = (uint64_t)n;
	*state = limit;
	return DS_OK;
}

#endif
