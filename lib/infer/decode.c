/*
 * decode.c - prompts in pieces, then a token at a time
 *
 * A prompt's last piece is padded on the right. Padding rows write keys behind the sequence's end; no query
 * may see them, because attention is causal, and the tokens that come next overwrite them. So the
 * caches have room for one piece more than the context.
 *
 * Virtual tokens (model/soft.h) are keys and values at the beginning of every sequence's caches, put there
 * once: a prefix as it is stored, a prompt by running it. Everything else is behind them.
 */
#include "infer/decode.h"

#include "base/finite.h"
#include "base/mem.h"

enum { PIECE = 32 }; /* tokens of a prompt taken at once: 256 rows at a batch of 8 */

struct ds_decoder {
	ds_engine *soft;          /* runs a prompt's virtual tokens, once; NULL: there is none */
	ds_engine *prompt, *step; /* they share the weights and caches of the first of these */
	int64_t batch, context, vocab, max_positions;
	int64_t front;          /* virtual tokens */
	ds_arena *mem, *logits; /* for a choice; for a run's logits */
};

/* [token, layer, key or value]: into the caches of every sequence. */
static ds_rc fill_prefix(ds_decoder *d, const ds_model *m, int64_t kv_seq, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	int64_t width = c->n_kv_heads * c->head_dim;
	float *row = ds_arena_get(d->mem, (size_t)width * sizeof(*row));
	for (int64_t layer = 0; layer < c->n_layers; layer++)
		for (int what = 0; what < 2; what++) {
			DS_NAME(name, "cache.%lld.%c", (long long)layer, what ? 'v' : 'k');
			ds_tid cache = ds_g_find(d->prompt->g, name);
			for (int64_t i = 0; i < d->batch * d->front; i++) {
				int64_t t = i % d->front, to = i / d->front * kv_seq + t;
				DS_TRY(ds_model_soft_row(
					m, t, (2 * layer + what) * width, width, row, e));
				DS_TRY(ds_exec_write(
					d->prompt->x, cache, to * width, width, row, e));
			}
		}
	return DS_OK;
}

/* The virtual tokens alone, through the caches. */
static ds_rc run_soft(ds_decoder *d, ds_err *e)
{
	ds_engine *n = d->soft;
	int32_t *ids = ds_exec_input(n->x, n->b.ids);
	for (int64_t i = 0; i < d->batch * d->front; i++)
		ids[i] = -1;
	ds_model_positions(n->x, n->g, &n->b);
	for (int64_t i = 0; i < d->batch; i++) {
		((int32_t *)ds_exec_input(n->x, n->b.past))[i] = 0;
		((int32_t *)ds_exec_input(n->x, n->b.rows))[i] = (int32_t)(i * d->front);
	}
	return ds_engine_run(n, e);
}

static ds_rc open_engines(ds_decoder *d, const ds_model *m, ds_device *device, ds_err *e)
{
	const ds_soft *soft = ds_model_soft(m);
	int64_t kv_seq = d->front + d->context + PIECE;
	ds_engine_opts o = { .config = ds_model_config(m),
		.batch = d->batch,
		.seq = d->front,
		.build = { .kv_seq = kv_seq, .n_logits = d->batch, .soft = soft },
		.weights = m };
	if (soft && soft->kind == DS_SOFT_PROMPT) {
		DS_TRY(ds_engine_open(&d->soft, device, &o, e));
		DS_TRY(run_soft(d, e));
		o.exec.share = d->soft->x;
		o.weights = NULL;
	}
	o.build.soft = NULL;
	o.seq = PIECE;
	DS_TRY(ds_engine_open(&d->prompt, device, &o, e));
	o.exec.share = d->prompt->x;
	o.weights = NULL;
	o.seq = 1;
	DS_TRY(ds_engine_open(&d->step, device, &o, e));
	return soft && soft->kind == DS_SOFT_PREFIX ? fill_prefix(d, m, kv_seq, e) : DS_OK;
}

