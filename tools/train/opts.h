/*
 * opts.h - what a run was asked to do
 *
 * Every key is an option (--max-steps 60), a --set (--set max_steps=60) and a line of config.ini.
 * Model keys (n_layer …) are kept as pairs until the model is known.
 */
#ifndef TRAIN_OPTS_H
#define TRAIN_OPTS_H

#include "base/args.h"
#include "model/config.h"

typedef struct { /* the keys; config.ini holds them all */
	const char *model, *eval_data, *target_modules, *exec, *mix, *plugin, *plugin_options,
		*chat;
	int64_t lora_r, prompt_tokens;
	double lora_alpha, lora_dropout;
	int task, precision, optimizer, scheduler, tune, save_dtype, recompute;
	double lr; /* below 0: by what is trained */
	double weight_decay, max_norm, epochs, beta1, beta2, epsilon, muon_momentum;
	int64_t muon_steps, warmup_steps, max_steps, batch_tokens, seq, accumulation;
	int64_t save_every, save_total_limit, log_every, eval_every, eval_batches, patience, seed;
	double mlm_probability, mlm_mask_share, mlm_random_share;
	bool any_tokenizer;
	bool doc_attention, whole_word, grow;
} train_keys;
enum { TASK_AUTO, TASK_CLM, TASK_MLM, TASK_CHAT, TASK_CLS, TASK_TOKCLS };
enum {
	EVERY_EPOCH = -1,
	TUNE_FULL = 0,
	TUNE_LORA = 1,
	TUNE_PROMPT = 2,
	TUNE_PREFIX = 3,
	TUNE_AUTO = 4
};

typedef struct {
	ds_str name, value;
} train_pair;

typedef struct {
	train_keys keys;
	ds_arena *mem;
	/* as given on the command line, in order */
	train_pair *given;
	size_t n_given, cap_given;
	/* model keys of a config.ini, then of the command line */
	train_pair *model;
	size_t n_model, cap_model;
	const char **data; /* of a config.ini, where the command line names none */
	size_t n_data, cap_data;
	/* options that are no keys */
	bool resume, dry_run, plot, merge, allow_exec, ignore_keys;
	bool skips;      /* a config.ini says that bad records are left out */
	const char *ini; /* the config.ini that was read, or NULL */
	bool docs_given; /* doc_attention was */
	const char *dump, *explain;
	ds_size memory;
} train_opts;

extern const ds_key train_key_table[];
extern train_opts train_options; /* filled by ds_main before run is called */

const ds_arg *train_args(void); /* the table of options */
/* Applies what was given on the command line to the keys. */
DS_MUST ds_rc train_apply_given(train_opts *o, ds_err *e);
/* Reads config.ini into the keys; unknown keys are DS_USAGE. */
DS_MUST ds_rc train_read_ini(train_opts *o, const char *path, ds_err *e);
/* For a run that goes on, after its ini: applies what may differ, refuses what else does not agree. */
DS_MUST ds_rc train_apply_resumed(train_opts *o, ds_err *e);
/* Was this key, of a run or of a model, set on the command line? */
bool train_is_given(const train_opts *o, const ds_key *k);
/* DS_USAGE where a file, not the command line, names a program or library to run, unless --allow-exec. */
DS_MUST ds_rc train_check_commands(const train_opts *o, ds_err *e);
void train_print_ini(const train_opts *o, const ds_common *c, const ds_config *config,
	const char *const *data, size_t n_data, ds_buf *out);

#endif
