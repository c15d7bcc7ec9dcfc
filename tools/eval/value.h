/*
 * value.h - what a record says, as metrics want it
 */
#ifndef DS_EVAL_VALUE_H
#define DS_EVAL_VALUE_H

#include "metric.h"

/* The fields that `needs` names of one row, in mem. DS_BAD names record and field. */
DS_MUST ds_rc value_record(
	metric_record *out, ds_block *b, uint32_t row, unsigned needs, ds_arena *mem, ds_err *e);
/* DS_BAD: a record has no such field, or none has; then the fields there are are named. option: as --field. */
ds_rc value_lacks(ds_block *b, uint32_t row, const char *field, const char *option, ds_err *e);
/* A value as the name of a class: numbers by value (1, 1.0 and "1" are one class), text as it is. */
DS_MUST ds_rc value_class(
	ds_str *out, ds_block *b, uint32_t row, const char *field, ds_arena *mem, ds_err *e);

#endif
