/*
 * cuda.c - the backend for NVIDIA's devices: memory, programs, runs
 *
 * A program is a call a node, with addresses. A device has one stream, so nodes of a wave share their scratch. What
 * differs from step to step (seed, step, number of the first row) lies on the device, where kernels read it; what
 * differs between the first micro-batch and the others (whether gradients begin anew) is in the calls. Collectives run
 * on streams of their own; what touches their memory waits for them.
 */
#include "graph/cuda/cuda_impl.h"

#include "base/mem.h"
#include "base/progress.h"
#include "comm/mpi.h"
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

enum { OLDEST = 80 }; /* compute capability 8.0 */

typedef struct {
	ds_cuda_on on;
	ds_cuda_info info;
	ds_run *run; /* on the device */
	bool waits;  /* after every node, so that an error has its node's name: DS_CUDA_SYNC=1 */
	ds_cuda_comms *comms; /* NULL: it has joined no job */
} state;

typedef struct {
	const ds_cuda_op *op; /* NULL: a collective */
	ds_cuda_call call;
	/* What begins here and was captured, for the first micro-batch and for the others. */
	struct {
		ds_cuda_graph *graph;
		int32_t to, runs; /* the node behind it; how often it was asked for */
	} part[2];
} work;

struct ds_program {
	const ds_graph *g;
	state *on;
	uint64_t scratch_bytes;
	work *works; /* [n_nodes] */
	char *host;  /* on the host, for collectives */
	bool captures;
};

enum { FEWEST_CAPTURED = 4 };

static ds_rc failed(const state *s, int rc, const char *what, ds_err *e)
{
	return ds_fail(e, DS_IO, "cuda: %s: %s", what, s->on.api->text(rc));
}

/* ---- without a device ---- */

static bool is_collective(const ds_node *n)
{
	return ds_op_of(n->op)->traits & DS_OP_COMM;
}

static bool has_kernel(const ds_backend *b, const ds_graph *g, const ds_node *n)
{
	return is_collective(n) || ds_cuda_find(g, n);
}

static uint64_t scratch(
	const ds_backend *b, const ds_graph *g, int32_t from, int32_t to, unsigned threads)
{
	uint64_t most = 0;
	for (int32_t i = from; i < to; i++) {
		bool comm = is_collective(&g->nodes[i]);
		const ds_cuda_op *o = comm ? NULL : ds_cuda_find(g, &g->nodes[i]);
		ds_cuda_call c = ds_cuda_shapes(g, &g->nodes[i]);
		uint64_t bytes = comm              ? ds_cuda_comm_scratch(&c)
				 : o && o->scratch ? ds_cuda_aligned(o->scratch(&c))
						   : 0;
		most = bytes > most ? bytes : most;
	}
	return most;
}

/* ---- a device ---- */

static ds_rc check_device(const state *s, ds_err *e)
{
	if (s->info.major * 10 + s->info.minor < OLDEST)
		return ds_fail(e, DS_IO,
			"cuda: %s has compute capability %d.%d, at least %d.%d is needed",
			s->info.name, s->info.major, s->info.minor, OLDEST / 10, OLDEST % 10);
	return DS_OK;
}

static void close_device(ds_device *d)
{
	state *s = d->state;
	if (s && s->on.device) {
		ds_cuda_comms_free(s->comms);
		if (s->run)
			s->on.api->free(s->on.device, s->run);
		s->on.api->close(s->on.device);
	}
	ds_mem_free(s);
	d->state = NULL;
}

/* Of the ranks of this machine: what mpirun or srun says, where they started them. */
static int number_here(const ds_world *w)
{
	static const char *const names[] = { "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID" };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && ds_mpi_ranks() > 1; i++)
		if (getenv(names[i]))
			return atoi(getenv(names[i]));
	return ds_world_rank(w);
}

static ds_rc fill_device(state *s, const ds_world *w, ds_err *e)
{
	int n = 0, rank = number_here(w);
	DS_TRY(ds_cuda_load(&s->on.api, ds_world_size(w), e));
	int rc = s->on.api->count(&n);
	if (rc)
		return failed(s, rc, "looking for devices", e);
	if (n == 0)
		return ds_fail(e, DS_IO, "cuda: there is no device");
	if (rank >= n)
		return ds_fail(e, DS_IO, "cuda: rank %d has no device: there %s %d", rank,
			n == 1 ? "is" : "are", n);
	rc = s->on.api->open(&s->on.device, rank, &s->info);
	if (rc)
		return ds_fail(e, DS_IO, "cuda: opening device %d: %s", rank, s->on.api->text(rc));
	DS_TRY(check_device(s, e));
	rc = s->on.api->alloc(s->on.device, sizeof(*s->run), (void **)&s->run);
	return rc ? failed(s, rc, s->info.name, e) : DS_OK;
}

