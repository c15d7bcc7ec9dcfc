/*
 * train_impl.h - the counted pieces, as train.c takes them over from train_count.c
 */
#ifndef DS_TEXT_TOK_TRAIN_IMPL_H
#define DS_TEXT_TOK_TRAIN_IMPL_H

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
	ds_scan scan;
	uint32_t ends[DS_SCAN_PIECES];
};

void counter_release(ds_tok_counter *c); /* frees the tables; c stays usable and empty */

#endif
