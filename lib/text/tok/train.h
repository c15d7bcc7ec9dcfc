/*
 * train.h - learns a byte-level BPE from text
 *
 * Text is counted piece by piece into a ds_tok_counter, one a thread; then ds_tok_train merges the
 * most frequent pair again and again. Merges equal those of Hugging Face's trainer: of equal counts
 * the pair with the lower ids is taken. Only the set of counted pieces matters, so the result does
 * not depend on threads or on the order of the text. Memory is in proportion to the distinct
 * pieces: about 16 bytes for each of their bytes while merging.
 */
#ifndef DS_TEXT_TOK_TRAIN_H
#define DS_TEXT_TOK_TRAIN_H

#include "text/tok/tok.h"

typedef struct ds_tok_counter ds_tok_counter;
/* pattern: a name of patterns.def, or a regex as tokenizer.json spells it. DS_USAGE: neither. */
DS_MUST ds_rc ds_tok_counter_new(ds_tok_counter **c, const char *pattern, ds_err *e);
void ds_tok_counter_free(ds_tok_counter *c);
DS_MUST ds_rc ds_tok_counter_add(ds_tok_counter *c, ds_str text, ds_err *e);
void ds_tok_counter_merge(ds_tok_counter *into, const ds_tok_counter *from);
uint64_t ds_tok_counter_pieces(const ds_tok_counter *c); /* all that were counted */
uint64_t ds_tok_counter_distinct(const ds_tok_counter *c);
DS_AUTO_WITH(ds_tok_counter, ds_tok_counter_free)

typedef struct {
	uint32_t n_ids;        /* of the whole vocabulary: special tokens, bytes, merges */
	uint64_t min_count;    /* pairs that occur less often are not merged */
	const ds_str *special; /* names, in the order of their ids, from 0 */
	size_t n_special;
	bool nfc; /* said in the tokenizer; the text was normalized already */
	void (*progress)(void *context, uint32_t done, uint32_t all); /* NULL: none */
	void *context;
} ds_tok_train_options;

/* Takes the counter's memory while it works: c is empty afterwards. Fewer ids where text runs out. */
DS_MUST ds_rc ds_tok_train(ds_tok **t, ds_tok_counter *c, const ds_tok_train_options *o, ds_err *e);

#endif
