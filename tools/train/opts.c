/*
 * opts.c - what a run was asked to do
 *
 * Keys of a run and keys of a model come from two tables; --set and every option end up in one list
 * of pairs, so the last word counts wherever it was said.
 */
#include "opts.h"

#include "base/io.h"
#include "base/mem.h"

#include <math.h>
#include <stddef.h>

#define AT(field) offsetof(train_keys, field)
#define COUNT 0, 1e15, NULL

/* clang-format off */
const ds_key train_key_table[] = {
	{ "model", { 0 }, DS_KEY_TEXT, AT(model), 0, 0, NULL, "preset, model directory, config.json or config.ini" },
	{ "seq", { "max_seq_length" }, DS_KEY_I64, AT(seq), 0, 1 << 24, NULL, "tokens of a row; 0: the shard's, else up to 1024" },
	{ "batch_tokens", { 0 }, DS_KEY_I64, AT(batch_tokens), COUNT, "tokens of an optimizer step; 0: 8 rows" },
	{ "max_steps", { 0 }, DS_KEY_I64, AT(max_steps), COUNT, "stop after so many steps; 0: by epochs" },
	{ "epochs", { "num_train_epochs" }, DS_KEY_F64, AT(epochs), 0, 1e9, NULL, "passes over the data; 0: 1 unless max_steps" },
	{ "lr", { "learning_rate" }, DS_KEY_F64, AT(lr), 0, 10, NULL, "learning rate, 3e-4 (a directory's model: 1e-5) unless said" },
	{ "scheduler", { "lr_scheduler_type" }, DS_KEY_CHOICE, AT(scheduler), 0, 0, "linear|cosine|constant|wsd", "how the learning rate falls" },
	{ "warmup_steps", { 0 }, DS_KEY_I64, AT(warmup_steps), COUNT, "steps in which it rises" },
	{ "weight_decay", { 0 }, DS_KEY_F64, AT(weight_decay), 0, 10, NULL, "0.01 unless said; norms and biases have none" },
	{ "max_norm", { "max_grad_norm" }, DS_KEY_F64, AT(max_norm), 0, 1e9, NULL, "clip gradients to this norm, 1 unless said; 0: never" },
	{ "gradient_accumulation_steps", { 0 }, DS_KEY_I64, AT(accumulation), 1, 1 << 20, NULL, "parts a step's batch is computed in" },
	{ "gradient_checkpointing", { 0 }, DS_KEY_CHOICE, AT(recompute), 0, 0, "false|elements|attention|true", "computed again rather than kept: norms and activations; up to the attention too; whole layers" },
	{ "optimizer", { "optim" }, DS_KEY_CHOICE, AT(optimizer), 0, 0, "adamw|lamb|muon", "how weights are changed" },
	{ "muon_momentum", { 0 }, DS_KEY_F64, AT(muon_momentum), 0, 0.999999, NULL, "0.95 unless said" },
	{ "muon_steps", { 0 }, DS_KEY_I64, AT(muon_steps), 1, 100, NULL, "of Newton-Schulz iteration, 5 unless said" },
	{ "adam_beta1", { 0 }, DS_KEY_F64, AT(beta1), 0, 0.999999, NULL, "decay of the mean, 0.9 unless said" },
	{ "adam_beta2", { 0 }, DS_KEY_F64, AT(beta2), 0, 0.999999, NULL, "decay of the variance, 0.95 unless said" },
	{ "adam_epsilon", { 0 }, DS_KEY_F64, AT(epsilon), 0, 1, NULL, "1e-8 unless said" },
	{ "precision", { 0 }, DS_KEY_CHOICE, AT(precision), 0, 0, "fp32|bf16|fp16", "factors of matrix products; weights and sums stay fp32" },
	{ "tune", { 0 }, DS_KEY_CHOICE, AT(tune), 0, 0, "full|lora|prompt|prefix|auto", "what is trained: all, or adapters of a directory's model; auto: by the number of records" },
	{ "lora_r", { 0 }, DS_KEY_I64, AT(lora_r), 1, 1 << 16, NULL, "rank of the adapters, 16 unless said" },
	{ "lora_alpha", { 0 }, DS_KEY_F64, AT(lora_alpha), 0, 1e6, NULL, "their weight is alpha / r, alpha 32 unless said" },
	{ "lora_dropout", { 0 }, DS_KEY_F64, AT(lora_dropout), 0, 0.99, NULL, "dropout of their input" },
	{ "target_modules", { 0 }, DS_KEY_TEXT, AT(target_modules), 0, 0, NULL, "linears that get one, a,b; the attention's inputs unless said" },
	{ "prompt_tokens", { "num_virtual_tokens" }, DS_KEY_I64, AT(prompt_tokens), 1, 4096, NULL, "prompt and prefix tuning: virtual tokens, 16 unless said" },
	{ "task", { 0 }, DS_KEY_CHOICE, AT(task), 0, 0, "auto|clm|mlm|chat|cls|tokcls", "predict the next token, hidden ones, answers, a record's label, its tokens' labels; by architecture unless said" },
	{ "mlm_probability", { 0 }, DS_KEY_F64, AT(mlm_probability), 0, 1, NULL, "share of tokens that mlm predicts, 0.15 unless said" },
	{ "mlm_mask_share", { 0 }, DS_KEY_F64, AT(mlm_mask_share), 0, 1, NULL, "of those: become the mask, 0.8 unless said" },
	{ "mlm_random_share", { 0 }, DS_KEY_F64, AT(mlm_random_share), 0, 1, NULL, "of those: become a random token, 0.1 unless said" },
	{ "whole_word", { "mlm_whole_word" }, DS_KEY_BOOL, AT(whole_word), 0, 0, NULL, "mlm hides all tokens of a word together" },
	{ "doc_attention", { 0 }, DS_KEY_BOOL, AT(doc_attention), 0, 0, NULL, "attention and positions stay inside documents; true unless said where task=chat" },
	{ "chat", { 0 }, DS_KEY_TEXT, AT(chat), 0, 0, NULL, "layout of conversations (chatml, llama3, …); auto: the model's own, else chatml" },
	{ "any_tokenizer", { 0 }, DS_KEY_BOOL, AT(any_tokenizer), 0, 0, NULL, "take shards of another tokenizer than the model's, their ids as they are" },
	{ "exec", { 0 }, DS_KEY_TEXT, AT(exec), 0, 0, NULL, "command whose output is the data, in any format that is read" },
	{ "plugin", { 0 }, DS_KEY_TEXT, AT(plugin), 0, 0, NULL, "library whose records are the data (dataset.h)" },
	{ "plugin_options", { 0 }, DS_KEY_TEXT, AT(plugin_options), 0, 0, NULL, "text that it is given" },
	{ "mix", { "data_weights" }, DS_KEY_TEXT, AT(mix), 0, 0, NULL, "weights of the files, w,w: rows come in these shares, each file repeated as needed" },
	{ "grow", { 0 }, DS_KEY_BOOL, AT(grow), 0, 0, NULL, "a directory's model gets num_hidden_layers by copying its layers" },
	{ "seed", { 0 }, DS_KEY_I64, AT(seed), COUNT, "of weights, order and dropout" },
	{ "eval_data", { 0 }, DS_KEY_TEXT, AT(eval_data), 0, 0, NULL, "file to measure the loss on, not trained on" },
	{ "eval_every", { "eval_steps" }, DS_KEY_I64, AT(eval_every), 1, 1e15, "epoch", "steps between evaluations, or epoch" },
	{ "eval_batches", { 0 }, DS_KEY_I64, AT(eval_batches), COUNT, "evaluate on so many batches; 0: all" },
	{ "early_stopping_patience", { 0 }, DS_KEY_I64, AT(patience), COUNT, "stop after so many evaluations without gain; 0: never" },
	{ "save_every", { "save_steps" }, DS_KEY_I64, AT(save_every), COUNT, "steps between checkpoints, 500 unless said; 0: at the end" },
	{ "save_total_limit", { 0 }, DS_KEY_I64, AT(save_total_limit), COUNT, "checkpoints kept, 2 unless said; 0: all" },
	{ "save_dtype", { 0 }, DS_KEY_CHOICE, AT(save_dtype), 0, 0, "fp32|bf16|fp16", "how the model's weights are stored" },
	{ "log_every", { "logging_steps" }, DS_KEY_I64, AT(log_every), 1, 1e15, NULL, "steps between lines of log.jsonl" },
	{ 0 },
};
/* clang-format on */

