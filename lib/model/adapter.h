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
#include "model/safetensors.h"
#include "json/json.h"

typedef struct {
	int64_t r;
	double alpha, dropout;
	/* names of modules, "a,b": the end of their path, from a dot on; or one regular expression that
	 * is the whole path, where it has characters that no name has; or all-linear */
	const char *targets;
	bool rslora; /* weighted alpha / sqrt(r) */
	/* ranks and alphas of single modules: the end of their path as a regular expression; may be NULL */
	const ds_json *ranks, *alphas;
} ds_lora;

#define DS_LORA_PREFIX "base_model.model."

/* Is targets a regular expression? */
bool ds_lora_by_regex(const ds_lora *l);
bool ds_lora_wants(const ds_lora *l, ds_str module);
/* Is it a parameter of an adapter of any kind? */
bool ds_adapter_owns(const char *param);
/* DS_USAGE where one of the targets names nothing in the graph that was built with it. */
DS_MUST ds_rc ds_lora_check(const ds_lora *l, const ds_graph *g, ds_err *e);
int64_t ds_lora_rank(const ds_lora *l, ds_str module);
double ds_lora_scale(const ds_lora *l, ds_str module); /* of B A */
/* adapter_config.json; in_out: the weights are [in, out] (PEFT's fan_in_fan_out); decoder: PEFT's task. */
void ds_lora_print(
	const ds_lora *l, const char *base_model, bool in_out, bool decoder, ds_buf *out);
/* And back; text lives in mem. DS_USAGE: not a LoRA, or one with parts that are not known here. */
DS_MUST ds_rc ds_lora_parse(
	ds_lora *l, ds_str json, const char **base_model, ds_arena *mem, ds_err *e);

/* ---- adapter_model.safetensors; prefix: of the architecture, which names may leave off ---- */

typedef struct {
	const ds_st_tensor *a, *b; /* [r, in], [out, r]; NULL: the weight has none */
	double scale;
} ds_lora_pair;
/* The pair of a weight, at a NULL where there is none. DS_BAD: it does not fit. */
DS_MUST ds_rc ds_lora_find(const ds_lora *l, const ds_st *s, const char *prefix, const ds_tensor *t,
	ds_lora_pair *p, ds_err *e);
/* w += scale * B A; ld: elements from one of its rows to the next. */
DS_MUST ds_rc ds_lora_add(const ds_lora_pair *p, int64_t ld, bool in_out, float *w, ds_err *e);
/* What a parameter of an adapter was stored as; NULL: it was not. */
const ds_st_tensor *ds_lora_stored(const ds_st *s, const char *prefix, const char *param);
/* DS_BAD names a tensor of the file that changes nothing in the graph; the head's may, where it has none. */
DS_MUST ds_rc ds_lora_covers(
	const ds_graph *g, const ds_st *s, const char *prefix, const char *head, ds_err *e);

#endif
