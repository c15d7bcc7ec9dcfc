/*
 * opts.c - the command line: every key of a run or a model is an option
 *
 * --set and every option end up in one list of pairs, so the last word counts wherever it was said.
 */
#include "opts.h"

#include <assert.h>

train_opts train_options = { .device = "auto" };

static ds_rc on_set(void *context, const char *name, const char *value, ds_err *e)
{
	return ds_pairs_each(ds_str_of(value), ds_setting_known, ds_request_add, context, e);
}

static ds_rc on_key(void *context, const char *name, const char *value, ds_err *e)
{
	return ds_request_add(context, ds_str_of(name), ds_str_of(value), e);
}

static ds_call set_call = { on_set, &train_options.ask }, key_call = { on_key, &train_options.ask };

static const ds_arg own_args[] = {
	DS_ARG(0, "set", &set_call, "K=V[,K=V]", "change keys of the run or the model"),
	DS_ARG_F(0, "resume", &train_options.resume, NULL,
		"go on from the newest checkpoint in --out", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "allow-exec", &train_options.ask.allow_exec, NULL,
		"run the exec or plugin that a config.ini names", DS_ARG_UNRECORDED),
	DS_ARG(0, "ignore-keys", &train_options.ask.ignore_keys, NULL,
		"leave out what a model has and this program does not"),
	DS_ARG_F(0, "dry-run", &train_options.dry_run, NULL,
		"print sizes, memory and steps, train nothing", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "dump", &train_options.dump, "graph|plan|sched", "print it, train nothing",
		DS_ARG_UNRECORDED),
	DS_ARG_F(0, "explain", &train_options.explain, "memory|time",
		"where a step's memory or time goes, train nothing", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "memory", &train_options.memory, "SIZE",
		"compute again in backward what is needed to fit", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "device", &train_options.device, "auto|cpu|cuda",
		"where it runs (auto: an NVIDIA device if there is one)", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "restarts", &train_options.restarts, "N",
		"go on from the last checkpoint so often where a rank died", DS_ARG_UNRECORDED),
	DS_ARG_F(0, "trace", &train_options.trace, "FILE",
		"when every rank did what, for chrome://tracing or Perfetto", DS_ARG_UNRECORDED),
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

enum { MAX_ARGS = 256, NAME_BYTES = 48 };
static ds_arg table[MAX_ARGS];
static char names[MAX_ARGS][NAME_BYTES];

static size_t add_arg(size_t n, const char *key, const ds_key *k, const char *help)
{
	assert(n < MAX_ARGS - sizeof(own_args) / sizeof(own_args[0]) - 1);
	char *to = names[n];
	assert(n + 1 < MAX_ARGS); /* the tables are ours, and the last is an end */
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
	size_t n = add_keys(0, ds_setting_keys);
	for (size_t i = 0; i < sizeof(own_args) / sizeof(own_args[0]); i++)
		table[n++] = own_args[i];
	n = add_keys(n, ds_config_keys);
	n = add_arg(n, "dropout", NULL, "all of the model's dropouts");
	return table;
}
