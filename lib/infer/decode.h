/*
 * decode.h - continuing sequences with a KV cache, several at once
 *
 * A decoder owns two graphs over one set of weights and caches: one takes prompts in pieces, one takes
 * a token of every sequence. Sequences of a batch advance together; one that has ended is computed on
 * and ignored. What a sequence gets does not depend on the others beside it.
 */
#ifndef DS_INFER_DECODE_H
#define DS_INFER_DECODE_H

#include "infer/sample.h"
#include "model/engine.h"

typedef struct ds_decoder ds_decoder;

typedef struct { /* one sequence; arrays are the caller's */
	const uint32_t *prompt;
	size_t n_prompt; /* at least 1 */
	uint64_t key;    /* for sampling: the record's number */
	uint32_t *out;   /* room for max_tokens */
	size_t n_out;    /* written; the end-of-sequence token is not among them */
	float *logprobs; /* room for max_tokens, or NULL */
	float *logits;   /* room for the vocabulary: those after the prompt; or NULL */
} ds_sequence;

/*
 * Room for `batch` sequences of up to `context` tokens, prompt and continuation together. The model and
 * the device are borrowed. DS_USAGE where context is over the model's own.
 */
DS_MUST ds_rc ds_decoder_open(ds_decoder **d, const ds_model *m, ds_device *device, int64_t batch,
	int64_t context, ds_err *e);
void ds_decoder_close(ds_decoder *d); /* NULL is fine */
DS_AUTO_WITH(ds_decoder, ds_decoder_close)
int64_t ds_decoder_context(const ds_decoder *d);

/*
 * Continues n <= batch sequences until each has max_tokens more, ends with one of `ends`, or fills the
 * context. max_tokens may be 0, for logits alone. Ids must be below the model's vocabulary size.
 * DS_BAD where logits are not finite.
 */
DS_MUST ds_rc ds_decoder_run(ds_decoder *d, ds_sequence *s, size_t n, const ds_sampling *how,
	int64_t max_tokens, const int64_t *ends, size_t n_ends, ds_err *e);

#endif
