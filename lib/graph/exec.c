/*
 * exec.c - arenas, jobs and the loop over waves
 *
 * A wave's stage s is one loop of the pool over the tiles of stage s of all its nodes, so a node with
 * few tiles does not leave threads idle while a neighbour has some. What a tile computes and in which
 * order a kernel sums depends on shapes alone.
 */
#include "graph/exec.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "graph/job_impl.h"
#include "graph/op.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

typedef struct {
	const ds_kernel *kernel; /* NULL: nothing to do */
	ds_job job;
	int64_t stages;
} work;

struct ds_exec {
	const ds_graph *g;
	const ds_backend *backend;
	ds_pool *pool;
	ds_exec_opts opts;
	ds_plan plan;
	char *arenas[DS_N_CLASSES];
	char *scratch;
	uint64_t bytes;  /* of all these */
	char **data;     /* [n_tensors] */
	work *works;     /* [n_nodes] */
	double *seconds; /* [n_nodes], with opts.profile */
	ds_run run;
};

const ds_kernel *ds_job_make(ds_job *j, const ds_graph *g, const ds_backend *b, const ds_node *n)
{
	*j = (ds_job){ .node = n };
	for (int i = 0; i < DS_MAX_IN + DS_MAX_OUT; i++) {
		ds_tid id = i < DS_MAX_IN ? n->in[i] : n->out[i - DS_MAX_IN];
		ds_arg_t *a = i < DS_MAX_IN ? &j->in[i] : &j->out[i - DS_MAX_IN];
		if (!id)
			continue;
		const ds_tensor *t = &g->tensors[id];
		*a = (ds_arg_t){ NULL, t->dtype, ds_t_rows(t), ds_t_cols(t), t->ld };
	}
	if (n->op == DS_OP_slice)
		return NULL;
	const ds_kernel *k = b->find(g, n);
	return k ? k : &ds_kernel_ref;
}

/* ---- making one ---- */

static bool is_shared(const ds_exec *x, const ds_tensor *t)
{
	return x->opts.share && (t->class == DS_CLASS_PARAM || t->class == DS_CLASS_STATE);
}

static ds_rc share(ds_exec *x, const ds_tensor *t, ds_err *e)
{
	const ds_tensor *other;
	void *data = ds_exec_find(x->opts.share, t->name, &other);
	if (!data || other->class != t->class)
		return ds_fail(e, DS_BAD, "'%s' is not in the graph to share with", t->name);
	bool same = other->rank == t->rank && other->dtype == t->dtype;
	for (int i = 0; same && i < t->rank; i++)
		same = other->dims[i] == t->dims[i];
	if (!same)
		return ds_fail(
			e, DS_BAD, "'%s' has another shape in the graph to share with", t->name);
	x->data[t->id] = data;
	return DS_OK;
}

static char *arena_of(ds_exec *x, uint64_t bytes)
{
	x->bytes += bytes;
	return ds_mem_huge(bytes);
}

static ds_rc lay_out(ds_exec *x, ds_err *e)
{
	const ds_graph *g = x->g;
	for (int c = 0; c < DS_N_CLASSES; c++) {
		bool shared = x->opts.share && (c == DS_CLASS_PARAM || c == DS_CLASS_STATE);
		if (x->plan.bytes[c] && !shared)
			x->arenas[c] = arena_of(x, x->plan.bytes[c]);
	}
	if (x->plan.scratch_bytes)
		x->scratch = arena_of(x, x->plan.scratch_bytes);
	/* What is read before it is written shows as NaN. */
	if (x->opts.check && x->arenas[DS_CLASS_ACT])
		memset(x->arenas[DS_CLASS_ACT], 0xff, x->plan.bytes[DS_CLASS_ACT]);
	if (x->opts.check && x->scratch)
		memset(x->scratch, 0xff, x->plan.scratch_bytes);
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *s = &g->tensors[t];
		if (is_shared(x, s))
			DS_TRY(share(x, s, e));
		else
			x->data[t] = x->arenas[s->class] + x->plan.offsets[t];
		if (s->class == DS_CLASS_CONST)
			memcpy(x->data[t], s->data, ds_t_bytes(s));
	}
	return DS_OK;
}

