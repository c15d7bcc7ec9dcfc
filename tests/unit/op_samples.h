/*
 * op_samples.h - random instances of every op, run on a backend and compared with the references in double
 *
 * Every op that models build makes a random instance of itself; autodiff, the passes and the optimizers make the rest.
 * DS_SEED repeats a failure.
 */
#ifndef DS_TEST_OP_SAMPLES_H
#define DS_TEST_OP_SAMPLES_H

#include "base/mem.h"
#include "base/rng.h"
#include "graph/op.h"
#include "on_device.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROUNDS = 12 };

static uint64_t seed_now;
static ds_dtype product_now = DS_F32;
static bool train_now = true;
static const char *optimizer_now;   /* NULL: the default */
static const ds_traits *traits_now; /* of the backend that instances are compiled for */

static const ds_run run1 = { .seed = 7, .step = 3, .row0 = 5 };

/* Makes what was built run, with its backward phase where train says so. */
static inline void compile_now(ds_graph *g, bool train, const char *name)
{
	ds_err e;
	ds_compile c = { .train = train,
		.traits = traits_now,
		.product = product_now,
		.optimizer = optimizer_now,
		.momentum = 0.95f,
		.muon_steps = 3,
		.beta1 = 0.9f,
		.beta2 = 0.95f,
		.eps = 1e-8f,
		.decay = 0.01f,
		.max_norm = 1 };
	if (ds_graph_compile(g, &c, &e) != DS_OK)
		fail_msg("%s: %s (DS_SEED=%llu)", name, e.msg, (unsigned long long)seed_now);
}

/* A random instance of op k, with its backward phase unless it has none. */
static inline ds_graph *make(ds_op_kind k, uint64_t round)
{
	const ds_op *op = ds_op_of(k);
	ds_graph *g = ds_graph_new(1, 1);
	ds_sample s = { .g = g, .rng = ds_rng_of(seed_now, (round << 8) + k) };
	op->sample(&s);
	compile_now(g, train_now && ds_op_differentiable(op), op->name);
	return g;
}

/* Every f32 becomes f64, so that the reference backend computes in double throughout. */
static inline void widen(ds_graph *g)
{
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		ds_tensor *x = &g->tensors[t];
		if (x->dtype != DS_F32)
			continue;
		x->dtype = DS_F64;
		if (!x->data)
			continue;
		double *d = ds_arena_get(g->mem, (size_t)ds_t_count(x) * sizeof(double));
		for (int64_t i = 0; i < ds_t_count(x); i++)
			d[i] = ((const float *)x->data)[i];
		x->data = d;
	}
}

/* Every element in double; the caller frees it: ds_mem_free. */
static inline double *values_of(ds_exec *x, const ds_graph *g, ds_tid t)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	const ds_tensor *d = ds_g_tensor(g, t);
	const void *at;
	ds_err e;
	double *v = DS_NEW(double, (size_t)ds_t_count(d));
	if (ds_exec_view(x, t, mem, &at, &e) != DS_OK)
		fail_msg("%s", e.msg);
	for (int64_t i = 0; i < ds_t_count(d); i++)
		v[i] = d->dtype == DS_F64   ? ((const double *)at)[i]
		       : d->dtype == DS_I32 ? ((const int32_t *)at)[i]
					    : (double)((const float *)at)[i];
	return v;
}

static inline ds_rc draw_values(void *context, const ds_tensor *t, void *elements, ds_err *e)
{
	ds_rng rng = ds_rng_of(seed_now, (uint64_t)t->id);
	for (int64_t i = 0; i < ds_t_count(t); i++) {
		float v = (float)ds_rng_normal(rng, (uint64_t)i);
		if (t->dtype == DS_F64)
			((double *)elements)[i] = (double)v;
		else
			((float *)elements)[i] = v;
	}
	return DS_OK;
}

