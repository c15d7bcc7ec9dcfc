/*
 * settings.c - what a run was asked to do
 *
 * Keys of a run and keys of a model come from two tables; --set and every option end up in one list
 * of pairs, so the last word counts wherever it was said.
 */
#include "train/settings.h"

#include "base/io.h"
#include "base/mem.h"

#include <math.h>
#include <stddef.h>

/* ---- words, with a bar in front of each, and what they stand for ---- */

#define OPTIMIZER(name) "|" #name
#define SCHEDULE(name)
static const char optimizers[] =
#include "graph/opts.def"
	;
#undef OPTIMIZER
#undef SCHEDULE
#define OPTIMIZER(name)
#define SCHEDULE(name) "|" #name
static const char schedules[] =
#include "graph/opts.def"
	;
#undef OPTIMIZER
#undef SCHEDULE

#define TASK(name) "|" #name
static const char tasks[] =
#include "train/choices.def"
	;
#define TUNE(name) "|" #name
static const char tunes[] =
#include "train/choices.def"
	;
#define TYPE(name, dtype, stored) "|" #name
static const char types[] =
#include "train/choices.def"
	;
#define AGAIN(name, recompute) "|" #name
static const char agains[] =
#include "train/choices.def"
	;

#define TUNE(name) #name,
static const char *const tune_words[] = {
#include "train/choices.def"
};
#define AGAIN(name, recompute) #name,
static const char *const again_words[] = {
#include "train/choices.def"
};
#define AGAIN(name, recompute) recompute,
static const ds_recompute again_of[] = {
#include "train/choices.def"
};
#define TYPE(name, dtype, stored) { dtype, stored },
static const struct {
	ds_dtype product;
	ds_st_type stored;
} type_of[] = {
#include "train/choices.def"
};

#define WORDS(table) (table + 1)

/* ---- keys ---- */

#define AT(field) offsetof(ds_settings, field)
#define COUNT 0, 1e15, NULL

