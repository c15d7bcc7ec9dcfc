/*
 * test_fixed.c - weights that do not change: prepacked, with the same products
 *
 * On a CPU without tiles nothing is prepacked, and the tests are of the plain kernels.
 */
#include "test.h"

#include "on_device.h"

#include "base/cpu.h"
#include "base/half.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

typedef struct {
	int64_t m, n, k;
	bool in_out, bias;
	ds_dtype product;
	bool bytes;
} shape;

/* y = x w (+ b), of x times 1: a product's factor is an activation, which is rounded. */
static ds_graph *product(const shape *s, bool fixed)
{
	ds_graph *g = ds_graph_new(s->m, 1);
	ds_init normal = { DS_INIT_NORMAL, 1 };
	ds_err e;
	ds_tid x = ds_g_input(g, "x", DS_F32, DS_DIMS(s->m, s->k));
	ds_tid w = s->in_out ? ds_g_param(g, "w", DS_DIMS(s->k, s->n), normal, 0)
			     : ds_g_param(g, "w", DS_DIMS(s->n, s->k), normal, 0);
	ds_tid b = s->bias ? ds_g_param(g, "b", DS_DIMS(s->n), normal, 0) : 0;
	ds_g_keep(g, ds_g_linear(g, ds_g_scale(g, x, 1), w, b, s->in_out), "y");
	ds_compile c = { .product = s->product, .fixed = fixed, .bytes = s->bytes };
	assert_int_equal(compile_for_cpu(g, &c, &e), DS_OK);
	return g;
}

static void fill_x(ds_exec *x, int64_t n)
{
	float *at = ds_exec_input(x, ds_g_find(ds_exec_graph(x), "x"));
	for (int64_t i = 0; i < n; i++)
		at[i] = (float)ds_rng_normal(ds_rng_of(9, 9), (uint64_t)i);
}

static void run(ds_exec *x, int64_t n)
{
	ds_err e;
	fill_x(x, n);
	assert_int_equal(ds_exec_run(x, DS_PHASE_FWD, &(ds_run){ .step = 1 }, &e), DS_OK);
}

/* Number i of n that lie `step` apart, as it is multiplied: bytes are steps of the largest over `most`. */
static double rounded(
	const shape *s, const float *x, int64_t n, int64_t step, int64_t i, float most)
{
	float top = 0, at = x[i * step];
	if (!s->bytes)
		return (double)(s->product == DS_BF16 ? ds_f32_of_bf16(ds_bf16_of_f32(at)) : at);
	for (int64_t k = 0; k < n; k++)
		top = fmaxf(top, fabsf(x[k * step]));
	return (double)lrintf(at * (most / top)) * (double)(top / most);
}

/* The largest difference to the sum in double over the sum of absolute values; of some rows, of all columns. */
static double worst(ds_exec *x, const shape *s)
{
	const float *in = named(x, "x"), *w = named(x, "w"), *b = s->bias ? named(x, "b") : NULL;
	const float *y = named(x, "y");
	double apart = 0, *wide = ds_mem_get((size_t)s->k * sizeof(*wide));
	for (int64_t j = 0; j < s->n; j++) {
		for (int64_t k = 0; k < s->k; k++)
			wide[k] = rounded(s, w + (s->in_out ? j : j * s->k), s->k,
				s->in_out ? s->n : 1, k, 127);
		for (int64_t i = 0; i<s->m; i += s->m> 64 && i > 20 && i < s->m - 20 ? 7 : 1) {
			double sum = b ? (double)b[j] : 0, all = fabs(sum);
			for (int64_t k = 0; k < s->k; k++) {
				double p = wide[k] * rounded(s, in + i * s->k, s->k, 1, k, 32512);
				sum += p;
				all += fabs(p);
			}
			apart = fmax(apart, fabs((double)y[i * s->n + j] - sum) / all);
		}
	}
	ds_mem_free(wide);
	return apart;
}

static const int64_t shapes[][3] = { { 1, 1, 1 }, { 3, 50, 17 }, { 33, 33, 40 }, { 65, 129, 70 },
	{ 40, 20, 300 }, { 530, 18, 34 }, { 32, 32, 32 }, { 17, 35, 1100 } };
enum { N_SHAPES = sizeof(shapes) / sizeof(*shapes) };

static void products_are_as_exact_as_those_of_floats(void **state)
{
	DS_AUTO(ds_device) d = open_device("cpu", 2);
	for (int i = 0; i < 12 * N_SHAPES; i++) {
		const int64_t *n = shapes[i / 12];
		int kind = i % 12 / 4;
		shape s = { n[0], n[1], n[2], i & 1, i & 2, kind == 1 ? DS_BF16 : DS_F32,
			kind == 2 };
		DS_AUTO(ds_graph) g = product(&s, true);
		DS_AUTO(ds_exec) x = NULL;
		ds_err e;
		assert_int_equal(ds_exec_new(&x, g, d, (ds_exec_opts){ 0 }, &e), DS_OK);
		assert_int_equal(ds_exec_init(x, 3, &e), DS_OK);
		run(x, s.m * s.k);
		double w = worst(x, &s);
		if (!(w < 4e-7))
			fail_msg("%dx%dx%d, case %d: %g", (int)s.m, (int)s.n, (int)s.k, i % 12, w);
	}
}

