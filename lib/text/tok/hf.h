/*
 * hf.h - between the files that read tokenizer.json
 */
#ifndef DS_TEXT_TOK_HF_H
#define DS_TEXT_TOK_HF_H

#include "json/json.h"
#include "text/tok/tok_impl.h"

/* ds_hf_read.c: model.vocab as an object, and model.merges. */
DS_MUST ds_rc ds_hf_read_vocab(ds_tok *t, const ds_json *model, ds_err *e);
DS_MUST ds_rc ds_hf_read_merges(ds_tok *t, const ds_json *model, ds_err *e);
/* hf_post.c */
DS_MUST ds_rc ds_hf_read_post(ds_tok *t, const ds_json *root, ds_err *e);

/* hf_model.c: normalizer, pre_tokenizer, model and decoder as a chain. */
DS_MUST ds_rc ds_hf_read_chain(ds_tok *t, const ds_json *root, ds_err *e);
/* A BPE whose symbols can be bytes: no prefix, suffix or fallback, and no byte is ever unknown. */
bool ds_hf_plain_bytes(const ds_json *model);
/* Added tokens that are looked for in normalized text, normalized. */
DS_MUST ds_rc ds_hf_settle_added(ds_tok *t, ds_err *e);

/* ds_hf_write_sp.c: all after the added tokens, of a SentencePiece model. DS_USAGE: it cannot be said. */
DS_MUST ds_rc ds_hf_write_sp(const ds_tok *t, ds_buf *out, ds_err *e);

#endif
