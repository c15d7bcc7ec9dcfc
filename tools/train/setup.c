/*
 * setup.c - graphs, memory and weights of a run
 */
#include "run.h"

#include "base/mem.h"

#include <time.h>
#include <unistd.h>

enum { PROMPT_DRAW = 0x70726d74 /* "prmt" */ };

double train_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

ds_compile train_compile(const train_opts *o)
{
	static const char *const optimizers[] = { "adamw", "lamb", "muon" };
	const train_keys *k = &o->keys;
	static const ds_dtype products[] = { DS_F32, DS_BF16, DS_F16 };
	return (ds_compile){ .train = true,
		.product = products[k->precision],
		.recompute = (ds_recompute)k->recompute,
		.recompute_layers = INT32_MAX,
		.optimizer = optimizers[k->optimizer],
		.beta1 = (float)k->beta1,
		.beta2 = (float)k->beta2,
		.eps = (float)k->epsilon,
		.decay = (float)k->weight_decay,
		.max_norm = (float)k->max_norm,
		.momentum = (float)k->muon_momentum,
		.muon_steps = (int32_t)k->muon_steps };
}

ds_rc train_build(train_run *r, train_engine *t, ds_err *e)
{
	t->g = ds_graph_new(r->micro_rows, r->wide);
	t->b = (ds_build){ .train = true,
		.docs = r->o->keys.doc_attention,
		.n_logits = r->o->keys.task == TASK_MLM ? r->micro_rows * r->per_row : 0,
		.lora = r->lora.r ? &r->lora : NULL,
		.soft = r->soft.kind ? &r->soft : NULL };
	ds_arch_build(t->g, &r->config, &t->b);
	return r->lora.r ? ds_lora_check(&r->lora, t->g, e) : DS_OK;
}

ds_rc train_make_engine(train_run *r, train_engine *t, bool train, ds_exec_opts opts, ds_err *e)
{
	ds_compile c = r->compile;
	c.train = train;
	DS_TRY(train_build(r, t, e));
	DS_TRY(ds_graph_compile(t->g, &c, e));
	return ds_exec_new(&t->x, t->g, ds_backend_cpu(), r->pool, opts, e);
}

static ds_rc load_directory(train_run *r, ds_err *e)
{
	train_engine *t = &r->train;
	DS_TRY(ds_model_load(r->from, t->x, t->g, e));
	ds_str unused = ds_model_unused(r->from, t->g);
	for (ds_tid i = 1; i < t->g->n_tensors; i++)
		if (ds_model_is_new(r->from, ds_g_tensor(t->g, i))) {
			ds_warn(r->c, "%s has no '%s': this head begins at random",
				ds_model_dir(r->from), ds_g_tensor(t->g, i)->name);
			return DS_OK;
		}
	if (unused.at)
		ds_warn(r->c, "%s: tensor '%.*s' is not part of this model", ds_model_dir(r->from),
			DS_FMT(unused));
	return DS_OK;
}

static ds_rc load_checkpoint(train_run *r, ds_err *e)
{
	int64_t step = r->state.step;
	const char *weights = r->state.weights;
	DS_TRY(ds_ckpt_load(r->out, step, &r->state, r->train.x, r->train.g, e));
	r->state.weights = weights;
	if (r->state.data != train_data_identity(r))
		return ds_fail(e, DS_USAGE,
			"%s: the data is not that of checkpoint-%lld, or its tokenizer is not",
			r->out, (long long)step);
	return DS_OK;
}

/* A prompt begins as embeddings of tokens drawn from the vocabulary. */
static void sample_prompt(train_run *r)
{
	const ds_graph *g = r->train.g;
	ds_tid p = ds_g_find(g, DS_SOFT_PARAM), w = ds_g_find(g, r->config.arch->embedding);
	ds_rng rng = ds_rng_of((uint64_t)r->o->keys.seed, PROMPT_DRAW);
	int64_t cols = ds_t_cols(ds_g_tensor(g, p));
	for (int64_t i = 0; i < r->soft.tokens; i++) {
		uint64_t id = ds_rng_below(rng, (uint64_t)i, (uint64_t)r->config.vocab_size);
		memcpy((float *)ds_exec_data(r->train.x, p) + i * ds_g_tensor(g, p)->ld,
			(float *)ds_exec_data(r->train.x, w) + (int64_t)id * ds_g_tensor(g, w)->ld,
			(size_t)cols * sizeof(float));
	}
}

static bool any_new(const train_run *r)
{
	for (ds_tid i = 1; i < r->train.g->n_tensors; i++)
		if (ds_model_is_new(r->from, ds_g_tensor(r->train.g, i)))
			return true;
	return false;
}

/* Adapters begin at random over the weights of a directory; a checkpoint replaces what is trained. */
static ds_rc fill_weights(train_run *r, ds_err *e)
{
	if (!r->from || r->adapts || any_new(r))
		ds_exec_init(r->train.x, (uint64_t)r->o->keys.seed);
	if (r->from)
		DS_TRY(load_directory(r, e));
	if (r->soft.kind == DS_SOFT_PROMPT && !ds_model_soft(r->from))
		sample_prompt(r);
	return r->state.step ? load_checkpoint(r, e) : DS_OK;
}

ds_rc train_open(train_run *r, ds_err *e)
{
	r->compile = train_compile(r->o);
	DS_TRY(train_fit(r, e));
	r->pool = ds_pool_new((unsigned)r->c->jobs);
	DS_TRY(train_make_engine(r, &r->train, true, (ds_exec_opts){ 0 }, e));
	DS_TRY(fill_weights(r, e));
	if (r->eval_rows)
		DS_TRY(train_make_engine(
			r, &r->eval, false, (ds_exec_opts){ .share = r->train.x }, e));
	train_fetch_open(r);
	return DS_OK;
}

static void close_engine(train_engine *t)
{
	ds_exec_free(t->x);
	ds_graph_free(t->g);
}

void train_close(train_run *r)
{
	train_report_close(r);
	close_engine(&r->eval);
	close_engine(&r->train);
	ds_pool_free(r->pool);
	ds_rows_close(r->eval_rows);
	ds_rows_close(r->rows);
	ds_tok_close(r->kept_tok);
	ds_model_close(r->from);
	if (r->out_fd >= 0)
		close(r->out_fd);
	ds_arena_free(r->row_mem);
	ds_arena_free(r->mem);
	ds_mem_free(r->o->given);
	ds_mem_free(r->o->model);
	ds_mem_free(r->o->data);
}
