/*
 * adapter.h - LoRA (Hu et al., 2021) in PEFT's layout
 *
 * W x becomes W x + alpha / r * B A x, with W frozen and A [r, in], B [out, r] trained. A directory
 * holds adapter_config.json and adapter_model.safetensors and names the model it belongs to;
 * ds_model_open reads such a directory like any model, with B A added into the weights.
 */
#ifndef DS_MODEL_ADAPTER_H
#define DS_MODEL_ADAPTER_H

#include "base/arena.h"
#include "base/err.h"
#include "graph/graph.h"

typedef struct {
	int64_t r;
	double alpha, dropout;
	/* names of modules, "a,b": the end of their path, from a dot on; or one regular expression that
	 * is the whole path, where it has characters that no name has */
	const char *targets;
} ds_lora;

#define DS_LORA_PREFIX "base_model.model."

/* Is targets a regular expression? */
bool ds_lora_by_regex(const ds_lora *l);
bool ds_lora_wants(const ds_lora *l, ds_str module);
/* Is it a parameter of an adapter of any kind? */
bool ds_adapter_owns(const char *param);
/* DS_USAGE where one of the targets names nothing in the graph that was built with it. */
DS_MUST ds_rc ds_lora_check(const ds_lora *l, const ds_graph *g, ds_err *e);
/* adapter_config.json; in_out: the weights are [in, out] (PEFT's fan_in_fan_out). */
void ds_lora_print(const ds_lora *l, const char *base_model, bool in_out, ds_buf *out);
/* And back; text lives in mem. DS_USAGE: not a LoRA, or one with parts that are not known here. */
DS_MUST ds_rc ds_lora_parse(
	ds_lora *l, ds_str json, const char **base_model, ds_arena *mem, ds_err *e);

#endif
