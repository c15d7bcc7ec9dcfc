/*
 * slots.c - what is computed is a list of tokens
 *
 * Every row of a graph is a sequence of one query: a token, its position, and the slot whose cache it writes and reads.
 * Rows of one slot may follow one another, since all keys and values are put before any query looks. A row that
 * is not needed has position -1: it writes nothing and sees nothing.
 *
 * Prompts always go through one graph and generated tokens through another, each always with all its rows: a matrix
 * product may sum in another order where it has another number of rows, and then a sequence's last bits, and sometimes
 * its words, would depend on how many others there are.
 *
 * Prompts that are scored go through a third graph, with logits of every row.
 *
 * Virtual tokens (model/soft.h) are keys and values at the beginning of every slot's cache, put there once: a prefix as it
 * is stored, a prompt by running it. Everything else is behind them.
 */
#include "infer/slots.h"

#include "base/finite.h"
#include "base/mem.h"
#include "graph/backend.h"

#include <assert.h>

enum { PIECE = 32, CHUNK = 128 };

typedef enum { IS_FREE, FILLS, RUNS, ENDED } slot_state;

typedef struct {
	slot_state state;
	ds_slot_ask ask;
	size_t n_cached; /* its tokens whose keys are in the cache */
	size_t n_reused; /* those of them that were there when it came */
	uint32_t *
		prepacked; /* the tokens of prompts whose keys are in the cache, computed as prompts */
	size_t n_kept;
	size_t n_out;
	uint32_t last;  /* the token that is to be computed next */
	uint64_t order; /* of admission */
} slot;

typedef struct { /* what a step computes */
	int64_t slot;
	size_t at;   /* which of its tokens */
	bool wanted; /* its logits are */
} step_row;

struct ds_slots {
	ds_engine *soft;          /* runs a prompt's virtual tokens, once; NULL: there are none */
	ds_engine *step, *prompt; /* they share weights and caches, the soft one too */
	ds_engine *score;         /* NULL: prompts are not scored */
	ds_slots_opts o;
	int64_t vocab, max_positions;
	int64_t front; /* virtual tokens */
	slot *slots;
	uint64_t n_admitted;
	step_row *rows;
	ds_slot_event *events;
	ds_arena *mem;             /* what lives as long as this */
	ds_arena *choice, *logits; /* for a choice; for a step's logits */
};

/* ---- opening ---- */

static ds_slots_opts settled(const ds_slots_opts *o)
{
	ds_slots_opts s = *o;
	if (!s.chunk)
		s.chunk = PIECE * s.slots < CHUNK ? PIECE * s.slots : CHUNK;
	return s;
}

static int64_t front_of(const ds_model *m)
{
	const ds_soft *soft = ds_model_soft(m);
	return soft ? soft->tokens : 0;
}

static ds_engine_opts engine_of(const ds_model *m, const ds_slots_opts *o, int64_t rows)
{
	ds_engine_opts e = { .config = ds_model_config(m),
		.batch = rows,
		.seq = 1,
		.build = { .kv_seq = front_of(m) + o->context,
			.n_slots = o->slots,
			.n_logits = rows < o->slots ? rows : o->slots } };
	/* Halves and bytes are read faster than floats, of which prepacked ones take six bytes. */
	if (o->precision != DS_PRECISION_FP32)
		ds_precision_set(&e.compile, o->precision);
	return e;
}

/* As a prompt's, with logits of all rows. */
static ds_engine_opts score_of(const ds_model *m, const ds_slots_opts *o)
{
	ds_engine_opts s = engine_of(m, o, o->chunk);
	s.build.n_logits = o->chunk;
	return s;
}

/* The graph of a prompt's virtual tokens: a whole sequence for every slot. */
static ds_engine_opts soft_of(const ds_model *m, const ds_slots_opts *o)
{
	ds_engine_opts s = engine_of(m, o, o->slots);
	s.seq = front_of(m);
	s.build.n_slots = 0;
	s.build.soft = ds_model_soft(m);
	return s;
}

/* All have the same weights and caches, and the same forms of these. */
static ds_rc add_bytes(const ds_backend *b, unsigned threads, const ds_engine_opts *o, bool first,
	uint64_t *bytes, ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	ds_plan p;
	DS_TRY(ds_engine_plan(&n, b, o, e));
	ds_plan_make(&p, n->g, b, threads);
	*bytes += p.total_bytes;
	if (!first)
		*bytes -= p.bytes[DS_CLASS_PARAM] + p.bytes[DS_CLASS_STATE] + p.prepacked_bytes;
	ds_plan_release(&p);
	return DS_OK;
}

