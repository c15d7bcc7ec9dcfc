/*
 * comm.c - collectives: by NCCL beside the computation, or by way of the host
 *
 * Ranks that exchange have a communicator, made when a graph that needs it is made ready; two that send one another
 * have one for each direction, so that what goes and what comes cannot wait for one another. A move runs beside the
 * computation: who later touches its memory has the device's stream wait for it (settle).
 *
 * By way of the host goes what is no plain move (experts' rows, whose number the host must know), and with
 * DS_CUDA_COMM=host everything: operands are fetched, exchanged as those of a CPU are (ds_comm_run), and sent back.
 */
#include "graph/cuda/comm_impl.h"

#include "base/mem.h"
#include "graph/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PENDING = 64, OPERANDS = 3 };

typedef struct { /* ranks with a communicator */
	ds_group ranks;
	int direction; /* of two: 0 both, 1 the first sends, 2 the second */
	ds_cuda_comm *comm;
	uint64_t moves;
} party;

typedef struct { /* a move that the device's stream has not waited for */
	party *of;
	uint64_t number;
	const char *at[OPERANDS];
	size_t n[OPERANDS];
} pending;

struct ds_cuda_comms {
	const ds_cuda_on *on;
	ds_world *world;
	ds_cuda_watch *watch;
	party **parties;
	int n_parties;
	pending pending[MOST_PENDING];
	int n_pending;
	bool by_host;
};

static ds_rc failed(const ds_cuda_comms *c, int rc, const ds_node *n, ds_err *e)
{
	return ds_fail(e, DS_IO, "cuda: %s: %s", ds_op_of(n->op)->name, c->on->api->text(rc));
}

/* ---- what goes how ---- */

static bool is_moved(const ds_cuda_comms *c, const ds_node *n)
{
	return !c->by_host && n->op != DS_OP_expert_counts && n->op != DS_OP_expert_send &&
	       n->op != DS_OP_expert_return;
}

static bool is_point(const ds_node *n)
{
	return n->op == DS_OP_send || n->op == DS_OP_recv;
}

static bool is_dense(const ds_operand *a)
{
	return a->ld == a->cols || a->rows <= 1;
}

static uint64_t dense_bytes(const ds_operand *a)
{
	return (uint64_t)(a->rows * a->cols) * ds_dtype_bytes(a->dtype);
}

uint64_t ds_cuda_comm_scratch(const ds_cuda_call *c)
{
	return (is_dense(&c->in[0]) ? 0 : ds_cuda_aligned(dense_bytes(&c->in[0]))) +
	       (is_dense(&c->out[0]) ? 0 : ds_cuda_aligned(dense_bytes(&c->out[0])));
}

/* ---- communicators ---- */

static party key_of(const ds_cuda_comms *c, const ds_node *n)
{
	const ds_comm_attr *a = &n->attr.comm;
	int me = ds_world_rank(c->world);
	if (!is_point(n))
		return (party){ .ranks = a->group };
	int first = me < a->peer ? me : a->peer, last = me < a->peer ? a->peer : me;
	int from = n->op == DS_OP_send ? me : a->peer;
	return (party){ .ranks = { first, last - first, 2 }, .direction = from == first ? 1 : 2 };
}

static party *find(const ds_cuda_comms *c, const ds_node *n)
{
	party k = key_of(c, n);
	for (int i = 0; i < c->n_parties; i++) {
		party *p = c->parties[i];
		if (p->ranks.first == k.ranks.first && p->ranks.stride == k.ranks.stride &&
			p->ranks.n == k.ranks.n && p->direction == k.direction)
			return p;
	}
	return NULL;
}

