/*
 * mlm.h - masked language modelling: which tokens of a row are masked, and by what
 *
 * As BERT did it: round(probability * tokens) of a row are predicted; 80 % of them become the mask,
 * 10 % a random id, 10 % stay. With whole words, all tokens of a word are chosen together. What is
 * chosen depends on the seed and the row's number alone.
 */
#ifndef DS_MODEL_MLM_H
#define DS_MODEL_MLM_H

#include "base/arena.h"
#include "text/tok/tok.h"

typedef struct {
	double probability, mask, random; /* shares; random and mask of those chosen */
	bool whole_word;
	int64_t mask_id, vocab_size;
	uint64_t seed;
	int64_t n_ids;       /* of kinds */
	const uint8_t *kind; /* by id; ds_mlm_kinds */
} ds_mlm;

/* Looks at every token once: special ones are never masked, others may go on with a word. */
void ds_mlm_kinds(ds_mlm *m, const ds_tok *t, ds_arena *mem);
int64_t ds_mlm_most(const ds_mlm *m, int64_t seq); /* tokens chosen in a row, at most */
typedef struct {
	int32_t *ids;         /* [seq] masked in place */
	const uint8_t *plain; /* [seq] may it be chosen? */
	int64_t seq;
	int32_t *pick,
		*target; /* ds_mlm_most of each: positions in the row and what stood there, then -1 */
} ds_mlm_row;
/* Masks tokens of row `number`. Returns how many. */
int64_t ds_mlm_mask(const ds_mlm *m, uint64_t number, const ds_mlm_row *row, ds_arena *mem);

#endif