static bool has_prompt(const ds_model *m)
{
	const ds_soft *soft = ds_model_soft(m);
	return soft && soft->kind == DS_SOFT_PROMPT;
}

ds_rc ds_slots_bytes(const ds_model *m, const ds_backend *b, unsigned threads,
	const ds_slots_opts *given, uint64_t *bytes, ds_err *e)
{
	ds_slots_opts o = settled(given);
	ds_engine_opts step = engine_of(m, &o, o.slots), prompt = engine_of(m, &o, o.chunk);
	ds_engine_opts soft = soft_of(m, &o), score = score_of(m, &o);
	*bytes = 0;
	DS_TRY(add_bytes(b, threads, &step, true, bytes, e));
	DS_TRY(add_bytes(b, threads, &prompt, false, bytes, e));
	if (o.scores)
		DS_TRY(add_bytes(b, threads, &score, false, bytes, e));
	return has_prompt(m) ? add_bytes(b, threads, &soft, false, bytes, e) : DS_OK;
}

static ds_rc check_limit(const ds_slots *d, const ds_model *m, ds_device *device, ds_err *e)
{
	uint64_t bytes;
	if (!d->o.limit_bytes)
		return DS_OK;
	DS_TRY(ds_slots_bytes(m, device->backend, ds_pool_threads(device->pool), &d->o, &bytes, e));
	if (bytes <= d->o.limit_bytes)
		return DS_OK;
	return ds_fail(e, DS_IO,
		"%lld sequences of %lld tokens take %.0f MiB with the weights, the limit is %.0f "
		"MiB",
		(long long)d->o.slots, (long long)d->o.context, (double)bytes / (1 << 20),
		(double)d->o.limit_bytes / (1 << 20));
}

/* [token, layer, key or value]: into every slot's cache. */
static ds_rc fill_prefix(ds_slots *d, const ds_model *m, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	int64_t width = c->n_kv_heads * c->head_dim, kv_seq = d->front + d->o.context;
	float *row = ds_arena_get(d->mem, (size_t)width * sizeof(*row));
	ds_engine *n = d->step;
	for (int64_t layer = 0; layer < c->n_layers; layer++)
		for (int what = 0; what < 2; what++) {
			DS_NAME(name, "cache.%lld.%c", (long long)layer, what ? 'v' : 'k');
			ds_tid cache = ds_g_find(n->g, name);
			for (int64_t i = 0; i < d->o.slots * d->front; i++) {
				int64_t t = i % d->front, to = i / d->front * kv_seq + t;
				DS_TRY(ds_model_soft_row(
					m, t, (2 * layer + what) * width, width, row, e));
				DS_TRY(ds_exec_write(n->x, cache, to * width, width, row, e));
			}
		}
	return DS_OK;
}

static int32_t *input(const ds_engine *n, ds_tid t)
{
	return ds_exec_input(n->x, t);
}

/* The virtual tokens alone, through the caches. */
static ds_rc run_soft(ds_slots *d, ds_err *e)
{
	ds_engine *n = d->soft;
	for (int64_t i = 0; i < d->o.slots * d->front; i++)
		input(n, n->b.ids)[i] = -1;
	ds_model_positions(n->x, n->g, &n->b);
	for (int64_t i = 0; i < d->o.slots; i++) {
		input(n, n->b.past)[i] = 0;
		input(n, n->b.rows)[i] = (int32_t)(i * d->front);
	}
	return ds_engine_run(n, e);
}

static ds_rc open_graphs(ds_slots *d, const ds_model *m, ds_device *device, ds_err *e)
{
	const ds_soft *soft = ds_model_soft(m);
	ds_engine_opts step = engine_of(m, &d->o, d->o.slots), o = soft_of(m, &d->o),
		       prompt = engine_of(m, &d->o, d->o.chunk);
	step.weights = m;
	if (has_prompt(m)) {
		o.weights = m;
		DS_TRY(ds_engine_open(&d->soft, device, &o, e));
		DS_TRY(run_soft(d, e));
		step.exec.share = d->soft->x;
		step.weights = NULL;
	}
	DS_TRY(ds_engine_open(&d->step, device, &step, e));
	prompt.exec.share = d->step->x;
	DS_TRY(ds_engine_open(&d->prompt, device, &prompt, e));
	if (d->o.scores) {
		ds_engine_opts score = score_of(m, &d->o);
		score.exec.share = d->step->x;
		DS_TRY(ds_engine_open(&d->score, device, &score, e));
	}
	return soft && soft->kind == DS_SOFT_PREFIX ? fill_prefix(d, m, e) : DS_OK;
}

