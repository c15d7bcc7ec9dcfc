/*
 * graph.h - what is computed: tensors, nodes and the functions that build them
 *
 * A model is a C function that calls ds_g_* on an empty graph; passes (ds_graph_compile) add the
 * gradients and the optimizer and check everything; an executor (exec.h) runs the result; exporters
 * and planners walk the same arrays. Nothing here knows about a device, a thread or a rank.
 *
 * Activations are matrices [rows, cols] with rows = batch * seq, the batch outermost; heads lie side
 * by side in the columns. How rows fall into sequences is said by the ops that care (attention).
 *
 * Errors: a builder that finds something wrong remembers the first error in the graph and returns 0;
 * every builder accepts 0 and then does nothing, so a model is written without checks and
 * ds_graph_compile (or ds_graph_check) reports. The graph owns all names and arrays. One thread at a
 * time builds; many may read.
 */
#ifndef DS_GRAPH_GRAPH_H
#define DS_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/str.h"
#include "graph/layout.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- tensors ---- */

typedef int32_t ds_tid; /* a tensor's number in its graph, from 1; 0: none */

typedef enum { DS_F32, DS_BF16, DS_F16, DS_F64, DS_I32, DS_U8, DS_N_DTYPES } ds_dtype;
size_t ds_dtype_bytes(ds_dtype t);
const char *ds_dtype_name(ds_dtype t); /* "f32" … */

/* What a tensor is for; one arena a class. */
typedef enum {
	DS_CLASS_IN,    /* the caller writes it before a run: ids, targets, learning rate */
	DS_CLASS_CONST, /* filled once from the builder: tables of frequencies */
	DS_CLASS_PARAM, /* weights, by their Hugging Face names */
	DS_CLASS_GRAD,  /* of a trainable parameter; accumulates over the micro-batches of a step */
	DS_CLASS_OPT,   /* optimizer state, "NAME.m" and so on */
	DS_CLASS_STATE, /* kept between runs and shared between graphs like weights: KV caches */
	DS_CLASS_COPY, /* weights in the products' type: made by a step's first micro-batch, held for all */
	DS_CLASS_ACT, /* live from its writer to its last reader */
	DS_N_CLASSES
} ds_class;
const char *ds_class_name(ds_class c);

typedef enum {
	DS_INIT_ZERO,
	DS_INIT_ONE,
	DS_INIT_NORMAL,
	DS_INIT_UNIFORM,
	DS_INIT_SAME
} ds_init_kind;
typedef struct {
	ds_init_kind kind;
	float scale; /* standard deviation, or the half width of the interval around 0, or the value of all */
} ds_init;

enum {                        /* ds_tensor.flags */
	DS_TENSOR_FROZEN = 1, /* a parameter that is not trained: no gradient, no optimizer bytes */
	DS_TENSOR_NO_DECAY = 2,   /* weight decay leaves it alone (norms, biases) */
	DS_TENSOR_TIED = 4,       /* stands for a second name too; set by ds_g_tie */
	DS_TENSOR_KEEP = 8,       /* an output of the run: live until its end, for ds_exec_read */
	DS_TENSOR_VIEW = 16,      /* columns of `base`, no memory of its own */
	DS_TENSOR_ELSEWHERE = 32, /* other ranks have it: no memory here */
	DS_TENSOR_AGAIN = 64,     /* a rank of an earlier stage has it too, and counts it */
	DS_TENSOR_SPREAD = 256,   /* of experts, and of this rank's alone; so is its gradient */
	DS_TENSOR_LOADS =
		128, /* a parameter that follows loads: its "gradient" counts rows, and is no slope */
};

typedef struct ds_part ds_part; /* part.h */

enum { DS_MAX_RANK = 5 };
typedef struct {
	int rank; /* 0: one number */
	int64_t dims[DS_MAX_RANK];
} ds_dims;

typedef struct {
	ds_tid id;
	ds_dtype dtype;
	ds_class memory;
	unsigned flags;
	int rank;
	int64_t dims[DS_MAX_RANK];
	int64_t ld;     /* elements from one row to the next: the last dim unless a view */
	ds_tid base;    /* views: where the memory is; else 0 */
	int64_t offset; /* views: elements from base's first one */
	ds_tid grad;    /* of a parameter after autodiff; else 0 */
	int32_t writer; /* the node that first writes it, or -1 */
	ds_init init;
	float rate;            /* of a parameter that follows loads: what a step moves it by */
	const void *data;      /* DS_CLASS_CONST: the values, owned by the graph */
	const char *name;      /* parameters: Hugging Face's; others: "t7" or what was given */
	const char *also;      /* the second name of a tied parameter, or NULL */
	const ds_dims *stored; /* a parameter's shape in files, where it is another; else NULL */
	const char *origin;    /* where in the model: "transformer.h.3.attn" */
	const ds_part *part;   /* which part of the whole this rank has; NULL: it is the whole */
} ds_tensor;

