/*
 * onnx_walk.h - from the graph that runs to ONNX nodes
 *
 * Tensors [batch * seq, C] of the graph become [batch, seq, C]; a tensor's ONNX name is t and its
 * number. The graph is an inference graph without caches, compiled. Values have w->type, but for what is
 * said to be f32: rotary angles, masks, the inside of norms. bf16 is a type of storage alone, since ONNX Runtime has
 * no kernels for it on CPUs: weights are cast to f32, which runtimes do once.
 */
#ifndef DS_EXPORT_ONNX_WALK_H
#define DS_EXPORT_ONNX_WALK_H

#include "model/engine.h"
#include "onnx_file.h"

typedef enum {
	ONNX_NOT_QUANTIZED,
	ONNX_DYNAMIC, /* activations are quantized as they come, products are of integers */
	ONNX_QDQ,     /* pairs of QuantizeLinear and DequantizeLinear, for TensorRT */
} onnx_int8;

/* The largest magnitude of what goes into a linear layer, by its weight's name; < 0: not known. */
typedef struct {
	const char *const *names;
	const float *largest;
	size_t n;
} onnx_ranges;

typedef struct {
	onnx_file *f;
	const ds_graph *g;
	const ds_build *b;
	ds_exec *x;             /* where the weights are */
	ds_arena *mem;          /* for names */
	onnx_type type, stored; /* what is computed in; what weights are stored as */
	onnx_int8 int8;
	const onnx_ranges *ranges; /* of ONNX_QDQ; NULL: only weights are quantized */
	bool trunk;                /* its states are the output */
	const ds_config *image;    /* of the pictures that pixel_values has; NULL: there are none */
	bool pair;                 /* of texts too: two towers, whose vectors are compared */
	int64_t eos;               /* what ends a text of a pair */
	const char *patches;       /* made on first use */
	bool attention_mask, position_ids,
		token_type_ids; /* inputs that the file has beside input_ids */
	bool kv_cache;          /* past_key_values.N.key and .value in, present.N.… out */
	const char *range, *query, *past, *total, *positions, *types; /* made on first use */
	struct onnx_mask *masks;      /* one for each kind that attention asks for */
	struct onnx_angles *angles;   /* one for each kind of rotary positions */
	struct onnx_matrix *matrices; /* quantized weights that are in the file */
	const char **leaves;          /* [n_tensors]: names of weights that are in the file */
	int n_names;
	ds_rc rc; /* the first error of reading weights */
	ds_err err;
} onnx_walk;

/* Adds a node for every op; DS_BAD names one that ONNX cannot say. */
DS_MUST ds_rc onnx_walk_run(onnx_walk *w, ds_err *e);

/* Helpers for the op files: a node with one output, whose new name is returned. */
const char *onnx_fresh(onnx_walk *w); /* a name that nothing has */
const char *onnx_1(onnx_walk *w, const char *op, const char *a);
const char *onnx_2(onnx_walk *w, const char *op, const char *a, const char *b);
const char *onnx_3(onnx_walk *w, const char *op, const char *a, const char *b, const char *c);
const char *onnx_cast(onnx_walk *w, const char *x, onnx_type to);
const char *onnx_reshape(onnx_walk *w, const char *x, const int64_t *shape, size_t n);
const char *onnx_permute(onnx_walk *w, const char *x, const int64_t *perm, size_t n);
const char *onnx_unsqueeze(onnx_walk *w, const char *x, int64_t axis);
const char *onnx_concat(onnx_walk *w, const char *a, const char *b, int64_t axis);
const char *onnx_gather(onnx_walk *w, const char *x, const char *which, int64_t axis);
const char *onnx_const(onnx_walk *w, onnx_type t, float v);
const char *onnx_const_f(onnx_walk *w, float v); /* of w->type */
const char *onnx_const_is(onnx_walk *w, const int64_t *v, size_t n);
const char *onnx_times(onnx_walk *w, const char *x, double by);
const char *onnx_plus(onnx_walk *w, const char *x, double v);
const char *onnx_name(onnx_walk *w, ds_tid t); /* of a tensor; weights are added on first use */
/* A weight as it is stored, and as it is computed with. */
const char *onnx_stored(
	onnx_walk *w, const char *name, const int64_t *dims, int rank, const float *values);
const float *onnx_values(onnx_walk *w, ds_tid t);                  /* of a weight or constant */
void onnx_is(onnx_walk *w, const char *value, ds_tid t);           /* this value is tensor t */
void onnx_cannot(onnx_walk *w, const ds_node *n, const char *why); /* the walk fails with it */

typedef void onnx_lower(onnx_walk *w, const ds_node *n);
#define LOWERED(op) onnx_lower onnx_op_##op;
#define INTERNAL(op, why)
#include "graph/onnx.def"
#undef LOWERED
#undef INTERNAL

/* onnx_linear.c: rows of a table as they are asked for, whole or quantized */
const char *onnx_rows_of(onnx_walk *w, ds_tid table, const char *ids);

/* onnx_image.c */
const char *onnx_patches(onnx_walk *w);
/* Rows of a table by a constant's numbers; NULL: ids is none. */
const char *onnx_constant_rows(onnx_walk *w, ds_tid table, ds_tid ids);

/* onnx_mask.c */
const char *onnx_positions(onnx_walk *w); /* [batch, seq] or [seq], int64 */
/* What is added to scores [batch, heads, seq, total], or which are seen (bool); NULL: all are. */
const char *onnx_mask_of(onnx_walk *w, const ds_attention_attr *a, bool as_bool);

/* onnx_pool.c: one vector a sequence out of last_hidden_state */
#define ONNX_POOLER "bert.pooler.dense"
DS_MUST ds_rc onnx_pool(onnx_walk *w, const ds_model *m, ds_err *e);

#endif
