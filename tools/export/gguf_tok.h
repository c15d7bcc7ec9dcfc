/*
 * gguf_tok.h - a tokenizer as llama.cpp's keys
 */
#ifndef DS_EXPORT_GGUF_TOK_H
#define DS_EXPORT_GGUF_TOK_H

#include "gguf_file.h"
#include "model/model.h"

/*
 * The model's tokenizer, special ids and chat template. DS_BAD: it has none, or one that llama.cpp cuts texts into other
 * tokens with: byte-level BPE of a pattern that it does not know, WordPiece, Unigram, normalizers.
 */
DS_MUST ds_rc gguf_tokenizer(gguf_file *f, const ds_model *m, ds_err *e);

#endif