/* clang-format off */
const ds_key ds_setting_keys[] = {
	{ "model", { 0 }, DS_KEY_TEXT, AT(model), 0, 0, NULL, "preset, model directory, config.json or config.ini" },
	{ "seq", { "max_seq_length" }, DS_KEY_I64, AT(seq), 0, 1 << 24, NULL, "tokens of a row; 0: the shard's, else up to 1024" },
	{ "batch_tokens", { 0 }, DS_KEY_I64, AT(batch_tokens), COUNT, "tokens of an optimizer step; 0: 8 rows" },
	{ "max_steps", { 0 }, DS_KEY_I64, AT(max_steps), COUNT, "stop after so many steps; 0: by epochs" },
	{ "epochs", { "num_train_epochs" }, DS_KEY_F64, AT(epochs), 0, 1e9, NULL, "passes over the data; 0: 1 unless max_steps" },
	{ "lr", { "learning_rate" }, DS_KEY_F64, AT(lr), 0, 10, NULL, "learning rate, default 3e-4 (a directory's model: 1e-5)" },
	{ "scheduler", { "lr_scheduler_type" }, DS_KEY_NAME, AT(scheduler), 0, 0, WORDS(schedules), "how the learning rate falls" },
	{ "warmup_steps", { 0 }, DS_KEY_I64, AT(warmup_steps), COUNT, "steps in which it rises" },
	{ "weight_decay", { 0 }, DS_KEY_F64, AT(weight_decay), 0, 10, NULL, "default 0.01; norms and biases have none" },
	{ "max_norm", { "max_grad_norm" }, DS_KEY_F64, AT(max_norm), 0, 1e9, NULL, "clip gradients to this norm, default 1; 0: never" },
	{ "gradient_accumulation_steps", { 0 }, DS_KEY_I64, AT(accumulation), 1, 1 << 20, NULL, "micro-batches a step is computed in" },
	{ "gradient_checkpointing", { 0 }, DS_KEY_CHOICE, AT(recompute), 0, 0, WORDS(agains), "computed again rather than kept: norms and activations; up to the attention too; whole layers" },
	{ "optimizer", { "optim" }, DS_KEY_NAME, AT(optimizer), 0, 0, WORDS(optimizers), "how weights are changed" },
	{ "muon_momentum", { 0 }, DS_KEY_F64, AT(muon_momentum), 0, 0.999999, NULL, "default 0.95" },
	{ "muon_steps", { 0 }, DS_KEY_I64, AT(muon_steps), 1, 100, NULL, "of Newton-Schulz iteration, default 5" },
	{ "adam_beta1", { 0 }, DS_KEY_F64, AT(beta1), 0, 0.999999, NULL, "decay of the mean, default 0.9" },
	{ "adam_beta2", { 0 }, DS_KEY_F64, AT(beta2), 0, 0.999999, NULL, "decay of the variance, default 0.95" },
	{ "adam_epsilon", { 0 }, DS_KEY_F64, AT(epsilon), 0, 1, NULL, "default 1e-8" },
	{ "precision", { 0 }, DS_KEY_CHOICE, AT(precision), 0, 0, WORDS(types), "operands of matrix products; weights and sums stay fp32" },
	{ "tune", { 0 }, DS_KEY_CHOICE, AT(tune), 0, 0, WORDS(tunes), "what is trained: all, or adapters of a directory's model; auto: by the number of records" },
	{ "lora_r", { 0 }, DS_KEY_I64, AT(lora_r), 1, 1 << 16, NULL, "rank of the adapters, default 16" },
	{ "lora_alpha", { 0 }, DS_KEY_F64, AT(lora_alpha), 0, 1e6, NULL, "their weight is alpha / r, default 32" },
	{ "lora_dropout", { 0 }, DS_KEY_F64, AT(lora_dropout), 0, 0.99, NULL, "dropout of their input" },
	{ "target_modules", { 0 }, DS_KEY_TEXT, AT(target_modules), 0, 0, NULL, "linears that get one, a,b; default: the attention's inputs" },
	{ "prompt_tokens", { "num_virtual_tokens" }, DS_KEY_I64, AT(prompt_tokens), 1, 4096, NULL, "prompt and prefix tuning: virtual tokens, default 16" },
	{ "task", { 0 }, DS_KEY_CHOICE, AT(task), 0, 0, WORDS(tasks), "predict the next token, masked ones, answers, a record's label, its tokens' labels, which picture a text has; default: by architecture" },
	{ "mlm_probability", { 0 }, DS_KEY_F64, AT(mlm_probability), 0, 1, NULL, "share of tokens that mlm predicts, default 0.15" },
	{ "mlm_mask_share", { 0 }, DS_KEY_F64, AT(mlm_mask_share), 0, 1, NULL, "of those: become the mask, default 0.8" },
	{ "mlm_random_share", { 0 }, DS_KEY_F64, AT(mlm_random_share), 0, 1, NULL, "of those: become a random token, default 0.1" },
	{ "image_flip", { 0 }, DS_KEY_F64, AT(image_flip), 0, 1, NULL, "share of pictures that are mirrored in training" },
	{ "image_crop", { 0 }, DS_KEY_F64, AT(image_crop), 0, 1, NULL, "training sees parts of pictures, of an area between 1 less this and all" },
	{ "image_color", { 0 }, DS_KEY_F64, AT(image_color), 0, 1, NULL, "brightness, contrast and saturation vary by so much" },
	{ "whole_word", { "mlm_whole_word" }, DS_KEY_BOOL, AT(whole_word), 0, 0, NULL, "mlm hides all tokens of a word together" },
	{ "doc_attention", { 0 }, DS_KEY_BOOL, AT(doc_attention), 0, 0, NULL, "attention and positions stay inside documents; default: where task=chat" },
	{ "chat", { 0 }, DS_KEY_TEXT, AT(chat), 0, 0, NULL, "layout of conversations (chatml, llama3, …); auto: the model's own, else chatml" },
	{ "any_tokenizer", { 0 }, DS_KEY_BOOL, AT(any_tokenizer), 0, 0, NULL, "take shards of another tokenizer than the model's, their ids as they are" },
	{ "exec", { 0 }, DS_KEY_TEXT, AT(exec), 0, 0, NULL, "command whose output is the data, in any format that is read" },
	{ "plugin", { 0 }, DS_KEY_TEXT, AT(plugin), 0, 0, NULL, "library whose records are the data (dataset.h)" },
	{ "plugin_options", { 0 }, DS_KEY_TEXT, AT(plugin_options), 0, 0, NULL, "text that it is given" },
	{ "mix", { "data_weights" }, DS_KEY_TEXT, AT(mix), 0, 0, NULL, "weights of the files, w,w: rows come in these shares, each file repeated as needed" },
	{ "grow", { 0 }, DS_KEY_BOOL, AT(grow), 0, 0, NULL, "a directory's model gets num_hidden_layers by copying its layers" },
	{ "num_gpus", { "procs" }, DS_KEY_I64, AT(procs), 0, DS_MAX_RANKS, NULL, "processes that train together; 0: as many as parallel_strategy names" },
	{ "parallel_strategy", { 0 }, DS_KEY_TEXT, AT(strategy), 0, 0, NULL, "dp, tp=2,pp=2,dp=2, ep=2, 3d, auto: data, tensor, pipeline, expert parallelism" },
	{ "sync_every", { 0 }, DS_KEY_I64, AT(sync_every), 1, 1 << 20, NULL, "1: copies add up gradients; N: they average weights every N steps" },
	{ "zero", { "zero_stage" }, DS_KEY_I64, AT(zero), 0, 1, NULL, "1: each copy keeps its part of the optimizer's state (adamw)" },
	{ "comm_timeout", { 0 }, DS_KEY_F64, AT(comm_timeout), 0, 1e9, NULL, "seconds a rank waits for another, default 600; 0: for ever" },
	{ "seed", { 0 }, DS_KEY_I64, AT(seed), COUNT, "of weights, order and dropout" },
	{ "eval_data", { 0 }, DS_KEY_TEXT, AT(eval_data), 0, 0, NULL, "file to measure the loss on, not trained on" },
	{ "eval_every", { "eval_steps" }, DS_KEY_I64, AT(eval_every), 1, 1e15, "epoch", "steps between evaluations, or epoch" },
	{ "eval_batches", { 0 }, DS_KEY_I64, AT(eval_batches), COUNT, "evaluate on so many batches; 0: all" },
	{ "early_stopping_patience", { 0 }, DS_KEY_I64, AT(patience), COUNT, "stop after so many evaluations without gain; 0: never" },
	{ "save_every", { "save_steps" }, DS_KEY_I64, AT(save_every), COUNT, "steps between checkpoints, default 500; 0: at the end" },
	{ "save_total_limit", { 0 }, DS_KEY_I64, AT(save_total_limit), COUNT, "checkpoints kept, default 2; 0: all" },
	{ "save_dtype", { 0 }, DS_KEY_CHOICE, AT(save_dtype), 0, 0, WORDS(types), "how the model's weights are stored" },
	{ "clamp", { 0 }, DS_KEY_BOOL, AT(clamp), 0, 0, NULL, "weights over the range of save_dtype become its largest; else that is an error" },
	{ "log_every", { "logging_steps" }, DS_KEY_I64, AT(log_every), 1, 1e15, NULL, "steps between lines of log.jsonl" },
	{ 0 },
};
/* clang-format on */

