/*
 * resume.h - what an earlier run of dsgen already gave, to go on from there
 *
 * Records of the earlier output belong to the input's first records, one to one: each is compared, and its `pred` taken. A last one
 * that is cut, or a stream that ends early, is where the earlier run ended.
 */
#ifndef DS_GENERATE_RESUME_H
#define DS_GENERATE_RESUME_H

#include "base/args.h"
#include "record/block.h"

typedef struct resumed resumed;
DS_MUST ds_rc resume_open(resumed **r, const char *path, const ds_common *c, ds_err *e);
void resume_close(resumed *r); /* NULL is fine */
/*
 * For the next record of the input, in their order: *pred is a view until the next call, and at NULL once there are no more. DS_BAD: the
 * record's text or tokens are others than those of its counterpart.
 */
DS_MUST ds_rc resume_next(resumed *r, ds_block *b, uint32_t row, ds_str *pred, ds_err *e);
uint64_t resume_taken(const resumed *r);

#endif
