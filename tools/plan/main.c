/*
 * main.c - dsplan: what a training run would take of memory and time, before there is a machine
 */
#include "plan.h"

#include "base/machine.h"
#include "base/progress.h"

static plan_opts opt;

static ds_rc on_set(void *context, const char *name, const char *value, ds_err *e)
{
	return ds_pairs_each(ds_str_of(value), ds_setting_known, ds_request_add, context, e);
}

static ds_rc on_key(void *context, const char *name, const char *value, ds_err *e)
{
	return ds_request_add(context, ds_str_of(name), ds_str_of(value), e);
}

static ds_call set_call = { on_set, &opt.ask }, key_call = { on_key, &opt.ask };

static const ds_arg args[] = {
	DS_ARG('m', "model", &key_call, "NAME|config.json", "a preset such as gpt2, or a config"),
	DS_ARG(0, "params", &opt.params, "N", "a Llama of so many parameters, as in 350M or 10B"),
	DS_ARG(0, "gpu", &opt.gpu, "NAME", "the accelerator, as in a100-80g"),
	DS_ARG(0, "gpus", &opt.gpus, "N", "how many of them (1)"),
	DS_ARG(0, "host", &opt.host, NULL, "this machine instead, exactly what dstrain takes"),
	DS_ARG(0, "procs", &key_call, "N", "with --host: processes that train together"),
	DS_ARG(0, "seq", &key_call, "N", "tokens of a row"),
	DS_ARG(0, "batch-tokens", &key_call, "N", "tokens of a step, all copies together"),
	DS_ARG(0, "set", &set_call, "K=V[,K=V]", "keys of the run or the model, as of dstrain"),
	DS_ARG(0, "tokens", &opt.tokens, "N", "of the whole run, as in 300B: how many days"),
	DS_ARG(0, "price", &opt.price, "X", "of an accelerator for an hour: what the days cost"),
	DS_ARG_F(0, "emit", &opt.emit, "FILE", "write the best layout as a config.ini for dstrain",
		DS_ARG_OUT),
	DS_ARG(0, "interleave", &opt.interleave, "N",
		"time as if a stage's layers were in N parts by turns (1)"),
	DS_ARG(0, "unfused", &opt.unfused, NULL,
		"time as if attention's scores went through memory, as trainers of 2021 had it"),
	{ 0 },
};

static ds_rc check(const ds_common *c, ds_err *e)
{
	if (c->in.n_files)
		return ds_fail(e, DS_USAGE, "'%s': no file is read; --model names a config",
			c->in.files[0]);
	if (!opt.gpu == !opt.host)
		return ds_fail(e, DS_USAGE, "name the machine: --gpu NAME or --host, one of them");
	if (opt.host && opt.gpus)
		return ds_fail(e, DS_USAGE, "--gpus goes with --gpu; with --host it is --procs");
	if (opt.gpus < 0 || opt.gpus > DS_STRATEGY_RANKS)
		return ds_fail(e, DS_USAGE, "--gpus: from 1 to %d", DS_STRATEGY_RANKS);
	if (opt.price < 0)
		return ds_fail(e, DS_USAGE, "--price: %g is less than nothing", opt.price);
	if (opt.emit && opt.host)
		return ds_fail(e, DS_USAGE, "--emit goes with --gpu");
	if (opt.interleave < 0)
		return ds_fail(e, DS_USAGE, "--interleave: from 1 on");
	return DS_OK;
}

static ds_rc plan(plan_run *r, ds_err *e)
{
	ds_settings *k = &opt.ask.keys;
	DS_TRY(check(r->c, e));
	DS_TRY(ds_request_apply(&opt.ask, e));
	if (!k->model == !opt.params)
		return ds_fail(
			e, DS_USAGE, "name the model: --model NAME or --params N, one of them");
	if (opt.gpu) {
		if (k->procs)
			return ds_fail(
				e, DS_USAGE, "--procs goes with --host; with --gpu it is --gpus");
		k->procs = opt.gpus ? opt.gpus : 1;
		DS_TRY(plan_find_gpu(r, e));
	}
	DS_TRY(ds_strategy_parse(&r->plan.layout, k->strategy, k->procs, e));
	r->n = ds_layout_ranks(&r->plan.layout);
	k->procs = r->n;
	r->have = r->gpu ? r->gpu->bytes : ds_machine_bytes() / r->n;
	DS_TRY(plan_model(r, e));
	if (opt.tokens)
		DS_TRY(plan_number(opt.tokens, "--tokens", 1, 1e18, &r->tokens, e));
	DS_TRY(plan_search(r, e));
	DS_TRY(plan_print(r, e));
	if (r->rows[0].fits)
		return opt.emit ? plan_emit(r, opt.emit, e) : DS_OK;
	char need[16], have[16];
	return ds_fail(e, DS_BAD,
		"nothing fits: the least is %s on each of %d, which have %s; more of them, a "
		"shorter "
		"--seq or a smaller model would fit",
		ds_human_bytes(need, (double)r->rows[0].bytes), r->n,
		ds_human_bytes(have, r->have));
}

static ds_rc run(const ds_common *c, ds_err *e)
{
	plan_run r = { .c = c, .o = &opt, .mem = ds_arena_new(1 << 16) };
	opt.ask.mem = r.mem;
	opt.ask.keys = ds_settings_default;
	opt.interleave = opt.interleave ? opt.interleave : 1;
	ds_rc rc = plan(&r, e);
	ds_request_release(&opt.ask);
	ds_arena_free(r.mem);
	return rc;
}

int main(int argc, char **argv)
{
	static const ds_tool tool = {
		.name = "dsplan",
		.usage = "--model NAME|--params N --gpu NAME --gpus N|--host [options]",
		.what = "layouts, memory and speed of a training run, before there is a machine",
		.args = args,
		.takes = DS_TAKES_REPORT | DS_TAKES_JOBS | DS_TAKES_NO_STDIN,
		.run = run,
		.examples = {
			"dsplan --params 10B --gpu a100-80g --gpus 8",
			"dsplan --model gpt2 --gpu rtx4090 --seq 1024 --batch-tokens 65536",
			"dsplan --model gpt2 --host --procs 2 --set seq=64,batch_tokens=1024",
		},
	};
	return ds_main(&tool, argc, argv);
}