/* What a run that goes on may change: how long, what is computed again, which changes no bit, and what
 * is saved, measured and written down. */
static const char *const free_keys[] = { "num_gpus", "parallel_strategy", "zero", "comm_timeout",
	"gradient_checkpointing", "max_steps", "epochs", "eval_data", "eval_every", "eval_batches",
	"early_stopping_patience", "save_every", "save_total_limit", "save_dtype", "clamp",
	"log_every", NULL };

const ds_settings ds_settings_default = { .optimizer = "adamw",
	.scheduler = "linear",
	.lr = -1,
	.weight_decay = 0.01,
	.max_norm = 1,
	.beta1 = 0.9,
	.beta2 = 0.95,
	.epsilon = 1e-8,
	.muon_momentum = 0.95,
	.muon_steps = 5,
	.lora_r = 16,
	.lora_alpha = 32,
	.prompt_tokens = 16,
	.mlm_probability = 0.15,
	.mlm_mask_share = 0.8,
	.mlm_random_share = 0.1,
	.accumulation = 1,
	.sync_every = 1,
	.comm_timeout = 600,
	.save_every = 500,
	.save_total_limit = 2,
	.log_every = 1,
	.eval_every = DS_EVERY_EPOCH };

/* ---- values by words ---- */

ds_compile ds_settings_compile(const ds_settings *k)
{
	return (ds_compile){ .train = true,
		.product = type_of[k->precision].product,
		.recompute = again_of[k->recompute],
		.recompute_layers = INT32_MAX,
		.optimizer = k->optimizer,
		.beta1 = (float)k->beta1,
		.beta2 = (float)k->beta2,
		.eps = (float)k->epsilon,
		.decay = (float)k->weight_decay,
		.max_norm = (float)k->max_norm,
		.momentum = (float)k->muon_momentum,
		.muon_steps = (int32_t)k->muon_steps };
}

