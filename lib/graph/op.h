/*
 * op.h - what an op is: the descriptors behind ops.def
 *
 * For those who write ops and passes. A shape rule says what a node gives, a gradient rule appends
 * the nodes of its backward, a reference computes it in double, a sample makes a random instance
 * for the tests over the table.
 */
#ifndef DS_GRAPH_OP_H
#define DS_GRAPH_OP_H

#include "base/rng.h"
#include "graph/graph.h"

/* ---- shapes ---- */

typedef struct { /* rank -1: this node does not have that output */
	ds_dtype dtype;
	int rank;
	int64_t dims[DS_MAX_RANK];
} ds_shape;
typedef ds_rc ds_shape_fn(const ds_graph *g, const ds_node *n, ds_shape out[DS_MAX_OUT], ds_err *e);

/* ---- gradients ---- */

typedef struct ds_grad ds_grad; /* the state of autodiff (pass/autodiff.c) */
typedef void ds_grad_fn(ds_grad *c, const ds_node *n);
ds_graph *ds_grad_graph(ds_grad *c);
/* Whether anything trainable lies behind an input; 0 gives false. */
bool ds_grad_needed(const ds_grad *c, ds_tid in);
/* The gradient of an output, 0 where none flows. */
ds_tid ds_grad_of(ds_grad *c, ds_tid out);
/* It is the loss itself, or was only added to others: its gradient is 1. */
bool ds_grad_is_one(const ds_grad *c, ds_tid out);
/* Where to write a gradient of in: 0 lets the node make a tensor, or a part of a larger gradient. */
ds_tid ds_grad_place(ds_grad *c, ds_tid in);
/* Adds a contribution to in's gradient (nothing for in = 0 or grad = 0). */
void ds_grad_give(ds_grad *c, ds_tid in, ds_tid grad);
/* Takes what has been given so far, 0 if nothing: the op adds to it and gives the sum. */
ds_tid ds_grad_take(ds_grad *c, ds_tid in);
/* The tensor of class grad for a trainable parameter, 0 for anything else: write with beta. */
ds_tid ds_grad_param(ds_grad *c, ds_tid param);
/* The node being differentiated becomes another op that also gives the gradients (linear_xent). */
void ds_grad_replace(ds_grad *c, const ds_node *n, const ds_node *by);

/* ---- references and samples ---- */

typedef struct { /* dense, row after row; at NULL where absent */
	double *at;
	int64_t rows, cols;
} ds_ref_arg;
typedef struct {
	const ds_node *node;
	ds_ref_arg in[DS_MAX_IN], out[DS_MAX_OUT];
	double beta[DS_MAX_OUT]; /* out = beta * out + …, for gradients of parameters */
	const ds_run *run;
} ds_ref;
typedef void ds_ref_fn(const ds_ref *r);

typedef struct { /* numbers for a random instance, and the graph it goes into */
	ds_graph *g;
	ds_rng rng;
	uint64_t draws;
} ds_sample;
typedef void ds_sample_fn(ds_sample *s);
int64_t ds_sample_int(ds_sample *s, int64_t lo, int64_t hi);       /* both included */
ds_tid ds_sample_tensor(ds_sample *s, int64_t rows, int64_t cols); /* trainable; rows 0: a vector */
ds_tid ds_sample_ids(ds_sample *s, int64_t n, int64_t lo, int64_t hi); /* i32 constants */
void ds_sample_output(ds_sample *s, ds_tid t); /* its gradient is seeded at random */

/* ---- the table ---- */

enum {                     /* ds_op.traits: what passes, executors and planners go by */
	DS_OP_PRODUCT = 1, /* in[0] and in[1] are the operands of a matrix product */
	DS_OP_CHEAP = 2,   /* its result is sooner made again than kept */
	DS_OP_SUMS =
		4, /* adds in[0] and in[1], the sum is out[1]; given the sum alone as in[0], it gives the same */
	DS_OP_MIXES = 8, /* rows of a sequence meet: a layer's first half ends with it */
	DS_OP_VIEW =
		16, /* out[0] is columns attr.slice of in[0], in its memory: nothing is computed */
	DS_OP_ALONE = 32, /* its scratch is several times its operands: no other node of its wave */
	DS_OP_DROPS = 64, /* attr.dropout: drops at random, in training alone */
	DS_OP_PASSES = 128,    /* where it drops nothing, it gives what it takes */
	DS_OP_HEADS = 256,     /* attr.attention: columns are heads, rows sequences */
	DS_OP_SEQUENCES = 512, /* attr.attention: rows are sequences */
	DS_OP_COMM = 1024      /* attr.comm: all ranks of a group take part (ds_comm_run) */
};

typedef double ds_cost_fn(const ds_graph *g, const ds_node *n);
typedef void ds_print_fn(const ds_node *n, ds_buf *out); /* " name=value" for each */

