/* test_sample.c - what may be drawn, how often, and that a key always draws the same */
#include "infer/penalty.h"
#include "infer/sample.h"

#include "base/rng.h"

#include "test.h"

#include <math.h>

static const float logits[] = { 0, 2, 2, 1, -50 };
enum { N = 5 };

static void greedy_takes_the_lowest_id_of_the_best(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1024);
	ds_sampling s = { .temperature = 0, .top_p = 1 };
	assert_int_equal(ds_sample(&s, logits, N, 1, 1, mem), 1);
	double sum = 1 + 2 * exp(2) + exp(1) + exp(-50);
	assert_true(fabs(logits[1] - ds_log_sum(logits, N) - (2 - log(sum))) < 1e-6);
}

static void what_is_behind_the_tokenizers_ids_is_never_drawn(void **state)
{
	static const float padded[] = { 0, 1, 30, 40 };
	DS_AUTO(ds_arena) mem = ds_arena_new(1024);
	for (int t = 0; t < 2; t++) {
		ds_sampling s = { .temperature = t, .top_p = 1, .n_ids = 2 };
		for (uint64_t i = 0; i < 200; i++) {
			ds_arena_reset(mem);
			uint32_t id = ds_sample(&s, padded, 4, i, 0, mem);
			assert_true(id < 2);
			assert_true(padded[id] - ds_log_sum(padded, 4) <
				    -30); /* of the whole softmax */
		}
	}
}

static void frequencies_follow_the_softmax(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1024);
	ds_sampling s = { .temperature = 0.5, .top_p = 1, .seed = 3 };
	enum { DRAWS = 20000 };
	int count[N] = { 0 };
	double sum = 0;
	for (int i = 0; i < N; i++)
		sum += exp(logits[i] / 0.5);
	for (int i = 0; i < DRAWS; i++) {
		ds_arena_reset(mem);
		count[ds_sample(&s, logits, N, (uint64_t)i, 0, mem)]++;
	}
	for (int i = 0; i < N; i++) {
		double p = exp(logits[i] / 0.5) / sum, dev = sqrt(DRAWS * p * (1 - p)) + 1;
		assert_true(fabs(count[i] - DRAWS * p) < 5 * dev);
	}
}

static void cuts_leave_only_the_most_probable(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1024);
	ds_sampling k = { .temperature = 5, .top_k = 2, .top_p = 1 };
	ds_sampling p = { .temperature = 1, .top_p = 0.3 };
	for (uint64_t i = 0; i < 500; i++) {
		uint32_t id = ds_sample(&k, logits, N, i, 0, mem);
		assert_true(id == 1 || id == 2);
		assert_int_equal(ds_sample(&p, logits, N, i, 0, mem), 1);
	}
}

static void a_key_and_a_step_always_draw_the_same(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1024);
	ds_sampling s = { .temperature = 1, .top_p = 1, .seed = 9 };
	for (uint64_t i = 0; i < 50; i++)
		assert_int_equal(
			ds_sample(&s, logits, N, 7, i, mem), ds_sample(&s, logits, N, 7, i, mem));
}

static void settings_out_of_range_are_usage_errors(void **state)
{
	ds_err e;
	ds_sampling hot = { .temperature = -1, .top_p = 1 },
		    none = { .temperature = 1, .top_p = 0 };
	ds_sampling few = { .temperature = 1, .top_p = 1, .top_k = -1 };
	ds_sampling nan = { .temperature = NAN, .top_p = 1 };
	assert_int_equal(ds_sampling_check(&hot, &e), DS_USAGE);
	assert_int_equal(ds_sampling_check(&none, &e), DS_USAGE);
	assert_int_equal(ds_sampling_check(&few, &e), DS_USAGE);
	assert_int_equal(ds_sampling_check(&nan, &e), DS_USAGE);
}

static void min_p_leaves_out_what_is_far_below_the_best(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1024);
	ds_sampling s = { .temperature = 1, .top_p = 1, .min_p = 0.5 };
	for (uint64_t i = 0; i < 200; i++) {
		uint32_t id = ds_sample(&s, logits, N, i, 0, mem);
		assert_true(id == 1 || id == 2);
	}
	ds_sampling bad = { .temperature = 1, .top_p = 1, .min_p = 2 };
	ds_err e;
	assert_int_equal(ds_sampling_check(&bad, &e), DS_USAGE);
}

static void the_most_likely_come_in_order_with_their_probabilities(void **state)
{
	static const float l[] = { 1, 3, 3, -2, 0 };
	ds_likely all[5];
	double sum = 0;
	ds_most_likely(l, 5, ds_log_sum(l, 5), 5, all);
	static const uint32_t order[] = { 1, 2, 0, 4, 3 };
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(all[i].id, order[i]);
		sum += exp((double)all[i].logprob);
	}
	assert_true(fabs(sum - 1) < 1e-6);
	ds_most_likely(l, 5, ds_log_sum(l, 5), 1, all);
	assert_int_equal(all[0].id, 1);
}

static void penalties_and_biases_change_logits_by_their_formulas(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1024);
	static const uint32_t prompt[] = { 0, 9 }, out[] = { 1, 1, 2 }, ends[] = { 3 };
	static const ds_bias biases[] = { { 4, -7 }, { 99, 1 } };
	float l[5] = { 2, -2, 4, 1, 0 };
	ds_penalty p = { .presence = 0.5,
		.frequency = 0.25,
		.repetition = 2,
		.biases = biases,
		.n_biases = 2,
		.prompt = prompt,
		.n_prompt = 2,
		.ends = ends,
		.n_ends = 1,
		.min_tokens = 4 };
	assert_true(ds_penalty_any(&p));
	assert_false(ds_penalty_any(&(ds_penalty){ .repetition = 1 }));
	ds_penalty_apply(&p, out, 3, l, 5, mem);
	assert_true(l[0] == 1 && l[1] == -5 && l[2] == 1.25f && l[3] < -1e29f && l[4] == -7);
	p.repetition = 1;
	float later[5] = { 0, 0, 0, 1, 0 };
	p.min_tokens = 3;
	ds_penalty_apply(&p, out, 3, later, 5, mem);
	assert_true(later[3] == 1);
}

TESTS(cmocka_unit_test(min_p_leaves_out_what_is_far_below_the_best),
	cmocka_unit_test(the_most_likely_come_in_order_with_their_probabilities),
	cmocka_unit_test(penalties_and_biases_change_logits_by_their_formulas),
	cmocka_unit_test(greedy_takes_the_lowest_id_of_the_best),
	cmocka_unit_test(what_is_behind_the_tokenizers_ids_is_never_drawn),
	cmocka_unit_test(frequencies_follow_the_softmax),
	cmocka_unit_test(cuts_leave_only_the_most_probable),
	cmocka_unit_test(a_key_and_a_step_always_draw_the_same),
	cmocka_unit_test(settings_out_of_range_are_usage_errors))