ds_rc ds_slots_open(
	ds_slots **out, const ds_model *m, ds_device *device, const ds_slots_opts *o, ds_err *e)
{
	const ds_config *c = ds_model_config(m);
	if (c->arch->traits & DS_ARCH_ENCODER)
		return ds_fail(
			e, DS_USAGE, "%s is an encoder, which continues nothing", c->arch->name);
	if (o->context > ds_model_longest(m))
		return ds_fail(e, DS_USAGE, "a context of %lld tokens, the model's is %lld",
			(long long)o->context, (long long)ds_model_longest(m));
	DS_AUTO(ds_slots) d = DS_NEW(ds_slots, 1);
	d->o = settled(o);
	d->front = front_of(m);
	d->vocab = c->vocab_size;
	d->max_positions = d->front + ds_model_longest(m);
	d->mem = ds_arena_new(1 << 16);
	d->choice = ds_arena_new(1 << 20);
	d->logits = ds_arena_new(1 << 16);
	d->slots = ds_arena_zero(d->mem, (size_t)d->o.slots * sizeof(*d->slots));
	d->events = ds_arena_get(d->mem, (size_t)d->o.slots * sizeof(*d->events));
	for (int64_t i = 0; i < d->o.slots; i++)
		d->slots[i].prepacked =
			ds_arena_get(d->mem, (size_t)d->o.context * sizeof(*d->slots[i].prepacked));
	int64_t most = d->o.chunk > d->o.slots ? d->o.chunk : d->o.slots;
	d->rows = ds_arena_get(d->mem, (size_t)most * sizeof(*d->rows));
	DS_TRY(check_limit(d, m, device, e));
	DS_TRY(open_graphs(d, m, device, e));
	*out = d;
	d = NULL;
	return DS_OK;
}

void ds_slots_close(ds_slots *d)
{
	if (!d)
		return;
	ds_engine_close(d->score);
	ds_engine_close(d->prompt);
	ds_engine_close(d->step);
	ds_engine_close(d->soft);
	ds_arena_free(d->mem);
	ds_arena_free(d->choice);
	ds_arena_free(d->logits);
	ds_mem_free(d);
}

int64_t ds_slots_context(const ds_slots *d)
{
	return d->o.context;
}

/* ---- coming and going ---- */

static ds_rc check_ask(const ds_slots *d, const ds_slot_ask *ask, ds_err *e)
{
	if (ask->n_prompt == 0 || (int64_t)ask->n_prompt > d->o.context)
		return ds_fail(e, DS_BAD, "a prompt of %zu tokens, the limit is %lld",
			ask->n_prompt, (long long)d->o.context);
	for (size_t k = 0; k < ask->n_prompt; k++)
		if (ask->prompt[k] >= d->vocab)
			return ds_fail(e, DS_BAD, "token id %u, the model has %lld", ask->prompt[k],
				(long long)d->vocab);
	return DS_OK;
}

/* Of a prompt, the tokens that a slot's cache begins with; the last one is computed in any case. */
static size_t in_common(const slot *s, const ds_slot_ask *ask)
{
	size_t n = 0;
	while (n < s->n_kept && n + 1 < ask->n_prompt && s->prepacked[n] == ask->prompt[n])
		n++;
	return ask->seen ? 0 : n;
}

/* The free slot that shares most with a prompt, of those with the same the one used longest ago; -1: none is free. */
static int64_t choose_slot(const ds_slots *d, const ds_slot_ask *ask, size_t *shared)
{
	int64_t at = -1;
	*shared = 0;
	for (int64_t i = 0; i < d->o.slots; i++) {
		const slot *s = &d->slots[i];
		if (s->state != IS_FREE)
			continue;
		size_t n = in_common(s, ask);
		if (at >= 0 && (n < *shared || (n == *shared && s->order >= d->slots[at].order)))
			continue;
		at = i;
		*shared = n;
	}
	return at;
}