/* What a run that goes on may change: how long, what is computed again, which changes no bit, and what
 * is saved, measured and written down. */
static const char *const free_keys[] = { "gradient_checkpointing", "max_steps", "epochs",
	"eval_data", "eval_every", "eval_batches", "early_stopping_patience", "save_every",
	"save_total_limit", "save_dtype", "log_every", NULL };

train_opts train_options = {
	.keys = { .lr = -1,
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
		.save_every = 500,
		.save_total_limit = 2,
		.log_every = 1,
		.eval_every = EVERY_EPOCH },
};

static bool known(void *context, ds_str name)
{
	return ds_key_find(train_key_table, name) || ds_config_is_key(name);
}

static void push(train_pair **list, size_t *n, size_t *cap, train_pair p)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 32;
		*list = ds_mem_grow(*list, *cap * sizeof(p), more * sizeof(p));
		*cap = more;
	}
	(*list)[(*n)++] = p;
}

/* ---- options ---- */

static ds_rc unknown_key(ds_str name, ds_err *e)
{
	return ds_fail(e, DS_USAGE, "unknown key '%.*s'; the nearest is '%s'", DS_FMT(name),
		ds_key_nearest(train_key_table, ds_config_keys, name));
}

static ds_rc add_given(void *context, ds_str name, ds_str value, ds_err *e)
{
	train_opts *o = context;
	if (!known(NULL, name))
		return unknown_key(name, e);
	push(&o->given, &o->n_given, &o->cap_given, (train_pair){ name, value });
	return DS_OK;
}

