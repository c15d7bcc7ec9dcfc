/*
 * onnx_walk.h - from the graph that runs to ONNX nodes
 *
 * Tensors [batch * seq, C] of the graph become [batch, seq, C]; a tensor's ONNX name is t and its
 * number. The graph is an inference graph without caches, compiled.
 */
#ifndef DS_EXPORT_ONNX_WALK_H
#define DS_EXPORT_ONNX_WALK_H

#include "model/engine.h"
#include "onnx_file.h"

typedef struct {
	onnx_file *f;
	const ds_graph *g;
	const ds_build *b;
	ds_exec *x;    /* where the weights are */
	ds_arena *mem; /* for names */
	bool trunk;    /* its states are the output */
	bool attention_mask, position_ids,
		token_type_ids;                /* inputs that the file has beside input_ids */
	const char *range, *positions, *types; /* made on first use */
	struct onnx_mask *masks;               /* one for each kind that attention asks for */
	struct onnx_angles *angles;            /* one for each kind of rotary positions */
	bool *added;                           /* [n_tensors]: weights that are in the file */
	int n_names;
	ds_rc rc; /* the first error of reading weights */
	ds_err err;
} onnx_walk;

/* Adds a node for every op; DS_BAD names one that ONNX cannot say. */
DS_MUST ds_rc onnx_walk_run(onnx_walk *w, ds_err *e);

/* Helpers for the op files: a node with one output, whose new name is returned. */
const char *onnx_1(onnx_walk *w, const char *op, const char *a);
const char *onnx_2(onnx_walk *w, const char *op, const char *a, const char *b);
const char *onnx_3(onnx_walk *w, const char *op, const char *a, const char *b, const char *c);
const char *onnx_const_f(onnx_walk *w, float v);
const char *onnx_const_is(onnx_walk *w, const int64_t *v, size_t n);
const char *onnx_name(onnx_walk *w, ds_tid t); /* of a tensor; weights are added on first use */
void onnx_is(onnx_walk *w, const char *value, ds_tid t); /* this value is tensor t */

/* onnx_attention.c */
void onnx_attention(onnx_walk *w, const ds_node *n);
void onnx_rope(onnx_walk *w, const ds_node *n);
const char *onnx_positions(onnx_walk *w); /* [batch, seq] or [seq], int64 */

/* onnx_pool.c: one vector a sequence out of last_hidden_state */
#define ONNX_POOLER "bert.pooler.dense"
DS_MUST ds_rc onnx_pool(onnx_walk *w, const ds_model *m, ds_err *e);

#endif