ds_rc ds_decoder_open(ds_decoder **out, const ds_model *m, ds_device *device, int64_t batch,
	int64_t context, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	if (c->arch->traits & DS_ARCH_ENCODER)
		return ds_fail(
			e, DS_USAGE, "%s is an encoder, which continues nothing", c->arch->name);
	if (context > ds_model_longest(m))
		return ds_fail(e, DS_USAGE, "a context of %lld tokens, the model's is %lld",
			(long long)context, (long long)ds_model_longest(m));
	DS_AUTO(ds_decoder) d = DS_NEW(ds_decoder, 1);
	d->batch = batch;
	d->context = context;
	d->front = c->max_positions - ds_model_longest(m);
	d->vocab = c->vocab_size;
	d->max_positions = c->max_positions;
	d->mem = ds_arena_new(1 << 20);
	d->logits = ds_arena_new(1 << 16);
	DS_TRY(open_engines(d, m, device, e));
	*out = d;
	d = NULL;
	return DS_OK;
}

void ds_decoder_close(ds_decoder *d)
{
	if (!d)
		return;
	ds_engine_close(d->step);
	ds_engine_close(d->prompt);
	ds_engine_close(d->soft);
	ds_arena_free(d->mem);
	ds_arena_free(d->logits);
	ds_mem_free(d);
}

int64_t ds_decoder_context(const ds_decoder *d)
{
	return d->context;
}

static int32_t *input(const ds_engine *n, ds_tid t)
{
	return ds_exec_input(n->x, t);
}

/* Row `row` of sequence i: token id at a position of the sequence. */
static void put(const ds_decoder *d, const ds_engine *n, size_t i, int64_t row, uint32_t id,
	int64_t position)
{
	int64_t at = (int64_t)i * n->g->seq + row;
	position += d->front;
	input(n, n->b.ids)[at] = (int32_t)id;
	if (n->b.positions)
		input(n, n->b.positions)[at] =
			(int32_t)(position < d->max_positions ? position : d->max_positions - 1);
}

/* logits[i * vocab]: of sequence i, until the next run. */
static ds_rc run(ds_decoder *d, ds_engine *n, const float **logits, ds_err *e)
{
	const void *at;
	ds_arena_reset(d->logits);
	DS_TRY(ds_engine_run(n, e));
	DS_TRY(ds_exec_view(n->x, n->b.logits, d->logits, &at, e));
	*logits = at;
	return DS_OK;
}

/* All prompts through the caches; last[i * vocab] gets the logits after sequence i's last token. */
static ds_rc take_prompts(ds_decoder *d, const ds_sequence *s, size_t n, float *last, ds_err *e)
{
	ds_engine *p = d->prompt;
	const float *logits;
	size_t longest = 0;
	for (size_t i = 0; i < n; i++)
		longest = s[i].n_prompt > longest ? s[i].n_prompt : longest;
	for (size_t from = 0; from < longest; from += PIECE) {
		for (size_t i = 0; i < (size_t)d->batch; i++) {
			size_t len = i < n ? s[i].n_prompt : 0, past = from < len ? from : len;
			for (int64_t r = 0; r < PIECE; r++) {
				size_t at = past + (size_t)r;
				put(d, p, i, r, at < len ? s[i].prompt[at] : 0, (int64_t)at);
			}
			input(p, p->b.past)[i] = (int32_t)((int64_t)past + d->front);
			int64_t end = len > past ? (int64_t)(len - past) : 1;
			input(p, p->b.rows)[i] =
				(int32_t)((int64_t)i * PIECE + (end < PIECE ? end : PIECE) - 1);
		}
		DS_TRY(run(d, p, &logits, e));
		for (size_t i = 0; i < n; i++)
			if (from < s[i].n_prompt && from + PIECE >= s[i].n_prompt)
				memcpy(last + i * (size_t)d->vocab, logits + i * (size_t)d->vocab,
					(size_t)d->vocab * sizeof(float));
	}
	return DS_OK;
}

