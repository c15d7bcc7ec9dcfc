/*
 * test_parallel.c - a job of several ranks, all in this process, trains what one rank trains
 *
 * Small models with awkward sizes; the same rows, steps and weights. Compared are losses, gradient norms and weights.
 */
#include "test.h"

#include "base/mem.h"
#include "comm/launch.h"
#include "model/arch.h"
#include "model/engine.h"
#include "model/gather.h"
#include "on_device.h"
#include "train/strategy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEPS = 3, MICRO = 2, ROWS = 8, SEQ = 6, VOCAB = 53 };

typedef struct {
	char name[96];
	int64_t n;
	float *at;
} weight;

enum { MOST_WEIGHTS = 256 };

typedef struct {
	const char *words; /* of the strategy */
	const char *preset, *keys;
	ds_layout layout;
	ds_config config;
	double loss[STEPS], norm[STEPS];
	weight weights[MOST_WEIGHTS];
	size_t n_weights;
} run;

static int32_t token(int64_t step, int64_t row, int64_t i)
{
	ds_rng r = ds_rng_of(11, (uint64_t)(step * ROWS + row));
	return (int32_t)ds_rng_below(r, (uint64_t)i, VOCAB);
}

static int64_t first_row(const ds_layout *l, int64_t micro)
{
	return (micro * l->dp + ds_layout_copy(l)) * (ROWS / MICRO / l->dp);
}

static void give(ds_engine *n, const ds_layout *l, int64_t step, int64_t micro)
{
	int64_t rows = ROWS / MICRO / l->dp, first = first_row(l, micro);
	int32_t *ids = ds_exec_input(n->x, n->b.ids), *at = ds_exec_input(n->x, n->b.positions),
		*targets = ds_exec_input(n->x, n->b.targets);
	for (int64_t k = 0; k < rows * SEQ; k++) {
		int64_t row = first + k / SEQ, i = k % SEQ;
		ids[k] = token(step, row, i);
		at[k] = (int32_t)i;
		targets[k] = row == 3 ? -1 : token(step, row, i + 1);
	}
	*(float *)ds_exec_input(n->x, n->b.inv) = 1.0f / (float)((ROWS - 1) * SEQ);
}

static ds_engine_opts engine_of(run *r, const ds_layout *l)
{
	return (ds_engine_opts){ .config = &r->config,
		.batch = ROWS / MICRO / l->dp,
		.seq = SEQ,
		.build.train = true,
		.compile = { .train = true,
			.beta1 = 0.9f,
			.beta2 = 0.95f,
			.eps = 1e-3f, /* else the sign of a gradient that is nearly 0 counts */
			.decay = 0.01f,
			.max_norm = 0.5f,
			.layout = *l } };
}

static ds_rc steps(run *r, ds_engine *n, const ds_layout *l, ds_world *w, ds_err *e)
{
	ds_group all = ds_world_all(w);
	bool mine = ds_layout_stage(l) == l->pp - 1 && ds_layout_cut(l) == 0;
	for (int64_t step = 0; step < STEPS; step++) {
		double loss = 0;
		float part = 0, norm;
		ds_hyper(ds_exec_input(n->x, n->g->hyper),
			&(ds_compile){ .beta1 = 0.9f, .beta2 = 0.95f }, step + 1, 1e-2);
		for (int64_t m = 0; m < MICRO; m++) {
			ds_run at = { 1, step + 1, m, first_row(l, m) * SEQ };
			give(n, l, step, m);
			DS_TRY(ds_exec_run(n->x, DS_PHASE_FWD, &at, e));
			DS_TRY(ds_exec_run(n->x, DS_PHASE_BWD, &at, e));
			if (mine)
				DS_TRY(ds_exec_read(n->x, n->b.loss, 0, 1, &part, e));
			loss += (double)part;
		}
		DS_TRY(ds_exec_run(n->x, DS_PHASE_OPT, &(ds_run){ 1, step + 1, 0, 0 }, e));
		DS_TRY(ds_exec_read(n->x, n->g->grad_norm, 0, 1, &norm, e));
		if (w)
			DS_TRY(ds_world_all_reduce(w, &all, &loss, 1, DS_NUM_F64, e));
		if (ds_world_rank(w) == 0) {
			r->loss[step] = loss;
			r->norm[step] = (double)norm;
		}
	}
	return DS_OK;
}

/* All that is saved, weights and optimizer states, as wholes. */
static ds_rc keep_weights(run *r, ds_engine *n, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	for (int class = 0; class < 2; class ++) {
		ds_st_item *items;
		size_t k;
		DS_TRY(ds_gather_class(
			n->x, class ? DS_CLASS_OPT : DS_CLASS_PARAM, mem, &items, &k, e));
		for (size_t i = 0; i < k; i++) {
			weight *w = &r->weights[r->n_weights++];
			w->n = 1;
			for (int d = 0; d < items[i].rank; d++)
				w->n *= items[i].dims[d];
			snprintf(w->name, sizeof(w->name), "%s", items[i].name);
			w->at = ds_mem_get((size_t)w->n * sizeof(float));
			memcpy(w->at, items[i].data, (size_t)w->n * sizeof(float));
		}
	}
	return DS_OK;
}

static ds_rc train(void *context, ds_world *w, ds_err *e)
{
	run *r = context;
	DS_AUTO(ds_engine) n = NULL;
	DS_AUTO(ds_device) d = NULL;
	ds_layout l = r->layout;
	l.rank = ds_world_rank(w);
	DS_TRY(ds_device_open(&d, "cpu", 1, e));
	ds_device_join(d, w);
	ds_engine_opts o = engine_of(r, &l);
	DS_TRY(ds_engine_open(&n, d, &o, e));
	DS_TRY(ds_exec_init(n->x, 5, e));
	DS_TRY(steps(r, n, &l, w, e));
	return keep_weights(r, n, e);
}

