/*
 * sample.h - the next token from logits
 *
 * What is drawn depends on the logits, the settings and a random key (seed, sequence, step) alone:
 * never on which other sequences were computed beside it.
 */
#ifndef DS_INFER_SAMPLE_H
#define DS_INFER_SAMPLE_H

#include "base/arena.h"

typedef struct {
	double temperature; /* 0: the most probable token; the lowest id where several are */
	int64_t top_k;      /* draw among the k most probable; 0: all */
	double top_p;       /* draw among the fewest that reach this probability; 1: all */
	double min_p; /* draw among those with this share of the best one's probability; 0: all */
	uint64_t seed;
	size_t n_ids; /* only ids below this are drawn, where a vocabulary is padded; 0: all */
} ds_sampling;

DS_MUST ds_rc ds_sampling_check(const ds_sampling *s, ds_err *e);
/*
 * Sequence `key`'s step'th token out of n logits, at least 1 and all finite. Uses mem for working space.
 */
uint32_t ds_sample(const ds_sampling *s, const float *logits, size_t n, uint64_t key, uint64_t step,
	ds_arena *mem);

/* log(sum of e^logit): a token's natural log probability is its logit less this. */
double ds_log_sum(const float *logits, size_t n);
typedef struct {
	uint32_t id;
	float logprob;
} ds_likely;
/* The k most probable tokens of n, k <= n, most first, the lowest id first among equals. */
void ds_most_likely(const float *logits, size_t n, double log_sum, size_t k, ds_likely *out);

#endif
