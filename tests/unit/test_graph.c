/*
 * test_graph.c - graphs, passes, plans and executors: what models, trainers and decoders rely on
 */
#include "base/mem.h"
#include "base/rng.h"
#include "on_device.h"
#include "graph/op.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { BATCH = 2, SEQ = 20, ROWS = BATCH * SEQ, WIDTH = 32, VOCAB = 50 };

static const ds_init normal = { DS_INIT_NORMAL, 0.1f }, one = { DS_INIT_ONE, 0 };
static const ds_compile training = {
	.train = true, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .decay = 0.1f, .max_norm = 0.5f
};

/* One layer with tied embeddings, everything that a decoder has. */
static ds_graph *decoder(unsigned embedding_flags, float dropout)
{
	ds_graph *g = ds_graph_new(BATCH, SEQ);
	ds_tid ids = ds_g_input(g, "input_ids", DS_I32, DS_DIMS(ROWS));
	ds_tid targets = ds_g_input(g, "targets", DS_I32, DS_DIMS(ROWS));
	ds_tid inv = ds_g_input(g, "inv", DS_F32, DS_DIMS(1)), sum;
	ds_tid wte = ds_g_param(g, "wte", DS_DIMS(VOCAB, WIDTH), normal, embedding_flags);
	ds_g_tie(g, wte, "lm_head.weight");
	ds_g_at(g, 0, "h.%d", 0);
	ds_tid x = ds_g_dropout(g, ds_g_embed(g, wte, ids), dropout);
	ds_tid w1 = ds_g_param(g, "ln", DS_DIMS(WIDTH), one, DS_TENSOR_NO_DECAY);
	ds_tid h = ds_g_norm(g, x, 0, w1, 0, (ds_norm_attr){ true, 1e-5f }, &sum);
	ds_tid qkv = ds_g_linear(
		g, h, ds_g_param(g, "qkv", DS_DIMS(WIDTH, 3 * WIDTH), normal, 0), 0, true);
	ds_tid q = ds_g_slice(g, qkv, 0, WIDTH), k = ds_g_slice(g, qkv, WIDTH, WIDTH);
	ds_tid v = ds_g_slice(g, qkv, 2 * WIDTH, WIDTH);
	ds_attention_attr a = {
		.heads = 2, .kv_heads = 2, .head_dim = 16, .seq = SEQ, .kv_seq = SEQ, .causal = true
	};
	ds_tid o = ds_g_attention(g, q, k, v, (ds_attention_in){ 0 }, a);
	ds_tid w2 = ds_g_param(g, "ln2", DS_DIMS(WIDTH), one, DS_TENSOR_NO_DECAY);
	h = ds_g_norm(g, o, sum, w2, 0, (ds_norm_attr){ true, 1e-5f }, NULL);
	ds_g_linear_xent(g, h, wte, 0, targets, inv, NULL);
	return g;
}

static ds_exec *executor(const ds_graph *g, ds_device *cpu, ds_exec_opts opts)
{
	ds_exec *x;
	ds_err e;
	if (ds_exec_new(&x, g, cpu, opts, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return x;
}

static void compile(ds_graph *g, const ds_compile *c)
{
	ds_err e;
	if (compile_for_cpu(g, c, &e) != DS_OK)
		fail_msg("%s", e.msg);
}

static void run(ds_exec *x, ds_phase p, ds_run r)
{
	ds_err e;
	if (ds_exec_run(x, p, &r, &e) != DS_OK)
		fail_msg("%s", e.msg);
}

static void feed(ds_exec *x, uint64_t batch)
{
	int32_t *ids = named(x, "input_ids"), *targets = named(x, "targets");
	for (uint64_t i = 0; i < ROWS; i++) {
		ids[i] = (int32_t)ds_rng_below(ds_rng_of(5, batch), i, VOCAB);
		targets[i] = i % 7 == 0 ? -1 : (ids[i] * 3 + 1) % VOCAB;
	}
	*(float *)named(x, "inv") = 1.0f / 34;
}

static float train_step(ds_exec *x, const ds_graph *g, int64_t step, double lr)
{
	ds_run r = { .seed = 9, .step = step };
	feed(x, 0);
	ds_hyper(ds_exec_map(x, g->hyper), &training, step, lr);
	run(x, DS_PHASE_FWD, r);
	run(x, DS_PHASE_BWD, r);
	float loss = *(float *)ds_exec_map(x, g->loss);
	run(x, DS_PHASE_OPT, r);
	return loss;
}

/* ---- training ---- */

static void one_batch_is_learnt(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	DS_AUTO(ds_graph) g = decoder(0, 0);
	compile(g, &training);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ .check = true });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	float first = train_step(x, g, 1, 1e-2), last = 0;
	for (int step = 2; step <= 300; step++)
		last = train_step(x, g, step, 1e-2);
	assert_true(fabsf(first - logf(VOCAB)) < 0.5f);
	assert_true(last < 0.01f);
}

