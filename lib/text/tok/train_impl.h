/*
 * train_impl.h - the counted pieces, and what merging begins with; for the train*.c files
 */
#ifndef DS_TEXT_TOK_TRAIN_IMPL_H
#define DS_TEXT_TOK_TRAIN_IMPL_H

#include "base/arena.h"
#include "text/regex.h"
#include "text/tok/scan.h"
#include "text/tok/train.h"

typedef struct { /* up to 15 bytes, the length in the last of 16; 0: free */
	uint64_t key[2];
	uint64_t count;
} short_word;

typedef struct {
	uint64_t hash, at, n; /* n 0: free */
	uint64_t count;
} long_word;

typedef struct { /* sorted pieces in a temporary file, which all runs of a counter lie in */
	int fd;
	uint64_t at, bytes;
} count_run;

struct ds_tok_counter {
	const ds_pattern *pattern; /* NULL: the regex */
	ds_buf spelled;
	ds_regex *regex;
	ds_regex_run *run;
	short_word *shorts;
	long_word *longs;
	size_t short_mask, long_mask, n_short, n_long;
	ds_buf bytes; /* of the long ones */
	uint64_t n_pieces;
	uint64_t limit;      /* of the tables in bytes; 0: none */
	uint64_t n_distinct; /* known once ds_tok_train has gone through them */
	int fd;              /* of this counter's own runs; -1: none yet */
	uint64_t fd_bytes;
	count_run *runs;
	size_t n_runs, cap_runs;
	int *fds; /* all that are to be closed */
	size_t n_fds, cap_fds;
	ds_scan scan;
	uint32_t ends[DS_SCAN_PIECES];
};

ds_tok_counter *ds_counter_new(uint64_t limit);
DS_MUST ds_rc ds_counter_put(ds_tok_counter *c, ds_str piece, uint64_t count, ds_err *e);
void ds_counter_clear(ds_tok_counter *c); /* empties the tables */

/* Every piece once, in no particular order; whether it was counted in memory or in files. */
typedef ds_rc counter_fn(void *context, ds_str piece, uint64_t count, ds_err *e);
DS_MUST ds_rc ds_counter_each(ds_tok_counter *c, counter_fn *fn, void *context, ds_err *e);

/* train_spill.c: what the tables hold as one more run, and all runs merged. */
DS_MUST ds_rc ds_spill_write(ds_tok_counter *c, ds_err *e);
void ds_spill_take(ds_tok_counter *into, ds_tok_counter *from); /* its runs */
DS_MUST ds_rc ds_spill_each(ds_tok_counter *c, counter_fn *fn, void *context, ds_err *e);
void ds_spill_close(ds_tok_counter *c);

/*
 * What pieces are made of before any merge: bytes, or for WordPiece characters, which have one id at the
 * front of a word and another ("##") inside it. DS_TOK_NONE: not in the alphabet, left out of words.
 */
typedef struct {
	uint32_t byte_id[256];
	uint32_t (*char_id)[2]; /* by code point; NULL: bytes */
} train_alphabet;

/* train_words.c: a WordPiece tokenizer's words out of raw pieces, and its alphabet, which gets its ids. */
DS_MUST ds_rc ds_words_count(
	ds_tok_counter *raw, const ds_tok *like, ds_tok_counter **words, ds_err *e);
DS_MUST ds_rc ds_words_alphabet(ds_tok *out, ds_tok_counter *words, const ds_tok_train_options *o,
	train_alphabet *a, ds_err *e);

#endif