static ds_rc check_logits(const ds_decoder *d, const ds_sequence *s, const float *logits, ds_err *e)
{
	size_t n = (size_t)d->vocab, bad = ds_f32_finite(logits, n);
	return bad == n ? DS_OK
			: ds_fail(e, DS_BAD,
				  "the logits are not finite after token %zu: that of id %zu is %g",
				  s->n_prompt + s->n_out, bad, (double)logits[bad]);
}

typedef struct { /* how sequences go on, and until when */
	const ds_sampling *how;
	int64_t max_tokens;
	const int64_t *ends;
	size_t n_ends;
} limits;

/* Takes the next token of one sequence; false when it has ended. Its logits have been checked. */
static bool choose(ds_decoder *d, ds_sequence *s, const float *logits, const limits *l)
{
	float logprob;
	if ((int64_t)s->n_out >= l->max_tokens || (int64_t)(s->n_prompt + s->n_out) >= d->context)
		return false;
	ds_arena_reset(d->mem);
	uint32_t id =
		ds_sample(l->how, logits, (size_t)d->vocab, s->key, s->n_out, d->mem, &logprob);
	for (size_t i = 0; i < l->n_ends; i++)
		if (l->ends[i] == (int64_t)id)
			return false;
	if (s->logprobs)
		s->logprobs[s->n_out] = logprob;
	s->out[s->n_out++] = id;
	return true;
}

static ds_rc check(const ds_decoder *d, const ds_sequence *s, size_t n, ds_err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i].n_prompt == 0 || (int64_t)s[i].n_prompt > d->context)
			return ds_fail(e, DS_BAD, "a prompt of %zu tokens, the limit is %lld",
				s[i].n_prompt, (long long)d->context);
		for (size_t k = 0; k < s[i].n_prompt; k++)
			if (s[i].prompt[k] >= d->vocab)
				return ds_fail(e, DS_BAD, "token id %u, the model has %lld",
					s[i].prompt[k], (long long)d->vocab);
	}
	return DS_OK;
}

static ds_rc advance(
	ds_decoder *d, ds_sequence *s, size_t n, const bool *alive, const float **logits, ds_err *e)
{
	ds_engine *t = d->step;
	for (size_t i = 0; i < (size_t)d->batch; i++) {
		bool on = i < n && alive[i];
		/* One that ended stays where it is: its row writes over its own last place. */
		int64_t at = i < n ? (int64_t)(s[i].n_prompt + s[i].n_out) - on : 0;
		put(d, t, i, 0, on ? s[i].out[s[i].n_out - 1] : 0, at);
		input(t, t->b.past)[i] = (int32_t)(at + d->front);
		input(t, t->b.rows)[i] = (int32_t)i;
	}
	return run(d, t, logits, e);
}

ds_rc ds_decoder_run(ds_decoder *d, ds_sequence *s, size_t n, const ds_sampling *how,
	int64_t max_tokens, const int64_t *ends, size_t n_ends, ds_err *e)
{
	limits until = { how, max_tokens, ends, n_ends };
	DS_TRY(check(d, s, n, e));
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	float *last = ds_arena_get(mem, n * (size_t)d->vocab * sizeof(*last));
	bool *alive = ds_arena_zero(mem, n), any = false;
	DS_TRY(take_prompts(d, s, n, last, e));
	for (size_t i = 0; i < n; i++) {
		const float *l = last + i * (size_t)d->vocab;
		s[i].n_out = 0;
		DS_TRY(check_logits(d, &s[i], l, e));
		if (s[i].logits)
			memcpy(s[i].logits, l, (size_t)d->vocab * sizeof(*l));
		alive[i] = choose(d, &s[i], l, &until);
		any = any || alive[i];
	}
	while (any) {
		const float *logits;
		DS_TRY(advance(d, s, n, alive, &logits, e));
		any = false;
		for (size_t i = 0; i < n; i++) {
			const float *l = logits + i * (size_t)d->vocab;
			if (!alive[i])
				continue;
			DS_TRY(check_logits(d, &s[i], l, e));
			alive[i] = choose(d, &s[i], l, &until);
			any = any || alive[i];
		}
	}
	return DS_OK;
}