typedef struct {
	double *p, *m, *v;
} history;

/* min(1, max_norm / norm) over the gradients that the graph made */
static double clipping(ds_exec *x, const ds_graph *g)
{
	double norm = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *p = ds_g_tensor(g, t);
		const float *d = p->grad ? ds_exec_map(x, p->grad) : NULL;
		for (int64_t i = 0; d && i < ds_t_count(p); i++)
			norm += (double)d[i] * d[i];
	}
	norm = sqrt(norm);
	assert_true(fabs(*(float *)ds_exec_map(x, g->grad_norm) - norm) < 1e-5 * norm);
	return fmin(1, training.max_norm / (norm + 1e-6));
}

/* AdamW's step of a tensor in double, before the rate; the means go on in h. */
static void steps_of(
	const ds_tensor *p, const float *d, double factor, history *h, int64_t step, double *u)
{
	double b1 = training.beta1, b2 = training.beta2;
	double decay = p->flags & DS_TENSOR_NO_DECAY ? 0 : training.decay;
	for (int64_t i = 0; i < ds_t_count(p); i++) {
		double gr = d[i] * factor;
		h->m[i] = b1 * h->m[i] + (1 - b1) * gr;
		h->v[i] = b2 * h->v[i] + (1 - b2) * gr * gr;
		double mh = h->m[i] / (1 - pow(b1, (double)step));
		double vh = h->v[i] / (1 - pow(b2, (double)step));
		u[i] = mh / (sqrt(vh) + (double)training.eps) + decay * h->p[i];
	}
}

/* |p| / |u|, 1 where one of them is 0: LAMB's factor of a tensor */
static double trust(const double *p, const double *u, int64_t n)
{
	double pp = 0, uu = 0;
	for (int64_t i = 0; i < n; i++) {
		pp += p[i] * p[i];
		uu += u[i] * u[i];
	}
	return pp > 0 && uu > 0 ? sqrt(pp) / sqrt(uu) : 1;
}

/* The formula in double over the gradients that the graph made: the largest difference. */
static double follow(ds_exec *x, const ds_graph *g, history *h, int64_t step, double lr, bool lamb)
{
	double factor = clipping(x, g), worst = 0, u[VOCAB * WIDTH * 4];
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *p = ds_g_tensor(g, t);
		if (!p->grad)
			continue;
		const float *now = ds_exec_map(x, t);
		int64_t n = ds_t_count(p);
		assert_true(n <= VOCAB * WIDTH * 4);
		steps_of(p, ds_exec_map(x, p->grad), factor, &h[t], step, u);
		bool scaled = lamb && !(p->flags & DS_TENSOR_NO_DECAY);
		double rate = scaled ? lr * trust(h[t].p, u, n) : lr;
		for (int64_t i = 0; i < n; i++) {
			h[t].p[i] -= rate * u[i];
			worst = fmax(worst, fabs(now[i] - h[t].p[i]));
		}
	}
	return worst;
}

static void five_steps(const char *optimizer)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) g = decoder(0, 0);
	ds_compile c = training;
	c.optimizer = optimizer;
	compile(g, &c);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	history *h = ds_arena_zero(mem, (size_t)g->n_tensors * sizeof(*h));
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		int64_t n = ds_t_count(ds_g_tensor(g, t));
		if (!ds_g_tensor(g, t)->grad)
			continue;
		h[t].p = ds_arena_zero(mem, (size_t)n * sizeof(double));
		h[t].m = ds_arena_zero(mem, (size_t)n * sizeof(double));
		h[t].v = ds_arena_zero(mem, (size_t)n * sizeof(double));
		for (int64_t i = 0; i < n; i++)
			h[t].p[i] = ((float *)ds_exec_map(x, t))[i];
	}
	for (int64_t step = 1; step <= 5; step++) {
		train_step(x, g, step, 1e-2);
		double worst = follow(x, g, h, step, (double)1e-2f, strcmp(optimizer, "lamb") == 0);
		if (worst > 1e-6)
			fail_msg("%s, step %d: %g beside the formula", optimizer, (int)step, worst);
	}
}