/* ---- nodes ---- */

#define OP(name, ...) DS_OP_##name,
typedef enum {
	DS_OP_none,
#include "graph/ops.def"
	DS_N_OPS
} ds_op_kind;
#undef OP

typedef enum { DS_PHASE_FWD, DS_PHASE_BWD, DS_PHASE_OPT, DS_N_PHASES } ds_phase;

typedef enum {
	DS_ACT_GELU_TANH, /* GPT-2's gelu_new */
	DS_ACT_GELU_ERF,
	DS_ACT_SILU,
	DS_ACT_RELU,
	DS_ACT_TANH,
	DS_ACT_SIGMOID,
	DS_N_ACTS
} ds_act;
const char *ds_act_name(ds_act a);

/* y = x W (+ b): W is [out, in] as in torch.nn.Linear, or [in, out] as in Conv1D. */
typedef struct {
	bool in_out;
} ds_linear_attr;

typedef struct {
	bool rms; /* RMSNorm; else LayerNorm */
	float eps;
} ds_norm_attr;

typedef struct { /* of an op that drops: what its attributes begin with */
	float p; /* the share that is dropped, in training */
	uint32_t
		stream; /* which of the graph's dropouts this is: part of the counter's key; the builder fills it */
} ds_dropout_attr;

typedef struct {
	ds_dropout_attr drop; /* of the probabilities */
	int32_t heads, kv_heads, head_dim;
	int32_t first_head,
		all_heads;   /* of a part: its first, and how many the whole has (0: heads) */
	int32_t seq, kv_seq; /* rows of q and of k, v that make one sequence */
	float scale;         /* of the scores; the builder fills 1/sqrt(head_dim) for 0 */
	bool causal;
	int32_t window; /* keys a query sees, itself included; 0: all */
} ds_attention_attr;

/* y = op(a) op(b) by matrices of a_rows and b_rows rows, or those given by rank 3; op: transposed or not */
typedef struct {
	int32_t a_rows, b_rows;
	bool a_transposed, b_transposed;
} ds_matmul_attr;

typedef struct {
	int32_t experts, k; /* each row goes to k of them */
	int32_t groups,
		top_groups; /* the choice is among the best groups alone; 1: there are none */
	int32_t group_best; /* a group is worth the sum of its so many best */
	bool sigmoid;       /* of every logit; else the softmax over all */
	bool norm;          /* the k weights of a row sum to 1 */
	float scale;        /* multiplies them afterwards */
} ds_route_attr;
/* Added to the sum that a row's weights are divided by (route): what sigmoids may all be 0. */
#define DS_ROUTE_EPS 1e-20

typedef struct { /* pairs (i, i + rot/2), or (2i, 2i + 1) when interleaved; columns past rot stay */
	int32_t head_dim, rot;
	bool interleaved, inverse;
	float factor; /* multiplies sine and cosine (YaRN); the builder fills 1 for 0 */
} ds_rope_attr;

typedef struct {
	int64_t from, n; /* columns */
} ds_slice_attr;

typedef struct {
	float beta1, beta2, eps, decay;
} ds_adamw_attr;

typedef struct {
	float momentum, decay;
	int32_t steps; /* of Newton and Schulz */
	ds_dtype type; /* of its matmul operands: f32, bf16 */
} ds_muon_attr;
/* Muon's iteration, as published; what a step of the whole is multiplied by; the least norm. */
#define DS_MUON_A 3.4445
#define DS_MUON_B (-4.7750)
#define DS_MUON_C 2.0315
#define DS_MUON_SIZE 0.2
#define DS_MUON_EPS 1e-7

typedef struct { /* collectives */
	ds_group group;
	int32_t peer; /* of send and recv: a rank */
} ds_comm_attr;

