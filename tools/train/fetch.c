/*
 * fetch.c - rows into a step: what a task makes of them, and the graph's inputs
 *
 * Causal modelling takes a row's targets as they are. Masked modelling hides tokens and has a fixed
 * number of targets a row, so the output layer is computed for those alone.
 */
#include "run.h"

/* ---- what the task is ---- */

static ds_rc choose_mask(train_run *r, bool fixed, ds_err *e)
{
	const train_keys *k = &r->o->keys;
	const ds_tok *tok = r->rows ? ds_rows_tok(r->rows) : NULL;
	uint32_t mask = tok ? ds_tok_special(tok, DS_TOK_MASK) : (uint32_t)DS_TOK_NONE;
	if (k->mlm_mask_share + k->mlm_random_share > 1)
		return ds_fail(
			e, DS_USAGE, "mlm_mask_share and mlm_random_share are over 1 together");
	r->mlm = (ds_mlm){ .probability = k->mlm_probability,
		.mask = k->mlm_mask_share,
		.random = k->mlm_random_share,
		.whole_word = k->whole_word,
		.mask_id = (int64_t)mask,
		.seed = (uint64_t)k->seed };
	/* A tokenizer without one: the first id behind it, which a new model has room for. */
	if (mask == (uint32_t)DS_TOK_NONE) {
		r->mlm.mask_id = tok ? ds_tok_size(tok) : r->config.vocab_size - 1;
		if (!fixed && r->config.vocab_size <= r->mlm.mask_id)
			r->config.vocab_size = r->mlm.mask_id + 1;
		if (r->config.vocab_size <= r->mlm.mask_id)
			return ds_fail(e, DS_USAGE,
				"task=mlm: the tokenizer has no mask token, and vocab_size=%lld "
				"has no "
				"room for one behind its %lld ids",
				(long long)r->config.vocab_size, (long long)r->mlm.mask_id);
	}
	r->mlm.vocab_size = tok ? ds_tok_size(tok) : r->config.vocab_size;
	ds_mlm_kinds(&r->mlm, tok, r->mem);
	r->per_row = ds_mlm_most(&r->mlm, r->seq);
	return DS_OK;
}

ds_rc train_choose_task(train_run *r, ds_err *e)
{
	train_keys *k = &r->o->keys;
	bool encoder = r->config.arch->traits & DS_ARCH_ENCODER;
	if (k->task == TASK_AUTO)
		k->task = !encoder                          ? TASK_CLM
			  : r->config.head == DS_HEAD_SEQ   ? TASK_CLS
			  : r->config.head == DS_HEAD_TOKEN ? TASK_TOKCLS
							    : TASK_MLM;
	bool decodes = k->task == TASK_CLM || k->task == TASK_CHAT;
	if (encoder == decodes)
		return ds_fail(e, DS_USAGE,
			encoder ? "%s is an encoder: task=mlm, cls or tokcls"
				: "%s predicts the next token: task=clm or chat",
			r->config.arch->name);
	if (k->task >= TASK_CLS && r->adapts)
		return ds_fail(e, DS_USAGE, "task=cls and tokcls train all weights: tune=full");
	ds_head was = r->config.head;
	r->config.head = k->task == TASK_CLS      ? DS_HEAD_SEQ
			 : k->task == TASK_TOKCLS ? DS_HEAD_TOKEN
						  : DS_HEAD_LM;
	if (r->config.head != was)
		r->config.n_labels = 0;
	return DS_OK;
}

ds_rc train_open_task(train_run *r, bool fixed, ds_err *e)
{
	train_keys *k = &r->o->keys;
	size_t n = 0;
	r->per_row = k->task == TASK_CLS ? 1 : r->seq;
	if (k->task == TASK_MLM)
		return choose_mask(r, fixed, e);
	if (k->task < TASK_CLS || !r->rows)
		return DS_OK;
	const char *const *labels = ds_rows_labels(r->rows, &n);
	r->config.labels = ds_arena_get(r->mem, n * sizeof(char *));
	memcpy(r->config.labels, labels, n * sizeof(char *));
	r->config.n_labels = (int64_t)n;
	return DS_OK;
}

