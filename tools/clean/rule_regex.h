/*
 * rule_regex.h - what the rules with patterns share
 */
#ifndef DS_CLEAN_RULE_REGEX_H
#define DS_CLEAN_RULE_REGEX_H

#include "rule.h"
#include "text/regex.h"

static inline void rule_regex_close(void *state)
{
	ds_regex_free(state);
}
static inline void *rule_regex_thread_new(const void *state)
{
	return ds_regex_run_new(state);
}
static inline void rule_regex_thread_free(void *thread)
{
	ds_regex_run_free(thread);
}
static inline ds_rc rule_regex_open(void **state, const char *value, const rule_env *env, ds_err *e)
{
	ds_regex *r = NULL;
	DS_TRY(ds_regex_parse(&r, ds_str_of(value), e));
	*state = r;
	return DS_OK;
}

#endif
