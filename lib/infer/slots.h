/*
 * slots.h - sequences that come and go: admit, step, release
 *
 * A decoder has so many slots, each with room for one sequence's keys and values. A sequence is admitted into a free
 * slot at any time; a step computes a chunk of the prompts of slots that are not yet through, and one token of every slot
 * that generates; a slot is released when its sequence has ended, or earlier. Slots have lengths of their own: what is
 * computed is a list of tokens, each with its slot and position. All memory is taken at the beginning.
 *
 * A prompt that begins as one did whose slot is free starts behind what they share: its keys are there.
 *
 * What a sequence gets depends on its prompt, its settings, its key and the decoder's options: not on those beside it,
 * nor on when they came. One thread drives a decoder.
 *
 *	ds_slots_admit(d, &ask, &slot, e);                       slot -1: none is free
 *	while (ds_slots_busy(d)) {
 *		ds_slots_step(d, &events, &n, e);
 *		for each event: take event.id; at event.end (or sooner) ds_slots_release(d, event.slot)
 *	}
 */
#ifndef DS_INFER_SLOTS_H
#define DS_INFER_SLOTS_H

#include "infer/precision.h"
#include "infer/sample.h"
#include "model/engine.h"

typedef struct ds_slots ds_slots;

typedef struct {
	int64_t slots;   /* sequences at once */
	int64_t context; /* tokens of each, prompt and continuation together */
	int64_t chunk;   /* tokens of prompts that a step takes at most; 0: 32 a slot, up to 128 */
	uint64_t limit_bytes; /* weights, caches and working memory; 0: no limit */
	ds_precision precision;
	bool scores; /* prompts may be scored (ds_slot_ask.seen): a graph more */
} ds_slots_opts;

/* What opening takes, all together, without opening; threads: of the host. */
DS_MUST ds_rc ds_slots_bytes(const ds_model *m, const ds_backend *b, unsigned threads,
	const ds_slots_opts *o, uint64_t *bytes, ds_err *e);
/*
 * The model and the device are borrowed. DS_USAGE: an encoder, a context over the model's own. DS_IO: over
 * limit_bytes, or no memory, before anything is loaded.
 */
DS_MUST ds_rc ds_slots_open(
	ds_slots **d, const ds_model *m, ds_device *device, const ds_slots_opts *o, ds_err *e);
void ds_slots_close(ds_slots *d); /* NULL is fine */
DS_AUTO_WITH(ds_slots, ds_slots_close)
int64_t ds_slots_context(const ds_slots *d);

typedef struct { /* a sequence; the arrays are borrowed until it is released */
	const uint32_t *prompt;
	size_t n_prompt; /* at least 1 */
	ds_sampling how;
	uint64_t key;          /* for sampling: which sequence of the run it is */
	int64_t max_tokens;    /* 0: the logits after the prompt, and no token */
	const uint32_t *stops; /* tokens at which it ends */
	size_t n_stops;
	bool logprobs; /* are wanted: they take a pass over the vocabulary a token */
	/* Changes a copy of the logits, n of them, before a token is drawn; NULL: nothing does. Log probabilities are those
	 * before that. mem may be used. */
	void (*adjust)(void *context, float *logits, size_t n, ds_arena *mem);
	/* The logits after prompt[at], for all tokens of the prompt but the last one, in order; NULL: they are not wanted.
	 * Only where opened with scores. */
	void (*seen)(void *context, size_t at, const float *logits);
	void *context;
} ds_slot_ask;
/* *slot is -1 where none is free. DS_BAD: a prompt that is empty or over the context, an id that the model does not have. */
DS_MUST ds_rc ds_slots_admit(ds_slots *d, const ds_slot_ask *ask, int64_t *slot, ds_err *e);
size_t ds_slots_reused(
	const ds_slots *d, int64_t slot); /* tokens of the prompt that were there already */
int64_t ds_slots_free(const ds_slots *d); /* how many are */
bool ds_slots_busy(const ds_slots *d);    /* has any slot something left to compute? */

typedef enum {
	DS_SLOT_GOES_ON,
	DS_SLOT_STOP,   /* a token of stops, which is id */
	DS_SLOT_LENGTH, /* max_tokens, or the context is full; id is its last token where has_id */
} ds_slot_end;
typedef struct {
	int64_t slot;
	uint32_t id;
	bool has_id;
	float logprob;       /* natural, at temperature 1; where ask.logprobs */
	size_t n_out;        /* tokens so far, id included */
	const float *logits; /* [vocabulary]: the model's, before adjust; until the next step */
	ds_slot_end end;     /* unless it goes on, nothing more comes of this slot */
} ds_slot_event;
/* events live until the next call. DS_BAD: logits that are not finite. */
DS_MUST ds_rc ds_slots_step(ds_slots *d, const ds_slot_event **events, size_t *n, ds_err *e);
void ds_slots_release(ds_slots *d, int64_t slot);
ds_exec *ds_slots_weights(ds_slots *d); /* for the other engines of the same model (exec.share) */

#endif
