/*
 * regex_impl.h - between regex.c, regex_literal.c and regex_ruby.c
 */
#ifndef DS_TEXT_REGEX_IMPL_H
#define DS_TEXT_REGEX_IMPL_H

#include "base/err.h"
#include "base/str.h"

/*
 * For each alternative of the pattern the longest run of plain characters outside groups that every match
 * of it contains, given to found; false where none can be told. out has room for twice pattern.n bytes.
 * For patterns without flag x. any_case: flag i; ASCII letters are small then.
 */
typedef void ds_regex_found(void *context, ds_str literal, bool any_case);
bool ds_regex_required(
	ds_str pattern, bool any_case, char *out, ds_regex_found *found, void *context);

/*
 * Every match begins at a digit, after at most a look behind it. Says so only of patterns without an alternative
 * and without flag x.
 */
bool ds_regex_starts_with_digit(ds_str pattern);

/* A pattern in Oniguruma's Ruby syntax as PCRE2 has it; DS_USAGE: something in it has no such spelling. */
DS_MUST ds_rc ds_regex_of_ruby(ds_str pattern, ds_buf *out, ds_err *e);

#endif
