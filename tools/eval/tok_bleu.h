/*
 * tok_bleu.h - the tokenizers of BLEU, as sacreBLEU 2.6 defines them
 *
 * Names: 13a (the default: WMT's mteval-v13a), zh (spaces round Chinese characters, then 13a's
 * punctuation), char (every code point), none (split at white space).
 */
#ifndef DS_EVAL_TOK_BLEU_H
#define DS_EVAL_TOK_BLEU_H

#include "base/arena.h"

typedef enum { TOK_13A, TOK_ZH, TOK_CHAR, TOK_NONE, TOK_BAD } bleu_tok;

bleu_tok bleu_tok_find(const char *name); /* TOK_BAD: no such tokenizer; "" is 13a */
const char *bleu_tok_name(bleu_tok t);
/* The tokens of a text as views into mem or the text. */
void bleu_tok_run(bleu_tok t, ds_str text, ds_arena *mem, ds_str **tokens, size_t *n);

#endif