ds_st_type ds_settings_stored(const ds_settings *k)
{
	return type_of[k->save_dtype].stored;
}

const char *ds_recompute_word(ds_recompute r)
{
	size_t i = 0;
	while (again_of[i] != r)
		i++;
	return again_words[i];
}

const char *ds_tune_word(ds_tune t)
{
	return tune_words[t];
}

bool ds_setting_known(void *context, ds_str name)
{
	return ds_key_find(ds_setting_keys, name) || ds_config_is_key(name);
}

static void push(ds_setting_pair **list, size_t *n, size_t *cap, ds_setting_pair p)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 32;
		*list = ds_mem_grow(*list, *cap * sizeof(p), more * sizeof(p));
		*cap = more;
	}
	(*list)[(*n)++] = p;
}

static ds_rc unknown_key(ds_str name, ds_err *e)
{
	return ds_fail(e, DS_USAGE, "unknown key '%.*s'; the nearest is '%s'", DS_FMT(name),
		ds_key_nearest(ds_setting_keys, ds_config_keys, name));
}

ds_rc ds_request_add(void *context, ds_str name, ds_str value, ds_err *e)
{
	ds_request *o = context;
	if (!ds_setting_known(NULL, name))
		return unknown_key(name, e);
	push(&o->given, &o->n_given, &o->cap_given, (ds_setting_pair){ name, value });
	return DS_OK;
}

/* ---- a request ---- */

enum { INI_BYTES = 1 << 20 };

static void add_data(ds_request *o, const char *path)
{
	if (o->n_data == o->cap_data) {
		size_t more = o->cap_data ? 2 * o->cap_data : 16;
		o->data = ds_mem_grow(o->data, o->cap_data * sizeof(path), more * sizeof(path));
		o->cap_data = more;
	}
	o->data[o->n_data++] = path;
}

static ds_rc set_pair(void *context, ds_str name, ds_str value, ds_err *e)
{
	ds_request *o = context;
	const ds_key *k = ds_key_find(ds_setting_keys, name);
	if (ds_str_is(name, "doc_attention"))
		o->docs_given = true;
	if (k)
		return ds_key_set(k, &o->keys, value, o->mem, e);
	if (!ds_config_is_key(name))
		return unknown_key(name, e);
	push(&o->model, &o->n_model, &o->cap_model,
		(ds_setting_pair){ ds_arena_str(o->mem, name), ds_arena_str(o->mem, value) });
	return DS_OK;
}