static void five_adamw_steps_follow_the_formula(void **state)
{
	five_steps("adamw");
}

static void five_lamb_steps_follow_the_formula(void **state)
{
	five_steps("lamb");
}

static void two_micro_batches_give_what_one_gives(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) g = decoder(0, 0);
	compile(g, &training);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
	DS_AUTO(ds_exec) y = executor(g, cpu, (ds_exec_opts){ 0 });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	assert_int_equal(ds_exec_init(y, 1, &(ds_err){ 0 }), DS_OK);
	ds_tid w = ds_g_find(g, "wte"), dw = ds_g_tensor(g, w)->grad;
	float want[VOCAB * WIDTH] = { 0 };
	for (int b = 0; b < 2; b++) { /* the sum of two batches' own gradients */
		feed(y, (uint64_t)b);
		run(y, DS_PHASE_FWD, (ds_run){ .step = 1 });
		run(y, DS_PHASE_BWD, (ds_run){ .step = 1 });
		for (int i = 0; i < VOCAB * WIDTH; i++)
			want[i] += ((float *)ds_exec_map(y, dw))[i];
		feed(x, (uint64_t)b);
		run(x, DS_PHASE_FWD, (ds_run){ .step = 1, .micro = b, .row0 = b * ROWS });
		run(x, DS_PHASE_BWD, (ds_run){ .step = 1, .micro = b, .row0 = b * ROWS });
	}
	for (int i = 0; i < VOCAB * WIDTH; i++)
		assert_true(fabsf(((float *)ds_exec_map(x, dw))[i] - want[i]) < 1e-6f);
}

static void frozen_weights_hold_no_gradient(void **state)
{
	DS_AUTO(ds_graph) g = decoder(DS_TENSOR_FROZEN, 0);
	compile(g, &training);
	assert_int_equal(ds_g_tensor(g, ds_g_find(g, "wte"))->grad, 0);
	assert_int_equal(ds_g_find(g, "wte.m"), 0);
	assert_true(ds_g_find(g, "qkv.m") > 0);
	for (int32_t i = 0; i < g->n_nodes; i++) /* nothing below the lowest trainable parameter */
		assert_int_not_equal(g->nodes[i].op, DS_OP_embed_grad);
	int64_t trainable, all = ds_graph_params(g, &trainable);
	assert_int_equal(all - trainable, VOCAB * WIDTH);
}

static void dropout_depends_on_seed_and_step_alone(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) g = decoder(0, 0.5f);
	compile(g, &training);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	feed(x, 0);
	float loss[4];
	ds_run runs[] = { { .seed = 1, .step = 1 }, { .seed = 1, .step = 1 },
		{ .seed = 2, .step = 1 }, { .seed = 1, .step = 2 } };
	for (int i = 0; i < 4; i++) {
		run(x, DS_PHASE_FWD, runs[i]);
		loss[i] = *(float *)ds_exec_map(x, g->loss);
	}
	assert_true(loss[0] == loss[1]);
	assert_true(loss[0] != loss[2] && loss[0] != loss[3]);
}

/* ---- memory ---- */

static uint64_t bytes_of(const ds_tensor *t)
{
	return (uint64_t)(ds_t_rows(t) * t->ld) * ds_dtype_bytes(t->dtype);
}

static void overlaps_are_never_alive_together(const ds_graph *g, const ds_plan *p)
{
	for (ds_tid a = 1; a < g->n_tensors; a++)
		for (ds_tid b = a + 1; b < g->n_tensors; b++) {
			const ds_tensor *x = ds_g_tensor(g, a), *y = ds_g_tensor(g, b);
			if (x->memory != DS_CLASS_ACT || y->memory != DS_CLASS_ACT || x->base ||
				y->base)
				continue;
			bool meet = p->offsets[a] < p->offsets[b] + bytes_of(y) &&
				    p->offsets[b] < p->offsets[a] + bytes_of(x);
			bool in_place = p->from[a] == p->from[b] && p->to[a] == p->to[b] &&
					p->offsets[a] == p->offsets[b];
			bool together = p->from[a] <= p->to[b] && p->from[b] <= p->to[a];
			if (meet && together && !in_place && p->to[a] >= p->from[a] &&
				p->to[b] >= p->from[b])
				fail_msg("%s and %s overlap", x->name, y->name);
		}
}

