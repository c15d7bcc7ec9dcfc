/*
 * arch.h - an architecture: how a config becomes a graph
 *
 * One file each, ending with one descriptor per model_type, listed in archs.def. Parameters are
 * named as Hugging Face names them.
 */
#ifndef DS_MODEL_ARCH_H
#define DS_MODEL_ARCH_H

#include "graph/graph.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/soft.h"

#include <stdio.h>

/* The trunk at hand: models of several towers have one after the other. */
typedef struct {
	int64_t seq;        /* rows of a sequence */
	ds_tid first, last; /* of ds_attention_in */
} ds_trunk;

/* What a model with experts leaves for its losses and for the log; 0: nothing. */
typedef struct {
	int n;               /* layers that have experts */
	ds_tid *shares;      /* [n] f32[experts]: rows an expert got over all rows; kept */
	ds_tid balance, z;   /* f32[1] by target like the loss, summed over layers; kept */
	ds_tid share, probs; /* while it is built: sums over layers */
} ds_moe_build;

/* What to build beside the trunk, and what came of it. */
typedef struct {
	/* asked; what the head is, the config says */
	bool train;          /* the loss of every row's target; else logits */
	bool docs;           /* attention stays inside documents: input "first" */
	bool only_hidden;    /* no head: the trunk's states, output "hidden" */
	int64_t kv_seq;      /* over 0: key/value caches of so many positions, inputs "past" */
	int64_t n_slots;     /* over 0: caches of so many sequences, input "slots": which one's */
	int64_t n_logits;    /* logits of so many rows, input "rows"; 0: of all rows.
			      * With train: targets are of those rows alone */
	const ds_lora *lora; /* beside the linears it names, which are frozen; NULL: none */
	ds_group experts;    /* ranks that share out the experts; n up to 1: this one has all */
	int my_experts;      /* this one's number among them */
	const ds_soft *soft; /* virtual tokens, the model is frozen; NULL: none */
	unsigned towers;     /* by bit: which of several; 0: all, and what compares them */
	/* got; 0: none */
	ds_trunk at;
	ds_tid ids, positions, first, last, segments, past, slots, rows,
		ends;             /* inputs, all i32; see model.h */
	ds_tid pixels, pair_bias; /* f32 */
	ds_tid targets, inv;      /* inputs of the loss */
	ds_tid hidden, logits, loss, nll;
	ds_moe_build moe;
	ds_tid prefix;                /* of soft */
	ds_tid embeds[DS_MAX_TOWERS]; /* of towers: vectors of length 1, [batch, projection_dim] */
} ds_build;

enum {                        /* ds_arch.traits */
	DS_ARCH_QKV_BIAS = 1, /* q, k and v always have biases */
	DS_ARCH_IN_OUT = 2,   /* the linears' weights are [in, out] */
	DS_ARCH_ENCODER = 4,  /* attention looks both ways; nothing is generated */
	DS_ARCH_QK_NORM = 8,  /* every head of q and k goes through an RMSNorm */
	DS_ARCH_ROTARY =
		16, /* RoPE: positions rotate q and k, so there is no table of limited length */
	DS_ARCH_IMAGES = 32, /* it takes pictures, in patches, and no tokens */
	DS_ARCH_QUICK = 64,  /* its activation may be quick_gelu */
};

typedef struct {            /* parameters that models with some heads have alone */
	const char *prefix; /* NULL ends a table */
	unsigned heads;     /* by bit */
} ds_arch_part;

typedef struct {           /* how an architecture with experts names them */
	const char *block; /* in a layer: "mlp" */
	const char *gate;  /* the gated linear of an expert; NULL: it has none */
	const char *up, *down;
	bool biased;        /* those two have biases */
	const char *shared; /* what all tokens take beside, with a gate of its own; NULL: nothing */
} ds_arch_moe;

struct ds_arch {
	const char *name;                 /* model_type */
	const char *class_name;           /* what config.json names under "architectures" */
	const char *help;                 /* one line */
	const char *class_of[DS_N_HEADS]; /* the same with another head; NULL: has none */
	const char *spells; /* those names of keys in config.json that are not a key's first */
	const char *keys;   /* the keys it has, by their first names, separated by blanks */
	unsigned traits;
	int norm_type;     /* its own, of DS_NORM_… */
	const char *nulls; /* those of its keys that may be null in config.json; ids always may */
	const char
		*only; /* "key=value …": keys that it knows and we do not, as they change nothing */
	const char *defaults; /* k=v,… : what transformers takes where config.json is silent */
	const char *prefix;   /* some published files leave it off parameter names */
	ds_head first_head;   /* what it ends with where config.json names nothing else */
	const char *towers[DS_MAX_TOWERS]; /* architectures of its trunks; NULL: it is one itself */
	ds_rc (*finish)(ds_config *c, ds_err *e); /* derives and checks */
	/* The trunk, from ids to the last norm: returns the hidden states [rows, hidden_size]. */
	ds_tid (*trunk)(ds_graph *g, const ds_config *c, ds_build *b);
	/* The states that stand for sequences, [batch, hidden_size]; NULL: there are none, or see pooler. */
	ds_tid (*pool)(ds_graph *g, const ds_config *c, ds_build *b, ds_tid x);
	/* Of towers: all of it, from their inputs to embeds, logits or the loss. */
	void (*join)(ds_graph *g, const ds_config *c, ds_build *b);
	/* Between the trunk and the output projection; NULL: nothing. */
	ds_tid (*before_head)(ds_graph *g, const ds_config *c, const ds_build *b, ds_tid x);
	const char *attention_inputs;           /* the linears that q, k and v come from, "a,b" */
	const char *embedding;                  /* the token embedding's name */
	const char *head;                       /* the output projection's name */
	const char *head_bias, *head_bias_also; /* its bias; NULL: none */
	const char *layers; /* what stands before a layer's number in a parameter's name, "h." */
	const char *
		pooler; /* the linear over a sequence's first state, before its classifier; NULL: none */
	const ds_arch_part *parts; /* what some heads have alone; NULL: nothing */
	const ds_arch_moe *moe;    /* NULL: it has no experts */
	const ds_arch
		*sparse; /* the same with experts in place of every feed-forward part; NULL: none */
	const char *const (*renamed)[2]; /* endings of names, now and in older files; NULL: none */
};