typedef struct {
	const char *name;
	int n_in, n_out, place; /* place: the input whose memory out[0] may take, -1: none */
	unsigned traits;
	ds_shape_fn *shape;
	ds_grad_fn *grad; /* ds_gr_nodiff: none, by its nature */
	ds_cost_fn *flops, *bytes;
	const char *shards; /* see below */
	ds_print_fn *print;
	ds_ref_fn *ref;
	ds_sample_fn
		*sample; /* ds_sa_none: made by autodiff or the optimizer, tested through them */
} ds_op;
const ds_op *ds_op_of(ds_op_kind k);
bool ds_op_differentiable(const ds_op *o);
bool ds_op_sampled(const ds_op *o);

/* ---- sharding ---- */

/*
 * ds_op.shards: rules separated by blanks, how the node may be cut in equal parts among ranks: a letter an input, '>',
 * a letter an output. That everything is whole everywhere always holds and is not among them.
 */
enum {
	DS_SHARD_WHOLE = 'R',
	DS_SHARD_PARTIAL = 'P', /* everywhere a part of the sum */
	DS_SHARD_ROWS = 'r',
	DS_SHARD_COLS = 'c',
	DS_SHARD_SEQS = 's',   /* rows, by whole sequences, or by matrices of a batch */
	DS_SHARD_HEADS = 'h',  /* columns, by whole heads */
	DS_SHARD_GIVEN = 'o',  /* of a linear layer's weight: along what it gives */
	DS_SHARD_TAKEN = 'i',  /* along what it takes */
	DS_SHARD_ABSENT = '.', /* the rule holds where there is none */
};
typedef struct {
	char in[DS_MAX_IN], out[DS_MAX_OUT]; /* 0: the op has none */
} ds_shard;
/* The next rule of *rules, which moves on; false: there is none. */
bool ds_shard_next(const char **rules, ds_shard *s);
/* Whether the node can be cut so into that many parts. */
bool ds_shard_fits(const ds_graph *g, const ds_node *n, const ds_shard *s, int parts);
/* The axis that a letter cuts: 0 rows, 1 columns, -1 none. */
int ds_shard_axis(const ds_node *n, char letter);
/* The attributes of part number `part`. */
void ds_shard_attr(ds_node *n, const ds_shard *s, int parts, int part);

typedef enum {
	DS_COMM_NONE,
	DS_COMM_ALL_REDUCE,     /* parts of a sum -> the sum everywhere */
	DS_COMM_REDUCE_SCATTER, /* parts of a sum -> every rank its cut of the sum */
	DS_COMM_ALL_GATHER,     /* a cut -> the whole everywhere */
	DS_COMM_ALL_TO_ALL      /* a cut along one axis -> along the other */
} ds_comm;
/* What has to happen before a tensor that was left as `from` can be used as `to`; its gradient takes the way back. */
ds_comm ds_shard_comm(const ds_node *n, char from, char to);

/* ---- building nodes ---- */

/*
 * Appends a node. n->out[i]: 0 lets the shape rule make it, DS_NOT_WANTED leaves it away, any other
 * tensor must fit the rule. Returns the node in the graph, valid until the next is added, or NULL
 * after an error.
 */
enum { DS_NOT_WANTED = -1 };
const ds_node *ds_g_node(ds_graph *g, ds_node n);
/* Replaces the nodes by a list with room for cap, of ds_mem_get, which the graph then owns. */
void ds_g_nodes(ds_graph *g, ds_node *nodes, int32_t n, int32_t cap);
/* A tensor without a writer yet. */
ds_tid ds_g_new(ds_graph *g, ds_class memory, const ds_shape *s, const char *name);
/* Columns [from, from + n) of base, sharing its memory. */
ds_tid ds_g_view(ds_graph *g, ds_tid base, int64_t from, int64_t n);
/* Remembers the first error, with the current origin in front. */
void ds_g_fail(ds_graph *g, const char *fmt, ...) DS_PRINTF(2, 3);

/* The tensor that holds a view's memory, or the tensor itself. */
static inline ds_tid ds_g_root(const ds_graph *g, ds_tid t)
{
	return g->tensors[t].base ? g->tensors[t].base : t;
}

/* ---- passes, optimizers, schedules ---- */

typedef ds_rc ds_pass_fn(ds_graph *g, const ds_compile *c, ds_err *e);

typedef struct {
	const char *name, *help;
	/* Appends the update of one parameter; scale is the clipping factor's tensor. */
	void (*update)(ds_graph *g, const ds_compile *c, ds_tid param, ds_tid scale);
	void (*hyper)(float out[4], const ds_compile *c, int64_t step, double lr);
} ds_optimizer;

typedef struct {
	const char *name, *help;
	double (*factor)(double done); /* of the peak, done in [0, 1] after the warm-up */
} ds_schedule_kind;

/* name NULL: adamw; NULL where there is none of that name. */
const ds_optimizer *ds_optimizer_find(const char *name);

#endif