static void a_plan_is_exact_and_free_of_overlaps(void **state)
{
	DS_AUTO(ds_graph) g = decoder(0, 0.1f);
	compile(g, &training);
	ds_plan p;
	ds_plan_make(&p, g, ds_backend_cpu(), 2);
	overlaps_are_never_alive_together(g, &p);
	uint64_t sum = p.scratch_bytes;
	for (int c = 0; c < DS_N_CLASSES; c++)
		sum += p.bytes[c];
	assert_int_equal(sum, p.total_bytes);
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
	assert_int_equal(ds_exec_plan(x)->total_bytes, p.total_bytes);
	assert_int_equal(ds_exec_bytes(x), p.total_bytes);
	ds_plan_release(&p);
}

static void evaluation_takes_the_weights_of_training(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) g = decoder(0, 0.5f);
	DS_AUTO(ds_graph) eval = decoder(0, 0.5f);
	compile(g, &training);
	compile(eval, &(ds_compile){ 0 });
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
	DS_AUTO(ds_exec) y = executor(eval, cpu, (ds_exec_opts){ .share = x });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	assert_ptr_equal(named(x, "qkv"), named(y, "qkv"));
	assert_ptr_equal(named(y, "lm_head.weight"), named(x, "wte"));
	assert_true(ds_exec_plan(y)->bytes[DS_CLASS_ACT] < ds_exec_plan(x)->bytes[DS_CLASS_ACT]);
	feed(y, 0);
	run(y, DS_PHASE_FWD, (ds_run){ 0 });
	assert_true(isfinite(*(float *)ds_exec_map(y, eval->loss)));
}

static void flops_are_those_of_the_formula(void **state)
{
	DS_AUTO(ds_graph) g = decoder(0, 0);
	compile(g, &training);
	/* Products of 2 rows in out each; half of the pairs of a causal sequence, twice 2 D a pair. */
	double linear = 2.0 * ROWS * WIDTH * 3 * WIDTH, head = 2.0 * ROWS * VOCAB * WIDTH;
	double pairs = 2.0 * BATCH * SEQ * (SEQ + 1) / 2, attention = 4.0 * pairs * 16;
	double forward = ds_graph_flops(g, DS_PHASE_FWD),
	       backward = ds_graph_flops(g, DS_PHASE_BWD);
	double rest = 8.0 * ROWS * VOCAB + 16.0 * ROWS * WIDTH;
	assert_true(fabs(forward - (linear + 3 * head + attention + rest)) < 1);
	rest = 2 * 16.0 * ROWS * WIDTH + VOCAB * WIDTH;
	assert_true(fabs(backward - (2 * linear + 2.5 * attention + rest)) < 1);
}

/* A sum of squares beside the cross-entropy: neither the loss's last op nor its terms are known to a pass. */
static void a_loss_may_be_made_of_ops(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	for (int terms = 1; terms <= 2; terms++) {
		DS_AUTO(ds_graph) g = ds_graph_new(1, 4);
		ds_tid w = ds_g_param(g, "w", DS_DIMS(1, 8), normal, 0), y = ds_g_scale(g, w, 3);
		ds_tid loss = ds_g_matmul(g, y, y, (ds_matmul_attr){ .b_transposed = true });
		if (terms == 2)
			loss = ds_g_add(g, loss, loss);
		ds_g_loss(g, loss);
		compile(g, &training);
		DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
		assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
		run(x, DS_PHASE_FWD, (ds_run){ 0 });
		run(x, DS_PHASE_BWD, (ds_run){ 0 });
		const float *at = named(x, "w"), *grad = ds_exec_map(x, ds_g_tensor(g, w)->grad);
		for (int i = 0; i < 8; i++)
			assert_true(fabsf(grad[i] - (float)terms * 18 * at[i]) < 1e-4f);
	}
	DS_AUTO(ds_graph) wide = ds_graph_new(1, 4);
	ds_g_loss(wide, ds_g_param(wide, "w", DS_DIMS(2, 8), normal, 0));
	ds_err e;
	assert_int_equal(ds_graph_check(wide, &e), DS_BAD);
}