/* Whatever is beside it. */
static void a_row_has_the_same_bits_in_any_number_of_rows(void **state)
{
	DS_AUTO(ds_device) d = open_device("cpu", 2);
	for (int t = 0; t < 3; t++) {
		float y[2][3 * 50];
		for (int i = 0; i < 2; i++) {
			shape s = { i ? 600 : 3, 50, 500, .product = t == 1 ? DS_BF16 : DS_F32,
				.bytes = t == 2 };
			DS_AUTO(ds_graph) g = product(&s, true);
			DS_AUTO(ds_exec) x = NULL;
			ds_err e;
			assert_int_equal(ds_exec_new(&x, g, d, (ds_exec_opts){ 0 }, &e), DS_OK);
			assert_int_equal(ds_exec_init(x, 3, &e), DS_OK);
			run(x, s.m * s.k);
			memcpy(y[i], named(x, "y"), sizeof(y[i]));
		}
		if (t == 2 || ds_cpu_has_amx())
			assert_memory_equal(y[0], y[1], sizeof(y[0]));
	}
}

static void engines_of_one_device_share_prepacked_weights(void **state)
{
	DS_AUTO(ds_device) d = open_device("cpu", 2);
	shape s = { 40, 50, 60, .product = DS_BF16 };
	DS_AUTO(ds_graph) g = product(&s, true);
	DS_AUTO(ds_exec) a = NULL;
	ds_err e;
	assert_int_equal(ds_exec_new(&a, g, d, (ds_exec_opts){ 0 }, &e), DS_OK);
	assert_int_equal(ds_exec_init(a, 3, &e), DS_OK);
	{
		DS_AUTO(ds_exec) b = NULL;
		assert_int_equal(ds_exec_new(&b, g, d, (ds_exec_opts){ .share = a }, &e), DS_OK);
		run(b, s.m * s.k);
		assert_true(worst(b, &s) < 4e-7);
	}
	run(a, s.m * s.k); /* what b made goes on */
	assert_true(worst(a, &s) < 4e-7);
	uint64_t bytes = ds_exec_plan(a)->prepacked_bytes;
	assert_int_equal(bytes, ds_cpu_has_amx() ? 4 * 2 * 1024 : 0);
}

static void weights_that_may_change_are_not_prepacked(void **state)
{
	DS_AUTO(ds_device) d = open_device("cpu", 2);
	shape s = { 40, 50, 60, .product = DS_BF16 };
	DS_AUTO(ds_graph) g = product(&s, false);
	DS_AUTO(ds_exec) x = NULL;
	ds_err e;
	assert_int_equal(ds_exec_new(&x, g, d, (ds_exec_opts){ 0 }, &e), DS_OK);
	assert_int_equal(ds_exec_plan(x)->prepacked_bytes, 0);
	for (uint64_t seed = 3; seed < 5; seed++) {
		assert_int_equal(ds_exec_init(x, seed, &e), DS_OK);
		run(x, s.m * s.k);
		assert_true(worst(x, &s) < 4e-7);
	}
}

/* What is not a number is found in what comes of it, not lost in rounding. */
static void what_is_not_finite_stays_so_in_bytes(void **state)
{
	DS_AUTO(ds_device) d = open_device("cpu", 2);
	shape s = { 3, 40, 70, .product = DS_F32, .bytes = true };
	DS_AUTO(ds_graph) g = product(&s, true);
	DS_AUTO(ds_exec) x = NULL;
	ds_err e;
	assert_int_equal(ds_exec_new(&x, g, d, (ds_exec_opts){ 0 }, &e), DS_OK);
	assert_int_equal(ds_exec_init(x, 3, &e), DS_OK);
	float *w = named(x, "w");
	w[7 * s.k + 65] = NAN;
	fill_x(x, s.m * s.k);
	((float *)ds_exec_input(x, ds_g_find(g, "x")))[s.k + 3] = INFINITY;
	assert_int_equal(ds_exec_run(x, DS_PHASE_FWD, &(ds_run){ .step = 1 }, &e), DS_OK);
	const float *y = named(x, "y");
	for (int64_t i = 0; i < s.m; i++)
		for (int64_t j = 0; j < s.n; j++)
			assert_int_equal(isfinite(y[i * s.n + j]) != 0, i != 1 && j != 7);
}

TESTS(cmocka_unit_test(what_is_not_finite_stays_so_in_bytes),
	cmocka_unit_test(products_are_as_exact_as_those_of_floats),
	cmocka_unit_test(a_row_has_the_same_bits_in_any_number_of_rows),
	cmocka_unit_test(engines_of_one_device_share_prepacked_weights),
	cmocka_unit_test(weights_that_may_change_are_not_prepacked))
