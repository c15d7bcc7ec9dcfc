/*
 * likelihoods.h - log probabilities of a request's texts as tensors of KServe
 *
 * A row a text, as long as the longest: *output_ids*, -1 behind a text's end; *logprobs* of these tokens, NaN behind the end and for the
 * first token of a prompt that is echoed; with alternatives *top_ids* and *top_logprobs*, so many a token, most probable first.
 */
#ifndef SERVE_LIKELIHOODS_H
#define SERVE_LIKELIHOODS_H

#include "gen.h"
#include "tensors.h"

bool likelihoods_has(const char *output); /* is it the name of one of these? */
void likelihoods_add(const gen *g, infer_response *a, ds_arena *mem);

#endif
