/*
 * main.c - dstrain: train and fine-tune language models
 */
#include "run.h"
#include "train/signals.h"

#include <math.h>

static ds_rc train(train_run *r, ds_err *e)
{
	DS_TRY(ds_signals_open(e));
	DS_TRY(train_out_open(r, e));
	DS_TRY(train_choose(r, e));
	DS_TRY(train_ranks_agree(r, e));
	DS_TRY(train_open(r, e));
	DS_TRY(train_out_begin(r, e));
	DS_TRY(train_report_open(r, e));
	DS_TRY(train_ranks_plan(r, e));
	return train_loop(r, e);
}

/* One process, or as many as were asked for. */
static ds_rc train_all(train_run *r, ds_err *e)
{
	bool waited;
	DS_TRY(train_settle(r, e));
	DS_TRY(train_ranks_start(r, &waited, e));
	return waited ? DS_OK : train(r, e);
}

static ds_rc show(train_run *r, ds_err *e)
{
	DS_TRY(train_settle(r, e));
	DS_TRY(train_ranks_layout(r, e));
	DS_TRY(train_choose(r, e));
	return train_show(r, e);
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	train_opts *o = &train_options;
	if (o->plot)
		return train_plot(c, e);
	bool shown = o->dry_run || o->dump || o->explain;
	if (!shown && !c->out.path)
		return ds_fail(
			e, DS_USAGE, "no --out: the folder for the model and its checkpoints");
	train_run r = { .c = c,
		.o = o,
		.mem = ds_arena_new(1 << 16),
		.out_fd = -1,
		.out = shown ? NULL : c->out.path,
		.told = !c->who.quiet,
		.state.best = INFINITY };
	o->ask.mem = r.mem;
	o->ask.keys = ds_settings_default;
	ds_rc rc = shown ? show(&r, e) : o->merge ? train_merge(&r, e) : train_all(&r, e);
	train_close(&r);
	ds_signals_close();
	train_ranks_end(&r, rc, e);
	return rc;
}

static const ds_tool tool = {
	.name = "dstrain",
	.usage = "--model NAME|DIR|config.json|config.ini --out DIR [OPTIONS] FILE…",
	.what = "train and fine-tune language models on token shards or text",
	.takes = DS_TAKES_INPUT | DS_TAKES_NO_STDIN | DS_TAKES_PATH | DS_TAKES_JOBS | DS_TAKES_STATS,
	.run = run,
	.more_args = train_args,
	.examples = {
		"dstrain --model gpt2 --set n_layer=4,n_embd=256,n_head=4 --max-steps 200 --out run shard.dsr",
		"dstrain --model run --lr 1e-4 --eval-data held.dsr --out tuned more.dsr",
		"dstrain --plot run tuned",
	},
};

int main(int argc, char **argv)
{
	return ds_main(&tool, argc, argv);
}
