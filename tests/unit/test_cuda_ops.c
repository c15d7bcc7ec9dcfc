/*
 * test_cuda_ops.c - every op's CUDA kernels against the references in double, on the simulator or a device
 *
 * The same instances as test_graph_ops.c, forward, backward and an optimizer's step; the simulator finds what a
 * kernel reads or writes outside of its memory and what it reads before it is written. Without a CUDA toolkit there
 * is no library to test, and the tests say that they were skipped.
 */
#include "op_samples.h"

#include <string.h>

static ds_device *cuda, *ref;

static int open_both(void **state)
{
	ds_err e;
	setenv("DS_CUDA", "sim", 0);
	seed_now = getenv("DS_SEED") ? strtoull(getenv("DS_SEED"), NULL, 0) : 1;
	traits_now = &ds_backend_cuda()->traits;
	ref = open_device("ref", 2);
	if (ds_device_open(&cuda, "cuda", 1, &e) != DS_OK)
		print_message("skipped: %s\n", e.msg);
	return 0;
}

static int close_both(void **state)
{
	ds_device_close(cuda);
	ds_device_close(ref);
	return 0;
}

/* Said once, in front; a test that is skipped counts as failed where a harness reads TAP. */
#define need_device() \
	do { \
		if (!cuda) \
			return; \
	} while (0)

static void step(ds_exec *x, const ds_graph *g)
{
	ds_err e;
	run(x, g);
	if (g->train && ds_exec_run(x, DS_PHASE_OPT, &run1, &e) != DS_OK)
		fail_msg("%s", e.msg);
}

static bool is_checked(const ds_graph *g, const ds_tensor *t)
{
	bool trained = t->grad || t->memory == DS_CLASS_OPT;
	return (is_result(t) && !t->base) || (g->train && trained);
}

/* g on the device against `wide`, the same without rounding, by the references. */
static void check_graphs(const ds_graph *g, ds_graph *wide, const char *name)
{
	widen(wide);
	DS_AUTO(ds_exec) x = ready(g, cuda);
	DS_AUTO(ds_exec) y = ready(wide, ref);
	step(x, g);
	step(y, wide);
	for (ds_tid t = 1; t < wide->n_tensors; t++)
		if (is_checked(g, ds_g_tensor(g, t)))
			compare(x, y, g, wide, t, name);
}

static void check_instance(ds_op_kind k, uint64_t round)
{
	DS_AUTO(ds_graph) g = make(k, round);
	ds_dtype product = product_now;
	product_now = DS_F32;
	DS_AUTO(ds_graph) wide = make(k, round);
	product_now = product;
	check_graphs(g, wide, ds_op_of(k)->name);
}

/* DS_OPS=norm,clip: these alone. */
static bool is_wanted(const ds_op *op)
{
	const char *only = getenv("DS_OPS"), *at = only;
	size_t n = strlen(op->name);
	if (!only || !*only)
		return true;
	while ((at = strstr(at, op->name))) {
		bool begins = at == only || at[-1] == ',';
		if (begins && (at[n] == ',' || !at[n]))
			return true;
		at += n;
	}
	return false;
}

static bool is_here(ds_op_kind k)
{
	return ds_op_sampled(ds_op_of(k)) && is_wanted(ds_op_of(k));
}

static void check_all(uint64_t rounds)
{
	static const char *const optimizers[] = { NULL, "lamb", "muon" };
	for (int k = 1; k < DS_N_OPS; k++)
		for (uint64_t round = 0; is_here((ds_op_kind)k) && round < rounds; round++) {
			optimizer_now = optimizers[round % 3];
			check_instance((ds_op_kind)k, round);
		}
	optimizer_now = NULL;
}

static void kernels_give_what_references_give(void **state)
{
	need_device();
	check_all(ROUNDS);
}

static void rounded_factors_stay_near(void **state)
{
	need_device();
	product_now = DS_BF16;
	check_all(ROUNDS / 2);
	product_now = DS_F16;
	check_all(3);
	product_now = DS_F32;
}