static ds_rc set_line(void *context, ds_str name, ds_str value, ds_err *e)
{
	ds_request *o = context;
	if (ds_str_is(name, "on_error")) {
		o->skips = ds_str_is(value, "skip");
		return o->skips ? DS_OK
				: ds_fail(e, DS_USAGE, "on_error='%.*s': wanted skip",
					  DS_FMT(value));
	}
	if (!ds_str_is(name, "data"))
		return set_pair(context, name, value, e);
	add_data(o, ds_arena_str(o->mem, value).at);
	return DS_OK;
}

ds_rc ds_request_apply(ds_request *o, ds_err *e)
{
	for (size_t i = 0; i < o->n_given; i++)
		DS_TRY(set_pair(o, o->given[i].name, o->given[i].value, e));
	return DS_OK;
}

ds_rc ds_request_read(ds_request *o, const char *path, ds_err *e)
{
	ds_buf text = { 0 };
	ds_rc rc = ds_file_read(path, INI_BYTES, &text, e);
	o->ini = path;
	if (rc == DS_OK) {
		rc = ds_ini_each(ds_buf_view(&text), set_line, o, e);
		if (rc != DS_OK)
			rc = ds_at(e, rc, "%s", path);
	}
	ds_buf_free(&text);
	return rc;
}

static bool is_free(const ds_key *k)
{
	for (int i = 0; free_keys[i]; i++)
		if (strcmp(free_keys[i], k->name) == 0)
			return true;
	return false;
}

static ds_rc differs(const ds_key *k, const void *was, const void *now, ds_err *e)
{
	ds_buf a = { 0 }, b = { 0 };
	ds_key_print(k, was, &a);
	ds_key_print(k, now, &b);
	ds_rc rc = ds_fail(e, DS_USAGE, "%s=%s, but the run to resume has %s", k->name,
		ds_buf_text(&b), ds_buf_text(&a));
	ds_buf_free(&a);
	ds_buf_free(&b);
	return rc;
}

/* Keys of a model as pairs say them, of a trunk each: its own, then those of its towers. */
typedef struct {
	ds_config of[1 + DS_MAX_TOWERS];
} bare_model;

/* "vision_config.patch_size" is one tower's; the rest of the name is *rest. */
static int trunk_of(ds_str name, ds_str *rest)
{
	*rest = name;
	for (int i = 0; i < DS_MAX_TOWERS; i++) {
		ds_str key = ds_str_of(ds_tower_keys[i]);
		if (!ds_str_starts(name, key) || name.n <= key.n || name.at[key.n] != '.')
			continue;
		*rest = (ds_str){ name.at + key.n + 1, name.n - key.n - 1 };
		return 1 + i;
	}
	return 0;
}

static ds_rc set_bare(bare_model *m, int trunk, ds_str name, ds_str value, ds_arena *mem, ds_err *e)
{
	const ds_key *k = ds_key_find(ds_config_keys, name);
	return k ? ds_key_set(k, &m->of[trunk], value, mem, e) : DS_OK;
}

static bool is_dropout(ds_str name)
{
	return ds_str_ends(name, DS_S("pdrop")) || ds_str_is(name, "attention_dropout");
}

/* A pair of the command line changes the lines that config.ini has of it: one, or one a tower; dropout=p all dropouts. */
static ds_rc change_lines(const ds_request *o, bare_model *m, const ds_setting_pair *p, ds_err *e)
{
	ds_str name, line;
	int trunk = trunk_of(p->name, &name);
	const ds_key *k = ds_key_find(ds_config_keys, name);
	bool all = ds_str_is(name, "dropout"), found = false;
	for (size_t i = 0; i < o->n_model; i++) {
		int of = trunk_of(o->model[i].name, &line);
		bool same = all ? is_dropout(line) : k && ds_key_find(ds_config_keys, line) == k;
		if (!same || (trunk && of != trunk))
			continue;
		found = true;
		DS_TRY(set_bare(m, of, line, p->value, o->mem, e));
	}
	return found ? DS_OK : set_bare(m, trunk, name, p->value, o->mem, e);
}

