/*
 * metric_ppl.c - perplexity of a model: exp of the mean negative log likelihood of all targets
 *
 * Every record is a sequence of its own; one longer than the context (--seq, else the model's own, at most
 * 1024) is cut into windows that share one token, so each token but a record's first is a target
 * once. A target whose mask is 0 does not count. Windows are gathered into batches in the order of the
 * stream and their losses are summed in double in that order: the figure does not depend on -j.
 */
#include "value.h"

#include "base/mem.h"
#include "model/engine.h"
#include "record/field.h"

#include <math.h>

enum { MAX_SEQ = 1024, ROWS = 2048 }; /* 2,048 rows keep the GEMMs at their peak */

typedef struct {
	ds_model *m;
	ds_device *device;
	ds_engine *n;
	ds_arena *mem; /* for a run's losses */
	ds_tok_scratch *scratch;
	ds_field *field;
	int64_t batch, seq, filled; /* windows waiting in the inputs */
	bool any_tok;
	size_t seen;         /* optional blocks of the input */
	int64_t front, wide; /* virtual tokens before a window, and both together */
} lm;

typedef struct {
	double nats;
	uint64_t targets;
} part;

static void close_lm(void *state)
{
	lm *l = state;
	if (!l)
		return;
	ds_engine_close(l->n);
	ds_device_close(l->device);
	ds_arena_free(l->mem);
	ds_field_free(l->field);
	ds_tok_scratch_free(l->scratch);
	ds_model_close(l->m);
	ds_mem_free(l);
}

static ds_rc open_lm(void **state, metric_args *a, ds_err *e)
{
	if (!a->model)
		return ds_fail(e, DS_USAGE, "ppl needs a model: -m DIR");
	lm *l = DS_NEW(lm, 1);
	*state = l;
	DS_TRY(ds_field_of(&l->field, &a->common->in.field, e));
	l->any_tok = a->any_tokenizer;
	DS_TRY(ds_model_open_with(&l->m, a->model,
		&(ds_model_opts){ .soft = true, .ignore_keys = a->ignore_keys }, e));
	const ds_config *c = ds_model_config(l->m);
	if (c->arch->traits & DS_ARCH_ENCODER)
		return ds_fail(e, DS_USAGE, "ppl: %s is an encoder, which predicts no next token",
			c->arch->name);
	const ds_soft *soft = ds_model_soft(l->m);
	int64_t most = ds_model_longest(l->m);
	l->seq = most < MAX_SEQ ? most : MAX_SEQ;
	if (a->seq) {
		if (a->seq < 2 || a->seq > most)
			return ds_fail(e, DS_USAGE, "--seq %lld is not between 2 and %lld",
				(long long)a->seq, (long long)most);
		l->seq = a->seq;
	}
	l->batch = ROWS / l->seq > 1 ? ROWS / l->seq : 1;
	l->mem = ds_arena_new(1 << 16);
	DS_TRY(ds_device_open(&l->device, a->device, (unsigned)a->common->jobs, e));
	if (ds_model_tok(l->m))
		l->scratch = ds_tok_scratch_new(ds_model_tok(l->m));
	l->front = ds_soft_rows(soft);
	l->wide = l->front + l->seq;
	ds_engine_opts o = { .config = c,
		.batch = l->batch,
		.seq = l->wide,
		.build = { .train = true, .soft = soft },
		.weights = l->m };
	DS_TRY(ds_engine_open(&l->n, l->device, &o, e));
	ds_model_positions(l->n->x, l->n->g, &l->n->b);
	*(float *)ds_exec_input(l->n->x, l->n->b.inv) = 1;
	return DS_OK;
}

static ds_rc meet(void *state, const ds_opt *opts, size_t n, ds_err *e)
{
	lm *l = state;
	return l->any_tok ? DS_OK : ds_model_meet(l->m, opts, n, &l->seen, e);
}

static void *part_new(void *state)
{
	return DS_NEW(part, 1);
}

static ds_rc flush(lm *l, part *p, ds_err *e)
{
	int32_t *targets = ds_exec_input(l->n->x, l->n->b.targets);
	int32_t *ids = ds_exec_input(l->n->x, l->n->b.ids);
	const void *nll;
	int64_t rows = l->filled * l->wide;
	if (rows == 0)
		return DS_OK;
	for (int64_t i = rows; i < l->batch * l->wide; i++) {
		ids[i] = 0;
		targets[i] = -1;
	}
	ds_arena_reset(l->mem);
	DS_TRY(ds_engine_run(l->n, e));
	DS_TRY(ds_exec_view(l->n->x, l->n->b.nll, l->mem, &nll, e));
	for (int64_t i = 0; i < rows; i++)
		if (targets[i] >= 0) {
			p->nats += ((const float *)nll)[i];
			p->targets++;
		}
	l->filled = 0;
	return DS_OK;
}

