/*
 * spool.h - tokens put aside until their number and the largest of them are known
 *
 * Formats with a header in front of everything need both first. Ids go to a temporary file, 32 bits
 * each, so memory does not grow with them.
 */
#ifndef DS_RECORD_SPOOL_H
#define DS_RECORD_SPOOL_H

#include "base/io.h"
#include "record/block.h"

typedef struct ds_spool ds_spool;
DS_MUST ds_rc ds_spool_open(ds_spool **s, ds_err *e);
void ds_spool_close(ds_spool *s);
uint64_t ds_spool_count(const ds_spool *s);
uint32_t ds_spool_largest(const ds_spool *s);
/* All of them to out, 2 or 4 bytes each. */
DS_MUST ds_rc ds_spool_write(ds_spool *s, ds_out *out, unsigned width, ds_err *e);
/* The i-th, after the first ds_spool_write; asked in order it is read in order. */
DS_MUST ds_rc ds_spool_at(ds_spool *s, uint64_t i, uint32_t *out, ds_err *e);
DS_AUTO_WITH(ds_spool, ds_spool_close)

/* Adds the `tokens` of every row of a block; a row without them is DS_BAD. lengths may be NULL. */
DS_MUST ds_rc ds_spool_block(ds_spool *s, ds_spool *lengths, ds_block *b, ds_err *e);

#endif
