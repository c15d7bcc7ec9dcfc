/*
 * tok_bleu.h - the tokenizers of BLEU, as sacreBLEU 2.6 defines them
 *
 * Names: 13a (the default: WMT's mteval-v13a), intl (mteval-v14: Unicode punctuation and symbols), zh (spaces round Chinese characters, then 13a's
 * punctuation), char (every code point), none (split at white space).
 */
#ifndef DS_EVAL_TOK_BLEU_H
#define DS_EVAL_TOK_BLEU_H

#include "base/arena.h"

typedef enum { TOK_13A, TOK_INTL, TOK_ZH, TOK_CHAR, TOK_NONE, TOK_BAD } bleu_tok;

bleu_tok bleu_tok_find(ds_str name); /* TOK_BAD: no such tokenizer */
const char *bleu_tok_name(bleu_tok t);
/* The tokens of a text as views into mem or the text. */
void bleu_tok_run(bleu_tok t, ds_str text, ds_arena *mem, ds_str **tokens, size_t *n);

/* One code point at s[0..n), its length in *len; a broken byte is itself. */
uint32_t bleu_point(const char *s, size_t n, size_t *len);
bool bleu_space(uint32_t c); /* what Python's str.split() takes for white space */

#endif