/* The members meet here: they compile the same collectives in the same order. */
static ds_rc meet(ds_cuda_comms *c, const ds_node *n, ds_err *e)
{
	const ds_cuda_comm_api *api = c->on->api->comm;
	party k = key_of(c, n);
	char id[DS_CUDA_ID] = { 0 };
	int me = ds_group_me(c->world, &k.ranks), rc = me == 0 ? api->id(id) : 0;
	if (rc)
		return failed(c, rc, n, e);
	ds_world_say(c->world, "meeting for", ds_op_of(n->op)->name);
	DS_TRY(ds_world_broadcast(c->world, &k.ranks, 0, id, sizeof(id), e));
	rc = api->open(c->on->device, &k.comm, id, k.ranks.n, me);
	if (rc)
		return failed(c, rc, n, e);
	c->parties = ds_mem_grow(c->parties, (size_t)c->n_parties * sizeof(party *),
		(size_t)(c->n_parties + 1) * sizeof(party *));
	party *p = c->parties[c->n_parties++] = DS_NEW(party, 1);
	*p = k;
	return c->watch ? DS_OK : ds_cuda_watch_new(&c->watch, c->on->api, c->world, e);
}

ds_rc ds_cuda_comms_meet(ds_cuda_comms *c, const ds_node *n, ds_err *e)
{
	const ds_cuda_api *api = c->on->api;
	if (!is_moved(c, n) || (!is_point(n) && n->attr.comm.group.n < 2) || find(c, n))
		return DS_OK;
	if (!api->comm)
		return ds_fail(e, DS_IO,
			"cuda: libds-cuda.so was built without NCCL (nccl.h); DS_CUDA_COMM=host "
			"does without");
	int rc = api->comm->ready();
	return rc ? failed(c, rc, n, e) : meet(c, n, e);
}

ds_cuda_comms *ds_cuda_comms_new(const ds_cuda_on *on, ds_world *w)
{
	const char *by = getenv("DS_CUDA_COMM");
	ds_cuda_comms *c = DS_NEW(ds_cuda_comms, 1);
	c->on = on;
	c->world = w;
	c->by_host = by && strcmp(by, "host") == 0;
	return c;
}

void ds_cuda_comms_free(ds_cuda_comms *c)
{
	if (!c)
		return;
	ds_cuda_watch_free(c->watch);
	for (int i = 0; i < c->n_parties; i++) {
		c->on->api->comm->close(c->parties[i]->comm);
		ds_mem_free(c->parties[i]);
	}
	ds_mem_free(c->parties);
	ds_mem_free(c);
}

/* ---- waiting for moves ---- */

/* The device's stream waits for move i, and so for those before it of the same party. */
static int join(ds_cuda_comms *c, int i)
{
	pending done = c->pending[i];
	int kept = 0;
	for (int k = 0; k < c->n_pending; k++)
		if (c->pending[k].of != done.of || c->pending[k].number > done.number)
			c->pending[kept++] = c->pending[k];
	c->n_pending = kept;
	return c->on->api->comm->join(done.of->comm, done.number);
}

static bool touches(const pending *p, const char *at, size_t n)
{
	for (int i = 0; i < OPERANDS; i++)
		if (p->n[i] && n && at < p->at[i] + p->n[i] && p->at[i] < at + n)
			return true;
	return false;
}

int ds_cuda_settle(ds_cuda_comms *c, const void *at, size_t n)
{
	for (int i = c ? c->n_pending - 1 : -1; i >= 0; i--)
		if (i < c->n_pending && touches(&c->pending[i], at, n))
			DS_CUDA_TRY(join(c, i));
	return 0;
}

int ds_cuda_settle_all(ds_cuda_comms *c)
{
	while (c && c->n_pending)
		DS_CUDA_TRY(join(c, c->n_pending - 1));
	return 0;
}

/* From the first element to the last. */
static size_t device_bytes(const ds_operand *a)
{
	return a->data && a->rows
		       ? (size_t)((a->rows - 1) * a->ld + a->cols) * ds_dtype_bytes(a->dtype)
		       : 0;
}

int ds_cuda_settle_call(ds_cuda_comms *c, const ds_cuda_call *call, size_t scratch_bytes)
{
	if (!c || !c->n_pending)
		return 0;
	for (int i = 0; i < DS_MAX_IN; i++)
		DS_CUDA_TRY(ds_cuda_settle(c, call->in[i].data, device_bytes(&call->in[i])));
	for (int i = 0; i < DS_MAX_OUT; i++)
		DS_CUDA_TRY(ds_cuda_settle(c, call->out[i].data, device_bytes(&call->out[i])));
	return ds_cuda_settle(c, call->scratch, scratch_bytes);
}

