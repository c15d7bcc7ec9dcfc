/*
 * host.c - a backend on the host: its memory, and waves of nodes as loops over tiles
 *
 * A wave's stage s is one loop of the pool over the tiles of stage s of all its nodes, so a node with
 * few tiles does not leave threads idle while a neighbour has some. What a tile computes and in which
 * order a kernel sums depends on shapes alone.
 */
#include "graph/cpu/prepack.h"

#include "base/mem.h"
#include "graph/op.h"

#include <assert.h>

typedef struct {
	const ds_kernel *kernel; /* NULL: nothing to do */
	ds_job job;
	int64_t stages;
	ds_prepacked *prepacked; /* NULL: it takes weights as they lie */
	bool idle;               /* in this run */
} work;

struct ds_program {
	const ds_graph *g;
	ds_pool *pool;
	ds_world *world;
	work *works; /* [n_nodes] */
	ds_prepack_cache *cache;
	bool made_prepacked;
	ds_run run;
};

/* ---- by reference: one tile that works on the node's scratch ---- */

static size_t reference_bytes(const ds_job *j)
{
	return ds_ref_bytes(j->in, j->out);
}

static void run_reference(const ds_job *j, int64_t stage, int64_t tile, unsigned worker)
{
	ds_ref_run(j->node, j->in, j->out, j->run, j->shared);
}

static const ds_kernel reference = { .shared_bytes = reference_bytes, .tile = run_reference };

/* ---- jobs ---- */

/* Fills j with shapes, no memory, and finds the kernel: NULL for a view, which needs none, and a collective. */
static const ds_kernel *make_job(
	ds_job *j, const ds_backend *b, const ds_graph *g, const ds_node *n)
{
	*j = (ds_job){ .node = n };
	for (int i = 0; i < DS_MAX_IN; i++)
		j->in[i] = ds_operand_of(g, n->in[i]);
	for (int i = 0; i < DS_MAX_OUT; i++)
		j->out[i] = ds_operand_of(g, n->out[i]);
	if (ds_op_of(n->op)->traits & (DS_OP_VIEW | DS_OP_COMM))
		return NULL;
	const ds_kernel *k = ((const ds_host *)b)->find(g, n);
	bool fixed = k && g->fixed && g->tensors[n->in[1]].memory == DS_CLASS_PARAM;
	for (const ds_kernel *f = fixed ? k->fixed : NULL; f; f = f->fixed)
		if (f->form(j))
			return f;
	return k ? k : &reference;
}

static size_t aligned(size_t n)
{
	return (n + 63) / 64 * 64;
}

/* Scratch of a wave: what its nodes share one after the other, then the workers, each with the most that a tile
 * needs. */
typedef struct {
	size_t shared, worker;
} need;

static size_t add_need(need *w, const ds_kernel *k, const ds_job *j)
{
	size_t shared = k && k->shared_bytes ? aligned(k->shared_bytes(j)) : 0;
	size_t worker = k && k->worker_bytes ? aligned(k->worker_bytes(j)) : 0;
	w->shared += shared;
	w->worker = worker > w->worker ? worker : w->worker;
	return shared;
}

bool ds_host_has_kernel(const ds_backend *b, const ds_graph *g, const ds_node *n)
{
	ds_job j;
	return make_job(&j, b, g, n) != &reference;
}

uint64_t ds_host_scratch(
	const ds_backend *b, const ds_graph *g, int32_t from, int32_t to, unsigned threads)
{
	need w = { 0 };
	for (int32_t i = from; i < to; i++) {
		ds_job j;
		const ds_kernel *k = make_job(&j, b, g, &g->nodes[i]);
		add_need(&w, k, &j);
	}
	return w.shared + w.worker * threads;
}

/* Weights that two nodes share are packed once. */
static bool is_first(const ds_backend *b, const ds_graph *g, int32_t at, const ds_job *j)
{
	for (int32_t i = 0; i < at; i++) {
		ds_job other;
		if (g->nodes[i].in[1] != j->node->in[1])
			continue;
		const ds_kernel *k = make_job(&other, b, g, &g->nodes[i]);
		if (k && k->form && k->form(&other) == k->form(j))
			return false;
	}
	return true;
}

uint64_t ds_host_prepacked(const ds_backend *b, const ds_graph *g)
{
	uint64_t n = 0;
	for (int32_t i = 0; i < g->n_nodes && g->fixed; i++) {
		ds_job j;
		const ds_kernel *k = make_job(&j, b, g, &g->nodes[i]);
		if (k && k->form && is_first(b, g, i, &j))
			n += k->prepacked_bytes(&j);
	}
	return n;
}

/* ---- memory ---- */

ds_rc ds_host_open(ds_device *d, ds_err *e)
{
	d->state = ds_prepack_cache_new();
	return DS_OK;
}

void ds_host_close(ds_device *d)
{
	ds_prepack_cache_free(d->state);
}

ds_rc ds_host_alloc(ds_device *d, uint64_t bytes, ds_addr *at, ds_err *e)
{
	*at = (ds_addr)ds_mem_huge(bytes);
	return DS_OK;
}

void ds_host_free(ds_device *d, ds_addr at)
{
	ds_mem_free((void *)at);
}

ds_rc ds_host_write(ds_device *d, ds_addr to, const void *from, size_t n, ds_err *e)
{
	memcpy((void *)to, from, n);
	return DS_OK;
}

ds_rc ds_host_read(ds_device *d, void *to, ds_addr from, size_t n, ds_err *e)
{
	memcpy(to, (const void *)from, n);
	return DS_OK;
}