/* Scratch as plan.c counted it: the nodes of a wave one after the other, then the workers. */
static ds_rc make_jobs(ds_exec *x, ds_err *e)
{
	const ds_graph *g = x->g;
	unsigned threads = ds_pool_threads(x->pool);
	for (int32_t i = 0, end; i < g->n_nodes; i = end) {
		size_t used = 0, worker = 0;
		for (end = i; end < g->n_nodes && g->nodes[end].wave == g->nodes[i].wave; end++) {
			work *w = &x->works[end];
			w->kernel = ds_job_make(&w->job, g, x->backend, &g->nodes[end]);
			if (!w->kernel)
				continue;
			ds_job *j = &w->job;
			w->stages = w->kernel->stages ? w->kernel->stages(j) : 1;
			j->shared = x->scratch + used;
			used += w->kernel->shared_bytes
					? (w->kernel->shared_bytes(j) + 63) / 64 * 64
					: 0;
			size_t need = w->kernel->worker_bytes
					      ? (w->kernel->worker_bytes(j) + 63) / 64 * 64
					      : 0;
			worker = need > worker ? need : worker;
			j->run = &x->run;
			for (int k = 0; k < DS_MAX_IN; k++)
				j->in[k].data = j->node->in[k] ? x->data[j->node->in[k]] : NULL;
			for (int k = 0; k < DS_MAX_OUT; k++)
				j->out[k].data = j->node->out[k] ? x->data[j->node->out[k]] : NULL;
			if (w->kernel->prepare)
				DS_TRY_AT(w->kernel->prepare(j, e), e, "%s", j->node->origin);
		}
		assert(used + worker * threads <= x->plan.scratch_bytes);
		for (int32_t k = i; k < end; k++) {
			x->works[k].job.worker = x->scratch + used;
			x->works[k].job.worker_bytes = worker;
		}
	}
	return DS_OK;
}

ds_rc ds_exec_new(ds_exec **out, const ds_graph *g, const ds_backend *b, ds_pool *pool,
	ds_exec_opts opts, ds_err *e)
{
	ds_exec *x = DS_NEW(ds_exec, 1);
	x->g = g;
	x->backend = b;
	x->pool = pool;
	x->opts = opts;
	x->data = DS_NEW(char *, (size_t)g->n_tensors);
	x->works = DS_NEW(work, (size_t)g->n_nodes + 1);
	x->seconds = opts.profile ? DS_NEW(double, (size_t)g->n_nodes + 1) : NULL;
	ds_plan_make(&x->plan, g, b, ds_pool_threads(pool));
	ds_rc rc = lay_out(x, e);
	if (rc == DS_OK)
		rc = make_jobs(x, e);
	if (rc != DS_OK) {
		ds_exec_free(x);
		return rc;
	}
	DS_LOG(DS_LOG_PLAN, "%llu bytes, %d waves", (unsigned long long)x->plan.total_bytes,
		x->plan.n_waves);
	*out = x;
	return DS_OK;
}

void ds_exec_free(ds_exec *x)
{
	if (!x)
		return;
	for (int c = 0; c < DS_N_CLASSES; c++)
		ds_mem_free(x->arenas[c]);
	ds_mem_free(x->scratch);
	ds_mem_free(x->data);
	ds_mem_free(x->works);
	ds_mem_free(x->seconds);
	ds_plan_release(&x->plan);
	ds_mem_free(x);
}

/* ---- weights and other data ---- */

/* Elements 2k and 2k + 1, in pairs since normal numbers come so. */
static void draw(const ds_init *init, ds_rng rng, uint64_t k, double out[2])
{
	out[0] = out[1] = init->kind == DS_INIT_ONE;
	if (init->kind == DS_INIT_NORMAL)
		ds_rng_normals(rng, k, out);
	for (unsigned i = 0; i < 2 && init->kind == DS_INIT_UNIFORM; i++)
		out[i] = 2 * ds_rng_unit(rng, 2 * k + i) - 1;
	if (init->kind == DS_INIT_NORMAL || init->kind == DS_INIT_UNIFORM)
		for (unsigned i = 0; i < 2; i++)
			out[i] *= init->scale;
}

typedef struct {
	const ds_tensor *t;
	char *data;
	ds_rng rng;
} filling;

enum { FILL_TILE = 1 << 14 }; /* even */

static void fill(void *context, size_t task, unsigned worker)
{
	const filling *f = context;
	int64_t n = ds_t_count(f->t), from = (int64_t)task * FILL_TILE;
	int64_t to = from + FILL_TILE < n ? from + FILL_TILE : n;
	double v[2] = { 0, 0 };
	for (int64_t i = from; i < to; i++) {
		if (i % 2 == 0)
			draw(&f->t->init, f->rng, (uint64_t)i / 2, v);
		if (f->t->dtype == DS_F64)
			((double *)f->data)[i] = (float)v[i % 2];
		else
			((float *)f->data)[i] = (float)v[i % 2];
	}
}

void ds_exec_init(ds_exec *x, uint64_t seed)
{
	for (ds_tid t = 1; t < x->g->n_tensors; t++) {
		const ds_tensor *p = &x->g->tensors[t];
		if (p->class != DS_CLASS_PARAM)
			continue;
		filling f = { p, x->data[t], ds_rng_of(seed, ds_hash64(p->name, strlen(p->name))) };
		ds_pool_run(
			x->pool, (size_t)((ds_t_count(p) + FILL_TILE - 1) / FILL_TILE), fill, &f);
	}
}

void *ds_exec_data(ds_exec *x, ds_tid t)
{
	return t > 0 && t < x->g->n_tensors ? x->data[t] : NULL;
}

void *ds_exec_find(ds_exec *x, const char *name, const ds_tensor **t)
{
	ds_tid id = ds_g_find(x->g, name);
	if (t)
		*t = id ? &x->g->tensors[id] : NULL;
	return id ? x->data[id] : NULL;
}

