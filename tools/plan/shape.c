/*
 * shape.c - which accelerator, which model, how many tokens at once
 */
#include "plan.h"

#include "base/io.h"
#include "model/arch.h"
#include "model/mlm.h"
#include "text/tok/tok.h"

#include <math.h>

enum { GPU_STEP_ROWS = 512, USUAL_SEQ = 1024 /* dstrain's */, CONFIG_BYTES = 16 << 20 };

ds_rc plan_find_gpu(plan_run *r, ds_err *e)
{
#define GPU(name, gib, bandwidth, flops, sustained, units, link, net) \
	{ name, (gib)*0x1p30, bandwidth, flops, sustained, units, link, net },
	static const plan_gpu all[] = {
#include "gpus.def"
	};
	enum { N = sizeof(all) / sizeof(all[0]) };
	ds_key names[N + 1] = { 0 };
	for (int i = 0; i < N; i++) {
		names[i].name = all[i].name;
		if (strcmp(all[i].name, r->o->gpu) == 0)
			r->gpu = &all[i];
	}
	if (r->gpu)
		return DS_OK;
	return ds_fail(e, DS_USAGE, "--gpu '%s' is not known; the nearest is '%s'", r->o->gpu,
		ds_key_nearest(names, NULL, ds_str_of(r->o->gpu)));
}

ds_rc plan_number(
	const char *text, const char *option, double least, double most, double *out, ds_err *e)
{
	ds_str s = ds_str_of(text);
	static const char units[] = "KMBT";
	const char *unit = s.n ? strchr(units, s.at[s.n - 1] & ~0x20) : NULL;
	double scale = unit && *unit ? pow(1000, (double)(unit - units) + 1) : 1;
	s.n -= scale > 1;
	if (!ds_str_f64(s, out) || !(*out * scale >= least && *out * scale <= most))
		return ds_fail(e, DS_USAGE, "%s '%s': wanted %g to %g, as in 350M or 10B", option,
			text, least, most);
	*out *= scale;
	return DS_OK;
}

static ds_rc set(plan_run *r, const char *key, int64_t value, ds_err *e)
{
	ds_str text = ds_arena_fmt(r->mem, "%lld", (long long)value);
	return ds_config_set(&r->plan.config, ds_str_of(key), text, r->mem, e);
}

/* The built-in tokenizer's, which a new model has unless its data says otherwise. */
static ds_rc own_vocabulary(int64_t *n, ds_err *e)
{
	DS_AUTO(ds_tok) tok = NULL;
	DS_TRY(ds_tok_open(&tok, NULL, NULL, e));
	*n = ds_tok_size(tok);
	return DS_OK;
}

/*
 * A Llama about 128 times as wide as deep, heads of 128, and 8 for keys where that divides; the width inside takes up what
 * is left of the parameters.
 */
static ds_rc shape(plan_run *r, double params, int64_t vocab, ds_err *e)
{
	enum { HEAD = 128, KV = 8, ASPECT = 128 };
	double h0 = cbrt(params * ASPECT / 12), unit = h0 >= 2048 ? HEAD * KV : HEAD;
	double h = fmax(unit, unit * round(h0 / unit));
	int64_t heads = (int64_t)h / HEAD, kv = heads % KV ? heads : KV;
	bool tied = params < 1e9;
	double left = params - (tied ? 1 : 2) * (double)vocab * h - h;
	double attention = h * HEAD * (double)(2 * heads + 2 * kv) + 2 * h;
	double layers = fmax(1, round(left / (attention + 8 * h * h)));
	if (layers >= 16)
		layers = 4 * round(layers / 4);
	double inside = 64 * round((left / layers - attention) / (3 * h) / 64);
	DS_TRY(ds_config_preset(&r->plan.config, DS_S("llama"), r->mem, e));
	DS_TRY(set(r, "hidden_size", (int64_t)h, e));
	DS_TRY(set(r, "intermediate_size", (int64_t)inside, e));
	DS_TRY(set(r, "num_hidden_layers", (int64_t)layers, e));
	DS_TRY(set(r, "num_attention_heads", heads, e));
	DS_TRY(set(r, "num_key_value_heads", kv, e));
	DS_TRY(set(r, "head_dim", HEAD, e));
	DS_TRY(set(r, "vocab_size", vocab, e));
	return ds_config_set(&r->plan.config, DS_S("tie_word_embeddings"),
		tied ? DS_S("true") : DS_S("false"), r->mem, e);
}