void ds_cuda_waits(ds_cuda_comms *c)
{
	if (c && c->watch)
		ds_cuda_watch_begin(c->watch);
}

ds_rc ds_cuda_waited(ds_cuda_comms *c, ds_err *e)
{
	return c && c->watch ? ds_cuda_watch_end(c->watch, e) : DS_OK;
}

/* ---- moves ---- */

/* Vectors are shared out by their elements, as rows of one. */
static ds_operand upright(ds_operand a, int rank)
{
	return rank == 1 ? (ds_operand){ a.data, a.dtype, a.cols, 1, 1 } : a;
}

static ds_cuda_move move_of(const ds_cuda_comms *c, const ds_node *n, const ds_operand *in,
	const ds_operand *out, int rank, int64_t *starts)
{
	static const ds_cuda_way ways[DS_N_OPS] = {
		[DS_OP_all_reduce] = DS_CUDA_SUM,
		[DS_OP_reduce_scatter] = DS_CUDA_SCATTER,
		[DS_OP_all_gather] = DS_CUDA_GATHER,
		[DS_OP_send] = DS_CUDA_SEND,
		[DS_OP_recv] = DS_CUDA_RECV,
	};
	const ds_operand *whole = n->op == DS_OP_all_gather || n->op == DS_OP_recv ? out : in;
	ds_operand by_rows = upright(*whole, rank);
	ds_cuda_move m = { .way = ways[n->op],
		.in = in->data,
		.out = out->data,
		.count = whole->rows * whole->cols,
		.starts = starts,
		.type = whole->dtype };
	for (int k = 0; !is_point(n) && k <= n->attr.comm.group.n; k++)
		starts[k] = by_rows.rows * k / n->attr.comm.group.n * by_rows.cols;
	if (is_point(n))
		m.peer = ds_world_rank(c->world) > n->attr.comm.peer ? 0 : 1;
	return m;
}

/* A copy in scratch whose rows lie side by side. */
static ds_operand packed(const ds_operand *a, char **scratch)
{
	ds_operand p = *a;
	if (!a->data || is_dense(a))
		return p;
	p.data = *scratch;
	p.ld = p.cols;
	*scratch += ds_cuda_aligned(dense_bytes(a));
	return p;
}

static int copy(const ds_cuda_comms *c, const ds_operand *to, const ds_operand *from)
{
	size_t size = ds_dtype_bytes(from->dtype);
	return c->on->api->copy_rows(c->on->device, to->data, (size_t)to->ld * size, from->data,
		(size_t)from->ld * size, (size_t)from->cols * size, (size_t)from->rows);
}

static void note(ds_cuda_comms *c, party *p, const ds_cuda_move *m, const ds_operand *in,
	const ds_operand *out, const ds_node *n, const char *of)
{
	char what[DS_CUDA_TEXT];
	pending *w = &c->pending[c->n_pending++];
	*w = (pending){ .of = p, .number = ++p->moves };
	w->at[0] = in->data;
	w->n[0] = device_bytes(in);
	w->at[1] = out->data;
	w->n[1] = device_bytes(out);
	snprintf(what, sizeof(what), "%s of '%s'", ds_op_of(n->op)->name, of);
	ds_cuda_watch_add(c->watch, p->comm, p->moves, what);
}

static int move(ds_cuda_comms *c, const ds_graph *g, const ds_cuda_call *call)
{
	const ds_node *n = call->node;
	const ds_tensor *t = &g->tensors[n->out[0] ? n->out[0] : n->in[0]];
	char *scratch = call->scratch;
	ds_operand in = packed(&call->in[0], &scratch), out = packed(&call->out[0], &scratch);
	int64_t starts[DS_MAX_RANKS + 1];
	if (in.data != call->in[0].data)
		DS_CUDA_TRY(copy(c, &in, &call->in[0]));
	ds_cuda_move m = move_of(c, n, &in, &out, t->rank, starts);
	party *p = find(c, n);
	if (c->n_pending == MOST_PENDING)
		DS_CUDA_TRY(join(c, 0));
	DS_CUDA_TRY(c->on->api->comm->move(p->comm, &m));
	note(c, p, &m, &in, &out, n, t->name);
	if (out.data == call->out[0].data)
		return 0;
	DS_CUDA_TRY(join(c, c->n_pending - 1));
	return copy(c, &call->out[0], &out);
}