const ds_plan *ds_exec_plan(const ds_exec *x)
{
	return &x->plan;
}

uint64_t ds_exec_bytes(const ds_exec *x)
{
	return x->bytes;
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

static void run_wave(ds_exec *x, int32_t from, int32_t to)
{
	work *works[WAVE_PART];
	int64_t ends[WAVE_PART], stages = 0;
	for (int32_t i = from; i < to; i++)
		if (x->works[i].kernel && x->works[i].stages > stages)
			stages = x->works[i].stages;
	for (int64_t s = 0; s < stages; s++) {
		loop l = { works, ends, 0, s };
		int64_t tiles = 0;
		for (int32_t i = from; i < to; i++) {
			work *w = &x->works[i];
			if (!w->kernel || s >= w->stages)
				continue;
			int64_t n = w->kernel->tiles ? w->kernel->tiles(&w->job, s) : 1;
			if (n == 0)
				continue;
			works[l.n] = w;
			ends[l.n++] = tiles += n;
		}
		ds_pool_run(x->pool, (size_t)tiles, run_tile, &l);
	}
}

static bool is_finite(const ds_arg_t *a)
{
	if (a->dtype != DS_F32 && a->dtype != DS_F64)
		return true;
	for (int64_t i = 0; i < a->rows; i++)
		for (int64_t k = 0; k < a->cols; k++) {
			int64_t at = i * a->ld + k;
			double v = a->dtype == DS_F32 ? (double)((float *)a->data)[at]
						      : ((double *)a->data)[at];
			if (!isfinite(v))
				return false;
		}
	return true;
}

static ds_rc check_wave(const ds_exec *x, int32_t from, int32_t to, ds_err *e)
{
	for (int32_t i = from; i < to; i++)
		for (int j = 0; j < DS_MAX_OUT; j++) {
			const ds_node *n = &x->g->nodes[i];
			if (n->out[j] && x->works[i].kernel && !is_finite(&x->works[i].job.out[j]))
				return ds_fail(e, DS_BAD,
					"step %lld: %s: %s: '%s' is not finite (the first op that "
					"made NaN or Inf)",
					(long long)x->run.step, n->origin, ds_op_of(n->op)->name,
					x->g->tensors[n->out[j]].name);
		}
	return DS_OK;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

ds_rc ds_exec_run(ds_exec *x, ds_phase phase, const ds_run *r, ds_err *e)
{
	const ds_graph *g = x->g;
	x->run = *r;
	for (int32_t i = 0, end; i < g->n_nodes; i = end) {
		for (end = i + 1; end < g->n_nodes && g->nodes[end].wave == g->nodes[i].wave &&
				  end - i < WAVE_PART;
			end++)
			;
		if (g->nodes[i].phase != phase)
			continue;
		for (int32_t k = i; k < end; k++)
			for (int j = 0; j < DS_MAX_OUT; j++)
				x->works[k].job.beta[j] =
					r->micro > 0 || !(g->nodes[k].first & (1u << j));
		/* With a profile, nodes run one by one so that each has its own time. */
		double start = x->seconds ? now() : 0;
		if (!x->seconds)
			run_wave(x, i, end);
		for (int32_t k = i; x->seconds && k < end; k++) {
			run_wave(x, k, k + 1);
			double t = now();
			x->seconds[k] += t - start;
			start = t;
		}
		if (x->opts.check)
			DS_TRY(check_wave(x, i, end, e));
	}
	return DS_OK;
}

/* ---- profile ---- */

typedef struct {
	const char *op;
	double seconds, flops;
	int64_t nodes;
} row;

static int by_seconds(const void *a, const void *b)
{
	double x = ((const row *)a)->seconds, y = ((const row *)b)->seconds;
	return x < y ? 1 : x > y ? -1 : 0;
}

void ds_exec_profile(ds_exec *x, int64_t steps, ds_buf *out)
{
	row rows[DS_N_OPS] = { 0 };
	double all = 0;
	for (int32_t i = 0; x->seconds && i < x->g->n_nodes; i++) {
		const ds_node *n = &x->g->nodes[i];
		row *r = &rows[n->op];
		r->op = ds_op_of(n->op)->name;
		r->seconds += x->seconds[i];
		r->nodes++;
		if (x->seconds[i] > 0)
			r->flops += ds_op_of(n->op)->flops(x->g, n);
		all += x->seconds[i];
		x->seconds[i] = 0;
	}
	qsort(rows, DS_N_OPS, sizeof(*rows), by_seconds);
	for (int i = 0; i < DS_N_OPS && rows[i].seconds > 0; i++)
		ds_buf_fmt(out, "%-18s %4lld nodes %9.3f ms %5.1f %%  %8.3f gflop %7.1f gflop/s\n",
			rows[i].op, (long long)rows[i].nodes, 1e3 * rows[i].seconds / (double)steps,
			100 * rows[i].seconds / all, 1e-9 * rows[i].flops,
			1e-9 * rows[i].flops * (double)steps / rows[i].seconds);
}