static ds_rc on_set(void *context, const char *name, const char *value, ds_err *e)
{
	return ds_pairs_each(ds_str_of(value), known, add_given, context, e);
}

static ds_rc on_key(void *context, const char *name, const char *value, ds_err *e)
{
	return add_given(context, ds_str_of(name), ds_str_of(value), e);
}

static ds_call set_call = { on_set, &train_options }, key_call = { on_key, &train_options };

static const ds_arg own_args[] = {
	DS_ARG(0, "set", &set_call, "K=V[,K=V]", "change keys of the run or the model"),
	DS_ARG_F(0, "resume", &train_options.resume, NULL,
		"go on from the newest checkpoint in --out", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "allow-exec", &train_options.allow_exec, NULL,
		"run the exec or plugin that a config.ini names", DS_ARG_UNRECORDED),
	DS_ARG(0, "ignore-keys", &train_options.ignore_keys, NULL,
		"leave out what a model has and this program does not"),
	DS_ARG_F(0, "dry-run", &train_options.dry_run, NULL,
		"print sizes, memory and steps, train nothing", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "dump", &train_options.dump, "graph|plan|sched", "print it, train nothing",
		DS_ARG_UNRECORDED),
	DS_ARG_F(0, "explain", &train_options.explain, "memory|time",
		"where a step's memory or time goes, train nothing", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "memory", &train_options.memory, "SIZE",
		"compute again in backward what is needed to fit", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "merge", &train_options.merge, NULL,
		"write --model ADAPTER and its model as one, train nothing", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "plot", &train_options.plot, NULL, "draw the loss of the runs given as FILE",
		DS_ARG_UNRECORDED),
};