static void cross_entropy_may_be_a_term_of_the_loss(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 2);
	DS_AUTO(ds_graph) g = decoder(0, 0);
	DS_AUTO(ds_graph) plain = decoder(0, 0);
	ds_tid extra = ds_g_param(g, "extra", DS_DIMS(1), one, 0);
	ds_g_loss(g, ds_g_add(g, g->loss, ds_g_scale(g, extra, 2)));
	compile(g, &training);
	compile(plain, &training);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
	DS_AUTO(ds_exec) y = executor(plain, cpu, (ds_exec_opts){ 0 });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	assert_int_equal(ds_exec_init(y, 1, &(ds_err){ 0 }), DS_OK);
	float loss = train_step(x, g, 1, 1e-2), less = train_step(y, plain, 1, 1e-2);
	assert_true(fabsf(loss - less - 2) < 1e-5f);
	assert_true(*(float *)ds_exec_map(x, ds_g_tensor(g, extra)->grad) == 2);
	ds_tid qkv = ds_g_find(g, "qkv"), other = ds_g_find(plain, "qkv");
	assert_memory_equal(ds_exec_map(x, ds_g_tensor(g, qkv)->grad),
		ds_exec_map(y, ds_g_tensor(plain, other)->grad), ds_t_bytes(ds_g_tensor(g, qkv)));
}

/* ---- decoding ---- */

/* Attention over a cache of `cap` rows, `seq` queries at once. */
static ds_graph *cached(int32_t seq, int32_t cap)
{
	ds_graph *g = ds_graph_new(1, seq);
	ds_tid past = ds_g_input(g, "past", DS_I32, DS_DIMS(1));
	ds_tid x = ds_g_input(g, "x", DS_F32, DS_DIMS(seq, 32));
	ds_tid k = ds_g_cache_put(g, ds_g_state(g, "k", DS_F32, DS_DIMS(cap, 16)),
		ds_g_slice(g, x, 16, 16), (ds_attention_in){ .past = past }, seq, cap);
	ds_attention_attr a = {
		.heads = 2, .kv_heads = 1, .head_dim = 16, .seq = seq, .kv_seq = cap, .causal = true
	};
	ds_g_keep(g, ds_g_attention(g, x, k, k, (ds_attention_in){ .past = past }, a), "o");
	compile(g, &(ds_compile){ 0 });
	return g;
}

static void a_cache_gives_what_the_whole_sequence_gives(void **state)
{
	enum { N = 40, HEAD = 25 };
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) whole = cached(N, 64);
	DS_AUTO(ds_graph) head = cached(HEAD, 64);
	DS_AUTO(ds_graph) single = cached(1, 64);
	DS_AUTO(ds_exec) x = executor(whole, cpu, (ds_exec_opts){ 0 });
	DS_AUTO(ds_exec) y = executor(head, cpu, (ds_exec_opts){ 0 });
	DS_AUTO(ds_exec) z = executor(single, cpu, (ds_exec_opts){ .share = y });
	float in[N * 32];
	for (int i = 0; i < N * 32; i++)
		in[i] = (float)ds_rng_normal(ds_rng_of(3, 1), (uint64_t)i);
	memcpy(named(x, "x"), in, sizeof(in));
	memcpy(named(y, "x"), in, HEAD * 32 * sizeof(float));
	run(x, DS_PHASE_FWD, (ds_run){ 0 });
	run(y, DS_PHASE_FWD, (ds_run){ 0 });
	const float *want = named(x, "o"), *got = named(y, "o");
	for (int i = 0; i < HEAD * 32; i++)
		assert_true(fabsf(want[i] - got[i]) < 1e-5f);
	for (int t = HEAD; t < N; t++) {
		*(int32_t *)named(z, "past") = t;
		memcpy(named(z, "x"), in + t * 32, 32 * sizeof(float));
		run(z, DS_PHASE_FWD, (ds_run){ 0 });
		got = named(z, "o");
		for (int i = 0; i < 32; i++)
			assert_true(fabsf(want[t * 32 + i] - got[i]) < 1e-5f);
	}
}

/* ---- what is refused ---- */

static void a_wrong_shape_is_named_with_its_place(void **state)
{
	DS_AUTO(ds_graph) g = ds_graph_new(1, 4);
	ds_g_at(g, 2, "h.%d.mlp", 2);
	ds_tid x = ds_g_input(g, "x", DS_F32, DS_DIMS(4, 8));
	ds_tid w = ds_g_param(g, "fc.weight", DS_DIMS(9, 7), normal, 0);
	assert_int_equal(ds_g_unary(g, ds_g_linear(g, x, w, 0, false), DS_ACT_SILU), 0);
	ds_err e;
	assert_int_equal(ds_graph_check(g, &e), DS_BAD);
	assert_string_equal(e.msg,
		"h.2.mlp: linear: input 1 'fc.weight' is [9, 7], the op takes [-1, 8] (-1: any)");
}

