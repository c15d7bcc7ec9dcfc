/*
 * labels.h - the label column, whatever its type, as values of rules
 */
#ifndef DS_CLEAN_LABELS_H
#define DS_CLEAN_LABELS_H

#include "record/block.h"
#include "rule.h"

/* The value of a row; text that had to be made is in the block's arena. col NULL: no record has one. */
DS_MUST ds_rc labels_get(ds_block *b, const ds_col *col, uint32_t row, rule_value *out, ds_err *e);
/* Replaces the column by these values, one a row; was is the column before. */
DS_MUST ds_rc labels_put(ds_block *b, const ds_col *was, const rule_value *values, ds_err *e);

#endif
