/*
 * test_muon.c - Muon: the formula in double, threads, bf16, and which weights it takes
 */
#include "base/rng.h"
#include "on_device.h"
#include "graph/op.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ROWS = 30, IN = 24, MID = 70, VOCAB = 50, STEPS = 5 };

static const ds_compile training = { .train = true,
	.optimizer = "muon",
	.beta1 = 0.9f,
	.beta2 = 0.95f,
	.eps = 1e-8f,
	.decay = 0.1f,
	.max_norm = 0.5f,
	.momentum = 0.95f,
	.muon_steps = 5 };

/* A tall matrix, a wide one lying the other way round, biases, an embedding and an output layer. */
static ds_graph *network(const ds_compile *c)
{
	const ds_init normal = { DS_INIT_NORMAL, 0.1f };
	ds_graph *g = ds_graph_new(1, ROWS);
	ds_tid ids = ds_g_input(g, "ids", DS_I32, DS_DIMS(ROWS));
	ds_tid targets = ds_g_input(g, "targets", DS_I32, DS_DIMS(ROWS));
	ds_tid inv = ds_g_input(g, "inv", DS_F32, DS_DIMS(1));
	ds_tid x = ds_g_embed(g, ds_g_param(g, "embedding", DS_DIMS(VOCAB, IN), normal, 0), ids);
	ds_tid bias = ds_g_param(g, "bias", DS_DIMS(MID), normal, DS_TENSOR_NO_DECAY);
	x = ds_g_linear(g, x, ds_g_param(g, "tall", DS_DIMS(MID, IN), normal, 0), bias, false);
	x = ds_g_unary(g, x, DS_ACT_TANH);
	x = ds_g_linear(g, x, ds_g_param(g, "square", DS_DIMS(MID, MID), normal, 0), 0, false);
	x = ds_g_linear(g, x, ds_g_param(g, "wide", DS_DIMS(IN, MID), normal, 0), 0, false);
	ds_g_linear_xent(g, x, ds_g_param(g, "output", DS_DIMS(VOCAB, IN), normal, 0), 0, targets,
		inv, NULL);
	ds_err e;
	if (compile_for_cpu(g, c, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return g;
}

static ds_exec *executor(const ds_graph *g, ds_device *cpu)
{
	ds_exec *x;
	ds_err e;
	if (ds_exec_new(&x, g, cpu, (ds_exec_opts){ .check = true }, &e) != DS_OK)
		fail_msg("%s", e.msg);
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	int32_t *ids = named(x, "ids"), *targets = named(x, "targets");
	for (uint64_t i = 0; i < ROWS; i++) {
		ids[i] = (int32_t)ds_rng_below(ds_rng_of(5, 0), i, VOCAB);
		targets[i] = (ids[i] * 3 + 1) % VOCAB;
	}
	*(float *)named(x, "inv") = 1.0f / ROWS;
	return x;
}

static void step(ds_exec *x, const ds_graph *g, int64_t number, double lr)
{
	ds_err e;
	ds_hyper(ds_exec_map(x, g->hyper), &training, number, lr);
	for (int p = 0; p < DS_N_PHASES; p++)
		assert_int_equal(
			ds_exec_run(x, (ds_phase)p, &(ds_run){ .step = number }, &e), DS_OK);
}

static void matrices_inside_are_its_own_and_the_rest_is_adamws(void **state)
{
	DS_AUTO(ds_graph) g = network(&training);
	int n_muon = 0, n_adamw = 0;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		const char *name = n->in[0] ? ds_g_tensor(g, n->in[0])->name : "";
		if (n->op == DS_OP_muon) {
			n_muon++;
			assert_true(strcmp(name, "tall") == 0 || strcmp(name, "wide") == 0 ||
				    strcmp(name, "square") == 0);
		}
		n_adamw += n->op == DS_OP_adamw;
	}
	assert_int_equal(n_muon, 3);
	assert_int_equal(n_adamw, 3);
}

/* ---- the formula ---- */

/* out[n, m] = a[n, k] b[k, m], with a or b on its side */
static void product(
	double *out, const double *a, const double *b, const int64_t size[3], bool b_on_side)
{
	int64_t n = size[0], m = size[1], k = size[2];
	for (int64_t i = 0; i < n; i++)
		for (int64_t j = 0; j < m; j++) {
			double sum = 0;
			for (int64_t s = 0; s < k; s++)
				sum += a[i * k + s] * (b_on_side ? b[j * k + s] : b[s * m + j]);
			out[i * m + j] = sum;
		}
}

/* X / |X|, then X = 3.4445 X - 4.7750 (X X^T) X + 2.0315 (X X^T)^2 X, five times, as it stands. */
static void orthogonal(double *x, int64_t rows, int64_t cols)
{
	static double gram[MID * MID], one[MID * MID], two[MID * MID];
	double norm = 0;
	for (int64_t i = 0; i < rows * cols; i++)
		norm += x[i] * x[i];
	for (int64_t i = 0; i < rows * cols; i++)
		x[i] /= sqrt(norm);
	for (int s = 0; s < 5; s++) {
		product(gram, x, x, (int64_t[]){ rows, rows, cols }, true);
		product(one, gram, x, (int64_t[]){ rows, cols, rows }, false);
		product(two, gram, one, (int64_t[]){ rows, cols, rows }, false);
		for (int64_t i = 0; i < rows * cols; i++)
			x[i] = 3.4445 * x[i] - 4.7750 * one[i] + 2.0315 * two[i];
	}
}

typedef struct {
	double p[MID * MID], m[MID * MID];
} history;

static void follow(const ds_tensor *t, const float *grad, double factor, history *h, double lr)
{
	static double u[MID * MID];
	int64_t rows = t->dims[0], cols = t->dims[1], n = rows * cols;
	for (int64_t i = 0; i < n; i++) {
		double g = grad[i] *
			   factor; /* the sum as first published, whose direction is the same */
		h->m[i] = 0.95 * h->m[i] + g;
		u[i] = g + 0.95 * h->m[i];
	}
	orthogonal(u, rows, cols);
	for (int64_t i = 0; i < n; i++)
		h->p[i] -=
			lr * (0.1 * h->p[i] + 0.2 * sqrt(fmax((double)rows, (double)cols)) * u[i]);
}

static double clipping(ds_exec *x, const ds_graph *g)
{
	double norm = *(float *)ds_exec_map(x, g->grad_norm);
	return fmin(1, 0.5 / (norm + 1e-6));
}

static void five_steps_follow_the_formula(void **state)
{
	static const char *const names[] = { "tall", "square", "wide" };
	static history all[3];
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	DS_AUTO(ds_graph) g = network(&training);
	DS_AUTO(ds_exec) x = executor(g, cpu);
	for (int k = 0; k < 3; k++) {
		const float *p = named(x, names[k]);
		int64_t n = ds_t_count(ds_g_tensor(g, ds_g_find(g, names[k])));
		for (int64_t i = 0; i < n; i++)
			all[k].p[i] = p[i];
	}
	for (int64_t s = 1; s <= STEPS; s++) {
		step(x, g, s, 1e-2);
		for (int k = 0; k < 3; k++) {
			const ds_tensor *t = ds_g_tensor(g, ds_g_find(g, names[k]));
			const float *now = named(x, names[k]);
			follow(t, ds_exec_map(x, t->grad), clipping(x, g), &all[k], 1e-2);
			for (int64_t i = 0; i < ds_t_count(t); i++)
				if (fabs(now[i] - all[k].p[i]) > 2e-5)
					fail_msg("step %d: %s[%d] is %.8f instead of %.8f", (int)s,
						names[k], (int)i, (double)now[i], all[k].p[i]);
		}
	}
}

static void kernels_give_what_the_reference_gives(void **state)
{
	static const char *const names[] = { "tall", "square", "wide" };
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_device) ref = open_device("ref", 1);
	DS_AUTO(ds_graph) g = network(&training);
	DS_AUTO(ds_exec) a = executor(g, cpu);
	DS_AUTO(ds_exec) b = NULL;
	ds_err e;
	assert_int_equal(ds_exec_new(&b, g, ref, (ds_exec_opts){ 0 }, &e), DS_OK);
	assert_int_equal(ds_exec_init(b, 1, &(ds_err){ 0 }), DS_OK);
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if (ds_g_tensor(g, t)->memory == DS_CLASS_IN)
			memcpy(ds_exec_map(b, t), ds_exec_map(a, t), ds_t_bytes(ds_g_tensor(g, t)));
	step(a, g, 1, 1e-2);
	step(b, g, 1, 1e-2);
	for (int k = 0; k < 3; k++) {
		const float *x = named(a, names[k]), *y = named(b, names[k]);
		for (int64_t i = 0; i < ds_t_count(ds_g_tensor(g, ds_g_find(g, names[k]))); i++)
			assert_true(fabsf(x[i] - y[i]) < 1e-5f);
	}
}