static void the_first_op_that_makes_nan_is_named(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) g = decoder(0, 0);
	compile(g, &training);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ .check = true });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	feed(x, 0);
	((float *)named(x, "qkv"))[5] = NAN;
	ds_err e;
	ds_run r = { .step = 4 };
	assert_int_equal(ds_exec_run(x, DS_PHASE_FWD, &r, &e), DS_BAD);
	assert_non_null(strstr(e.msg, "step 4: h.0: linear: "));
}

static void a_gradient_that_is_not_finite_changes_nothing(void **state)
{
	DS_AUTO(ds_device) cpu = open_device("cpu", 1);
	DS_AUTO(ds_graph) g = decoder(0, 0);
	compile(g, &training);
	DS_AUTO(ds_exec) x = executor(g, cpu, (ds_exec_opts){ 0 });
	assert_int_equal(ds_exec_init(x, 1, &(ds_err){ 0 }), DS_OK);
	train_step(x, g, 1, 1e-2);
	float *w = named(x, "qkv"), *m = named(x, "qkv.m"), before[2] = { w[0], m[0] };
	((float *)ds_exec_map(x, ds_g_tensor(g, ds_g_find(g, "wte"))->grad))[3] = INFINITY;
	run(x, DS_PHASE_OPT, (ds_run){ .step = 2 });
	assert_false(isfinite(*(float *)ds_exec_map(x, g->grad_norm)));
	assert_true(w[0] == before[0] && m[0] == before[1]);
}

static void the_verifier_sees_what_is_wrong(void **state)
{
	ds_err e;
	DS_AUTO(ds_graph) g = decoder(0, 0);
	assert_int_equal(ds_graph_verify(g, &e), DS_OK);
	ds_node first = g->nodes[1];
	g->nodes[1] = g->nodes[2];
	g->nodes[2] = first;
	assert_int_equal(ds_graph_verify(g, &e), DS_BAD);
	g->nodes[2] = g->nodes[1];
	g->nodes[1] = first;
	assert_int_equal(ds_graph_verify(g, &e), DS_OK);
	g->tensors[g->nodes[1].out[0]].dims[1]++;
	assert_int_equal(ds_graph_verify(g, &e), DS_BAD);
}

/* ---- schedules ---- */

static double rate(const char *name, int64_t step)
{
	return ds_schedule_at(&(ds_schedule){ name, 2.0, 10, 110 }, step);
}

static void schedules_rise_and_fall(void **state)
{
	ds_err e;
	assert_true(rate("linear", 1) == 0 && rate("linear", 6) == 1 && rate("linear", 11) == 2);
	assert_true(rate("linear", 61) == 1 && rate("linear", 111) == 0);
	assert_true(
		fabs(rate("cosine", 61) - 1) < 1e-12 && fabs(rate("cosine", 36) - 1.7071) < 1e-4);
	assert_true(rate("constant", 110) == 2 && rate("wsd", 90) == 2 && rate("wsd", 111) == 0);
	assert_true(fabs(rate("wsd", 101) - 1) < 1e-12);
	assert_int_equal(ds_schedule_check(&(ds_schedule){ "triangle", 1, 0, 5 }, &e), DS_USAGE);
	assert_string_equal(
		e.msg, "unknown scheduler 'triangle'; there are linear, cosine, constant, wsd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_batch_is_learnt),
		cmocka_unit_test(five_adamw_steps_follow_the_formula),
		cmocka_unit_test(five_lamb_steps_follow_the_formula),
		cmocka_unit_test(two_micro_batches_give_what_one_gives),
		cmocka_unit_test(frozen_weights_hold_no_gradient),
		cmocka_unit_test(dropout_depends_on_seed_and_step_alone),
		cmocka_unit_test(a_plan_is_exact_and_free_of_overlaps),
		cmocka_unit_test(evaluation_takes_the_weights_of_training),
		cmocka_unit_test(a_loss_may_be_made_of_ops),
		cmocka_unit_test(cross_entropy_may_be_a_term_of_the_loss),
		cmocka_unit_test(flops_are_those_of_the_formula),
		cmocka_unit_test(a_cache_gives_what_the_whole_sequence_gives),
		cmocka_unit_test(a_wrong_shape_is_named_with_its_place),
		cmocka_unit_test(the_first_op_that_makes_nan_is_named),
		cmocka_unit_test(a_gradient_that_is_not_finite_changes_nothing),
		cmocka_unit_test(the_verifier_sees_what_is_wrong),
		cmocka_unit_test(schedules_rise_and_fall),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
