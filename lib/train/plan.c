/*
 * plan.c - the shapes of a step, how many there are, and the engine that computes them
 */
#include "train/plan.h"

#include "model/arch.h"

#include <math.h>
#include <string.h>

enum { ROWS_A_STEP = 8, MICROS_A_STAGE = 4 };

/* By default stages get so many micro-batches that they wait for one another a fifth of the time at most. */
static int64_t micros_of(const ds_train_plan *p, const ds_settings *k)
{
	int64_t rows = p->step_rows / p->layout.dp, n = k->accumulation;
	if (p->layout.pp > 1 && n == 1)
		for (int64_t m = 2; m <= MICROS_A_STAGE * p->layout.pp && m <= rows; m++)
			n = rows % m ? n : m;
	return n;
}

ds_rc ds_train_plan_batch(ds_train_plan *p, ds_settings *k, ds_err *e)
{
	p->wide = p->seq + ds_soft_rows(&p->soft);
	int64_t longest = ds_arch_longest(&p->config, p->soft.tokens);
	if (p->seq > longest)
		return ds_fail(e, DS_USAGE,
			"seq=%lld, the model's longest sequence is max_position_embeddings=%lld%s",
			(long long)p->seq, (long long)p->config.max_positions,
			longest < p->config.max_positions ? ", virtual tokens included" : "");
	if (!k->batch_tokens)
		k->batch_tokens = ROWS_A_STEP * p->seq;
	p->step_rows = k->batch_tokens / p->seq;
	if (p->step_rows < 1 || k->batch_tokens % p->seq)
		return ds_fail(e, DS_USAGE, "batch_tokens=%lld is not a multiple of seq=%lld",
			(long long)k->batch_tokens, (long long)p->seq);
	if (p->step_rows % k->accumulation)
		return ds_fail(e, DS_USAGE,
			"a step has %lld rows, not a multiple of gradient_accumulation_steps=%lld",
			(long long)p->step_rows, (long long)k->accumulation);
	p->layout = ds_layout_whole(p->layout);
	p->layout.apart = k->sync_every > 1;
	p->layout.zero = k->zero > 0;
	if (k->zero && strcmp(k->optimizer, "adamw") != 0)
		return ds_fail(e, DS_USAGE, "zero=1 shares out the state of adamw, not of %s",
			k->optimizer);
	if (k->zero && p->layout.apart)
		return ds_fail(e, DS_USAGE, "zero=1 and sync_every=%lld exclude each other",
			(long long)k->sync_every);
	if ((p->lora.r || p->soft.kind) && p->layout.tp * p->layout.pp * p->layout.ep > 1)
		return ds_fail(
			e, DS_USAGE, "parallel_strategy: adapters are trained with dp alone");
	DS_TRY(ds_strategy_check(&p->layout, &p->config, p->step_rows, k->accumulation, e));
	p->n_micro = micros_of(p, k);
	p->micro_rows = p->step_rows / p->layout.dp / p->n_micro;
	ds_train_plan_rank(p, 0);
	if (p->micro_rows > INT32_MAX / p->wide)
		return ds_fail(e, DS_USAGE,
			"batch_tokens=%lld: %lld rows of %lld tokens at once, the limit is %d "
			"tokens",
			(long long)k->batch_tokens, (long long)p->micro_rows, (long long)p->wide,
			INT32_MAX);
	k->seq = p->seq;
	return DS_OK;
}

ds_rc ds_train_plan_steps(ds_train_plan *p, ds_settings *k, int64_t n_rows, bool from, ds_err *e)
{
	double epochs = k->epochs > 0 ? k->epochs : k->max_steps ? 0 : 1;
	p->limit_rows = INT64_MAX;
	p->steps = k->max_steps;
	if (epochs > 0 && n_rows) {
		double rows = ceil(epochs * (double)n_rows);
		if (rows > 1e15)
			return ds_fail(e, DS_USAGE, "epochs=%g: too many rows", epochs);
		int64_t by_rows = ((int64_t)rows + p->step_rows - 1) / p->step_rows;
		if (!p->steps || by_rows <= p->steps) {
			p->steps = by_rows;
			p->limit_rows = (int64_t)rows;
		}
	}
	if (k->lr < 0)
		k->lr = p->soft.kind ? 1e-2 : p->lora.r ? 2e-4 : from ? 1e-5 : 3e-4;
	p->schedule =
		(ds_schedule){ k->scheduler, k->lr, k->warmup_steps, p->steps ? p->steps : 1 };
	return ds_schedule_check(&p->schedule, e);
}

void ds_train_plan_rank(ds_train_plan *p, int rank)
{
	p->layout.rank = rank;
	p->compile.layout = p->layout;
}

int64_t ds_train_plan_row(const ds_train_plan *p, int64_t micro)
{
	return (micro * p->layout.dp + ds_layout_copy(&p->layout)) * p->micro_rows;
}

ds_engine_opts ds_train_plan_engine(const ds_train_plan *p, bool train, ds_exec_opts opts)
{
	ds_engine_opts o = { .config = &p->config,
		.batch = p->micro_rows,
		.seq = p->wide,
		.build = { .train = true,
			.docs = p->docs,
			.n_logits =
				p->targets == DS_TARGETS_PICKED ? p->micro_rows * p->per_row : 0,
			.lora = p->lora.r ? &p->lora : NULL,
			.soft = p->soft.kind ? &p->soft : NULL },
		.compile = p->compile,
		.exec = opts };
	o.compile.train = train;
	return o;
}

int64_t ds_train_plan_targets(const ds_train_plan *p)
{
	return p->targets == DS_TARGETS_TOKENS ? p->wide : p->per_row;
}
