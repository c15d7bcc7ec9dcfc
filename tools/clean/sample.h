/*
 * sample.h - --sample: what was shown of N records, drawn at random by the seed and the record's number
 *
 * The N records of the smallest keys stay, whatever the order they come in: the same for every -j.
 */
#ifndef DS_CLEAN_SAMPLE_H
#define DS_CLEAN_SAMPLE_H

#include "base/str.h"
#include "base/io.h"

typedef struct {
	uint64_t key, number;
	ds_buf text;
} sample_row;

typedef struct {
	sample_row *at;
	size_t n, max; /* max 0: there is none */
} sample;

uint64_t sample_key(uint64_t seed, uint64_t number);
bool sample_wants(const sample *s, uint64_t key);
/* Takes text over, and leaves it empty. For a key that it wants. */
void sample_add(sample *s, uint64_t key, uint64_t number, ds_buf *text);
/* Moves what from has into s. */
void sample_merge(sample *s, sample *from);
/* In the order of the records. */
DS_MUST ds_rc sample_write(sample *s, ds_out *out, ds_err *e);
void sample_free(sample *s);

#endif
