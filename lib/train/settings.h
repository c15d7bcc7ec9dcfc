/*
 * settings.h - what a run was asked to do
 *
 * ds_settings are the keys of a run: each is an option (--max-steps 60), a --set (--set max_steps=60) and a line of
 * config.ini. A ds_request is those with what was said where: the last word counts. Keys of the model (n_layer …) are kept
 * as pairs until the model is known.
 */
#ifndef DS_TRAIN_SETTINGS_H
#define DS_TRAIN_SETTINGS_H

#include "model/config.h"
#include "model/safetensors.h"

#define TASK(name) DS_TASK_##name,
typedef enum {
#include "train/choices.def"
	DS_N_TASKS
} ds_task_kind;
#define TUNE(name) DS_TUNE_##name,
typedef enum {
#include "train/choices.def"
	DS_N_TUNES
} ds_tune;
const char *ds_tune_word(ds_tune t);
const char *ds_recompute_word(ds_recompute r);
/* Are the targets labels of the records? */
static inline bool ds_task_labels(int task)
{
	return task == DS_TASK_cls || task == DS_TASK_tokcls;
}

enum { DS_EVERY_EPOCH = -1 }; /* eval_every */

typedef struct { /* the keys; config.ini holds them all */
	const char *model, *eval_data, *target_modules, *exec, *mix, *plugin, *plugin_options,
		*chat;
	int64_t lora_r, prompt_tokens;
	double lora_alpha, lora_dropout;
	const char *optimizer, *scheduler; /* of graph/opts.def */
	int task, tune;                    /* DS_TASK_…, DS_TUNE_… */
	int precision, save_dtype,
		recompute; /* rows of choices.def; see ds_settings_compile, _stored */
	double lr;         /* below 0: by what is trained */
	double weight_decay, max_norm, epochs, beta1, beta2, epsilon, muon_momentum;
	int64_t muon_steps, warmup_steps, max_steps, batch_tokens, seq, accumulation;
	int64_t procs, sync_every,
		zero; /* ranks, and what they share; strategy: words of strategy.h */
	const char *strategy;
	double comm_timeout;
	int64_t save_every, save_total_limit, log_every, eval_every, eval_batches, patience, seed;
	double image_flip, image_crop, image_color;
	double mlm_probability, mlm_mask_share, mlm_random_share;
	bool any_tokenizer, clamp;
	bool doc_attention, whole_word, grow;
} ds_settings;

extern const ds_settings ds_settings_default;
extern const ds_key ds_setting_keys[];
ds_compile ds_settings_compile(const ds_settings *k); /* in training */
ds_st_type ds_settings_stored(const ds_settings *k);  /* the model's weights */
/* Is it a key of a run or of a model? context is not used. */
bool ds_setting_known(void *context, ds_str name);

/* ---- a request ---- */

typedef struct {
	ds_str name, value;
} ds_setting_pair;

typedef struct {
	ds_settings keys;
	ds_arena *mem;
	/* as given on the command line, in order */
	ds_setting_pair *given;
	size_t n_given, cap_given;
	/* model keys of a config.ini, then of the command line */
	ds_setting_pair *model;
	size_t n_model, cap_model;
	const char **data; /* of a config.ini, where the command line names none */
	size_t n_data, cap_data;
	const char *ini; /* the config.ini that was read, or NULL */
	bool docs_given; /* doc_attention was */
	bool allow_exec, ignore_keys;
	bool skips; /* bad records are left out: on_error in a config.ini */
} ds_request;

/* Adds a pair to those given; context is the request. DS_USAGE: no key. */
DS_MUST ds_rc ds_request_add(void *context, ds_str name, ds_str value, ds_err *e);
/* Applies what was given on the command line to the keys. */
DS_MUST ds_rc ds_request_apply(ds_request *o, ds_err *e);
/* Reads config.ini into the keys; unknown keys are DS_USAGE. */
DS_MUST ds_rc ds_request_read(ds_request *o, const char *path, ds_err *e);
/* For a run that goes on, after its ini: applies what may differ, refuses what else does not agree. */
DS_MUST ds_rc ds_request_resume(ds_request *o, ds_err *e);
/* Was this key, of a run or of a model, set on the command line? */
bool ds_request_gave(const ds_request *o, const ds_key *k);
void ds_request_release(ds_request *o);
/* DS_USAGE where a file, not the command line, names a program or library to run, unless --allow-exec. */
DS_MUST ds_rc ds_request_check_commands(const ds_request *o, ds_err *e);
void ds_request_print(const ds_request *o, const ds_config *c, const char *const *data,
	size_t n_data, ds_buf *out);

#endif