static void threads_change_no_bit(void **state)
{
	for (int half = 0; half < 2; half++) {
		ds_compile c = training;
		c.product = half ? DS_BF16 : DS_F32;
		DS_AUTO(ds_device) one = open_device("cpu", 1);
		DS_AUTO(ds_device) three = open_device("cpu", 3);
		DS_AUTO(ds_graph) g = network(&c);
		DS_AUTO(ds_exec) x = executor(g, one);
		DS_AUTO(ds_exec) y = executor(g, three);
		for (int64_t s = 1; s <= STEPS; s++) {
			step(x, g, s, 1e-2);
			step(y, g, s, 1e-2);
		}
		for (ds_tid t = 1; t < g->n_tensors; t++)
			if (ds_g_tensor(g, t)->memory == DS_CLASS_PARAM)
				assert_memory_equal(ds_exec_map(x, t), ds_exec_map(y, t),
					ds_t_bytes(ds_g_tensor(g, t)));
	}
}

/* Singular values come out between about 0.7 and 1.2, whatever the gradient's were. */
static void a_step_has_the_size_of_adamws(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) g = network(&training);
	DS_AUTO(ds_exec) x = executor(g, cpu);
	ds_tid id = ds_g_find(g, "square");
	static float before[MID * MID];
	memcpy(before, ds_exec_map(x, id), sizeof(before));
	step(x, g, 1, 1e-2);
	const float *now = ds_exec_map(x, id);
	double sum = 0;
	for (int i = 0; i < MID * MID; i++)
		sum += pow((now[i] - before[i] * (1 - 1e-2 * 0.1)) / 1e-2, 2);
	double rms = sqrt(sum / (MID * MID));
	assert_true(rms > 0.08 && rms < 0.3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matrices_inside_are_its_own_and_the_rest_is_adamws),
		cmocka_unit_test(five_steps_follow_the_formula),
		cmocka_unit_test(kernels_give_what_the_reference_gives),
		cmocka_unit_test(threads_change_no_bit),
		cmocka_unit_test(a_step_has_the_size_of_adamws),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
