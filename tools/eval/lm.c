/*
 * lm.c - windows into batches, losses out of them
 */
#include "lm.h"

#include "base/mem.h"
#include "model/engine.h"

enum { MAX_SEQ = 1024, ROWS = 2048 }; /* 2,048 rows keep the GEMMs at their peak */

struct lm {
	ds_model *m;
	ds_device *device;
	ds_engine *n;
	ds_arena *mem; /* for a run's losses */
	ds_tok_scratch *scratch;
	ds_field *field;
	int64_t seq, stride;
	int64_t built, batch, filled; /* the graph's window; windows in a batch, and waiting */
	lm_sum **to;                  /* of each waiting window */
	bool any_tok;
	size_t seen;         /* optional blocks of the input */
	int64_t front, wide; /* virtual tokens before a window, and both together */
};

void lm_close(lm *l)
{
	if (!l)
		return;
	ds_engine_close(l->n);
	ds_device_close(l->device);
	ds_arena_free(l->mem);
	ds_field_free(l->field);
	ds_tok_scratch_free(l->scratch);
	ds_model_close(l->m);
	ds_mem_free(l->to);
	ds_mem_free(l);
}

static ds_rc build(lm *l, int64_t seq, ds_err *e)
{
	const ds_soft *soft = ds_model_soft(l->m);
	ds_engine_close(l->n);
	l->n = NULL;
	l->built = seq;
	l->batch = ROWS / seq > 1 ? ROWS / seq : 1;
	l->front = ds_soft_rows(soft);
	l->wide = l->front + seq;
	ds_mem_free(l->to);
	l->to = DS_NEW(lm_sum *, (size_t)l->batch);
	ds_engine_opts o = { .config = ds_model_config(l->m),
		.batch = l->batch,
		.seq = l->wide,
		.build = { .train = true, .soft = soft },
		.weights = l->m };
	DS_TRY(ds_engine_open(&l->n, l->device, &o, e));
	ds_model_positions(l->n->x, l->n->g, &l->n->b);
	*(float *)ds_exec_input(l->n->x, l->n->b.inv) = 1;
	return DS_OK;
}

static ds_rc sizes(lm *l, const metric_args *a, ds_err *e)
{
	int64_t most = ds_model_longest(l->m);
	l->seq = most < MAX_SEQ ? most : MAX_SEQ;
	if (a->seq) {
		if (a->seq < 2 || a->seq > most)
			return ds_fail(e, DS_USAGE, "--seq %lld is not between 2 and %lld",
				(long long)a->seq, (long long)most);
		l->seq = a->seq;
	}
	l->stride = a->stride ? a->stride : l->seq;
	if (l->stride < 1 || l->stride > l->seq)
		return ds_fail(e, DS_USAGE, "--stride %lld is not between 1 and the window's %lld",
			(long long)l->stride, (long long)l->seq);
	return DS_OK;
}

ds_rc lm_open(lm **out, const char *what, const metric_args *a, ds_err *e)
{
	if (!a->model)
		return ds_fail(e, DS_USAGE, "%s needs a model: -m DIR", what);
	lm *l = DS_NEW(lm, 1);
	*out = l;
	DS_TRY(ds_field_of(&l->field, &a->common->in.field, e));
	l->any_tok = a->any_tokenizer;
	DS_TRY(ds_model_open_with(&l->m, a->model,
		&(ds_model_opts){ .soft = true, .ignore_keys = a->ignore_keys }, e));
	const ds_config *c = ds_model_config(l->m);
	if (c->arch->traits & DS_ARCH_ENCODER)
		return ds_fail(e, DS_USAGE, "%s: %s is an encoder, which predicts no next token",
			what, c->arch->name);
	DS_TRY(sizes(l, a, e));
	l->mem = ds_arena_new(1 << 16);
	if (ds_model_tok(l->m))
		l->scratch = ds_tok_scratch_new(ds_model_tok(l->m));
	return ds_device_open(&l->device, a->device, (unsigned)a->common->jobs, e);
}

ds_rc lm_meet(lm *l, const ds_opt *opts, size_t n, ds_err *e)
{
	return l->any_tok ? DS_OK : ds_model_meet(l->m, opts, n, &l->seen, e);
}

const ds_model *lm_model(const lm *l)
{
	return l->m;
}