typedef union {
	ds_linear_attr linear;       /* linear linear_dx linear_dw */
	ds_norm_attr norm;           /* norm norm_bwd */
	ds_attention_attr attention; /* attention attention_bwd cache_put */
	ds_matmul_attr matmul;
	ds_rope_attr rope;   /* rope */
	ds_route_attr route; /* route route_stats dispatch and their _grad */
	ds_act act;          /* unary glu and their _bwd */
	ds_dropout_attr dropout;
	ds_slice_attr slice; /* slice pad */
	ds_adamw_attr adamw; /* adamw lamb */
	ds_muon_attr muon;
	ds_comm_attr comm; /* all_reduce all_gather reduce_scatter send recv */
	ds_dtype cast;     /* cast: to what */
	float scale;       /* scale */
	float max_norm;    /* clip */
	float rate;        /* nudge */
	char bytes[64];
} ds_attr;

enum { DS_MAX_IN = 8, DS_MAX_OUT = 5 };
typedef struct {
	ds_op_kind op;
	ds_phase phase;
	int32_t layer; /* -1: none */
	int32_t wave;  /* by the schedule: nodes of a wave depend on nothing in it */
	ds_tid in[DS_MAX_IN];
	ds_tid out[DS_MAX_OUT];
	uint8_t first; /* bit i: out[i] is a gradient and this is its first writer in a step */
	uint8_t fresh; /* bit i: out[i] is an activation or a copy: nothing adds to what was there */
	ds_dtype
		product; /* in what the op multiplies, where it rounds operands itself (precision) */
	bool exact;      /* precision leaves its operands alone */
	bool bytes;      /* its weights may be taken in 8 bits */
	bool once; /* what it makes holds for a whole step: only the first micro-batch runs it */
	ds_attr attr;
	const char *origin; /* model path, in every error and profile line */
} ds_node;

typedef struct {       /* what a run is told besides its inputs */
	uint64_t seed; /* of dropout */
	int64_t step;  /* from 1 */
	int64_t micro; /* micro-batch within the step: 0 starts the gradients anew, others add */
	int64_t row0; /* number in the step of this micro-batch's first row, of those of the activations */
} ds_run;

/* The numbers of dropout `stream`; count by element of the step, row0 * cols on. */
ds_rng ds_dropout_rng(const ds_run *r, uint32_t stream);
/* The same for attention: where the numbers of query `row`, head `head` begin; then by key. */
uint64_t ds_dropout_first(const ds_run *r, const ds_attention_attr *a, int64_t row, int64_t head);
/* A number below this drops. */
uint32_t ds_dropout_limit(float p);

enum { DS_MAX_SEEDS = 8 };
typedef struct {
	ds_tid of, seed;
} ds_seed;

typedef struct ds_graph ds_graph;
struct ds_graph { /* read it freely, change it through the functions below */
	ds_arena *mem;
	ds_tensor *tensors; /* [1 … n_tensors) */
	ds_node *nodes;     /* in an order in which every tensor is written before it is read */
	int32_t n_tensors, cap_tensors, n_nodes, cap_nodes;
	int64_t batch, seq; /* rows = batch * seq */
	ds_phase phase;     /* of nodes added now */
	int32_t layer;
	const char *origin;
	uint32_t n_streams; /* dropouts so far */
	bool train;         /* compiled for training */
	bool fixed;         /* compiled for weights that do not change from the first run on */
	ds_layout layout;   /* that it was compiled for */
	ds_tid loss;        /* f32, one number; 0: none */
	ds_seed seeds[DS_MAX_SEEDS];
	int n_seeds;        /* gradients that come from outside */
	ds_tid inv_targets; /* f32[1] input: 1 / targets of the whole step */
	ds_tid hyper;       /* f32[4] input of the optimizer, see ds_hyper; 0 without training */
	ds_tid grad_norm;   /* f32[1], before clipping; 0 without training */
	ds_rc rc;           /* the first error while building */
	ds_err err;
};

/* ---- a graph ---- */

ds_graph *ds_graph_new(int64_t batch, int64_t seq); /* the caller owns it: ds_graph_free */
void ds_graph_free(ds_graph *g);                    /* NULL is fine */
DS_AUTO_WITH(ds_graph, ds_graph_free)

/* What the builder did wrong, if anything. */
DS_MUST ds_rc ds_graph_check(const ds_graph *g, ds_err *e);
/* Where the next nodes belong: a path such as "model.layers.3.mlp" and the layer, -1 for none. */
void ds_g_at(ds_graph *g, int32_t layer, const char *fmt, ...) DS_PRINTF(3, 4);