void train_fetch_open(train_run *r)
{
	size_t n = (size_t)(r->step_rows * r->seq), t = (size_t)(r->step_rows * r->per_row);
	r->ids = ds_arena_get(r->mem, n * 4);
	r->positions = ds_arena_get(r->mem, n * 4);
	r->first = ds_arena_get(r->mem, n * 4);
	r->last = ds_arena_get(r->mem, n * 4);
	r->types = ds_arena_get(r->mem, n * 4);
	r->targets = ds_arena_get(r->mem, (t > n ? t : n) * 4);
	r->picks = ds_arena_get(r->mem, t * 4);
	r->plain = ds_arena_get(r->mem, (size_t)r->seq);
	r->row_mem = ds_arena_new(1 << 16);
}

/* ---- rows ---- */

void train_blank_row(train_run *r, int64_t i)
{
	for (int64_t t = i * r->seq; t < (i + 1) * r->seq; t++) {
		r->ids[t] = 0;
		r->positions[t] = (int32_t)(t - i * r->seq);
		r->first[t] = 0;
		r->last[t] = 1;
		r->types[t] = 0;
	}
	for (int64_t t = i * r->per_row; t < (i + 1) * r->per_row; t++)
		r->targets[t] = r->picks[t] = -1;
}

ds_rc train_fetch_row(train_run *r, ds_rows *rows, int64_t row, int64_t i, uint64_t number,
	int64_t *n_targets, ds_err *e)
{
	int64_t to = i * r->seq, at = i * r->per_row;
	bool mlm = r->o->keys.task == TASK_MLM;
	ds_arena_reset(r->row_mem);
	int32_t *targets = mlm ? ds_arena_get(r->row_mem, (size_t)r->seq * 4) : r->targets + at;
	ds_row out = { .ids = r->ids + to,
		.targets = targets,
		.positions = r->positions + to,
		.first = r->first + to,
		.last = r->last + to,
		.types = r->types + to,
		.plain = r->plain };
	DS_TRY(ds_rows_get(rows, row, &out, e));
	if (mlm)
		out.n_targets = ds_mlm_hide(&r->mlm, number, out.ids, r->plain, r->seq,
			r->picks + at, r->targets + at, r->row_mem);
	*n_targets += out.n_targets;
	return DS_OK;
}

/* ---- into the graph ---- */

int64_t train_graph_targets(const train_run *r)
{
	return r->per_row == r->seq && r->o->keys.task != TASK_CLS && r->o->keys.task != TASK_MLM
		       ? r->wide
		       : r->per_row;
}

/* A row behind the virtual tokens of a prompt. */
static void put(int32_t *in, int64_t front, int32_t fill, const int32_t *row, int64_t n)
{
	for (int64_t p = 0; p < front; p++)
		in[p] = fill;
	memcpy(in + front, row, (size_t)n * 4);
}

static void copy_row(train_run *r, ds_engine *t, int64_t row, int64_t i)
{
	int64_t front = r->wide - r->seq, to = i * r->wide, from = row * r->seq;
	int32_t *positions = (int32_t *)ds_exec_input(t->x, t->b.positions) + to;
	put((int32_t *)ds_exec_input(t->x, t->b.ids) + to, front, -1, r->ids + from, r->seq);
	for (int64_t p = 0; p < r->wide; p++)
		positions[p] =
			(int32_t)(p < front ? p : r->positions[from + p - front] + r->soft.tokens);
	if (t->b.first)
		put((int32_t *)ds_exec_input(t->x, t->b.first) + to, front, 0, r->first + from,
			r->seq);
	if (t->b.last)
		put((int32_t *)ds_exec_input(t->x, t->b.last) + to, front, 0, r->last + from,
			r->seq);
	if (t->b.segments)
		put((int32_t *)ds_exec_input(t->x, t->b.segments) + to, front, 0, r->types + from,
			r->seq);
}

static void copy_targets(train_run *r, ds_engine *t, int64_t row, int64_t i)
{
	int64_t n = train_graph_targets(r), front = n - r->per_row, from = row * r->per_row;
	int32_t *rows = t->b.rows ? (int32_t *)ds_exec_input(t->x, t->b.rows) + i * n : NULL;
	put((int32_t *)ds_exec_input(t->x, t->b.targets) + i * n, front, -1, r->targets + from,
		r->per_row);
	for (int64_t p = 0; rows && p < n; p++) {
		int32_t at = r->picks[from + p];
		rows[p] = at < 0 ? -1 : (int32_t)(i * r->wide + r->wide - r->seq + at);
	}
}

void train_copy_rows(train_run *r, ds_engine *t, int64_t row, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		copy_row(r, t, row + i, i);
		copy_targets(r, t, row + i, i);
	}
}