ds_rc ds_slots_admit(ds_slots *d, const ds_slot_ask *ask, int64_t *at, ds_err *e)
{
	DS_TRY(check_ask(d, ask, e));
	assert(!ask->seen || d->score);
	size_t shared;
	*at = choose_slot(d, ask, &shared);
	if (*at < 0)
		return DS_OK;
	slot *s = &d->slots[*at];
	*s = (slot){ .state = FILLS,
		.ask = *ask,
		.order = d->n_admitted++,
		.prepacked = s->prepacked,
		.n_cached = shared,
		.n_reused = shared,
		.n_kept = shared };
	return DS_OK;
}

void ds_slots_release(ds_slots *d, int64_t at)
{
	d->slots[at].state = IS_FREE;
}

size_t ds_slots_reused(const ds_slots *d, int64_t at)
{
	return d->slots[at].n_reused;
}

ds_exec *ds_slots_weights(ds_slots *d)
{
	return d->step->x;
}

int64_t ds_slots_free(const ds_slots *d)
{
	int64_t n = 0;
	for (int64_t i = 0; i < d->o.slots; i++)
		n += d->slots[i].state == IS_FREE;
	return n;
}

bool ds_slots_busy(const ds_slots *d)
{
	for (int64_t i = 0; i < d->o.slots; i++)
		if (d->slots[i].state == FILLS || d->slots[i].state == RUNS)
			return true;
	return false;
}

/* ---- a step ---- */

/* Of the slots whose prompts are not yet done, the one admitted first behind `after`; -1: none. */
static int64_t next_filling(const ds_slots *d, bool scored, uint64_t after)
{
	int64_t best = -1;
	for (int64_t i = 0; i < d->o.slots; i++) {
		const slot *s = &d->slots[i];
		if (s->state == FILLS && !s->ask.seen == !scored && s->order >= after &&
			(best < 0 || s->order < d->slots[best].order))
			best = i;
	}
	return best;
}

/* A token of every slot that generates. */
static int64_t choose_tokens(const ds_slots *d)
{
	int64_t n = 0;
	for (int64_t i = 0; i < d->o.slots; i++)
		if (d->slots[i].state == RUNS)
			d->rows[n++] = (step_row){ i, d->slots[i].n_cached, true };
	return n;
}

/* Prompts, in the order of their coming. */
static int64_t choose_chunk(const ds_slots *d, bool scored)
{
	int64_t n = 0;
	for (int64_t i = next_filling(d, scored, 0); i >= 0 && n < d->o.chunk;
		i = next_filling(d, scored, d->slots[i].order + 1)) {
		const slot *s = &d->slots[i];
		for (size_t k = s->n_cached; k < s->ask.n_prompt && n < d->o.chunk; k++)
			d->rows[n++] = (step_row){ i, k, scored || k + 1 == s->ask.n_prompt };
	}
	return n;
}

/* Writes a row into the graph's inputs; its slot goes on by a token. */
static void put_row(ds_slots *d, ds_engine *n, int64_t row)
{
	slot *s = &d->slots[d->rows[row].slot];
	int64_t position = d->front + (int64_t)s->n_cached;
	uint32_t id = s->state == RUNS ? s->last : s->ask.prompt[s->n_cached];
	if (s->state == FILLS)
		s->prepacked[s->n_kept++] = id;
	s->n_cached++;
	input(n, n->b.ids)[row] = (int32_t)id;
	input(n, n->b.past)[row] = (int32_t)position;
	input(n, n->b.slots)[row] = (int32_t)d->rows[row].slot;
	if (n->b.positions)
		input(n, n->b.positions)[row] =
			(int32_t)(position < d->max_positions ? position : d->max_positions - 1);
}

static void put_idle(ds_engine *n, int64_t row)
{
	input(n, n->b.ids)[row] = 0;
	input(n, n->b.past)[row] = -1;
	input(n, n->b.slots)[row] = 0;
	if (n->b.positions)
		input(n, n->b.positions)[row] = 0;
}