const ds_field *lm_field(const lm *l)
{
	return l->field;
}

int64_t lm_seq(const lm *l)
{
	return l->seq;
}

int64_t lm_stride(const lm *l)
{
	return l->stride;
}

ds_rc lm_fit(lm *l, size_t n, ds_err *e)
{
	int64_t need = n < (size_t)l->seq ? ((int64_t)n + 31) / 32 * 32 : l->seq;
	need = need < l->seq ? need : l->seq;
	return l->n && l->built >= need ? DS_OK : build(l, need, e);
}

ds_rc lm_flush(lm *l, ds_err *e)
{
	if (l->filled == 0)
		return DS_OK;
	int32_t *targets = ds_exec_input(l->n->x, l->n->b.targets);
	int32_t *ids = ds_exec_input(l->n->x, l->n->b.ids);
	const void *nll;
	for (int64_t i = l->filled * l->wide; i < l->batch * l->wide; i++) {
		ids[i] = 0;
		targets[i] = -1;
	}
	ds_arena_reset(l->mem);
	DS_TRY(ds_engine_run(l->n, e));
	DS_TRY(ds_exec_view(l->n->x, l->n->b.nll, l->mem, &nll, e));
	for (int64_t i = 0; i < l->filled * l->wide; i++)
		if (targets[i] >= 0) {
			lm_sum *to = l->to[i / l->wide];
			to->nats += ((const float *)nll)[i];
			to->targets++;
		}
	l->filled = 0;
	return DS_OK;
}

typedef struct {
	const uint32_t *ids;
	size_t n, first; /* targets begin there */
	ds_str mask;
} window;

/* Inputs ids[from … from + seq - 1], targets one further; rows past the end have none. */
static void put_window(lm *l, const window *w, size_t from, lm_sum *to)
{
	int32_t *in = (int32_t *)ds_exec_input(l->n->x, l->n->b.ids) + l->filled * l->wide;
	int32_t *targets = (int32_t *)ds_exec_input(l->n->x, l->n->b.targets) + l->filled * l->wide;
	for (int64_t i = 0; i < l->front; i++)
		*in++ = *targets++ = -1;
	for (size_t i = 0; i < (size_t)l->built; i++) {
		size_t at = from + i, next = at + 1;
		bool target =
			next < w->n && next >= w->first && (next >= w->mask.n || w->mask.at[next]);
		in[i] = at < w->n ? (int32_t)w->ids[at] : 0;
		targets[i] = target ? (int32_t)w->ids[next] : -1;
	}
	l->to[l->filled++] = to;
}

ds_rc lm_add(lm *l, const uint32_t *ids, size_t n, size_t first, ds_str mask, lm_sum *to, ds_err *e)
{
	int64_t vocab = ds_model_config(l->m)->vocab_size;
	window w = { ids, n, first, mask };
	if (!l->n)
		DS_TRY(build(l, l->seq, e));
	for (size_t i = 0; i < n; i++)
		if (ids[i] >= vocab)
			return ds_fail(e, DS_BAD, "token id %u, the model has %lld", ids[i],
				(long long)vocab);
	size_t step = (size_t)(l->stride < l->built ? l->stride : l->built);
	for (size_t from = 0; from + 1 < n; from += step) {
		size_t end = from + (size_t)l->built; /* the last target */
		if (end >= w.first) {
			put_window(l, &w, from, to);
			w.first = end + 1 > w.first ? end + 1 : w.first;
		}
		if (l->filled == l->batch)
			DS_TRY(lm_flush(l, e));
		if (end + 1 >= n)
			break;
	}
	return DS_OK;
}

ds_rc lm_encode(lm *l, ds_str text, const uint32_t **ids, size_t *n, ds_err *e)
{
	if (!l->scratch)
		return ds_fail(
			e, DS_BAD, "%s has no tokenizer to encode text with", ds_model_dir(l->m));
	return ds_tok_encode(ds_model_tok(l->m), l->scratch, text, 0, ids, n, e);
}

uint32_t lm_start(const lm *l)
{
	const ds_config *c = ds_model_config(l->m);
	int64_t id = c->bos >= 0 ? c->bos : c->eos;
	return id >= 0 && id < c->vocab_size ? (uint32_t)id : (uint32_t)DS_TOK_NONE;
}
