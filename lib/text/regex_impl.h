/*
 * regex_impl.h - between regex.c, regex_literal.c and regex_ruby.c
 */
#ifndef DS_TEXT_REGEX_IMPL_H
#define DS_TEXT_REGEX_IMPL_H

#include "base/err.h"
#include "base/str.h"

/*
 * The longest run of plain characters outside groups that every match of the pattern contains, written
 * to out (room for twice pattern.n bytes); 0 where none can be told. For patterns without flags i and x.
 */
size_t ds_regex_required(ds_str pattern, char *out);

/* A pattern in Oniguruma's Ruby syntax as PCRE2 has it; DS_USAGE: something in it has no such spelling. */
DS_MUST ds_rc ds_regex_of_ruby(ds_str pattern, ds_buf *out, ds_err *e);

#endif
