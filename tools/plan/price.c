/*
 * price.c - seconds of a step, node by node of the trainer's own graphs
 *
 * A kernel takes as long as its products at the rate that the accelerator sustains, or as its operands through memory,
 * whichever is longer, and a launch. Products give what their output leaves of whole waves of tiles. A collective takes
 * its bytes over the slowest link of its group; ranks of a group that share a machine share its network.
 *
 * Stages work as 1F1B has it: the slowest one works on every micro-batch, and all others on one more, which is the
 * bubble; stages of several parts by turns (interleaved) divide that. What stages send moves while they compute; sums of
 * replicas run while the last micro-batch goes backward (of several parts: while the last one of each does), weights come
 * back while the first goes forward; what is longer shows.
 *
 * Four things are priced as trainers of large models do them, which those of published runs did, and not yet dstrain: the
 * vocabulary is cut among ranks of tp like all other matrices, activations and their gradients are exchanged in the products'
 * type, of what stages send, which all ranks of tp have, each sends its part, and replicas share out the optimizer.
 */
#include "plan.h"

#include "graph/backend.h"
#include "graph/op.h"

#include <math.h>

static const double MEMORY = 0.85, LINK = 0.7; /* of what the data sheet says, large transfers */
static const double ATTENTION = 0.6;           /* of what plain products reach */
static const double LAUNCH = 2e-6, CALL = 20e-6;
static const double CUTS_SHOWN =
	0.5;                     /* of exchanges within a layer: the rest is behind its products */
static const double DEPTH = 256; /* of a product, that filling and emptying its pipes costs */
static const double SCORES_MOVED =
	13; /* bytes of a score, forward, where attention is not one kernel */
enum { TILE_ROWS = 128, TILE_COLS = 128 };

/* ---- one node ---- */

static const ds_tensor *tensor(const ds_graph *g, ds_tid t)
{
	return ds_g_tensor(g, t);
}

/* The share of whole waves of tiles that a result of rows x cols fills. */
static double filled(const plan_gpu *gpu, double rows, double cols)
{
	double tiles = ceil(rows / TILE_ROWS) * ceil(cols / TILE_COLS);
	double useful = rows * cols / (TILE_ROWS * TILE_COLS);
	return useful / (gpu->units * ceil(tiles / gpu->units));
}

/* Products of several results (the last layer's, with its gradients) are as large as they come. */
static double product_time(const plan_run *r, const ds_graph *g, const ds_node *n)
{
	const ds_tensor *out = tensor(g, n->out[0]);
	double time = ds_op_of(n->op)->flops(g, n) / (r->gpu->flops * r->gpu->sustained);
	double rows = (double)ds_t_rows(out), cols = (double)ds_t_cols(out);
	if (n->out[1] || out->rank > 2 || rows * cols < 2)
		return time;
	double depth = ds_op_of(n->op)->flops(g, n) / (2 * rows * cols);
	return time / filled(r->gpu, rows, cols) * (depth + DEPTH) / depth;
}

static double attention_time(const plan_run *r, const ds_graph *g, const ds_node *n)
{
	const ds_attention_attr *a = &n->attr.attention;
	double time =
		ds_op_of(n->op)->flops(g, n) / (r->gpu->flops * r->gpu->sustained * ATTENTION);
	double scores = (double)ds_t_rows(tensor(g, n->in[0])) * a->heads * a->kv_seq;
	if (r->o->unfused)
		time += (n->phase == DS_PHASE_BWD && n->out[1] ? 2 : 1) * SCORES_MOVED * scores /
			(r->gpu->bandwidth * MEMORY);
	return time;
}

/* Is it a table of the vocabulary that every rank of tp has whole, its gradient or its copy? */
static bool is_whole_table(const ds_graph *g, ds_tid t)
{
	const ds_tensor *x = tensor(g, t);
	if (x->memory == DS_CLASS_COPY && x->writer >= 0)
		x = tensor(g, g->nodes[x->writer].in[0]);
	return g->layout.tp > 1 && !x->part && x->rank == 2 &&
	       (x->memory == DS_CLASS_PARAM || x->memory == DS_CLASS_GRAD);
}

/* In how many parts ranks of tp would share it out. */
static double parts_of(const ds_graph *g, const ds_node *n)
{
	for (int i = 0; i < DS_MAX_IN; i++)
		if (n->in[i] && is_whole_table(g, n->in[i]))
			return g->layout.tp;
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (n->out[i] && is_whole_table(g, n->out[i]))
			return g->layout.tp;
	return 1;
}

static double kernel_time(const plan_run *r, const ds_graph *g, const ds_node *n)
{
	const ds_op *o = ds_op_of(n->op);
	double moved = o->bytes(g, n) / (r->gpu->bandwidth * MEMORY), products = 0;
	if (o->traits & DS_OP_VIEW)
		return 0;
	if (o->traits & DS_OP_PRODUCT)
		products = product_time(r, g, n);
	else if (o->traits & DS_OP_HEADS)
		products = attention_time(r, g, n);
	return LAUNCH + (products > moved ? products : moved) / parts_of(g, n);
}

/* Bytes a second of each of a group's ranks. */
static double speed(const plan_run *r, const ds_group *g)
{
	int near = 0;
	for (int k = 0; k < g->n; k++)
		near += (g->first + k * g->stride) / PLAN_NODE == g->first / PLAN_NODE;
	double net = r->gpu->net * near;
	return LINK * (near == g->n || net > r->gpu->link ? r->gpu->link : net);
}

