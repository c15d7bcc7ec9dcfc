/*
 * ranks.c - what every rank of a layout has, and whether what they say to one another fits, without having them
 *
 * The graphs of one copy's ranks are made one after the other; those of other copies are the same. Two ranks have to
 * call the collectives of groups that both are in, in one order, and what one sends the other must receive.
 */
#include "train/plan.h"

#include "base/mem.h"
#include "graph/backend.h"
#include "graph/op.h"

typedef struct {
	ds_op_kind op;
	ds_phase phase;
	ds_comm_attr attr;
	int64_t bytes;
} call;

typedef struct {
	call *calls;
	int32_t n;
} script;

static int64_t bytes_of(const ds_graph *g, const ds_node *n)
{
	int64_t most = 0;
	for (int i = 0; i < 2; i++) {
		ds_tid t = i ? n->out[0] : n->in[0];
		int64_t bytes = t ? (int64_t)ds_t_bytes(ds_g_tensor(g, t)) : 0;
		most = bytes > most ? bytes : most;
	}
	return most;
}

static script script_of(const ds_graph *g)
{
	script s = { DS_NEW(call, (size_t)g->n_nodes + 1), 0 };
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		if (ds_op_of(n->op)->traits & DS_OP_COMM)
			s.calls[s.n++] = (call){ n->op, n->phase, n->attr.comm, bytes_of(g, n) };
	}
	return s;
}

/* What a rank sends in a step. */
static double sent(const script *s, int64_t n_micro)
{
	double sum = 0;
	for (int32_t i = 0; i < s->n; i++) {
		const call *c = &s->calls[i];
		double n = c->attr.group.n, share = n > 1 ? (n - 1) / n : 0;
		double times = c->phase == DS_PHASE_OPT ? 1 : (double)n_micro;
		sum += times * (double)c->bytes *
		       (c->op == DS_OP_send                ? 1
			       : c->op == DS_OP_recv       ? 0
			       : c->op == DS_OP_all_reduce ? 2 * share
							   : share);
	}
	return sum;
}

static bool is_in(const ds_group *g, int rank)
{
	int k = rank - g->first;
	return g->n > 1 && k >= 0 && k % g->stride == 0 && k / g->stride < g->n;
}

/* What rank `me` does that `other` takes part in, the other way round for send and recv. */
static const call *next(const script *s, int32_t *at, int other, bool group)
{
	while (*at < s->n) {
		const call *c = &s->calls[(*at)++];
		bool pair = c->op == DS_OP_send || c->op == DS_OP_recv;
		if (pair ? !group && c->attr.peer == other : group && is_in(&c->attr.group, other))
			return c;
	}
	return NULL;
}

static bool answers(const call *a, const call *b)
{
	bool pair = a->op == DS_OP_send || a->op == DS_OP_recv;
	if (a->phase != b->phase || a->bytes != b->bytes)
		return false;
	return pair ? a->op != b->op
		    : a->op == b->op &&
			       memcmp(&a->attr.group, &b->attr.group, sizeof(a->attr.group)) == 0;
}

static ds_rc check_pair(const script *a, int rank_a, const script *b, int rank_b, ds_err *e)
{
	for (int group = 0; group < 2; group++) {
		int32_t i = 0, k = 0;
		for (;;) {
			const call *x = next(a, &i, rank_b, group), *y = next(b, &k, rank_a, group);
			if (!x && !y)
				break;
			if (!x || !y || !answers(x, y))
				return ds_fail(e, DS_BAD,
					"ranks %d and %d do not agree: %s of %lld bytes against %s "
					"of "
					"%lld",
					rank_a, rank_b, x ? ds_op_of(x->op)->name : "nothing",
					(long long)(x ? x->bytes : 0),
					y ? ds_op_of(y->op)->name : "nothing",
					(long long)(y ? y->bytes : 0));
		}
	}
	return DS_OK;
}

static ds_rc make_rank(const ds_train_plan *p, const ds_train_budget *m, int rank, script *s,
	ds_train_rank *out, ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	ds_train_plan mine = *p;
	uint64_t eval;
	ds_train_plan_rank(&mine, rank);
	ds_engine_opts o = ds_train_plan_engine(&mine, true, (ds_exec_opts){ 0 });
	DS_TRY_AT(ds_engine_plan(&n, m->backend, &o, e), e, "rank %d", rank);
	DS_TRY(ds_train_plan_bytes(&mine, m, &out->bytes, e));
	DS_TRY(ds_train_plan_eval_bytes(&mine, m, &eval, e));
	out->bytes += eval;
	*s = script_of(n->g);
	out->sent = sent(s, mine.n_micro);
	out->flops = (double)mine.n_micro *
		     (ds_graph_flops(n->g, DS_PHASE_FWD) + ds_graph_flops(n->g, DS_PHASE_BWD));
	return DS_OK;
}

ds_rc ds_train_plan_ranks(
	const ds_train_plan *p, const ds_train_budget *m, ds_train_rank *out, ds_err *e)
{
	int all = ds_layout_ranks(&p->layout), copy = p->layout.tp * p->layout.pp;
	script *scripts = DS_NEW(script, (size_t)copy);
	ds_rc rc = DS_OK;
	for (int k = 0; k < copy && rc == DS_OK; k++)
		rc = make_rank(p, m, k, &scripts[k], &out[k], e);
	for (int a = 0; a < copy && rc == DS_OK; a++)
		for (int b = a + 1; b < copy && rc == DS_OK; b++)
			rc = check_pair(&scripts[a], a, &scripts[b], b, e);
	for (int k = copy; k < all; k++)
		out[k] = out[k % copy];
	for (int k = 0; k < copy; k++)
		ds_mem_free(scripts[k].calls);
	ds_mem_free(scripts);
	return rc;
}
