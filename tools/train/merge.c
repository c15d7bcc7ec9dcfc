/*
 * merge.c - --merge: an adapter and its model as one model directory
 */
#include "run.h"

static ds_rc write_model(train_run *r, const ds_engine *t, ds_err *e)
{
	ds_buf config = { 0 };
	ds_config_print(&r->plan.config, &config);
	DS_TRY(train_write_in_out(r, "config.json", &config, e));
	DS_TRY(train_write_tokenizer(r, ds_model_tok(r->from), e));
	return ds_ckpt_publish(r->out, &r->state, t->x, ds_settings_stored(&r->o->ask.keys), e);
}

ds_rc train_merge(train_run *r, ds_err *e)
{
	DS_TRY(ds_request_apply(&r->o->ask, e));
	r->state.clamp = r->o->ask.keys.clamp;
	const char *model = r->o->ask.keys.model;
	if (!model || r->c->in.n_files)
		return ds_fail(e, DS_USAGE, "--merge takes --model ADAPTER and --out DIR, no data");
	DS_TRY(ds_model_open_with(
		&r->from, model, &(ds_model_opts){ .ignore_keys = r->o->ask.ignore_keys }, e));
	if (!ds_model_is_adapter(r->from))
		return ds_fail(e, DS_USAGE, "%s is no adapter: there is nothing to merge", model);
	r->plan.config = *ds_model_config(r->from);
	ds_engine_opts o = { .config = &r->plan.config, .batch = 1, .seq = 8, .weights = r->from };
	DS_TRY(ds_device_open(&r->device, NULL, 1, e));
	DS_TRY(ds_engine_open(&r->train, r->device, &o, e));
	DS_TRY(train_out_open(r, e));
	DS_TRY(write_model(r, r->train, e));
	ds_say(&r->c->who, "%s and %s are one model in %s", model, ds_model_base(r->from), r->out);
	return DS_OK;
}