/* Only which keys agree is asked here, so bare structs do. */
static ds_rc check_model_keys(ds_request *o, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 14);
	bare_model *was = ds_arena_zero(mem, sizeof(*was)), *now = ds_arena_get(mem, sizeof(*now));
	for (size_t i = 0; i < o->n_model; i++) {
		ds_str name;
		int trunk = trunk_of(o->model[i].name, &name);
		DS_TRY(set_bare(was, trunk, name, o->model[i].value, o->mem, e));
	}
	*now = *was;
	for (size_t i = 0; i < o->n_given; i++)
		DS_TRY(change_lines(o, now, &o->given[i], e));
	for (int t = 0; t <= DS_MAX_TOWERS; t++)
		for (const ds_key *k = ds_config_keys; k->name; k++)
			if (!ds_key_equal(k, &was->of[t], &now->of[t]))
				return differs(k, &was->of[t], &now->of[t], e);
	return DS_OK;
}

ds_rc ds_request_resume(ds_request *o, ds_err *e)
{
	ds_settings was = o->keys;
	for (size_t i = 0; i < o->n_given; i++) {
		const ds_key *k = ds_key_find(ds_setting_keys, o->given[i].name);
		if (k)
			DS_TRY(ds_key_set(k, &o->keys, o->given[i].value, o->mem, e));
	}
	for (const ds_key *k = ds_setting_keys; k->name; k++)
		if (!is_free(k) && !ds_key_equal(k, &was, &o->keys))
			return differs(k, &was, &o->keys, e);
	return check_model_keys(o, e);
}

bool ds_request_gave(const ds_request *o, const ds_key *k)
{
	for (size_t i = 0; i < o->n_given; i++)
		if (ds_key_find(ds_setting_keys, o->given[i].name) == k ||
			ds_key_find(ds_config_keys, o->given[i].name) == k)
			return true;
	return false;
}

/* A folder that somebody gave away would otherwise run a program by being looked at. */
ds_rc ds_request_check_commands(const ds_request *o, ds_err *e)
{
	const struct {
		const char *name, *value;
	} commands[] = { { "exec", o->keys.exec }, { "plugin", o->keys.plugin } };
	for (int i = 0; i < 2 && !o->allow_exec; i++) {
		const ds_key *k = ds_key_find(ds_setting_keys, ds_str_of(commands[i].name));
		if (commands[i].value && !ds_request_gave(o, k))
			return ds_fail(e, DS_USAGE,
				"%s: it would run '%s' (%s); --allow-exec lets it, and so does "
				"--%s with the same",
				o->ini, commands[i].value, k->name, k->name);
	}
	return DS_OK;
}

void ds_request_print(const ds_request *o, const ds_config *c, const char *const *data,
	size_t n_data, ds_buf *out)
{
	ds_buf_add_c(out, "# dstrain --model config.ini --out DIR repeats this run\n[run]\n");
	for (const ds_key *k = ds_setting_keys; k->name; k++) {
		ds_buf_fmt(out, "%s = ", k->name);
		ds_key_print(k, &o->keys, out);
		ds_buf_add_byte(out, '\n');
	}
	for (size_t i = 0; i < n_data; i++)
		ds_buf_fmt(out, "data = %s\n", data[i]);
	if (o->skips)
		ds_buf_add_c(out, "on_error = skip\n");
	ds_buf_add_c(out, "[model]\n");
	ds_config_ini(c, out);
}

void ds_request_release(ds_request *o)
{
	ds_mem_free(o->given);
	ds_mem_free(o->model);
	ds_mem_free(o->data);
}