/* Two key heads of d columns, two heads each, sequences over several tiles with documents in them. */
static ds_graph *attend(int32_t d, int32_t window, bool causal)
{
	enum { SEQ = 150, KV = 2, HEADS = 4 };
	ds_graph *g = ds_graph_new(1, 1);
	ds_sample s = { .g = g, .rng = ds_rng_of(seed_now, (uint64_t)d) };
	ds_attention_attr a = { .heads = HEADS,
		.kv_heads = KV,
		.head_dim = d,
		.seq = SEQ,
		.kv_seq = SEQ,
		.causal = causal,
		.window = window };
	int32_t *first = ds_arena_get(g->mem, SEQ * sizeof(*first));
	for (int32_t i = 0; i < SEQ; i++)
		first[i] = i < 97 ? 0 : 97;
	ds_attention_in in = { .first = ds_g_const(g, "first", DS_I32, DS_DIMS(SEQ), first) };
	ds_tid all = ds_g_scale(g, ds_sample_tensor(&s, SEQ, (HEADS + 2 * KV) * (int64_t)d), 0.5f);
	ds_tid q = ds_g_slice(g, all, 0, (int64_t)HEADS * d);
	ds_tid k = ds_g_slice(g, all, (int64_t)HEADS * d, (int64_t)KV * d);
	ds_tid v = ds_g_slice(g, all, (int64_t)(HEADS + KV) * d, (int64_t)KV * d);
	ds_sample_output(&s, ds_g_attention(g, q, k, v, in, a));
	compile_now(g, true, "attention");
	return g;
}

static void attention_of_all_widths_is_right(void **state)
{
	static const int32_t widths[] = { 16, 40, 64, 80, 128, 192, 256 };
	need_device();
	if (!is_wanted(ds_op_of(DS_OP_attention)))
		return;
	for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
		int32_t window = i % 2 ? 70 : 0;
		product_now = DS_BF16;
		DS_AUTO(ds_graph) g = attend(widths[i], window, i % 3 != 1);
		product_now = DS_F32;
		DS_AUTO(ds_graph) wide = attend(widths[i], window, i % 3 != 1);
		product_now = DS_BF16;
		check_graphs(g, wide, "attention");
		product_now = DS_F32;
	}
}

/* 300 choices of four experts, of which one gets nothing and one most: over several tiles and steps of K. */
static ds_graph *ask_experts(int64_t n_in, int64_t n_out)
{
	enum { ROWS = 150, CHOICES = 2, EXPERTS = 4 };
	ds_graph *g = ds_graph_new(1, 1);
	ds_sample s = { .g = g, .rng = ds_rng_of(seed_now, (uint64_t)(n_in + n_out)) };
	int32_t ids[ROWS * CHOICES];
	for (int32_t i = 0; i < ROWS * CHOICES; i++)
		ids[i] = i % 5 == 0 ? 3 : i % 7 == 0 ? 0 : 1;
	ds_tid choices = ds_g_const(g, "ids", DS_I32, DS_DIMS(ROWS, CHOICES), ids);
	ds_dispatched d = ds_g_dispatch(g, choices, EXPERTS);
	ds_init init = { DS_INIT_NORMAL, 1 };
	ds_tid w = ds_g_param(g, "w", DS_DIMS(EXPERTS, n_out, n_in), init, 0);
	ds_tid bias = ds_sample_tensor(&s, EXPERTS, n_out);
	ds_tid x = ds_g_permute(g, ds_sample_tensor(&s, ROWS, n_in), d);
	ds_tid y = ds_g_unary(g, ds_g_grouped(g, x, w, d.offsets, bias), DS_ACT_SILU);
	ds_sample_output(&s, ds_g_unpermute(g, y, d, ds_sample_tensor(&s, ROWS, CHOICES)));
	compile_now(g, true, "grouped");
	return g;
}

static void experts_of_all_sizes_are_right(void **state)
{
	static const int64_t sizes[][2] = { { 200, 144 },
		{ 131, 90 } }; /* with and without 16-byte rows */
	static const ds_dtype types[] = { DS_F32, DS_BF16, DS_F16 };
	need_device();
	if (!is_wanted(ds_op_of(DS_OP_grouped)))
		return;
	for (size_t i = 0; i < 6; i++) {
		product_now = types[i / 2];
		DS_AUTO(ds_graph) g = ask_experts(sizes[i % 2][0], sizes[i % 2][1]);
		product_now = DS_F32;
		DS_AUTO(ds_graph) wide = ask_experts(sizes[i % 2][0], sizes[i % 2][1]);
		product_now = types[i / 2];
		check_graphs(g, wide, "grouped");
		product_now = DS_F32;
	}
}