static void forget(run *r)
{
	for (size_t i = 0; i < r->n_weights; i++)
		ds_mem_free(r->weights[i].at);
}

static const weight *weight_of(const run *r, const char *name)
{
	for (size_t i = 0; i < r->n_weights; i++)
		if (strcmp(r->weights[i].name, name) == 0)
			return &r->weights[i];
	return NULL;
}

/* What rounding leaves. */
static void compare_weights(const run *one, const run *many, const char *words)
{
	assert_int_equal(one->n_weights, many->n_weights);
	for (size_t i = 0; i < one->n_weights; i++) {
		const weight *a = &one->weights[i], *b = weight_of(many, a->name);
		if (!b || a->n != b->n)
			fail_msg("%s: '%s' is not among what is saved, or of another size", words,
				a->name);
		double most = 0, far = 0;
		for (int64_t k = 0; k < a->n; k++) {
			most = fmax(most, fabs((double)a->at[k]));
			far = fmax(far, fabs((double)a->at[k] - (double)b->at[k]));
		}
		if (far > 1e-3 * most + 1e-9)
			fail_msg("%s: '%s' is %g away, its largest is %g", words, a->name, far,
				most);
	}
}

static void prepare(run *r, ds_arena *mem)
{
	ds_err e = { "" };
	ds_str words = ds_str_of(r->words), zero = DS_S(",zero");
	bool shares = ds_str_ends(words, zero);
	words.n -= shares ? zero.n : 0;
	if (ds_strategy_parse(&r->layout, ds_arena_str(mem, words).at, 0, &e) != DS_OK ||
		ds_config_preset(&r->config, ds_str_of(r->preset), mem, &e) != DS_OK)
		fail_msg("%s", e.msg);
	r->layout.zero = shares;
	r->config.vocab_size = VOCAB;
	r->config.bos = r->config.eos = r->config.pad = -1;
	r->config.n_ends = 0;
	ds_str rest = ds_str_of(r->keys);
	while (rest.at && rest.n) {
		ds_str value, word = ds_str_cut(rest, ',', &rest),
			      name = ds_str_cut(word, '=', &value);
		if (ds_config_set(&r->config, name, value, mem, &e) != DS_OK)
			fail_msg("%s", e.msg);
	}
	if (ds_config_finish(&r->config, &e) != DS_OK)
		fail_msg("%s", e.msg);
}

static void follows_one(const char *words, const char *preset, const char *keys)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	run *one = DS_NEW(run, 1), *many = DS_NEW(run, 1);
	ds_err e = { "" };
	*one = (run){ .words = "dp=1", .preset = preset, .keys = keys };
	*many = (run){ .words = words, .preset = preset, .keys = keys };
	prepare(one, mem);
	prepare(many, mem);
	if (train(one, NULL, &e) != DS_OK)
		fail_msg("%s alone: %s", preset, e.msg);
	if (ds_launch_threads(ds_layout_ranks(&many->layout), train, many, &e) != DS_OK)
		fail_msg("%s %s: %s", preset, words, e.msg);
	for (int s = 0; s < STEPS; s++) {
		if (fabs(one->loss[s] - many->loss[s]) > 2e-6 * one->loss[s])
			fail_msg("%s %s: step %d: loss %.9g, one rank's is %.9g", preset, words, s,
				many->loss[s], one->loss[s]);
		if (fabs(one->norm[s] - many->norm[s]) > 1e-5 * one->norm[s])
			fail_msg("%s %s: step %d: norm %.9g, one rank's is %.9g", preset, words, s,
				many->norm[s], one->norm[s]);
	}
	compare_weights(one, many, words);
	forget(one);
	forget(many);
	ds_mem_free(one);
	ds_mem_free(many);
}

#define GPT2 "gpt2", "n_layer=3,n_embd=24,n_head=4,n_positions=8,dropout=0.1"
#define LLAMA \
	"llama", "hidden_size=32,intermediate_size=48,num_hidden_layers=3,num_attention_heads=4," \
		 "num_key_value_heads=2,head_dim=8"

static void copies_of_the_data_follow_one_rank(void **state)
{
	follows_one("dp=2", GPT2);
	follows_one("dp=4", GPT2);
	follows_one("dp=2", LLAMA);
}

static void cut_matrices_follow_one_rank(void **state)
{
	follows_one("tp=2", GPT2);
	follows_one("tp=4", GPT2);
	follows_one("tp=2", LLAMA);
	follows_one("tp=2,dp=2", LLAMA);
}

static void stages_follow_one_rank(void **state)
{
	follows_one("pp=2", GPT2);
	follows_one("pp=3", GPT2);
	follows_one("pp=2", LLAMA);
	follows_one("pp=2", LLAMA ",tie_word_embeddings=true");
}

static void layouts_together_follow_one_rank(void **state)
{
	follows_one("tp=2,pp=2", GPT2);
	follows_one("pp=2,dp=2", GPT2);
	follows_one("tp=2,pp=2,dp=2", LLAMA);
}

static void a_shared_out_optimizer_follows_one_rank(void **state)
{
	follows_one("dp=2,zero", GPT2);
	follows_one("dp=4,zero", LLAMA);
	follows_one("tp=2,dp=2,zero", GPT2);
	follows_one("tp=2,pp=2,dp=2,zero", LLAMA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_of_the_data_follow_one_rank),
		cmocka_unit_test(cut_matrices_follow_one_rank),
		cmocka_unit_test(stages_follow_one_rank),
		cmocka_unit_test(layouts_together_follow_one_rank),
		cmocka_unit_test(a_shared_out_optimizer_follows_one_rank),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
