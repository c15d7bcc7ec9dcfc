/*
 * side.h - what a model directory has beside config.json, weights and tokenizer.json
 *
 * Settings of the tokenizer and of generation, chat templates, the files of older tokenizers: others
 * read them, and they decide which tokens end a text. They are carried into what is made of the model,
 * byte for byte but for special tokens that were changed.
 */
#ifndef DS_MODEL_SIDE_H
#define DS_MODEL_SIDE_H

#include "base/err.h"
#include "model/config.h"
#include "text/tok/tok.h"

enum { DS_SIDE_BOS, DS_SIDE_EOS, DS_SIDE_PAD, DS_SIDE_N };
typedef struct { /* special tokens that are others now; all zero: none is */
	bool changed[DS_SIDE_N];
	int64_t id[DS_SIDE_N]; /* -1: there is none */
} ds_side;

/* Which of them `now` has otherwise than `was`. */
ds_side ds_side_of(const ds_config *was, const ds_config *now);
/* Copies from one directory into another. tok: names the tokens that changed; NULL where none has a name. */
DS_MUST ds_rc ds_side_carry(
	const char *from, const char *to, const ds_side *side, const ds_tok *tok, ds_err *e);
/* tokenizer_config.json for a tokenizer that came without one, so that others know its special tokens. */
void ds_side_print(const ds_tok *tok, int64_t longest, ds_buf *out);
/*
 * eos_token_id of generation_config.json, one id or several: at NULL, the directory has no such file or
 * that says nothing. In mem.
 */
DS_MUST ds_rc ds_side_ends(const char *dir, ds_arena *mem, int64_t **ends, size_t *n, ds_err *e);

#endif