static void every_op_has_a_kernel(void **state)
{
	const ds_backend *b = ds_backend_cuda();
	for (int k = 1; k < DS_N_OPS; k++)
		for (uint64_t round = 0; is_here((ds_op_kind)k) && round < ROUNDS; round++) {
			DS_AUTO(ds_graph) g = make((ds_op_kind)k, round);
			for (int32_t i = 0; i < g->n_nodes; i++)
				if (!b->has_kernel(b, g, &g->nodes[i]))
					fail_msg(
						"no kernel for %s", ds_op_of(g->nodes[i].op)->name);
		}
}

/* Two micro-batches into one gradient, twice: the sums are right and their bits the same. */
static void gradients_add_up_and_bits_are_the_same(void **state)
{
	need_device();
	for (int k = 1; k < DS_N_OPS; k++) {
		const ds_op *op = ds_op_of((ds_op_kind)k);
		if (!is_here((ds_op_kind)k) || !ds_op_differentiable(op) ||
			(op->traits & DS_OP_DROPS))
			continue;
		DS_AUTO(ds_graph) g = make((ds_op_kind)k, 1);
		DS_AUTO(ds_exec) x = ready(g, cuda);
		DS_AUTO(ds_exec) y = ready(g, cuda);
		ds_run second = run1;
		ds_err e;
		second.micro = 1;
		run(x, g);
		run(y, g);
		for (ds_tid t = 1; t < g->n_tensors; t++) {
			const ds_tensor *d = ds_g_tensor(g, t);
			if (d->memory != DS_CLASS_GRAD)
				continue;
			double *a = values_of(x, g, t), *b = values_of(y, g, t);
			if (memcmp(a, b, (size_t)ds_t_count(d) * sizeof(*a)) != 0)
				fail_msg(
					"%s: %s has other bits in a second run", op->name, d->name);
			ds_mem_free(a);
			ds_mem_free(b);
		}
		assert_int_equal(ds_exec_run(x, DS_PHASE_FWD, &second, &e), DS_OK);
		assert_int_equal(ds_exec_run(x, DS_PHASE_BWD, &second, &e), DS_OK);
		for (ds_tid t = 1; t < g->n_tensors; t++) {
			const ds_tensor *d = ds_g_tensor(g, t);
			if (d->memory != DS_CLASS_GRAD)
				continue;
			double *a = values_of(x, g, t), *b = values_of(y, g, t);
			for (int64_t i = 0; i < ds_t_count(d); i++)
				if (!(fabs(a[i] - 2 * b[i]) <= 1e-4 * fmax(1, fabs(2 * b[i]))))
					fail_msg("%s: %s[%lld]: %.9g after two, %.9g wanted",
						op->name, d->name, (long long)i, a[i], 2 * b[i]);
			ds_mem_free(a);
			ds_mem_free(b);
		}
	}
}

static void what_has_no_kernel_is_refused_by_name(void **state)
{
	need_device();
	DS_AUTO(ds_graph) g = make(DS_OP_norm, 0);
	DS_AUTO(ds_exec) x = NULL;
	ds_err e;
	widen(g); /* nothing here computes in f64 */
	assert_int_equal(ds_exec_new(&x, g, cuda, (ds_exec_opts){ 0 }, &e), DS_BAD);
	assert_non_null(strstr(e.msg, "cuda: no kernel for norm"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_op_has_a_kernel),
		cmocka_unit_test(kernels_give_what_references_give),
		cmocka_unit_test(rounded_factors_stay_near),
		cmocka_unit_test(attention_of_all_widths_is_right),
		cmocka_unit_test(experts_of_all_sizes_are_right),
		cmocka_unit_test(gradients_add_up_and_bits_are_the_same),
		cmocka_unit_test(what_has_no_kernel_is_refused_by_name),
	};
	return cmocka_run_group_tests(tests, open_both, close_both);
}
