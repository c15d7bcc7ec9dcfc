/*
 * model.h - a model directory: config.json, weights, tokenizer
 *
 * Hugging Face's layout: config.json, model.safetensors (or its index and parts), tokenizer.json where
 * there is one. Opening reads the config and maps the weights; ds_model_load copies them, converted,
 * into an executor; engine.h puts it all together, for training, evaluation, generation and export.
 *
 * Inputs of a graph, by name (all i32, rows = batch * seq, the batch outermost):
 *	input_ids [rows]      always
 *	position_ids [rows]   always: 0, 1, 2 … (+ past)
 *	first [rows]          with docs: the first row of its sequence that a row may see
 *	past [batch]          with kv_seq: positions already in the caches; below 0: the sequence is idle
 *	slots [batch]         with n_slots: whose cache a sequence has
 *	rows [n_logits]       with n_logits: which rows' logits are wanted
 *	targets [rows]        with train: -1 is no target
 *	inv_targets f32 [1]   with train: 1 / targets of the whole step
 * Outputs: logits [n, vocab_size] f32; with train: loss f32 [1], nll f32 [rows].
 *
 * A ds_model never changes after opening; any number of threads may use it.
 */
#ifndef DS_MODEL_MODEL_H
#define DS_MODEL_MODEL_H

#include "graph/exec.h"
#include "graph/graph.h"
#include "model/arch.h"
#include "model/config.h"
#include "model/safetensors.h"
#include "record/stream.h"
#include "text/tok/tok.h"

typedef struct ds_model ds_model;

/*
 * DS_IO: cannot be read. DS_USAGE: a config that is wrong. DS_BAD, DS_SHORT: weights or a tokenizer
 * that are: a tensor that is missing, that nothing takes, or of another shape than the config makes it.
 * Messages begin with the file's name. A stored output projection that differs from the embedding it is
 * said to be makes the config's `tied` false.
 */
DS_MUST ds_rc ds_model_open(ds_model **m, const char *dir, ds_err *e);
typedef struct {
	/* Virtual tokens may stand before every sequence (soft.h): ds_model_soft says so, and the
	 * caller builds its graphs with them. Else such an adapter is refused. */
	bool soft;
	/* What config.json has and is not built is left out, and so are tensors that nothing takes;
	 * else they are DS_USAGE and DS_BAD. */
	bool ignore_keys;
} ds_model_opts;
DS_MUST ds_rc ds_model_open_with(ds_model **m, const char *dir, const ds_model_opts *o, ds_err *e);
const ds_soft *ds_model_soft(const ds_model *m); /* NULL: none */
int64_t ds_model_longest(const ds_model *m); /* sequence that it takes, behind the virtual tokens */
/* Numbers `from` on of virtual token `token` as they are stored. */
DS_MUST ds_rc ds_model_soft_row(
	const ds_model *m, int64_t token, int64_t from, int64_t n, float *out, ds_err *e);
void ds_model_close(ds_model *m); /* NULL is fine */
DS_AUTO_WITH(ds_model, ds_model_close)

const char *ds_model_dir(const ds_model *m);
/* Is the directory an adapter of another model? Its low-rank products are then added on loading. */
bool ds_model_is_adapter(const ds_model *m);
const char *ds_model_base(const ds_model *m); /* the model's directory that an adapter belongs to */
/* They are not added then, but loaded into a graph that was built with the adapter that is returned. */
const ds_lora *ds_model_keep_apart(ds_model *m);
const ds_config *ds_model_config(const ds_model *m);
const ds_tok *ds_model_tok(const ds_model *m); /* NULL: the directory has no tokenizer */
/*
 * A stream's optional blocks from *seen on: DS_BAD where a tokenizer among them is another one than the
 * model's, so that its ids mean other things; *seen goes to n.
 */
DS_MUST ds_rc ds_model_meet(
	const ds_model *m, const ds_opt *opts, size_t n, size_t *seen, ds_err *e);
/* Ids that end a text: generation_config.json's, else config.json's, else the tokenizer's; may be none. */
const int64_t *ds_model_ends(const ds_model *m, size_t *n);

/* The stored tensor of a parameter, by either of its names, with or without the architecture's
 * prefix; NULL where the file has none. */
const ds_st_tensor *ds_model_find(const ds_model *m, const char *name, const char *also);
/*
 * Fills all parameters of an executor of graph g. DS_BAD names a tensor that is missing or has another
 * shape (both are given), before anything is copied. What ds_model_is_new stays as it is.
 */
/* Layer i of n in a graph is layer i * (those stored) / n of the files: each is copied as often. */
void ds_model_grow(ds_model *m, int64_t n_layers);
/* A parameter of a head that the files' own architecture does not have: it begins at random. */
bool ds_model_is_new(const ds_model *m, const ds_tensor *t);
DS_MUST ds_rc ds_model_load(const ds_model *m, ds_exec *x, const ds_graph *g, ds_err *e);
/* Writes 0, 1, 2 … for every sequence into position_ids of an executor; behind a prefix its length is added. */
void ds_model_positions(ds_exec *x, const ds_graph *g, const ds_build *b);

#endif