/* Targets ids[from + 1 … from + seq]; rows past the end have none. */
static void put_window(lm *l, const uint32_t *ids, size_t n, size_t from, ds_str mask)
{
	int32_t *in = (int32_t *)ds_exec_input(l->n->x, l->n->b.ids) + l->filled * l->wide;
	int32_t *targets = (int32_t *)ds_exec_input(l->n->x, l->n->b.targets) + l->filled * l->wide;
	for (int64_t i = 0; i < l->front; i++)
		*in++ = *targets++ = -1;
	for (size_t i = 0; i < (size_t)l->seq; i++) {
		size_t at = from + i;
		bool target = at + 1 < n && (at + 1 >= mask.n || mask.at[at + 1]);
		in[i] = at < n ? (int32_t)ids[at] : 0;
		targets[i] = target ? (int32_t)ids[at + 1] : -1;
	}
	l->filled++;
}

static ds_rc add_record(lm *l, part *p, const uint32_t *ids, size_t n, ds_str mask, ds_err *e)
{
	int64_t vocab = ds_model_config(l->m)->vocab_size;
	for (size_t i = 0; i < n; i++)
		if (ids[i] >= vocab)
			return ds_fail(e, DS_BAD, "token id %u, the model has %lld", ids[i],
				(long long)vocab);
	for (size_t from = 0; from + 1 < n; from += (size_t)l->seq) {
		put_window(l, ids, n, from, mask);
		if (l->filled == l->batch)
			DS_TRY(flush(l, p, e));
	}
	return DS_OK;
}

static ds_rc ids_of(
	lm *l, ds_block *b, uint32_t row, const uint32_t **ids, size_t *n, bool *has, ds_err *e)
{
	const ds_col *tokens = ds_block_find(b, "tokens");
	ds_texts texts;
	*has = false;
	if (tokens)
		DS_TRY(ds_block_ids(b, tokens, row, ids, n, has, e));
	if (*has)
		return DS_OK;
	ds_str t;
	DS_TRY(ds_texts_open(&texts, l->field, b, NULL, e));
	DS_TRY(ds_texts_get(&texts, row, &t, has, e));
	if (!*has)
		return value_lacks(b, row, ds_field_name(l->field), "--field", e);
	if (!l->scratch)
		return ds_fail(
			e, DS_BAD, "%s has no tokenizer to encode text with", ds_model_dir(l->m));
	return ds_tok_encode(ds_model_tok(l->m), l->scratch, t, 0, ids, n, e);
}

static ds_rc update(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	const ds_col *mask = ds_block_find(b, "mask");
	for (uint32_t i = from; i < to; i++) {
		const uint32_t *ids;
		size_t n;
		bool has;
		ds_str m = { NULL, 0 };
		DS_TRY(ids_of(state, b, i, &ids, &n, &has, e));
		if (mask && mask->type == DS_T_BYTES && ds_col_has(mask, i))
			m = ds_col_bytes(mask, i);
		DS_TRY_AT(add_record(state, p, ids, n, m, e), e, "record %llu",
			(unsigned long long)ds_block_record(b, i));
	}
	return DS_OK;
}

static ds_rc compute(void *state, void *p_, metric_result *out, ds_err *e)
{
	part *p = p_;
	DS_TRY(flush(state, p, e));
	if (p->targets == 0)
		return ds_fail(e, DS_BAD, "ppl: there are no tokens to predict");
	double mean = p->nats / (double)p->targets;
	if (!isfinite(mean))
		return ds_fail(
			e, DS_BAD, "%s: the loss is not finite", ds_model_dir(((lm *)state)->m));
	out->score = exp(mean);
	ds_buf_fmt(&out->detail, "%llu token%s, %.4f nats a token", (unsigned long long)p->targets,
		ds_s(p->targets), mean);
	ds_buf_fmt(&out->signature, "window:%lld", (long long)((lm *)state)->seq);
	return DS_OK;
}

const metric metric_ppl = {
	.name = "ppl",
	.help = "perplexity of the model -m DIR over all targets",
	.fields = { "tokens", "mask" },
	.serial = true,
	.open = open_lm,
	.close = close_lm,
	.part_new = part_new,
	.part_free = ds_mem_free,
	.meet = meet,
	.update = update,
	.compute = compute,
};