extern const ds_arch *const ds_archs[];
ds_head ds_arch_head(const ds_arch *a, ds_str class_name); /* LM where it is no other */

/* Builds all that b asks for; errors stay in the graph (ds_graph_check). */
void ds_arch_build(ds_graph *g, const ds_config *c, ds_build *b);

/*
 * The longest row behind so many virtual tokens. As PEFT counts, they are no part of it; but a table of
 * positions has room for max_position_embeddings of both together.
 */
static inline int64_t ds_arch_longest(const ds_config *c, int64_t virtual_tokens)
{
	bool free = c->arch->traits & DS_ARCH_ROTARY && c->scaling != DS_SCALING_DYNAMIC;
	return c->max_positions - (free ? 0 : virtual_tokens);
}

/* What decoders share. */
enum { DS_NAME_BYTES = 96 };
#define DS_NAME(var, ...) \
	char var[DS_NAME_BYTES]; \
	snprintf(var, sizeof(var), __VA_ARGS__)
static inline ds_init ds_init_normal(double deviation)
{
	return (ds_init){ DS_INIT_NORMAL, (float)deviation };
}
/* The token embeddings by b->ids, with the virtual ones of a prompt. */
ds_tid ds_arch_tokens(ds_graph *g, const ds_config *c, const ds_build *b, ds_tid w);
/* A linear layer with its parameters MODULE.weight and .bias, and the adapter b wants for it. */
typedef struct {
	int64_t in, out;
	bool bias, in_out; /* in_out: W is [in, out] */
	double dev;        /* of the random weights */
} ds_linear_shape;
ds_tid ds_arch_linear(
	ds_graph *g, const ds_build *b, const char *module, ds_tid x, ds_linear_shape s);
ds_tid ds_arch_norm(ds_graph *g, const ds_config *c, const char *prefix, ds_tid x, ds_tid residual,
	ds_tid *sum);
/* The inputs of a trunk, then the trunk: hidden states. */
ds_tid ds_arch_trunk(ds_graph *g, const ds_config *c, ds_build *b);
/* The activation of a config, quick_gelu included. */
ds_tid ds_arch_act(ds_graph *g, const ds_config *c, ds_tid x);
/* ---- what takes pictures, and layers with a norm before each block (arch_layers.c) ---- */

typedef struct { /* names of parameters, and deviations of random weights */
	const char *patch, *class_state, *positions;
	bool patch_bias, ranks; /* ranks: files hold the last two with ones in front, [1, 1, n] */
	double dev_patch, dev_class, dev_positions;
} ds_patch_names;
/* A row for the whole picture, then one a patch, each with its position. */
ds_tid ds_arch_embed_patches(ds_graph *g, const ds_config *c, ds_build *b, const ds_patch_names *n);
typedef struct {
	const char *layers; /* "vit.encoder.layer": then a number, then one of these */
	const char *q, *k, *v, *out, *up, *down, *norm1, *norm2;
	double dev_qkv, dev_out, dev_up, dev_down;
	bool qkv_bias;
} ds_layer_names;
/* Returns the states behind the last layer, which no norm has seen; *delta is to be added to them yet. */
ds_tid ds_arch_layers(ds_graph *g, const ds_config *c, ds_build *b, const ds_layer_names *n,
	ds_tid x, ds_tid *delta);
/* DS_USAGE where patches do not divide the picture, or heads the width; derives the rest. */
DS_MUST ds_rc ds_arch_finish_heads(ds_config *c, ds_err *e);

/* Row `at` of every sequence of x. */
ds_tid ds_arch_state(ds_graph *g, const ds_build *b, ds_tid x, int64_t at);
ds_tid ds_arch_input(ds_graph *g, const char *name, int64_t n); /* i32 */
/* Makes what is no adapter's frozen, where there is one. */
void ds_arch_freeze(ds_graph *g, const ds_build *b);
/* Rows of a picture: one for all of it, then its patches. */
static inline int64_t ds_arch_patches(const ds_config *c)
{
	return (c->image_size / c->patch_size) * (c->image_size / c->patch_size);
}
/* Experts in place of a feed-forward part (moe.c): x as it leaves the norm before it. */
bool ds_moe_here(const ds_config *c, int layer);
ds_tid ds_moe_layer(
	ds_graph *g, const ds_config *c, ds_build *b, const char *at, int layer, ds_tid x);
/* Their losses, added to b->loss as the graph's. */
void ds_moe_losses(ds_graph *g, const ds_config *c, ds_build *b);
/* q, k, v -> attention output; puts k and v through the caches where b asks for them. */
ds_tid ds_arch_attend(ds_graph *g, const ds_config *c, const ds_build *b, int layer, ds_tid q,
	ds_tid k, ds_tid v);

#endif
