/*
 * pack.h - documents into rows of N tokens
 *
 * concat cuts the stream of documents every N tokens; none gives each document rows of its own;
 * bestfit splits documents over N and puts each part into the fullest row that still has room for
 * it, the longest part first, among a window of 4 Mi tokens at a time, so its memory is bounded.
 * Rows depend on the order of documents alone. One thread at a time.
 */
#ifndef TOKENIZE_PACK_H
#define TOKENIZE_PACK_H

#include "record/block.h"

typedef enum { PACK_CONCAT, PACK_BESTFIT, PACK_NONE } pack_kind;
typedef struct pack pack;
#define PACK_CONTEXT (1u << 31) /* with an id: it is no target, and the row gets a mask */

pack *pack_new(pack_kind kind, uint32_t row_tokens, uint32_t pad, bool wide);
void pack_free(pack *p);
void pack_add(pack *p, const uint32_t *ids, size_t n); /* one document; n = 0 adds nothing */
void pack_end(pack *p); /* no more documents: rows that are short, too */
/* Up to 1 MiB of finished rows as a block in mem; *out = NULL: no more for now. */
DS_MUST ds_rc pack_take(pack *p, ds_arena *mem, ds_block **out, ds_err *e);
uint64_t pack_rows(const pack *p);   /* given out so far */
uint64_t pack_tokens(const pack *p); /* in them, without padding */
DS_AUTO_WITH(pack, pack_free)

#endif
