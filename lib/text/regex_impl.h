/*
 * regex_impl.h - between regex.c and regex_literal.c
 */
#ifndef DS_TEXT_REGEX_IMPL_H
#define DS_TEXT_REGEX_IMPL_H

#include "base/str.h"

/*
 * The longest run of plain characters outside groups that every match of the pattern contains, written
 * to out (room for twice pattern.n bytes); 0 where none can be told. For patterns without flags i and x.
 */
size_t ds_regex_required(ds_str pattern, char *out);

#endif