/* Runs a graph with n_rows rows; logits[k * vocab] are those of the k-th that wants them. */
static ds_rc compute(ds_slots *d, ds_engine *n, int64_t n_rows, const float **logits, ds_err *e)
{
	const void *at;
	int64_t wanted = 0;
	for (int64_t i = 0; i < n_rows; i++) {
		put_row(d, n, i);
		if (d->rows[i].wanted)
			input(n, n->b.rows)[wanted++] = (int32_t)i;
	}
	for (int64_t i = n_rows; i < n->g->batch; i++)
		put_idle(n, i);
	for (; wanted < n->b.n_logits; wanted++)
		input(n, n->b.rows)[wanted] = 0;
	DS_TRY(ds_engine_run(n, e));
	DS_TRY(ds_exec_view(n->x, n->b.logits, d->logits, &at, e));
	*logits = at;
	return DS_OK;
}

static bool stops_at(const slot *s, uint32_t id)
{
	for (size_t i = 0; i < s->ask.n_stops; i++)
		if (s->ask.stops[i] == id)
			return true;
	return false;
}

/* Draws a token, out of a copy of the logits where they are changed before. */
static uint32_t draw(ds_slots *d, const slot *s, const float *logits)
{
	size_t n = (size_t)d->vocab;
	ds_arena_reset(d->choice);
	if (s->ask.adjust) {
		float *own = ds_arena_get(d->choice, n * sizeof(*own));
		memcpy(own, logits, n * sizeof(*own));
		s->ask.adjust(s->ask.context, own, n, d->choice);
		logits = own;
	}
	return ds_sample(&s->ask.how, logits, n, s->ask.key, s->n_out, d->choice);
}

static ds_rc check_logits(const ds_slots *d, const float *logits, size_t after, ds_err *e)
{
	size_t n = (size_t)d->vocab, bad = ds_f32_finite(logits, n);
	if (bad == n)
		return DS_OK;
	return ds_fail(e, DS_BAD, "the logits are not finite after token %zu: that of id %zu is %g",
		after, bad, (double)logits[bad]);
}

/* The next token of a slot out of its logits. */
static ds_rc choose(ds_slots *d, slot *s, ds_slot_event *v, ds_err *e)
{
	DS_TRY(check_logits(d, v->logits, s->n_cached, e));
	v->end = DS_SLOT_LENGTH;
	if ((int64_t)s->n_out < s->ask.max_tokens && (int64_t)s->n_cached < d->o.context) {
		s->last = v->id = draw(d, s, v->logits);
		if (s->ask.logprobs)
			v->logprob = (float)((double)v->logits[v->id] -
					     ds_log_sum(v->logits, (size_t)d->vocab));
		v->has_id = true;
		v->n_out = ++s->n_out;
		v->end = stops_at(s, v->id) ? DS_SLOT_STOP
			 : (int64_t)s->n_out < s->ask.max_tokens &&
					 (int64_t)s->n_cached + 1 < d->o.context
				 ? DS_SLOT_GOES_ON
				 : DS_SLOT_LENGTH;
	}
	s->state = v->end == DS_SLOT_GOES_ON ? RUNS : ENDED;
	return DS_OK;
}

static ds_rc run(ds_slots *d, ds_engine *n, int64_t n_rows, size_t *n_events, ds_err *e)
{
	const float *logits;
	if (!n_rows)
		return DS_OK;
	DS_TRY(compute(d, n, n_rows, &logits, e));
	for (int64_t i = 0; i < n_rows; i++) {
		const step_row *r = &d->rows[i];
		slot *s = &d->slots[r->slot];
		if (!r->wanted)
			continue;
		if (r->at + 1 < s->ask.n_prompt) {
			DS_TRY(check_logits(d, logits, r->at + 1, e));
			s->ask.seen(s->ask.context, r->at, logits);
		} else {
			ds_slot_event *v = &d->events[(*n_events)++];
			*v = (ds_slot_event){ .slot = r->slot, .logits = logits };
			DS_TRY(choose(d, s, v, e));
		}
		logits += d->vocab;
	}
	return DS_OK;
}

/* Tokens first: a prompt that gets through would else have two events. */
ds_rc ds_slots_step(ds_slots *d, const ds_slot_event **events, size_t *n, ds_err *e)
{
	*n = 0;
	*events = d->events;
	ds_arena_reset(d->logits);
	int64_t tokens = choose_tokens(d);
	bool fills = next_filling(d, false, 0) >= 0, scores = next_filling(d, true, 0) >= 0;
	DS_TRY(run(d, d->step, tokens, n, e));
	if (fills)
		DS_TRY(run(d, d->prompt, choose_chunk(d, false), n, e));
	return scores ? run(d, d->score, choose_chunk(d, true), n, e) : DS_OK;
}
