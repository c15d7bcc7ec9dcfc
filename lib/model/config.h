/*
 * config.h - what a model is: Hugging Face's config.json, presets, and changes by key
 *
 * A ds_config is a plain struct. One table of keys (ds_config_keys) names every field; Hugging Face's
 * aliases are one key (n_layer = num_hidden_layers), and each architecture writes its own spelling.
 * Members of a config.json that are not keys are kept and written back. Text and kept members live in
 * the arena that was given. Whatever is wrong in a config is DS_USAGE.
 */
#ifndef DS_MODEL_CONFIG_H
#define DS_MODEL_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "graph/graph.h"
#include "model/keys.h"

typedef struct ds_arch ds_arch;

enum { DS_NORM_LAYER, DS_NORM_RMS };
enum { DS_SCALING_NONE, DS_SCALING_LINEAR, DS_SCALING_LLAMA3, DS_SCALING_YARN, DS_SCALING_DYNAMIC };

/* Balance in every layer on its own, or, as transformers computes it, between the sums over all layers. */
enum { DS_BALANCE_LAYER, DS_BALANCE_MODEL };

enum { DS_SCORING_SOFTMAX, DS_SCORING_SIGMOID };

/* What a model ends with. */
typedef enum {
	DS_HEAD_LM,
	DS_HEAD_SEQ,
	DS_HEAD_TOKEN,
	DS_HEAD_NONE,
	DS_HEAD_PAIR, /* what two towers give is compared */
	DS_N_HEADS
} ds_head;

/* Trunks of a model that has several, each with a config of its own inside the model's. */
enum { DS_TOWER_TEXT, DS_TOWER_IMAGE, DS_MAX_TOWERS };
extern const char *const ds_tower_keys[DS_MAX_TOWERS]; /* "text_config" … in config.json */

typedef struct ds_config {
	const ds_arch *arch;
	int64_t vocab_size, hidden_size,
		intermediate_size; /* 0 for the last: the architecture's own */
	int64_t n_layers, n_heads, n_kv_heads, head_dim; /* 0 for the last two: derived */
	int64_t max_positions;
	int64_t type_vocab;     /* segments */
	int64_t sliding_window; /* 0: none */
	int64_t bos, eos, pad;  /* -1: none */
	int64_t *ends;          /* where config.json lists several: all of them, eos the first */
	size_t n_ends;
	double norm_eps, rope_theta, init_range;
	double embd_dropout, resid_dropout, attn_dropout;
	double classifier_dropout;                  /* below 0: resid_dropout */
	int64_t image_size, patch_size, n_channels; /* of pictures */
	int64_t projection;                         /* width of what towers are compared by */
	double logit_scale;                         /* logarithm of the factor it begins with */
	bool qkv_bias;
	struct ds_config *towers[DS_MAX_TOWERS]; /* NULL: it is one trunk itself */
	int act;                                 /* an index of the key's choices: ds_config_act */
	int norm_type;                           /* DS_NORM_… */
	bool tied, attention_bias, mlp_bias;
	int scaling; /* DS_SCALING_…, with those below */
	double scaling_factor, scaling_low, scaling_high;
	double scaling_fast, scaling_slow, scaling_attention; /* YaRN's; 0 for the last: derived */
	int64_t scaling_original;                             /* 0: max_positions */
	/* Experts in the place of feed-forward parts: of so many (0: none) a token goes to some. */
	int64_t n_experts, n_chosen;
	int64_t expert_size,
		shared_size; /* widths inside an expert and inside the one that all tokens
					   * take; 0 for the first: intermediate_size */
	int64_t sparse_step; /* every so many layers has experts */
	bool norm_chosen;    /* the weights of a token's experts sum to 1 */
	bool router_losses;  /* the two below count in training */
	int balance;         /* DS_BALANCE_…: over what the first is taken */
	double balance_coef, z_coef;
	double bias_rate; /* of a bias that follows loads and counts in the choice alone; 0: there is none */
	int scoring;       /* DS_SCORING_… */
	uint64_t given[4]; /* bit i of all: ds_config_keys[i] was set by ds_config_set */
	ds_head head;
	int64_t n_labels;    /* of a classification head */
	const char **labels; /* their names, "id2label" */
	bool insist;         /* keys that change what is computed and are not built are left out */
	const ds_json *kept; /* the config.json it came from, or NULL: members that are no keys */
} ds_config;

extern const ds_key ds_config_keys[];

/* All fields as the architecture's own defaults. DS_USAGE: not known; names those that are. */
DS_MUST ds_rc ds_config_init(ds_config *c, ds_str arch, ds_arena *mem, ds_err *e);
/* "gpt2", "llama" …, a line of presets.def; DS_USAGE names the nearest. */
DS_MUST ds_rc ds_config_preset(ds_config *c, ds_str name, ds_arena *mem, ds_err *e);
bool ds_config_is_preset(ds_str name);
/* insist (--ignore-keys): ds_config_finish takes what it otherwise refuses, and computes without it. */
DS_MUST ds_rc ds_config_parse(ds_config *c, ds_str json, bool insist, ds_arena *mem, ds_err *e);
/* A copy whose towers are its own. */
void ds_config_copy(ds_config *to, const ds_config *from, ds_arena *mem);
/*
 * Changes one key; dropout= changes all dropout keys. DS_USAGE where the architecture has no such key. What only
 * towers have changes in all that have it; "text_config.KEY" and "vision_config.KEY" are one tower's.
 */
DS_MUST ds_rc ds_config_set(ds_config *c, ds_str name, ds_str value, ds_arena *mem, ds_err *e);
/* Is it a key of any architecture (or dropout), perhaps of a tower? */
bool ds_config_is_key(ds_str name);
/* Fills what is derived and refuses what contradicts itself; to be called once, after all changes. */
DS_MUST ds_rc ds_config_finish(ds_config *c, ds_err *e);
/* config.json as transformers reads it. */
void ds_config_print(const ds_config *c, ds_buf *out);
/* The same as "key = value" lines that ds_config_set reads. */
void ds_config_ini(const ds_config *c, ds_buf *out);
ds_act ds_config_act(const ds_config *c);
bool ds_config_quick(const ds_config *c); /* the activation is quick_gelu, x / (1 + e^(-1.702 x)) */
/* The config that says what tokens there are: its own, or the text tower's; the trunk that takes pictures, or NULL. */
ds_config *ds_config_tokens(ds_config *c);
const ds_config *ds_config_images(const ds_config *c);
bool ds_config_given(const ds_config *c, const char *name); /* was this key set by ds_config_set? */

#endif