static inline const ds_tensor *ds_g_tensor(const ds_graph *g, ds_tid t)
{
	return &g->tensors[t];
}
int64_t ds_t_count(const ds_tensor *t); /* elements */
size_t ds_t_bytes(const ds_tensor *t);
int64_t ds_t_rows(const ds_tensor *t); /* elements over the last dim */
int64_t ds_t_cols(const ds_tensor *t); /* the last dim */
/* A parameter, input, state or kept tensor, by either of its names; 0. */
ds_tid ds_g_find(const ds_graph *g, const char *name);

/* ---- leaves ---- */

ds_tid ds_g_input(ds_graph *g, const char *name, ds_dtype type, int rank, const int64_t *dims);
/* The values are copied. */
ds_tid ds_g_const(ds_graph *g, const char *name, ds_dtype type, int rank, const int64_t *dims,
	const void *values);
/* flags: DS_TENSOR_FROZEN, DS_TENSOR_NO_DECAY. A name that exists gives the same tensor again. */
ds_tid ds_g_param(
	ds_graph *g, const char *name, int rank, const int64_t *dims, ds_init init, unsigned flags);
/* A file may hold the parameter by this name too. */
void ds_g_tie(ds_graph *g, ds_tid param, const char *also);
/* Files hold the parameter in this shape, of as many elements. */
void ds_g_stored(ds_graph *g, ds_tid param, int rank, const int64_t *dims);
ds_dims ds_t_stored(const ds_tensor *t);     /* its own, where nothing was said */
void ds_g_freeze(ds_graph *g, ds_tid param); /* it is not trained; before ds_graph_compile */
ds_tid ds_g_state(ds_graph *g, const char *name, ds_dtype type, int rank, const int64_t *dims);
void ds_g_keep(ds_graph *g, ds_tid t, const char *name); /* an output; name may be NULL */

#define DS_DIMS(...) \
	(int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]) \
	{ \
		__VA_ARGS__ \
	}

/* Training starts at t too, with the values of seed as its gradient. */
void ds_g_seed(ds_graph *g, ds_tid t, ds_tid seed);

/* ---- ops ---- */

/* Rows of w[V, C] by ids[rows] (i32): [rows, C]. Also for positions and segments. */
ds_tid ds_g_embed(ds_graph *g, ds_tid w, ds_tid ids);
/* x[rows, in] -> [rows, out]; bias may be 0. */
ds_tid ds_g_linear(ds_graph *g, ds_tid x, ds_tid w, ds_tid bias, bool in_out);
/* The same with f32 operands, whatever the type of other products: a router's logits. */
ds_tid ds_g_linear_exact(ds_graph *g, ds_tid x, ds_tid w);
/* op(a) op(b) of two activations; rows 0: a tensor of rank 2 is one matrix, of rank 3 dims[0] of them. */
ds_tid ds_g_matmul(ds_graph *g, ds_tid a, ds_tid b, ds_matmul_attr p);
/* Normalises x, or x + residual where given; then *sum (may be NULL) is that sum. bias may be 0. Where
 * w is narrower than x, every part as wide as w (a head) on its own. */
ds_tid ds_g_norm(
	ds_graph *g, ds_tid x, ds_tid residual, ds_tid w, ds_tid bias, ds_norm_attr a, ds_tid *sum);
typedef struct {      /* optional inputs of attention, 0: none; all i32 */
	ds_tid first; /* [rows of q]: the first key this query may see (documents; padding left) */
	ds_tid last;  /* [rows of q]: one past the last key it may see (padding right) */
	ds_tid past;  /* [batch]: keys before the first query (KV cache); 0 everywhere if absent */
	ds_tid slots; /* [batch]: whose cache a sequence reads, of the kv rows / kv_seq there are; its own number if
		       * absent */
} ds_attention_in;
/*
 * q[rows, heads*D], k and v[kv rows, kv_heads*D] -> [rows, heads*D]. Query t of a sequence is at
 * position past + t and sees keys j with first <= j < last, j <= position when causal, and
 * j > position - window. A query that may see nothing gives zeros.
 */
ds_tid ds_g_attention(
	ds_graph *g, ds_tid q, ds_tid k, ds_tid v, ds_attention_in opt, ds_attention_attr a);
