/*
 * penalty.c - biases, penalties and ends that come too early
 */
#include "infer/penalty.h"

bool ds_penalty_any(const ds_penalty *p)
{
	return p->presence != 0 || p->frequency != 0 || p->repetition != 1 || p->n_biases ||
	       (p->min_tokens && p->n_ends);
}

static void repeat(const ds_penalty *p, const uint32_t *ids, size_t n_ids, float *logits, size_t n,
	uint8_t *done)
{
	for (size_t i = 0; i < n_ids; i++) {
		uint32_t id = ids[i];
		if (id >= n || done[id])
			continue;
		done[id] = 1;
		double l = logits[id];
		logits[id] = (float)(l > 0 ? l / p->repetition : l * p->repetition);
	}
}

void ds_penalty_apply(const ds_penalty *p, const uint32_t *out, size_t n_out, float *logits,
	size_t n, ds_arena *mem)
{
	if (p->repetition != 1) {
		uint8_t *done = ds_arena_zero(mem, n);
		repeat(p, p->prompt, p->n_prompt, logits, n, done);
		repeat(p, out, n_out, logits, n, done);
	}
	if (p->presence != 0 || p->frequency != 0) {
		uint8_t *done = ds_arena_zero(mem, n);
		for (size_t i = 0; i < n_out; i++) {
			if (out[i] >= n)
				continue;
			logits[out[i]] -= (float)(p->frequency + (done[out[i]] ? 0 : p->presence));
			done[out[i]] = 1;
		}
	}
	for (size_t i = 0; i < p->n_biases; i++)
		if (p->biases[i].id < n)
			logits[p->biases[i].id] += p->biases[i].bias;
	for (size_t i = 0; i < p->n_ends && n_out < p->min_tokens; i++)
		if (p->ends[i] < n)
			logits[p->ends[i]] = -1e30f;
}