/* ---- by way of the host ---- */

static uint64_t host_bytes(const ds_operand *a)
{
	return ds_cuda_aligned((uint64_t)(a->rows * a->ld) * ds_dtype_bytes(a->dtype));
}

uint64_t ds_cuda_comm_host_bytes(const ds_cuda_comms *c, const ds_cuda_call *call)
{
	uint64_t bytes = 0;
	for (int i = 0; i < DS_MAX_IN && !is_moved(c, call->node); i++)
		bytes += host_bytes(&call->in[i]);
	for (int i = 0; i < DS_MAX_OUT && !is_moved(c, call->node); i++)
		bytes += host_bytes(&call->out[i]);
	return bytes;
}

/* The host's copy of a device's operand; where two are the same memory, so are the copies. */
static ds_operand host_copy(
	const ds_cuda_call *call, const ds_operand *a, const ds_operand in[DS_MAX_IN], char **host)
{
	ds_operand h = *a;
	if (!a->data)
		return h;
	for (int i = 0; in && i < DS_MAX_IN; i++)
		if (call->in[i].data == a->data) {
			h.data = in[i].data;
			return h;
		}
	h.data = *host;
	*host += host_bytes(a);
	return h;
}

static ds_rc by_host(
	ds_cuda_comms *c, const ds_graph *g, const ds_cuda_call *call, char *host, ds_err *e)
{
	const ds_cuda_api *api = c->on->api;
	ds_operand in[DS_MAX_IN], out[DS_MAX_OUT];
	int rc = 0;
	memset(host, 0, ds_cuda_comm_host_bytes(c, call));
	for (int i = 0; i < DS_MAX_IN; i++) {
		in[i] = host_copy(call, &call->in[i], NULL, &host);
		if (in[i].data && !rc)
			rc = api->get(
				c->on->device, in[i].data, call->in[i].data, device_bytes(&in[i]));
	}
	for (int i = 0; i < DS_MAX_OUT; i++)
		out[i] = host_copy(call, &call->out[i], in, &host);
	if (rc)
		return failed(c, rc, call->node, e);
	DS_TRY(ds_comm_run(c->world, g, call->node, in, out, e));
	for (int i = 0; i < DS_MAX_OUT && !rc; i++)
		if (out[i].data)
			rc = api->put(c->on->device, call->out[i].data, out[i].data,
				device_bytes(&out[i]));
	return rc ? failed(c, rc, call->node, e) : DS_OK;
}

ds_rc ds_cuda_collective(
	ds_cuda_comms *c, const ds_graph *g, const ds_cuda_call *call, char *host, ds_err *e)
{
	const ds_node *n = call->node;
	ds_tid t = n->out[0] ? n->out[0] : n->in[0];
	if (!c)
		return ds_fail(e, DS_BAD, "%s of '%s': the device has joined no job",
			ds_op_of(n->op)->name, g->tensors[t].name);
	int rc = ds_cuda_settle_call(c, call, ds_cuda_comm_scratch(call));
	if (rc)
		return failed(c, rc, n, e);
	if (!is_moved(c, n))
		return by_host(c, g, call, host, e);
	if (call->out[0].data && n->op != DS_OP_recv && call->in[0].dtype != DS_F32 &&
		call->in[0].dtype != DS_F64 && n->op != DS_OP_all_gather)
		return ds_fail(
			e, DS_BAD, "a sum over ranks of %s", ds_dtype_name(call->in[0].dtype));
	ds_world_say(c->world, ds_op_of(n->op)->name, g->tensors[t].name);
	if (!is_point(n) && n->attr.comm.group.n < 2)
		rc = call->in[0].data == call->out[0].data ? 0
							   : copy(c, &call->out[0], &call->in[0]);
	else
		rc = move(c, g, call);
	return rc ? failed(c, rc, n, e) : DS_OK;
}