/* Rotates heads by pos[rows] (i32) times freq[rot/2] (f32 constant). */
ds_tid ds_g_rope(ds_graph *g, ds_tid x, ds_tid pos, ds_tid freq, ds_rope_attr a);
ds_tid ds_g_unary(ds_graph *g, ds_tid x, ds_act act);
ds_tid ds_g_glu(ds_graph *g, ds_tid gate, ds_tid up, ds_act act); /* act(gate) * up */
ds_tid ds_g_add(ds_graph *g, ds_tid a, ds_tid b);                 /* same shapes */
ds_tid ds_g_scale(ds_graph *g, ds_tid x, float by);
ds_tid ds_g_gain(ds_graph *g, ds_tid x, ds_tid s);   /* x e^s; s: one number */
ds_tid ds_g_dropout(ds_graph *g, ds_tid x, float p); /* only in training; p = 0 gives x itself */
ds_tid ds_g_slice(ds_graph *g, ds_tid x, int64_t from, int64_t n); /* columns; a view, no copy */
ds_tid ds_g_rows(ds_graph *g, ds_tid x, ds_tid index); /* x's rows by index[n] (i32): [n, cols] */
/*
 * Writes x[batch*seq, C] into cache[slots*kv_seq, C] (DS_CLASS_STATE) from row past[b] of each
 * sequence's slot on (slots[batch]; 0: sequence b has slot b); the result is the whole cache, to be read by attention. What
 * would fall outside a slot is left out. Not differentiable.
 */
ds_tid ds_g_cache_put(
	ds_graph *g, ds_tid cache, ds_tid x, ds_attention_in opt, int32_t seq, int32_t kv_seq);
/*
 * Cross-entropy of softmax(x w^T + bias) against targets[rows] (i32; -1: not a target), in chunks of
 * rows so that logits never exist whole. The result is f32[1]: the sum over targets times inv[0], so
 * that with inv = 1 / (targets of the step, over all micro-batches and ranks) adding up micro-batches
 * gives the step's mean. *nll (may be NULL) is f32[rows], 0 where there is no target; it is kept.
 * It is the graph's loss: training starts its gradients here, with the factor inv. w and bias may be activations, and
 * the loss a term of a sum.
 */
ds_tid ds_g_linear_xent(
	ds_graph *g, ds_tid x, ds_tid w, ds_tid bias, ds_tid targets, ds_tid inv, ds_tid *nll);

/*
 * Mixture of experts. Of a row's logits[rows, experts] the k best experts are chosen, by their scores and, where
 * given, a bias that counts in the choice alone (Wang et al. 2024, arXiv:2408.15664): weights and ids [rows, k]. Ties go
 * to the lower number, and NaNs still give k different experts.
 */
typedef struct {
	ds_tid weights, ids;
} ds_routed;
ds_routed ds_g_route(ds_graph *g, ds_tid logits, ds_tid bias, ds_route_attr a);
/*
 * Rows sorted by expert, each in the rows' order; nothing is dropped: slots[rows, k] says where the copy of a row went,
 * source[rows * k] where a slot came from (row * k + which of its choices), offsets[experts + 1] where experts begin. i32.
 */
typedef struct {
	ds_tid slots, source, offsets;
} ds_dispatched;
ds_dispatched ds_g_dispatch(ds_graph *g, ds_tid ids, int32_t experts);
ds_tid ds_g_permute(ds_graph *g, ds_tid x, ds_dispatched d); /* [rows, C] -> [rows * k, C] */
/* Each row the sum of its slots times weights: [rows * k, C] -> [rows, C]. */
ds_tid ds_g_unpermute(ds_graph *g, ds_tid z, ds_dispatched d, ds_tid weights);
/* Every segment of rows by its own matrix of w[experts, out, in] and bias[experts, out], which may be 0. */
ds_tid ds_g_grouped(ds_graph *g, ds_tid x, ds_tid w, ds_tid offsets, ds_tid bias);
/*
 * What losses of routing are made of: share[experts], rows that an expert got over all rows; probs[experts], the mean
 * of its scores, which sum to 1 in a row; z[1], the mean of the squared log of the sum of exponentials.
 */
typedef struct {
	ds_tid share, probs, z;
} ds_route_stats;
ds_route_stats ds_g_route_stats(ds_graph *g, ds_tid logits, ds_tid ids, ds_route_attr a);
/* experts times the sum of share times probs: k where all is even (Fedus et al. 2022, section 2.2) */
ds_tid ds_g_balance(ds_graph *g, ds_tid share, ds_tid probs);
/*
 * Experts that are shared out among ranks (op/exchange.c): counts of rows of every rank for every expert, and *own, the
 * offsets of those that come here; the rows there, n times as many as here may send; and back.
 */
