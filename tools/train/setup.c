/*
 * setup.c - graphs, memory and weights of a run, and its loop
 */
#include "run.h"

#include "graph/backend.h"
#include "train/signals.h"

#include <math.h>
#include <unistd.h>

enum { PROMPT_DRAW = 0x70726d74 /* "prmt" */ };

static ds_rc load_directory(train_run *r, ds_err *e)
{
	ds_engine *t = r->train;
	DS_TRY(ds_model_load(r->from, t->x, t->g, e));
	for (ds_tid i = 1; i < t->g->n_tensors; i++)
		if (ds_model_is_new(r->from, ds_g_tensor(t->g, i))) {
			ds_warn(&r->c->who, "%s has no '%s': this head begins at random",
				ds_model_dir(r->from), ds_g_tensor(t->g, i)->name);
			return DS_OK;
		}
	return DS_OK;
}

static ds_rc load_checkpoint(train_run *r, ds_err *e)
{
	int64_t step = r->state.step;
	const char *weights = r->state.weights;
	bool clamp = r->state.clamp;
	DS_TRY(ds_ckpt_load(r->out, step, &r->state, r->train->x, r->train->g, e));
	r->state.weights = weights;
	r->state.clamp = clamp;
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
	ds_tid p = ds_g_find(g, DS_SOFT_PARAM), w = ds_g_find(g, r->plan.config.arch->embedding);
	ds_rng rng = ds_rng_of((uint64_t)r->o->ask.keys.seed, PROMPT_DRAW);
	int64_t cols = ds_t_cols(ds_g_tensor(g, p));
	float *row = ds_arena_get(r->mem, (size_t)cols * sizeof(*row));
	for (int64_t i = 0; i < r->plan.soft.tokens; i++) {
		uint64_t id = ds_rng_below(rng, (uint64_t)i, (uint64_t)r->plan.config.vocab_size);
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
		DS_TRY(ds_exec_init(r->train->x, (uint64_t)r->o->ask.keys.seed, e));
	if (r->from)
		DS_TRY(load_directory(r, e));
	if (r->plan.soft.kind == DS_SOFT_PROMPT && !ds_model_soft(r->from))
		DS_TRY(sample_prompt(r, e));
	return r->state.step ? load_checkpoint(r, e) : DS_OK;
}

ds_train_budget train_budget(const train_run *r)
{
	const ds_backend *b = ds_backend_find(r->o->device);
	double have = r->device ? ds_device_free_bytes(r->device) : b->free_bytes ? INFINITY : 0;
	return (ds_train_budget){ .backend = b,
		.threads = (unsigned)r->c->jobs,
		.asked = r->o->memory.bytes,
		.have = have };
}

/* Engines for the other micro-batches that are on their way at once. */
static ds_rc open_slots(train_run *r, ds_err *e)
{
	int64_t n = ds_train_slots(&r->plan);
	r->slots = ds_arena_zero(r->mem, (size_t)n * sizeof(*r->slots));
	for (int64_t i = 1; i < n; i++)
		DS_TRY(ds_engine_twin(&r->slots[i - 1], r->device, r->train, e));
	return DS_OK;
}

ds_rc train_open(train_run *r, ds_err *e)
{
	DS_TRY(ds_device_open_for(&r->device, r->world, r->o->device, (unsigned)r->c->jobs, e));
	ds_train_budget budget = train_budget(r);
	ds_train_plan_rank(&r->plan, ds_world_rank(r->world));
	DS_TRY(ds_train_plan_fit(&r->plan, &budget, e));
	ds_engine_opts o = ds_train_plan_engine(&r->plan, true, (ds_exec_opts){ 0 });
	DS_TRY(ds_engine_open(&r->train, r->device, &o, e));
	r->trace = r->o->trace ? ds_trace_new() : NULL;
	if (r->world)
		ds_world_trace(r->world, r->trace);
	DS_TRY(open_slots(r, e));
	DS_TRY(fill_weights(r, e));
	if (r->eval_rows) {
		o = ds_train_plan_engine(&r->plan, false, (ds_exec_opts){ .share = r->train->x });
		DS_TRY(ds_engine_open(&r->eval, r->device, &o, e));
	}
	r->feed = ds_feed_new(&r->plan, &r->mlm);
	const ds_settings *k = &r->o->ask.keys;
	if (ds_config_images(&r->plan.config))
		ds_feed_take_pictures(r->feed, &r->prep,
			&(ds_vary){ .flip = k->image_flip,
				.crop = k->image_crop,
				.color = k->image_color,
				.seed = (uint64_t)k->seed },
			(unsigned)r->c->jobs);
	return DS_OK;
}

/* ---- the loop, told and saved ---- */

static ds_rc stepped(void *context, const ds_figures *f, ds_err *e)
{
	return train_report_step(context, f, e);
}

static ds_rc evaluated(void *context, double loss, ds_err *e)
{
	return train_report_eval(context, loss, e);
}

/*
 * One that cannot be written ends the run: what comes after it could not be kept either, and nobody may be
 * looking. The checkpoints before stay, and --resume goes on from the last.
 */
static ds_rc save(void *context, ds_err *e)
{
	train_run *r = context;
	double began = ds_trace_now();
	DS_TRY_AT(train_save(r, e), e, "checkpoint-%lld could not be written",
		(long long)r->state.step);
	ds_trace_add(r->trace, "save", "", began, -1);
	return DS_OK;
}

static bool stop(void *context)
{
	return ds_signals_stop();
}

ds_rc train_loop(train_run *r, ds_err *e)
{
	static const char *const words[] = { [DS_TRAINED_ALL] = "done",
		[DS_TRAINED_ENOUGH] = "stopped early",
		[DS_TRAINED_STOPPED] = "stopped by a signal, --resume goes on" };
	ds_trainer t = { .plan = &r->plan,
		.keys = &r->o->ask.keys,
		.device = r->device,
		.train = r->train,
		.eval = r->eval,
		.slots = r->slots,
		.rows = r->rows,
		.eval_rows = r->eval_rows,
		.feed = r->feed,
		.state = &r->state,
		.trace = r->trace };
	ds_train_watch w = { r, stepped, evaluated, save, stop };
	ds_trained how;
	ds_signals_heed();
	DS_TRY(ds_train(&t, &w, &how, e));
	DS_TRY(train_ranks_trace(r, e));
	return train_report_end(r, words[how], e);
}

void train_close(train_run *r)
{
	train_report_close(r);
	ds_trace_free(r->trace);
	ds_feed_free(r->feed);
	ds_engine_close(r->eval);
	for (int64_t i = 1; r->slots && i < ds_train_slots(&r->plan); i++)
		ds_engine_close(r->slots[i - 1]);
	ds_engine_close(r->train);
	ds_device_close(r->device);
	ds_out_close(r->rejects);
	ds_rows_close(r->eval_rows);
	ds_rows_close(r->rows);
	ds_tok_close(r->kept_tok);
	ds_model_close(r->from);
	if (r->out_fd >= 0)
		close(r->out_fd);
	ds_arena_free(r->mem);
	ds_request_release(&r->o->ask);
}