/* Activations in the type of the products. */
static double bytes_of(const plan_run *r, const ds_graph *g, ds_tid t)
{
	if (!t)
		return 0;
	const ds_tensor *x = tensor(g, t);
	bool wide = x->memory == DS_CLASS_ACT && x->dtype == DS_F32;
	return (double)ds_t_count(x) *
	       (double)ds_dtype_bytes(wide ? r->plan.compile.product : x->dtype);
}

static double comm_time(const plan_run *r, const ds_graph *g, const ds_node *n)
{
	const ds_group *of = &n->attr.comm.group;
	double in = bytes_of(r, g, n->in[0]), out = bytes_of(r, g, n->out[0]);
	double share = of->n > 1 ? (double)(of->n - 1) / of->n : 0;
	if (n->op == DS_OP_recv) /* whoever sends is asked */
		return 0;
	if (n->op == DS_OP_send) {
		int me = g->layout.rank, peer = n->attr.comm.peer;
		bool near = me / PLAN_NODE == peer / PLAN_NODE;
		return CALL + in / g->layout.tp / (LINK * (near ? r->gpu->link : r->gpu->net));
	}
	double times = n->op == DS_OP_all_reduce ? 2 : 1, bytes = in > out ? in : out;
	return of->n > 1 ? CALL + times * share * bytes / speed(r, of) : 0;
}

/* ---- a stage ---- */

typedef struct {
	double forward, backward; /* of a micro-batch: kernels alone */
	double cuts, sends;       /* of a micro-batch */
	double sums, gathers;     /* of copies, once a step */
	double update;
} stage_cost;

static void add_node(const plan_run *r, const ds_graph *g, const ds_node *n, stage_cost *c)
{
	bool comm = ds_op_of(n->op)->traits & DS_OP_COMM;
	double t = comm ? comm_time(r, g, n) : kernel_time(r, g, n);
	if (n->phase == DS_PHASE_OPT)
		*(!comm ? &c->update : &c->sums) += n->op == DS_OP_all_gather ? 0 : t;
	else if (comm)
		*(n->op == DS_OP_send ? &c->sends : &c->cuts) +=
			n->op == DS_OP_send ? t : CUTS_SHOWN * t;
	else if (!n->once)
		*(n->phase == DS_PHASE_FWD ? &c->forward : &c->backward) += t;
	else
		c->update += t;
}

/* Of the weights here, what would be with the vocabulary cut: sums are made of many gradients at once. */
static double share_held(const ds_graph *g)
{
	double all = 0, cut = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *x = tensor(g, t);
		if (x->memory != DS_CLASS_PARAM || x->base || x->flags & DS_TENSOR_ELSEWHERE)
			continue;
		all += (double)ds_t_count(x);
		cut += (double)ds_t_count(x) / (is_whole_table(g, t) ? g->layout.tp : 1);
	}
	return all > 0 ? cut / all : 1;
}

bool plan_like_before(const ds_train_plan *p, int stage)
{
	const int64_t layers = p->config.n_layers, pp = p->layout.pp;
	int64_t ends[3];
	for (int i = 0; i < 3; i++)
		ends[i] = ((stage - 1 + i) * layers + pp - 1) / pp;
	return stage > 1 && stage < pp - 1 && ends[2] - ends[1] == ends[1] - ends[0];
}

static ds_rc stage_price(const plan_run *r, const ds_train_plan *p, const ds_train_budget *m,
	int stage, stage_cost *c, ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	ds_train_plan one = *p;
	*c = (stage_cost){ 0 };
	ds_train_plan_rank(&one, stage * p->layout.tp);
	ds_engine_opts o = ds_train_plan_engine(&one, true, (ds_exec_opts){ 0 });
	DS_TRY(ds_engine_plan(&n, m->backend, &o, e));
	for (int32_t i = 0; i < n->g->n_nodes; i++)
		add_node(r, n->g, &n->g->nodes[i], c);
	/* Half of an all-reduce leaves every replica the sum of its share; weights come back in the products' type. */
	c->sums *= share_held(n->g) / 2;
	c->gathers = c->sums * (double)ds_dtype_bytes(r->plan.compile.product) / 4;
	return DS_OK;
}

ds_rc plan_price(const plan_run *r, const ds_train_plan *p, const ds_train_budget *m,
	plan_time *out, ds_err *e)
{
	double slowest = 0, all = 0, end = 0;
	double parts = (double)r->o->interleave, micro = (double)p->n_micro;
	stage_cost c;
	*out = (plan_time){ 0 };
	for (int stage = 0; stage < p->layout.pp; stage++) {
		if (!plan_like_before(p, stage))
			DS_TRY(stage_price(r, p, m, stage, &c, e));
		double busy = c.forward + c.backward + c.cuts;
		double t = fmax(busy, c.sends * parts);
		all += t;
		if (t > slowest) {
			slowest = t;
			out->compute = micro * (c.forward + c.backward);
			out->cuts = micro * c.cuts;
			out->sends = micro * (t - busy);
		}
		double wide = 1 + p->layout.pp * (parts - 1) / parts;
		double after =
			fmax(0, c.sums - wide * c.backward) + fmax(0, c.gathers - wide * c.forward);
		if (c.update + after > end) {
			end = c.update + after;
			out->copies = after;
			out->hidden = c.sums + c.gathers - after;
			out->update = c.update;
		}
	}
	out->bubble = (all - slowest) / parts;
	out->step = micro * slowest + out->bubble + end;
	return DS_OK;
}