ds_tid ds_g_expert_counts(ds_graph *g, ds_tid offsets, ds_group ranks, ds_tid *own);
ds_tid ds_g_expert_send(ds_graph *g, ds_tid x, ds_tid counts, ds_group ranks);
ds_tid ds_g_expert_return(ds_graph *g, ds_tid y, ds_tid counts, ds_group ranks);
/* Experts [from, from + n) of w, [experts, …] in the whole: this rank's alone. */
ds_tid ds_g_param_experts(ds_graph *g, const char *name, int rank, const int64_t *dims,
	ds_init init, unsigned flags, int64_t from, int64_t n);
/* x[1] times the targets that there are times inv: over a step these factors sum to 1. */
ds_tid ds_g_per_target(ds_graph *g, ds_tid x, ds_tid targets, ds_tid inv);
/* A parameter that is no weight: the optimizer adds rate where an expert got less than the mean of a step, and takes
 * it away where it got more. */
void ds_g_follow_loads(ds_graph *g, ds_tid param, float rate);

/* The graph's loss, one number: training starts its gradients here. It must hold the factor inv itself. */
void ds_g_loss(ds_graph *g, ds_tid loss);

/* ---- passes ---- */

typedef enum { /* what backward makes again instead of keeping; each includes those before it */
	DS_RECOMPUTE_NONE,
	DS_RECOMPUTE_ELEMENTS,  /* norms, activations: whatever is no product */
	DS_RECOMPUTE_ATTENTION, /* a layer's first half, up to its attention */
	DS_RECOMPUTE_LAYERS     /* the whole of the first recompute_layers layers */
} ds_recompute;

typedef struct
{ /* what passes ask of the backend that will run the graph; all 0: nothing in particular */
	/* Rows of a multiple of alias_bytes, which would all fall on the same cache sets, get pad_bytes more; 0: none. */
	int32_t alias_bytes, pad_bytes;
	/* Whether products of this type are computed in fp32, since the device has no instructions for it; NULL: none. */
	bool (*widens)(ds_dtype product);
	bool rounds_weights; /* products round f32 weights while they pack them; else casts are nodes of the graph */
	/* Whether operand i of a node, an input, or from DS_MAX_IN on an output, may be an activation in the products' type;
	 * NULL: matmul operands alone. */
	bool (*takes_halves)(const ds_graph *g, const ds_node *n, int i);
} ds_traits;

typedef struct {
	bool train;
	bool fixed; /* weights do not change from the first run on: a backend may keep them in another form beside */
	bool bytes;              /* those of linear layers in 8 bits, where the backend can */
	const ds_traits *traits; /* NULL: nothing in particular */
	ds_dtype product;        /* in which matrix products take their operands: f32, bf16, f16 */
	ds_recompute recompute;
	int32_t recompute_layers;
	const char *optimizer; /* a name of opts.def; NULL: "adamw" */
	float beta1, beta2, eps, decay;
	float max_norm; /* 0: no clipping */
	float momentum; /* Muon's, with the steps of its iteration */
	int32_t muon_steps;
	ds_layout layout; /* among how many ranks, and which of them this graph is for */
} ds_compile;

/* Runs passes.def in order; afterwards the graph may be executed, and not changed. */
DS_MUST ds_rc ds_graph_compile(ds_graph *g, const ds_compile *c, ds_err *e);

/* The values of g->hyper for step (from 1) at learning rate lr. */
void ds_hyper(float out[4], const ds_compile *c, int64_t step, double lr);

typedef struct {          /* learning rate over a run */
	const char *name; /* of opts.def */
	double lr;
	int64_t warmup, steps; /* warm-up counts within steps */
} ds_schedule;
DS_MUST ds_rc ds_schedule_check(const ds_schedule *s, ds_err *e);
double ds_schedule_at(const ds_schedule *s, int64_t step); /* step from 1 */

/* The graph as text that diffs well, a line a tensor and a node. */
void ds_graph_dump(const ds_graph *g, ds_buf *out);
double ds_graph_flops(const ds_graph *g, ds_phase phase); /* of one run of that phase */
/* How many elements the parameters of the whole model have; *trainable may be NULL. */
int64_t ds_graph_params(const ds_graph *g, int64_t *trainable);
/* Structure, shapes, one writer a tensor, gradients complete; called after every pass in tests. */
DS_MUST ds_rc ds_graph_verify(const ds_graph *g, ds_err *e);

#endif
