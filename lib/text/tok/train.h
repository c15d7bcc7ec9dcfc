/*
 * train.h - learns a byte-level BPE or a WordPiece from text
 *
 * Text is counted piece by piece into a ds_tok_counter, one a thread; then ds_tok_train merges the
 * most frequent pair again and again. Merges equal those of Hugging Face's trainer: of equal counts
 * the pair with the lower ids is taken. Only the set of counted pieces matters, so the result does
 * not depend on threads or on the order of the text. WordPiece is merges as well, over characters of
 * which those inside words have "##" before them.
 *
 * Memory is in proportion to the distinct pieces: about 16 bytes for each of their bytes while merging.
 * Counts beyond a counter's limit go to a temporary file and come back exact.
 */
#ifndef DS_TEXT_TOK_TRAIN_H
#define DS_TEXT_TOK_TRAIN_H

#include "text/tok/tok.h"

typedef struct ds_tok_counter ds_tok_counter;
/*
 * pattern: a name of patterns.def, or a regex as tokenizer.json spells it; those for WordPiece train one.
 * DS_USAGE: neither. limit_bytes: of its tables, 0: none.
 */
DS_MUST ds_rc ds_tok_counter_new(
	ds_tok_counter **c, const char *pattern, uint64_t limit_bytes, ds_err *e);
void ds_tok_counter_free(ds_tok_counter *c);
DS_MUST ds_rc ds_tok_counter_add(ds_tok_counter *c, ds_str text, ds_err *e);
/* from is empty afterwards. */
DS_MUST ds_rc ds_tok_counter_merge(ds_tok_counter *into, ds_tok_counter *from, ds_err *e);
uint64_t ds_tok_counter_pieces(const ds_tok_counter *c);   /* all that were counted */
uint64_t ds_tok_counter_distinct(const ds_tok_counter *c); /* known after ds_tok_train */
DS_AUTO_WITH(ds_tok_counter, ds_tok_counter_free)

typedef struct {
	uint32_t n_ids;        /* of the whole vocabulary: special tokens, bytes, merges */
	uint64_t min_count;    /* pairs that occur less often are not merged */
	const ds_str *special; /* names, in the order of their ids, from 0 */
	size_t n_special;
	size_t limit_alphabet; /* characters of a WordPiece, 0: all that there are */
	uint64_t limit_bytes;  /* DS_IO where merging would take more; 0: none */
	bool nfc;              /* said in the tokenizer; the text was normalized already */
	void (*progress)(void *context, uint32_t done, uint32_t all); /* NULL: none */
	void *context;
} ds_tok_train_options;

/* Takes the counter's memory while it works: c is empty afterwards. Fewer ids where text runs out. */
DS_MUST ds_rc ds_tok_train(ds_tok **t, ds_tok_counter *c, const ds_tok_train_options *o, ds_err *e);

#endif