static ds_rc open_device(ds_device *d, ds_err *e)
{
	const char *waits = getenv("DS_CUDA_SYNC");
	state *s = DS_NEW(state, 1);
	d->state = s;
	s->waits = waits && strcmp(waits, "1") == 0;
	ds_rc rc = fill_device(s, d->world, e);
	if (rc != DS_OK)
		close_device(d);
	return rc;
}

static double free_bytes(const ds_device *d)
{
	return (double)((const state *)d->state)->info.free_bytes;
}

static ds_rc alloc(ds_device *d, uint64_t bytes, ds_addr *at, ds_err *e)
{
	const state *s = d->state;
	void *p;
	char wanted[16], have[16];
	int rc = s->on.api->alloc(s->on.device, bytes, &p);
	if (rc)
		return ds_fail(e, DS_IO, "cuda: no room for %s on %s, which had %s free: %s",
			ds_human_bytes(wanted, (double)bytes), s->info.name,
			ds_human_bytes(have, (double)s->info.free_bytes), s->on.api->text(rc));
	*at = (ds_addr)p;
	return DS_OK;
}

static void free_memory(ds_device *d, ds_addr at)
{
	const state *s = d->state;
	s->on.api->free(s->on.device, (void *)at);
}

static ds_rc put(ds_device *d, ds_addr to, const void *from, size_t n, ds_err *e)
{
	const state *s = d->state;
	int rc = ds_cuda_settle(s->comms, (void *)to, n);
	ds_cuda_waits(s->comms);
	if (!rc)
		rc = s->on.api->put(s->on.device, (void *)to, from, n);
	DS_TRY(ds_cuda_waited(s->comms, e));
	return rc ? failed(s, rc, "writing to the device", e) : DS_OK;
}

static ds_rc get(ds_device *d, void *to, ds_addr from, size_t n, ds_err *e)
{
	const state *s = d->state;
	int rc = ds_cuda_settle(s->comms, (void *)from, n);
	ds_cuda_waits(s->comms);
	if (!rc)
		rc = s->on.api->get(s->on.device, to, (const void *)from, n);
	DS_TRY(ds_cuda_waited(s->comms, e));
	return rc ? failed(s, rc, "reading from the device", e) : DS_OK;
}

static ds_rc sync(ds_device *d, ds_err *e)
{
	const state *s = d->state;
	int rc = ds_cuda_settle_all(s->comms);
	ds_cuda_waits(s->comms);
	if (!rc)
		rc = s->on.api->sync(s->on.device);
	DS_TRY(ds_cuda_waited(s->comms, e));
	return rc ? failed(s, rc, "a kernel that ran before (DS_CUDA_SYNC=1 names it)", e) : DS_OK;
}

static void *map(ds_device *d, ds_addr at)
{
	return NULL;
}

/* ---- programs ---- */

static void release(ds_program *p)
{
	ds_cuda_settle_all(p->on->comms); /* an error shows where the device is used next */
	for (int32_t i = 0; i < p->g->n_nodes; i++)
		for (int k = 0; k < 2; k++)
			p->on->on.api->drop(p->works[i].part[k].graph);
	ds_mem_free(p->works);
	ds_mem_free(p->host);
	ds_mem_free(p);
}

static ds_rc place(ds_program *p, const ds_program_args *a, int32_t i, ds_err *e)
{
	const ds_node *n = &a->g->nodes[i];
	work *w = &p->works[i];
	w->op = is_collective(n) ? NULL : ds_cuda_find(a->g, n);
	if (!w->op && !is_collective(n))
		return ds_fail(e, DS_BAD, "cuda: no kernel for %s%s%s", ds_op_of(n->op)->name,
			*n->origin ? " of " : "", n->origin);
	w->call = ds_cuda_shapes(a->g, n);
	for (int k = 0; k < DS_MAX_IN; k++)
		w->call.in[k].data = (void *)a->at[n->in[k]];
	for (int k = 0; k < DS_MAX_OUT; k++)
		w->call.out[k].data = (void *)a->at[n->out[k]];
	w->call.run = p->on->run;
	w->call.scratch = (char *)a->scratch;
	w->call.stream = p->on->on.api->stream(p->on->on.device);
	return DS_OK;
}

