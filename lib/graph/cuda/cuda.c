/*
 * cuda.c - the backend for NVIDIA's devices: memory, programs, runs
 *
 * A program is a call a node, with addresses. A device has one stream, so nodes of a wave share their scratch. What
 * differs from step to step (seed, step, number of the first row) lies on the device, where kernels read it; what
 * differs between the first micro-batch and the others (whether gradients begin anew) is in the calls.
 */
#include "graph/cuda/cuda_impl.h"

#include "base/mem.h"
#include "base/progress.h"
#include "graph/op.h"

#include <stdlib.h>
#include <string.h>

enum { OLDEST = 80 }; /* compute capability 8.0 */

typedef struct {
	ds_cuda_on on;
	ds_cuda_info info;
	ds_run *run; /* on the device */
	bool waits;  /* after every node, so that an error has its node's name: DS_CUDA_SYNC=1 */
} state;

typedef struct {
	const ds_cuda_op *op;
	ds_cuda_call call;
} work;

struct ds_program {
	const ds_graph *g;
	state *on;
	work *works; /* [n_nodes] */
};

static ds_rc failed(const state *s, int rc, const char *what, ds_err *e)
{
	return ds_fail(e, DS_IO, "cuda: %s: %s", what, s->on.api->text(rc));
}

/* ---- without a device ---- */

static bool has_kernel(const ds_backend *b, const ds_graph *g, const ds_node *n)
{
	return ds_cuda_find(g, n) != NULL;
}

static uint64_t scratch(
	const ds_backend *b, const ds_graph *g, int32_t from, int32_t to, unsigned threads)
{
	uint64_t most = 0;
	for (int32_t i = from; i < to; i++) {
		const ds_cuda_op *o = ds_cuda_find(g, &g->nodes[i]);
		ds_cuda_call c = ds_cuda_shapes(g, &g->nodes[i]);
		uint64_t bytes = o && o->scratch ? ds_cuda_aligned(o->scratch(&c)) : 0;
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
		if (s->run)
			s->on.api->free(s->on.device, s->run);
		s->on.api->close(s->on.device);
	}
	ds_mem_free(s);
	d->state = NULL;
}

static ds_rc fill_device(state *s, ds_err *e)
{
	int n = 0;
	DS_TRY(ds_cuda_load(&s->on.api, e));
	int rc = s->on.api->count(&n);
	if (rc)
		return failed(s, rc, "looking for devices", e);
	if (n == 0)
		return ds_fail(e, DS_IO, "cuda: there is no device");
	rc = s->on.api->open(&s->on.device, 0, &s->info);
	if (rc)
		return failed(s, rc, "opening device 0", e);
	DS_TRY(check_device(s, e));
	rc = s->on.api->alloc(s->on.device, sizeof(*s->run), (void **)&s->run);
	return rc ? failed(s, rc, "device 0", e) : DS_OK;
}

static ds_rc open_device(ds_device *d, ds_err *e)
{
	const char *waits = getenv("DS_CUDA_SYNC");
	state *s = DS_NEW(state, 1);
	d->state = s;
	s->waits = waits && strcmp(waits, "1") == 0;
	ds_rc rc = fill_device(s, e);
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
	int rc = s->on.api->put(s->on.device, (void *)to, from, n);
	return rc ? failed(s, rc, "writing to the device", e) : DS_OK;
}

static ds_rc get(ds_device *d, void *to, ds_addr from, size_t n, ds_err *e)
{
	const state *s = d->state;
	int rc = s->on.api->get(s->on.device, to, (const void *)from, n);
	return rc ? failed(s, rc, "reading from the device", e) : DS_OK;
}

static ds_rc sync(ds_device *d, ds_err *e)
{
	const state *s = d->state;
	int rc = s->on.api->sync(s->on.device);
	return rc ? failed(s, rc, "a kernel that ran before (DS_CUDA_SYNC=1 names it)", e) : DS_OK;
}

static void *map(ds_device *d, ds_addr at)
{
	return NULL;
}

/* ---- programs ---- */

static void release(ds_program *p)
{
	ds_mem_free(p->works);
	ds_mem_free(p);
}

static ds_rc place(ds_program *p, const ds_program_args *a, int32_t i, ds_err *e)
{
	const ds_node *n = &a->g->nodes[i];
	work *w = &p->works[i];
	w->op = ds_cuda_find(a->g, n);
	if (!w->op)
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
	ds_rc rc = DS_OK;
	p->g = a->g;
	p->on = d->state;
	p->works = DS_NEW(work, (size_t)a->g->n_nodes + 1);
	for (int32_t i = 0; i < a->g->n_nodes && rc == DS_OK; i++)
		rc = place(p, a, i, e);
	if (rc == DS_OK)
		*out = p;
	else
		release(p);
	return rc;
}

static ds_rc run(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	const state *s = p->on;
	int rc = s->on.api->put(s->on.device, s->run, r, sizeof(*r));
	if (rc)
		return failed(s, rc, "writing to the device", e);
	for (int32_t i = from; i < to; i++) {
		work *w = &p->works[i];
		const ds_node *n = w->call.node;
		for (int k = 0; k < DS_MAX_OUT; k++)
			w->call.beta[k] = ds_node_beta(n, k, r);
		rc = w->op->run(&s->on, &w->call);
		if (!rc && s->waits)
			rc = s->on.api->sync(s->on.device);
		if (rc)
			return ds_fail(e, DS_IO, "cuda: %s of %s: %s", ds_op_of(n->op)->name,
				n->origin, s->on.api->text(rc));
	}
	return DS_OK;
}

const ds_backend *ds_backend_cuda(void)
{
	static const ds_backend b = {
		.name = "cuda",
		.help = "an NVIDIA device",
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
