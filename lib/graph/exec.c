/*
 * exec.c - arenas, a program, and the walk over phases
 */
#include "base/log.h"
#include "base/mem.h"
#include "graph/exec_impl.h"

#include <time.h>

/* ---- making one ---- */

static bool is_twins(const ds_exec *x, ds_class c)
{
	return x->opts.twin && c != DS_CLASS_IN && c != DS_CLASS_ACT;
}

static bool is_shared(const ds_exec *x, ds_class c)
{
	if (is_twins(x, c))
		return true;
	return x->opts.share && (c == DS_CLASS_PARAM || c == DS_CLASS_STATE);
}

static ds_rc share(ds_exec *x, const ds_tensor *t, ds_err *e)
{
	const ds_exec *from = x->opts.share;
	ds_tid id = ds_g_find(from->g, t->name);
	const ds_tensor *other = &from->g->tensors[id];
	if (!id || other->memory != t->memory)
		return ds_fail(e, DS_BAD, "'%s' is not in the graph to share with", t->name);
	bool same = other->rank == t->rank && other->dtype == t->dtype;
	for (int i = 0; same && i < t->rank; i++)
		same = other->dims[i] == t->dims[i];
	if (!same)
		return ds_fail(
			e, DS_BAD, "'%s' has another shape in the graph to share with", t->name);
	x->at[t->id] = from->at[id];
	return DS_OK;
}

static ds_rc alloc(ds_exec *x, uint64_t bytes, ds_addr *at, ds_err *e)
{
	x->bytes += bytes;
	return bytes ? x->backend->alloc(x->device, bytes, at, e) : DS_OK;
}

/* What is read before it is written shows as NaN. */
static ds_rc poison(ds_exec *x, ds_addr at, uint64_t bytes, ds_err *e)
{
	char bad[1 << 16];
	memset(bad, 0xff, sizeof(bad));
	for (uint64_t i = 0; i < bytes; i += sizeof(bad)) {
		uint64_t n = bytes - i < sizeof(bad) ? bytes - i : sizeof(bad);
		DS_TRY(x->backend->write(x->device, at + i, bad, n, e));
	}
	return DS_OK;
}

static ds_rc make_arenas(ds_exec *x, ds_err *e)
{
	for (int c = 0; c < DS_N_CLASSES; c++)
		if (!is_shared(x, (ds_class)c))
			DS_TRY(alloc(x, x->plan.bytes[c], &x->arenas[c], e));
	if (x->opts.twin)
		x->scratch = x->opts.twin->scratch;
	else
		DS_TRY(alloc(x, x->plan.scratch_bytes, &x->scratch, e));
	if (x->opts.check)
		DS_TRY(poison(x, x->arenas[DS_CLASS_ACT], x->plan.bytes[DS_CLASS_ACT], e));
	return x->opts.check ? poison(x, x->scratch, x->plan.scratch_bytes, e) : DS_OK;
}

static ds_rc lay_out(ds_exec *x, ds_err *e)
{
	const ds_graph *g = x->g;
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *s = &g->tensors[t];
		if (s->flags & DS_TENSOR_ELSEWHERE)
			continue;
		if (is_twins(x, s->memory))
			x->at[t] = x->opts.twin->at[t];
		else if (is_shared(x, s->memory))
			DS_TRY(share(x, s, e));
		else
			x->at[t] = x->arenas[s->memory] + x->plan.offsets[t];
		if (s->memory == DS_CLASS_CONST && !is_twins(x, DS_CLASS_CONST))
			DS_TRY(x->backend->write(x->device, x->at[t], s->data, ds_t_bytes(s), e));
	}
	uint64_t inputs = x->plan.bytes[DS_CLASS_IN];
	if (inputs && !x->backend->map(x->device, x->arenas[DS_CLASS_IN]))
		x->inputs = ds_mem_huge(inputs);
	return DS_OK;
}

static ds_rc make_program(ds_exec *x, ds_err *e)
{
	ds_program_args a = { .g = x->g, .plan = &x->plan, .at = x->at, .scratch = x->scratch };
	return x->backend->prepare(&x->program, x->device, &a, e);
}

ds_rc ds_exec_new(ds_exec **out, const ds_graph *g, ds_device *d, ds_exec_opts opts, ds_err *e)
{
	DS_AUTO(ds_exec) x = DS_NEW(ds_exec, 1);
	x->g = g;
	x->device = d;
	x->backend = d->backend;
	x->opts = opts;
	x->at = DS_NEW(ds_addr, (size_t)g->n_tensors);
	x->seconds = opts.profile ? DS_NEW(double, (size_t)g->n_nodes + 1) : NULL;
	ds_plan_make(&x->plan, g, x->backend, ds_pool_threads(d->pool));
	if (opts.share && opts.share->device != d)
		return ds_fail(e, DS_BAD, "the graph to share with is on another device");
	DS_TRY(make_arenas(x, e));
	DS_TRY(lay_out(x, e));
	DS_TRY(make_program(x, e));
	DS_LOG(DS_LOG_PLAN, "%llu bytes, %d waves", (unsigned long long)x->plan.total_bytes,
		x->plan.n_waves);
	*out = x;
	x = NULL;
	return DS_OK;
}

void ds_exec_free(ds_exec *x)
{
	if (!x)
		return;
	if (x->program)
		x->backend->release(x->program);
	for (int c = 0; c < DS_N_CLASSES; c++)
		if (x->arenas[c])
			x->backend->free(x->device, x->arenas[c]);
	if (x->scratch && !x->opts.twin)
		x->backend->free(x->device, x->scratch);
	ds_mem_free(x->inputs);
	ds_mem_free(x->at);
	ds_mem_free(x->seconds);
	ds_plan_release(&x->plan);
	ds_mem_free(x);
}

const ds_graph *ds_exec_graph(const ds_exec *x)
{
	return x->g;
}

ds_world *ds_exec_world(const ds_exec *x)
{
	return x->device->world;
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

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ds_rc send_inputs(ds_exec *x, ds_err *e)
{
	if (!x->inputs || !x->inputs_given)
		return DS_OK;
	x->inputs_given = false;
	return x->backend->write(
		x->device, x->arenas[DS_CLASS_IN], x->inputs, x->plan.bytes[DS_CLASS_IN], e);
}

/* With a profile, nodes run one by one so that each has its own time. */
static ds_rc run_timed(ds_exec *x, int32_t from, int32_t to, const ds_run *r, ds_err *e)
{
	double start = now();
	for (int32_t k = from; k < to; k++) {
		DS_TRY(x->backend->run(x->program, k, k + 1, r, e));
		DS_TRY(x->backend->sync(x->device, e));
		double t = now();
		x->seconds[k] += t - start;
		start = t;
	}
	return DS_OK;
}

/* The nodes of a phase lie side by side. */
ds_rc ds_exec_run(ds_exec *x, ds_phase phase, const ds_run *r, ds_err *e)
{
	const ds_graph *g = x->g;
	int32_t from = 0, to;
	while (from < g->n_nodes && g->nodes[from].phase != phase)
		from++;
	for (to = from; to < g->n_nodes && g->nodes[to].phase == phase;)
		to++;
	DS_TRY(send_inputs(x, e));
	for (int32_t i = from, end; i < to; i = end) {
		end = x->opts.check ? ds_wave_end(g, i, to) : to;
		if (x->seconds)
			DS_TRY(run_timed(x, i, end, r, e));
		else
			DS_TRY(x->backend->run(x->program, i, end, r, e));
		if (x->opts.check)
			DS_TRY(ds_exec_look(x, i, end, r, e));
	}
	return DS_OK;
}