static ds_rc prepare(ds_program **out, ds_device *d, const ds_program_args *a, ds_err *e)
{
	ds_program *p = DS_NEW(ds_program, 1);
	uint64_t host_bytes = 0;
	ds_rc rc = DS_OK;
	p->g = a->g;
	p->on = d->state;
	p->scratch_bytes = a->plan->scratch_bytes;
	if (d->world && !p->on->comms)
		p->on->comms = ds_cuda_comms_new(&p->on->on, d->world);
	p->captures = !p->on->waits;
	p->works = DS_NEW(work, (size_t)a->g->n_nodes + 1);
	for (int32_t i = 0; i < a->g->n_nodes && rc == DS_OK; i++) {
		rc = place(p, a, i, e);
		if (rc != DS_OK || !is_collective(&a->g->nodes[i]) || !p->on->comms)
			continue;
		uint64_t bytes = ds_cuda_comm_host_bytes(p->on->comms, &p->works[i].call);
		host_bytes = bytes > host_bytes ? bytes : host_bytes;
		rc = ds_cuda_comms_meet(p->on->comms, &a->g->nodes[i], e);
	}
	p->host = host_bytes ? ds_mem_get(host_bytes) : NULL;
	if (rc == DS_OK)
		*out = p;
	else
		release(p);
	return rc;
}

/* Launches nodes [from, to), none of them a collective. */
static ds_rc launch(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	const state *s = p->on;
	for (int32_t i = from; i < to; i++) {
		work *w = &p->works[i];
		const ds_node *n = w->call.node;
		if (!ds_node_runs(n, r))
			continue;
		for (int k = 0; k < DS_MAX_OUT; k++)
			w->call.beta[k] = ds_node_beta(n, k, r);
		int rc = w->op->run(&s->on, &w->call);
		if (!rc && s->waits)
			rc = s->on.api->sync(s->on.device);
		if (rc)
			return ds_fail(e, DS_IO, "cuda: %s of %s: %s", ds_op_of(n->op)->name,
				n->origin, s->on.api->text(rc));
	}
	return DS_OK;
}

/* The first time as they come, so that every product has its algorithm; the second time captured; then that is run. */
static ds_rc run_settled(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	const ds_cuda_on *on = &p->on->on;
	work *w = &p->works[from];
	int k = r->micro > 0;
	if (w->part[k].runs++ == 0)
		w->part[k].to = to;
	if (!p->captures || to - from < FEWEST_CAPTURED || w->part[k].to != to ||
		w->part[k].runs == 1)
		return launch(p, from, to, r, e);
	int rc = 0;
	if (!w->part[k].graph) {
		rc = on->api->begin(on->device);
		if (rc)
			return failed(p->on, rc, "capturing a step", e);
		ds_rc launched = launch(p, from, to, r, e);
		rc = on->api->end(on->device, &w->part[k].graph);
		if (launched != DS_OK)
			return launched;
		if (rc)
			return failed(p->on, rc, "capturing a step", e);
	}
	rc = on->api->launch(on->device, w->part[k].graph);
	return rc ? failed(p->on, rc, "running a captured step", e) : DS_OK;
}

/* Nodes [from, to), none of them a collective, when those that use the same memory have ended. */
static ds_rc run_part(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	for (int32_t i = from; i < to; i++) {
		const work *w = &p->works[i];
		int rc = ds_cuda_settle_call(
			p->on->comms, &w->call, w->op->scratch ? p->scratch_bytes : 0);
		if (rc)
			return failed(p->on, rc, "waiting for a collective", e);
	}
	return run_settled(p, from, to, r, e);
}

static ds_rc run(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	const state *s = p->on;
	ds_cuda_waits(s->comms);
	int rc = s->on.api->put(s->on.device, s->run, r, sizeof(*r));
	DS_TRY(ds_cuda_waited(s->comms, e));
	if (rc)
		return failed(s, rc, "writing to the device", e);
	for (int32_t i = from, end; i < to; i = end) {
		for (end = i; end < to && !is_collective(&p->g->nodes[end]);)
			end++;
		if (end > i) {
			DS_TRY(run_part(p, i, end, r, e));
			continue;
		}
		end = i + 1;
		DS_TRY(ds_cuda_collective(s->comms, p->g, &p->works[i].call, p->host, e));
	}
	return DS_OK;
}

const ds_backend *ds_backend_cuda(void)
{
	static const ds_backend b = {
		.name = "cuda",
		.help = "an NVIDIA device",
		.traits = { .takes_halves = ds_cuda_takes_halves },
		.present = ds_cuda_present,
		.has_kernel = has_kernel,
		.scratch = scratch,
		.open = open_device,
		.close = close_device,
		.free_bytes = free_bytes,
		.alloc = alloc,
		.free = free_memory,
		.write = put,
		.read = get,
		.sync = sync,
		.map = map,
		.prepare = prepare,
		.run = run,
		.release = release,
	};
	return &b;
}