static ds_rc read_config(plan_run *r, const char *path, ds_err *e)
{
	ds_buf text = { 0 };
	ds_rc rc = ds_file_read(path, CONFIG_BYTES, &text, e);
	if (rc == DS_OK)
		rc = ds_config_parse(&r->plan.config, ds_arena_str(r->mem, ds_buf_view(&text)),
			false, r->mem, e);
	ds_buf_free(&text);
	return rc == DS_OK ? rc : ds_at(e, rc, "%s", path);
}

static ds_rc config(plan_run *r, ds_err *e)
{
	const ds_request *o = &r->o->ask;
	ds_config *c = &r->plan.config;
	int64_t vocab;
	double params;
	bool preset = !r->o->params && ds_config_is_preset(ds_str_of(o->keys.model));
	DS_TRY(own_vocabulary(&vocab, e));
	if (r->o->params) {
		DS_TRY(plan_number(r->o->params, "--params", 50e6, 10e12, &params, e));
		DS_TRY(shape(r, params, vocab, e));
	} else if (!preset && strchr(o->keys.model, '.')) {
		DS_TRY(read_config(r, o->keys.model, e));
	} else {
		DS_TRY(ds_config_preset(c, ds_str_of(o->keys.model), r->mem, e));
	}
	for (size_t i = 0; i < o->n_model; i++)
		DS_TRY(ds_config_set(c, o->model[i].name, o->model[i].value, r->mem, e));
	if (c->arch->traits & DS_ARCH_IMAGES || c->head != DS_HEAD_LM)
		return ds_fail(e, DS_USAGE,
			"%s: models that predict tokens are planned, the next or masked ones",
			c->arch->name);
	if (preset && !ds_config_given(c, "vocab_size"))
		c->vocab_size = vocab;
	int64_t *specials[] = { &c->bos, &c->eos, &c->pad };
	for (int i = 0; i < 3; i++)
		if (*specials[i] >= c->vocab_size)
			*specials[i] = -1;
	return ds_config_finish(c, e);
}

/* What is predicted, and whether the weights themselves are trained. */
static ds_rc task(plan_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	const ds_arch *arch = r->plan.config.arch;
	int own = arch->traits & DS_ARCH_ENCODER ? DS_TASK_mlm : DS_TASK_clm;
	if ((k->task != DS_TASK_auto && k->task != own) || k->eval_data ||
		(k->tune != DS_TUNE_full && k->tune != DS_TUNE_lora))
		return ds_fail(e, DS_USAGE,
			"%s: task=%s, tune=full or lora, without eval_data are planned", arch->name,
			own == DS_TASK_mlm ? "mlm" : "clm");
	r->plan.per_row = r->plan.seq;
	if (own == DS_TASK_mlm) {
		r->plan.targets = DS_TARGETS_PICKED;
		r->plan.per_row =
			ds_mlm_most(&(ds_mlm){ .probability = k->mlm_probability }, r->plan.seq);
	}
	if (k->tune == DS_TUNE_lora)
		r->plan.lora = (ds_lora){ .r = k->lora_r,
			.alpha = k->lora_alpha,
			.dropout = k->lora_dropout,
			.targets = k->target_modules ? k->target_modules : arch->attention_inputs };
	return DS_OK;
}

ds_rc plan_model(plan_run *r, ds_err *e)
{
	ds_settings *k = &r->o->ask.keys;
	DS_TRY(config(r, e));
	int64_t longest = ds_arch_longest(&r->plan.config, 0);
	r->plan.seq = k->seq ? k->seq : longest < USUAL_SEQ ? longest : USUAL_SEQ;
	if (r->gpu && !ds_request_gave(&r->o->ask, ds_key_find(ds_setting_keys, DS_S("precision"))))
		k->precision = 1;       /* bf16 of choices.def */
	if (r->gpu && !k->batch_tokens) /* a multiple of any number of copies */
		k->batch_tokens = (GPU_STEP_ROWS + r->n - 1) / r->n * r->n * r->plan.seq;
	DS_TRY(task(r, e));
	r->plan.docs = k->doc_attention;
	r->plan.compile = ds_settings_compile(k);
	return DS_OK;
}
