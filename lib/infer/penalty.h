/*
 * penalty.h - logits as a request changes them before a token is drawn
 *
 * A bias is added to the logits of ids. What a text has already holds back what it has again: frequency, presence
 * (OpenAI's, of what was generated: logit - count * frequency - presence) and repetition (Keskar et al.,
 * "CTRL", 2019, of prompt and what was generated: a positive logit is divided, a negative one multiplied). Ids may
 * be kept from ending a text that is too short yet.
 */
#ifndef DS_INFER_PENALTY_H
#define DS_INFER_PENALTY_H

#include "base/arena.h"

typedef struct {
	uint32_t id;
	float bias;
} ds_bias;
typedef struct { /* all zero, and repetition 1: nothing is changed */
	double presence, frequency, repetition;
	const ds_bias *biases;
	size_t n_biases;
	const uint32_t *prompt;
	size_t n_prompt;
	const uint32_t *ends; /* not to be drawn before min_tokens of the text are there */
	size_t n_ends, min_tokens;
} ds_penalty;

bool ds_penalty_any(const ds_penalty *p);
/* n logits in place; out: the n_out tokens so far. Ids that are not below n count for nothing. */
void ds_penalty_apply(const ds_penalty *p, const uint32_t *out, size_t n_out, float *logits,
	size_t n, ds_arena *mem);

#endif