/* Of a third step, and a rate that is not small. */
static inline ds_rc draw_hyper(void *context, const ds_tensor *t, void *elements, ds_err *e)
{
	static const float v[4] = { 0.05f, 3.69f, 7.01f, 0.5f };
	for (int i = 0; i < 4; i++)
		if (t->dtype == DS_F64)
			((double *)elements)[i] = (double)v[i];
		else
			((float *)elements)[i] = v[i];
	return DS_OK;
}

/* Moments as of steps before: with none, a step has the sign of a gradient, however small that is. */
static inline ds_rc draw_moments(void *context, const ds_tensor *t, void *elements, ds_err *e)
{
	ds_rng rng = ds_rng_of(seed_now, (uint64_t)t->id);
	for (int64_t i = 0; i < ds_t_count(t); i++) {
		float v = 0.1f + (float)fabs(ds_rng_normal(rng, (uint64_t)i));
		if (t->dtype == DS_F64)
			((double *)elements)[i] = (double)v;
		else
			((float *)elements)[i] = v;
	}
	return DS_OK;
}

static inline ds_exec_fill_fn *draw_for(const ds_graph *g, const ds_tensor *t)
{
	switch (t->memory) {
	case DS_CLASS_OPT:
		return draw_moments;
	case DS_CLASS_IN:
		return t->id == g->hyper ? draw_hyper : draw_values;
	case DS_CLASS_PARAM:
	case DS_CLASS_STATE:
		return draw_values;
	default:
		return NULL;
	}
}

/* Weights, states and seeds get the same numbers on every executor. */
static inline void fill(ds_exec *x, const ds_graph *g)
{
	ds_err e;
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		ds_exec_fill_fn *draw = draw_for(g, ds_g_tensor(g, t));
		if (draw && ds_exec_fill(x, t, draw, NULL, &e) != DS_OK)
			fail_msg("%s", e.msg);
	}
}

static inline ds_exec *ready(const ds_graph *g, ds_device *d)
{
	ds_exec *x;
	ds_err e;
	if (ds_exec_new(&x, g, d, (ds_exec_opts){ .check = true }, &e) != DS_OK)
		fail_msg("%s", e.msg);
	fill(x, g);
	return x;
}

static inline void run(ds_exec *x, const ds_graph *g)
{
	ds_err e;
	for (int p = DS_PHASE_FWD; p <= (g->train ? DS_PHASE_BWD : DS_PHASE_FWD); p++)
		assert_int_equal(ds_exec_run(x, (ds_phase)p, &run1, &e), DS_OK);
}

/* Relative to the largest value of the tensor: sums of n products lose about sqrt(n) ulp. */
static inline void compare(
	ds_exec *x, ds_exec *y, const ds_graph *g, const ds_graph *wide, ds_tid t, const char *op)
{
	double top = 1e-3, worst = 0, *got = values_of(x, g, t), *want = values_of(y, wide, t);
	int64_t n = ds_t_count(ds_g_tensor(g, t)), at = 0;
	for (int64_t i = 0; i < n; i++)
		top = fmax(top, fabs(want[i]));
	for (int64_t i = 0; i < n; i++) {
		double d = fabs(got[i] - want[i]);
		if (!(d <= worst)) {
			worst = d;
			at = i;
		}
	}
	/* Rounded factors: 2^-9 each, a few in a row. */
	double bound = product_now == DS_F32 ? 2e-5 : 0.03;
	if (!(worst <= bound * top))
		fail_msg("%s: %s[%lld] is %.9g, the reference gives %.9g (DS_SEED=%llu)", op,
			ds_g_tensor(g, t)->name, (long long)at, got[at], want[at],
			(unsigned long long)seed_now);
	ds_mem_free(got);
	ds_mem_free(want);
}

static inline bool is_result(const ds_tensor *t)
{
	return (t->flags & DS_TENSOR_KEEP) || t->memory == DS_CLASS_GRAD ||
	       t->memory == DS_CLASS_STATE;
}

#endif