/* Options on the first screen of --help; the others are in the manual. */
static bool is_prominent(const char *name)
{
	static const char *const names[] = { "model", "seq", "batch_tokens", "max_steps", "epochs",
		"lr", "scheduler", "eval_data", "save_every", "seed" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

enum { MAX_ARGS = 128, NAME_BYTES = 48, INI_BYTES = 1 << 20 };
static ds_arg table[MAX_ARGS];
static char names[MAX_ARGS][NAME_BYTES];

static size_t add_arg(size_t n, const char *key, const ds_key *k, const char *help)
{
	char *to = names[n];
	for (size_t i = 0; i < NAME_BYTES - 1 && key[i]; i++)
		to[i] = key[i] == '_' ? '-' : key[i];
	table[n] = (ds_arg){ 0, names[n], &key_call, DS_KIND_CALL,
		k && k->choices               ? k->choices
		: k && k->kind == DS_KEY_TEXT ? "FILE"
					      : "N",
		help, is_prominent(key) ? 0 : DS_ARG_HIDDEN };
	return n + 1;
}

static size_t add_keys(size_t n, const ds_key *k)
{
	for (; k->name; k++) {
		n = add_arg(n, k->name, k, k->help);
		for (int i = 0; i < 3 && k->also[i]; i++)
			n = add_arg(n, k->also[i], k, k->help);
	}
	return n;
}

const ds_arg *train_args(void)
{
	size_t n = add_keys(0, train_key_table);
	for (size_t i = 0; i < sizeof(own_args) / sizeof(own_args[0]); i++)
		table[n++] = own_args[i];
	n = add_keys(n, ds_config_keys);
	n = add_arg(n, "dropout", NULL, "all of the model's dropouts");
	return table;
}

/* ---- keys ---- */

static void add_data(train_opts *o, const char *path)
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
	train_opts *o = context;
	const ds_key *k = ds_key_find(train_key_table, name);
	if (ds_str_is(name, "doc_attention"))
		o->docs_given = true;
	if (k)
		return ds_key_set(k, &o->keys, value, o->mem, e);
	if (!ds_config_is_key(name))
		return unknown_key(name, e);
	push(&o->model, &o->n_model, &o->cap_model,
		(train_pair){ ds_arena_str(o->mem, name), ds_arena_str(o->mem, value) });
	return DS_OK;
}

static ds_rc set_line(void *context, ds_str name, ds_str value, ds_err *e)
{
	train_opts *o = context;
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

ds_rc train_apply_given(train_opts *o, ds_err *e)
{
	for (size_t i = 0; i < o->n_given; i++)
		DS_TRY(set_pair(o, o->given[i].name, o->given[i].value, e));
	return DS_OK;
}

ds_rc train_read_ini(train_opts *o, const char *path, ds_err *e)
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

static ds_rc set_model_key(ds_config *c, const train_pair *p, ds_arena *mem, ds_err *e)
{
	const ds_key *k = ds_key_find(ds_config_keys, p->name);
	return k ? ds_key_set(k, c, p->value, mem, e) : DS_OK;
}

/* dropout=p is a short form of the dropouts that the model has. */
static ds_rc set_dropouts(const train_opts *o, ds_config *c, ds_str value, ds_err *e)
{
	for (size_t i = 0; i < o->n_model; i++)
		if (ds_str_ends(o->model[i].name, DS_S("pdrop")) ||
			ds_str_is(o->model[i].name, "attention_dropout"))
			DS_TRY(set_model_key(
				c, &(train_pair){ o->model[i].name, value }, o->mem, e));
	return DS_OK;
}

/* Only which keys agree is asked here, so two bare structs do. */
static ds_rc check_model_keys(train_opts *o, ds_err *e)
{
	ds_config was = { 0 }, now;
	for (size_t i = 0; i < o->n_model; i++)
		DS_TRY(set_model_key(&was, &o->model[i], o->mem, e));
	now = was;
	for (size_t i = 0; i < o->n_given; i++) {
		const train_pair *p = &o->given[i];
		if (ds_str_is(p->name, "dropout"))
			DS_TRY(set_dropouts(o, &now, p->value, e));
		else
			DS_TRY(set_model_key(&now, p, o->mem, e));
	}
	for (const ds_key *k = ds_config_keys; k->name; k++)
		if (!ds_key_equal(k, &was, &now))
			return differs(k, &was, &now, e);
	return DS_OK;
}

ds_rc train_apply_resumed(train_opts *o, ds_err *e)
{
	train_keys was = o->keys;
	for (size_t i = 0; i < o->n_given; i++) {
		const ds_key *k = ds_key_find(train_key_table, o->given[i].name);
		if (k)
			DS_TRY(ds_key_set(k, &o->keys, o->given[i].value, o->mem, e));
	}
	for (const ds_key *k = train_key_table; k->name; k++)
		if (!is_free(k) && !ds_key_equal(k, &was, &o->keys))
			return differs(k, &was, &o->keys, e);
	return check_model_keys(o, e);
}

bool train_is_given(const train_opts *o, const ds_key *k)
{
	for (size_t i = 0; i < o->n_given; i++)
		if (ds_key_find(train_key_table, o->given[i].name) == k ||
			ds_key_find(ds_config_keys, o->given[i].name) == k)
			return true;
	return false;
}

/* A folder that somebody gave away would otherwise run a program by being looked at. */
ds_rc train_check_commands(const train_opts *o, ds_err *e)
{
	const struct {
		const char *name, *value;
	} commands[] = { { "exec", o->keys.exec }, { "plugin", o->keys.plugin } };
	for (int i = 0; i < 2 && !o->allow_exec; i++) {
		const ds_key *k = ds_key_find(train_key_table, ds_str_of(commands[i].name));
		if (commands[i].value && !train_is_given(o, k))
			return ds_fail(e, DS_USAGE,
				"%s: it would run '%s' (%s); --allow-exec lets it, and so does "
				"--%s with the same",
				o->ini, commands[i].value, k->name, k->name);
	}
	return DS_OK;
}

void train_print_ini(const train_opts *o, const ds_common *c, const ds_config *config,
	const char *const *data, size_t n_data, ds_buf *out)
{
	ds_buf_add_c(out, "# dstrain --model config.ini --out DIR repeats this run\n[run]\n");
	for (const ds_key *k = train_key_table; k->name; k++) {
		ds_buf_fmt(out, "%s = ", k->name);
		ds_key_print(k, &o->keys, out);
		ds_buf_add_byte(out, '\n');
	}
	for (size_t i = 0; i < n_data; i++)
		ds_buf_fmt(out, "data = %s\n", data[i]);
	if (c->on_error != DS_ON_STOP)
		ds_buf_add_c(out, "on_error = skip\n");
	ds_buf_add_c(out, "[model]\n");
	ds_config_ini(config, out);
}
