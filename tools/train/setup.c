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

ds_engine_opts train_engine_opts(const train_run *r, bool train, ds_exec_opts opts)
{
	ds_engine_opts o = { .config = &r->config,
		.batch = r->micro_rows,
		.seq = r->wide,
		.build = { .train = true,
			.docs = r->o->keys.doc_attention,
			.n_logits = r->o->keys.task == TASK_MLM ? r->micro_rows * r->per_row : 0,
			.lora = r->lora.r ? &r->lora : NULL,
			.soft = r->soft.kind ? &r->soft : NULL },
		.compile = r->compile,
		.exec = opts };
	o.compile.train = train;
	return o;
}

static ds_rc load_directory(train_run *r, ds_err *e)
{
	ds_engine *t = r->train;
	DS_TRY(ds_model_load(r->from, t->x, t->g, e));
	for (ds_tid i = 1; i < t->g->n_tensors; i++)
		if (ds_model_is_new(r->from, ds_g_tensor(t->g, i))) {
			ds_warn(r->c, "%s has no '%s': this head begins at random",
				ds_model_dir(r->from), ds_g_tensor(t->g, i)->name);
			return DS_OK;
		}
	return DS_OK;
}

static ds_rc load_checkpoint(train_run *r, ds_err *e)
{
	int64_t step = r->state.step;
	const char *weights = r->state.weights;
	DS_TRY(ds_ckpt_load(r->out, step, &r->state, r->train->x, r->train->g, e));
	r->state.weights = weights;
	if (r->state.data != train_data_identity(r))
		return ds_fail(e, DS_USAGE,
			"%s: the data is not that of checkpoint-%lld, or its tokenizer is not",
			r->out, (long long)step);
	return DS_OK;
}

/* A prompt begins as embeddings of tokens drawn from the vocabulary. */
static ds_rc sample_prompt(train_run *r, ds_err *e)
{
	const ds_graph *g = r->train->g;
	ds_tid p = ds_g_find(g, DS_SOFT_PARAM), w = ds_g_find(g, r->config.arch->embedding);
	ds_rng rng = ds_rng_of((uint64_t)r->o->keys.seed, PROMPT_DRAW);
	int64_t cols = ds_t_cols(ds_g_tensor(g, p));
	float *row = ds_arena_get(r->mem, (size_t)cols * sizeof(*row));
	for (int64_t i = 0; i < r->soft.tokens; i++) {
		uint64_t id = ds_rng_below(rng, (uint64_t)i, (uint64_t)r->config.vocab_size);
		DS_TRY(ds_exec_read(r->train->x, w, (int64_t)id * cols, cols, row, e));
		DS_TRY(ds_exec_write(r->train->x, p, i * cols, cols, row, e));
	}
	return DS_OK;
}

static bool any_new(const train_run *r)
{
	for (ds_tid i = 1; i < r->train->g->n_tensors; i++)
		if (ds_model_is_new(r->from, ds_g_tensor(r->train->g, i)))
			return true;
	return false;
}

/* Adapters begin at random over the weights of a directory; a checkpoint replaces what is trained. */
static ds_rc fill_weights(train_run *r, ds_err *e)
{
	if (!r->from || r->adapts || any_new(r))
		DS_TRY(ds_exec_init(r->train->x, (uint64_t)r->o->keys.seed, e));
	if (r->from)
		DS_TRY(load_directory(r, e));
	if (r->soft.kind == DS_SOFT_PROMPT && !ds_model_soft(r->from))
		DS_TRY(sample_prompt(r, e));
	return r->state.step ? load_checkpoint(r, e) : DS_OK;
}

ds_rc train_open(train_run *r, ds_err *e)
{
	r->compile = train_compile(r->o);
	DS_TRY(train_fit(r, e));
	DS_TRY(ds_device_open(&r->device, NULL, (unsigned)r->c->jobs, e));
	ds_engine_opts o = train_engine_opts(r, true, (ds_exec_opts){ 0 });
	DS_TRY(ds_engine_open(&r->train, r->device, &o, e));
	DS_TRY(fill_weights(r, e));
	if (r->eval_rows) {
		o = train_engine_opts(r, false, (ds_exec_opts){ .share = r->train->x });
		DS_TRY(ds_engine_open(&r->eval, r->device, &o, e));
	}
	train_fetch_open(r);
	return DS_OK;
}

void train_close(train_run *r)
{
	train_report_close(r);
	ds_engine_close(r->eval);
	ds_engine_close(r->train);
	ds_device_close(r->device);
	ds_out_close(r->rejects);
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