ds_rc ds_host_sync(ds_device *d, ds_err *e)
{
	return DS_OK;
}

void *ds_host_map(ds_device *d, ds_addr at)
{
	return (void *)at;
}

/* ---- programs ---- */

static void place_wave(
	ds_program *p, const ds_program_args *a, const ds_backend *b, int32_t from, int32_t to)
{
	need all = { 0 };
	for (int32_t i = from; i < to; i++) {
		work *w = &p->works[i];
		ds_job *j = &w->job;
		w->kernel = make_job(j, b, a->g, &a->g->nodes[i]);
		if (w->kernel) {
			w->stages = w->kernel->stages ? w->kernel->stages(j) : 1;
			j->shared = (char *)a->scratch + all.shared;
			add_need(&all, w->kernel, j);
			j->run = &p->run;
		}
		for (int k = 0; k < DS_MAX_IN; k++)
			j->in[k].data = (void *)a->at[j->node->in[k]];
		for (int k = 0; k < DS_MAX_OUT; k++)
			j->out[k].data = (void *)a->at[j->node->out[k]];
	}
	for (int32_t i = from; i < to; i++)
		if (p->works[i].kernel && p->works[i].kernel->form)
			p->works[i].prepacked =
				ds_prepacked_get(p->cache, p->works[i].kernel, &p->works[i].job);
	assert(all.shared + all.worker * ds_pool_threads(p->pool) <= a->plan->scratch_bytes);
	for (int32_t i = from; i < to; i++) {
		p->works[i].job.worker = (char *)a->scratch + all.shared;
		p->works[i].job.worker_bytes = all.worker;
	}
}

ds_rc ds_host_prepare(ds_program **out, ds_device *d, const ds_program_args *a, ds_err *e)
{
	ds_program *p = DS_NEW(ds_program, 1);
	p->g = a->g;
	p->pool = d->pool;
	p->world = d->world;
	p->cache = d->state;
	p->works = DS_NEW(work, (size_t)a->g->n_nodes + 1);
	for (int32_t i = 0, end; i < a->g->n_nodes; i = end) {
		end = ds_wave_end(a->g, i, a->g->n_nodes);
		place_wave(p, a, d->backend, i, end);
	}
	*out = p;
	return DS_OK;
}

void ds_host_release(ds_program *p)
{
	for (int32_t i = 0; i < p->g->n_nodes; i++)
		if (p->works[i].prepacked)
			ds_prepacked_drop(p->cache, p->works[i].prepacked);
	ds_mem_free(p->works);
	ds_mem_free(p);
}

/* ---- running ---- */

typedef struct {
	work **works;  /* those with tiles in this stage */
	int64_t *ends; /* their last task + 1 */
	int32_t n;
	int64_t stage;
} loop;

static void run_tile(void *context, size_t task, unsigned worker)
{
	const loop *l = context;
	int32_t k = 0;
	while ((int64_t)task >= l->ends[k])
		k++;
	int64_t tile = (int64_t)task - (k ? l->ends[k - 1] : 0);
	l->works[k]->kernel->tile(&l->works[k]->job, l->stage, tile, worker);
}

enum { WAVE_PART = 64 }; /* nodes that one loop takes; larger waves are cut, by position alone */

static void run_wave(ds_program *p, int32_t from, int32_t to)
{
	work *works[WAVE_PART];
	int64_t ends[WAVE_PART], stages = 0;
	for (int32_t i = from; i < to; i++)
		if (p->works[i].kernel && !p->works[i].idle && p->works[i].stages > stages)
			stages = p->works[i].stages;
	for (int64_t s = 0; s < stages; s++) {
		loop l = { works, ends, 0, s };
		int64_t tiles = 0;
		for (int32_t i = from; i < to; i++) {
			work *w = &p->works[i];
			if (!w->kernel || w->idle || s >= w->stages)
				continue;
			int64_t n = w->kernel->tiles ? w->kernel->tiles(&w->job, s) : 1;
			if (n == 0)
				continue;
			works[l.n] = w;
			ends[l.n++] = tiles += n;
		}
		ds_pool_run(p->pool, (size_t)tiles, run_tile, &l);
	}
}

/* Weights are loaded after a program is made: they are packed when it first runs. */
static void make_prepacked(ds_program *p)
{
	for (int32_t i = 0; i < p->g->n_nodes; i++) {
		work *w = &p->works[i];
		if (w->prepacked)
			w->job.prepacked = ds_prepacked_make(
				p->cache, w->prepacked, w->kernel, &w->job, p->pool);
	}
	p->made_prepacked = true;
}

ds_rc ds_host_run(ds_program *p, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	p->run = *r;
	if (!p->made_prepacked)
		make_prepacked(p);
	for (int32_t i = from, end; i < to; i = end) {
		const ds_job *first = &p->works[i].job;
		end = ds_wave_end(p->g, i, i + WAVE_PART < to ? i + WAVE_PART : to);
		if (ds_op_of(first->node->op)->traits & DS_OP_COMM) { /* alone in its wave */
			DS_TRY(ds_comm_run(p->world, p->g, first->node, first->in, first->out, e));
			continue;
		}
		for (int32_t k = i; k < end; k++) {
			p->works[k].idle = !ds_node_runs(p->works[k].job.node, r);
			for (int j = 0; j < DS_MAX_OUT; j++)
				p->works[k].job.beta[j] = ds_node_beta(p->works[k].job.node, j, r);
		}
		run_wave(p, i, end);
	}
	return DS_OK;
}
