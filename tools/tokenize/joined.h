/*
 * joined.h - a row a record: one text or two, with types, cut to a length and padded to it
 *
 * Other fields stay where they are, so an image or a label goes with its tokens. What changes while blocks
 * are encoded are the counts, which any thread may raise.
 */
#ifndef JOINED_H
#define JOINED_H

#include "record/block.h"
#include "record/pipe.h"
#include "text/tok/tok.h"

typedef struct {
	const ds_tok *tok;
	ds_field *second;       /* beside --field; NULL: none */
	unsigned flags;         /* of ds_tok_encode */
	uint32_t before, after; /* ids around each row, DS_TOK_NONE: none */
	uint32_t row, pad;      /* row: ids of each; 0: as many as there are */
	ds_tok_cut cut;
	bool wide, keep_text;
	uint64_t n_rows, n_tokens, n_cut;
} joined;

/* Replaces the texts by tokens, types (with a second field), docs and mask (with a length). */
DS_MUST ds_rc joined_block(joined *j, ds_work *w, ds_block *b, ds_err *e);

#endif
