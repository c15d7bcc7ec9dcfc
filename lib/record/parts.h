/*
 * parts.h - the lines or paragraphs of records as records
 */
#ifndef DS_RECORD_PARTS_H
#define DS_RECORD_PARTS_H

#include "record/block.h"

/*
 * Replaces the block by one with a row for every line or paragraph of the field, in the same arena; the other
 * fields go with each. DS_BAD where there are more parts than a block has room for.
 */
DS_MUST ds_rc ds_parts_cut(ds_block **block, const char *field, bool by_para, ds_err *e);

#endif
