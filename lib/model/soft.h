/*
 * soft.h - prompt tuning (Lester et al., 2021) and prefix tuning (Li and Liang, 2021), in PEFT's layout
 *
 * A frozen model, and a few virtual tokens in front of every sequence that are trained. A prompt is
 * their embeddings, [tokens, hidden_size]; a prefix is their keys and values in every layer,
 * [tokens, layers * 2 * width]. Either is the one tensor "prompt_embeddings" of
 * adapter_model.safetensors. Positions of the real tokens begin behind the virtual ones.
 */
#ifndef DS_MODEL_SOFT_H
#define DS_MODEL_SOFT_H

#include "base/err.h"
#include "graph/graph.h"
#include "model/config.h"

typedef enum { DS_SOFT_NONE, DS_SOFT_PROMPT, DS_SOFT_PREFIX } ds_soft_kind;

typedef struct {
	ds_soft_kind kind;
	int64_t tokens;
} ds_soft;

enum { DS_SOFT_MOST = 4096 }; /* virtual tokens */
#define DS_SOFT_PARAM "prompt_embeddings"

/* Rows of a sequence in the graph that stand before its real tokens. */
static inline int64_t ds_soft_rows(const ds_soft *s)
{
	return s && s->kind == DS_SOFT_PROMPT ? s->tokens : 0;
}
/* adapter_config.json, kind NONE where it is another kind of adapter; text lives in mem. DS_USAGE: wrong. */
DS_MUST ds_rc ds_soft_parse(
	ds_soft *s, ds_str json, const char **base_model, ds_arena *mem, ds_err *e);
/* The same as PEFT reads it. */
void ds_soft_print(const ds_soft *s, const ds_config *c, const char *base_model, ds_buf *out);

/* For arch.c. The prompt's rows, added to embedded tokens, whose rows there are zero. */
ds_tid ds_soft_prompt(ds_graph *g, const ds_config *c, const ds_soft *s, ds_tid x);
/* Keys and values of all layers, [tokens, layers * 2 * width]. */
ds_tid ds_soft_prefix(ds_graph *g, const ds_config *c, const ds_soft *s);
/* Attention of q, k, v that also sees the prefix of a layer; a is as without it. */
ds_tid ds_soft_attend(ds_graph *g, const ds_soft *s, ds_tid prefix, int layer, const ds_tid qkv[3],
	ds_attention_attr a);

#endif
