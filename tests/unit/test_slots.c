/*
 * test_slots.c - sequences that come and go: what each gets is its own
 */
#include "test.h"

#include "on_device.h"

#include "base/cpu.h"
#include "infer/slots.h"
#include "model/checkpoint.h"

#include <math.h>
#include <stdlib.h>

enum { VOCAB = 40, CONTEXT = 56, MOST = 24 };

static ds_arena *mem;
static char dir[] = "/tmp/ds-slots-XXXXXX";
static ds_model *m;
static ds_device *device;

/* A random model of two layers, as a directory. */
static int set_up(void **state)
{
	ds_config c;
	ds_err e;
	char path[64];
	ds_buf json = { 0 };
	mem = ds_arena_new(1 << 16);
	device = open_device("cpu", 2);
	if (!mkdtemp(dir) || ds_config_init(&c, DS_S("llama"), mem, &e) != DS_OK)
		return -1;
	c.n_layers = 2;
	c.n_heads = 4;
	c.n_kv_heads = 2;
	c.hidden_size = 32;
	c.head_dim = 8;
	c.intermediate_size = 48;
	c.vocab_size = VOCAB;
	c.max_positions = 64;
	c.bos = c.eos = 0;
	c.scaling = DS_SCALING_NONE;
	c.init_range = 0.5; /* so that texts differ */
	if (ds_config_finish(&c, &e) != DS_OK)
		return -1;
	DS_AUTO(ds_engine) n = NULL;
	ds_ckpt s = { .best = INFINITY };
	ds_engine_opts o = { .config = &c, .batch = 1, .seq = 4 };
	if (ds_engine_open(&n, device, &o, &e) != DS_OK || ds_exec_init(n->x, 7, &e) != DS_OK ||
		ds_ckpt_publish(dir, &s, n->x, DS_ST_F32, &e) != DS_OK)
		return -1;
	ds_config_print(&c, &json);
	snprintf(path, sizeof(path), "%s/config.json", dir);
	ds_rc rc = ds_file_write(path, ds_buf_view(&json), &e);
	ds_buf_free(&json);
	return rc == DS_OK && ds_model_open(&m, dir, &e) == DS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	ds_err e;
	ds_model_close(m);
	ds_device_close(device);
	ds_arena_free(mem);
	return ds_dir_remove(dir, &e) == DS_OK ? 0 : -1;
}

static ds_slots *open_slots(int64_t slots, int64_t chunk)
{
	ds_slots *d;
	ds_err e;
	ds_slots_opts o = { .slots = slots, .context = CONTEXT, .chunk = chunk };
	if (ds_slots_open(&d, m, device, &o, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return d;
}

typedef struct { /* of one sequence */
	uint32_t prompt[30], out[MOST];
	size_t n_out;
	float logprobs[MOST];
	ds_slot_end end;
	ds_slot_ask ask;
} text;

/* Sequence i: its prompt and its length are its own. */
static void make(text *t, uint64_t i)
{
	*t = (text){ .ask = { .n_prompt = 1 + i * 7 % 30,
			     .how = { .temperature = i % 2 ? 0.9 : 0, .top_p = 1, .seed = 3 },
			     .key = i,
			     .max_tokens = (int64_t)(1 + i * 5 % MOST),
			     .logprobs = true } };
	for (size_t k = 0; k < 30; k++)
		t->prompt[k] = (uint32_t)((i + 1) * (k + 3) % VOCAB);
	t->ask.prompt = t->prompt;
}

static void take(text *t, const ds_slot_event *v)
{
	t->end = v->end;
	if (!v->has_id)
		return;
	t->logprobs[t->n_out] = v->logprob;
	t->out[t->n_out++] = v->id;
	assert_int_equal(v->n_out, t->n_out);
}

/* Sequences [0, n) in order, each admitted as soon as a slot is free. */
static void run_all(ds_slots *d, text *t, size_t n)
{
	text *owner[8] = { 0 };
	size_t next = 0, n_events;
	const ds_slot_event *events;
	ds_err e;
	while (next < n || ds_slots_busy(d)) {
		for (; next < n && ds_slots_free(d); next++) {
			int64_t slot;
			assert_int_equal(ds_slots_admit(d, &t[next].ask, &slot, &e), DS_OK);
			owner[slot] = &t[next];
		}
		assert_int_equal(ds_slots_step(d, &events, &n_events, &e), DS_OK);
		for (size_t i = 0; i < n_events; i++) {
			take(owner[events[i].slot], &events[i]);
			if (events[i].end != DS_SLOT_GOES_ON)
				ds_slots_release(d, events[i].slot);
		}
	}
}

static void a_sequence_gets_the_same_whatever_is_beside_it(void **state)
{
	enum { N = 20 };
	static text together[N], alone[N];
	for (uint64_t i = 0; i < N; i++) {
		make(&together[i], i);
		make(&alone[i], i);
	}
	DS_AUTO(ds_slots) d = open_slots(3, 16);
	run_all(d, together, N);
	for (size_t i = 0; i < N; i++)
		run_all(d, &alone[N - 1 - i], 1);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(together[i].n_out, (size_t)together[i].ask.max_tokens);
		assert_int_equal(together[i].n_out, alone[i].n_out);
		assert_memory_equal(together[i].out, alone[i].out, sizeof(alone[i].out));
		assert_memory_equal(
			together[i].logprobs, alone[i].logprobs, sizeof(alone[i].logprobs));
	}
}

/* The text of greedy sequences is the same here, and how likely it is nearly so. */
static void fewer_bits_change_log_probabilities_little(void **state)
{
	static const double most[] = { 0, 0.15, 0.1 };
	text fp32, less;
	make(&fp32, 4);
	fp32.ask.max_tokens = 4;
	DS_AUTO(ds_slots) whole = open_slots(2, 16);
	run_all(whole, &fp32, 1);
	for (int p = DS_PRECISION_BF16; p <= DS_PRECISION_INT8; p++) {
		DS_AUTO(ds_slots) d = NULL;
		ds_err e;
		ds_slots_opts o = {
			.slots = 2, .context = CONTEXT, .chunk = 16, .precision = (ds_precision)p
		};
		assert_int_equal(ds_slots_open(&d, m, device, &o, &e), DS_OK);
		make(&less, 4);
		less.ask.max_tokens = 4;
		run_all(d, &less, 1);
		assert_memory_equal(fp32.out, less.out, 4 * sizeof(*less.out));
		for (size_t i = 0; i < 4; i++) {
			double apart = fabs((double)(fp32.logprobs[i] - less.logprobs[i]));
			if (!(apart < most[p]) || (ds_cpu_has_amx() && apart == 0))
				fail_msg("precision %d, token %zu: %g apart", p, i, apart);
		}
	}
}

static void a_prompt_in_pieces_is_the_prompt_at_once(void **state)
{
	text a, b;
	make(&a, 4);
	make(&b, 4);
	DS_AUTO(ds_slots) pieces = open_slots(2, 3);
	DS_AUTO(ds_slots) once = open_slots(2, 32);
	run_all(pieces, &a, 1);
	run_all(once, &b, 1);
	assert_memory_equal(a.out, b.out, sizeof(a.out));
	for (size_t i = 0; i < a.n_out; i++)
		assert_true(fabsf(a.logprobs[i] - b.logprobs[i]) < 1e-4f);
}

static void sequences_end_at_stops_lengths_and_the_context(void **state)
{
	DS_AUTO(ds_slots) d = open_slots(2, 0);
	text t, s;
	make(&t, 2);
	t.ask.max_tokens = MOST;
	run_all(d, &t, 1);
	assert_int_equal(t.end, DS_SLOT_LENGTH);
	make(&s, 2);
	s.ask.max_tokens = MOST;
	s.ask.stops = &t.out[2];
	s.ask.n_stops = 1;
	run_all(d, &s, 1);
	assert_int_equal(s.end, DS_SLOT_STOP);
	assert_true(s.n_out <= 3 && s.out[s.n_out - 1] == t.out[2]);
	/* No token at all, for the logits after the prompt. */
	make(&s, 2);
	s.ask.max_tokens = 0;
	run_all(d, &s, 1);
	assert_int_equal(s.end, DS_SLOT_LENGTH);
	assert_int_equal(s.n_out, 0);
	/* The context is full. */
	uint32_t full[CONTEXT] = { 0 };
	make(&s, 2);
	s.ask.prompt = full;
	s.ask.n_prompt = CONTEXT - 3;
	s.ask.max_tokens = MOST;
	run_all(d, &s, 1);
	assert_int_equal(s.end, DS_SLOT_LENGTH);
	assert_int_equal(s.n_out, 3);
}

static void slots_are_given_out_once_and_taken_back_at_any_time(void **state)
{
	DS_AUTO(ds_slots) d = open_slots(2, 0);
	int64_t slot[3];
	text t[3];
	const ds_slot_event *events;
	size_t n;
	ds_err e;
	for (uint64_t i = 0; i < 3; i++) {
		make(&t[i], 3);
		assert_int_equal(ds_slots_admit(d, &t[i].ask, &slot[i], &e), DS_OK);
	}
	assert_true(slot[0] >= 0 && slot[1] >= 0 && slot[0] != slot[1]);
	assert_int_equal(slot[2], -1);
	assert_int_equal(ds_slots_step(d, &events, &n, &e), DS_OK);
	assert_int_equal(n, 2);
	ds_slots_release(d, slot[0]); /* in the middle */
	assert_int_equal(ds_slots_free(d), 1);
	assert_int_equal(ds_slots_step(d, &events, &n, &e), DS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(events->slot, slot[1]);
	ds_slots_release(d, slot[1]);
	assert_false(ds_slots_busy(d));
	assert_int_equal(ds_slots_step(d, &events, &n, &e), DS_OK);
	assert_int_equal(n, 0);
}

static void what_cannot_be_done_is_said_at_once(void **state)
{
	ds_slots *d;
	ds_err e;
	uint64_t bytes;
	ds_slots_opts o = { .slots = 4, .context = 65 };
	assert_int_equal(ds_slots_open(&d, m, device, &o, &e), DS_USAGE);
	o.context = 64;
	assert_int_equal(ds_slots_bytes(m, ds_backend_cpu(), 2, &o, &bytes, &e), DS_OK);
	o.limit_bytes = bytes - 1;
	assert_int_equal(ds_slots_open(&d, m, device, &o, &e), DS_IO);
	assert_non_null(strstr(e.msg, "4 sequences of 64 tokens take"));
	o.limit_bytes = bytes;
	assert_int_equal(ds_slots_open(&d, m, device, &o, &e), DS_OK);
	uint32_t bad[] = { 1, VOCAB };
	int64_t slot;
	assert_int_equal(
		ds_slots_admit(d, &(ds_slot_ask){ .prompt = bad, .n_prompt = 2 }, &slot, &e),
		DS_BAD);
	assert_int_equal(ds_slots_admit(d, &(ds_slot_ask){ .prompt = bad }, &slot, &e), DS_BAD);
	ds_slots_close(d);
}

typedef struct { /* what is seen of a prompt */
	size_t n;
	float logits[30][VOCAB];
} sight;

static void look(void *context, size_t at, const float *logits)
{
	sight *s = context;
	assert_int_equal(at, s->n);
	memcpy(s->logits[s->n++], logits, sizeof(s->logits[0]));
}

static ds_slots *open_scoring(void)
{
	ds_slots *d;
	ds_err e;
	ds_slots_opts o = { .slots = 3, .context = CONTEXT, .chunk = 8, .scores = true };
	if (ds_slots_open(&d, m, device, &o, &e) != DS_OK)
		fail_msg("%s", e.msg);
	return d;
}

static void a_prompt_that_is_scored_shows_the_logits_after_each_of_its_tokens(void **state)
{
	static sight s;
	text scored, plain, beside[2];
	DS_AUTO(ds_slots) d = open_scoring();
	s.n = 0;
	make(&scored, 4); /* 29 tokens */
	make(&plain, 4);
	make(&beside[0], 2);
	make(&beside[1], 3);
	run_all(d, &plain, 1);
	scored.ask.seen = look;
	scored.ask.context = &s;
	text all[3] = { beside[0], scored, beside[1] };
	all[0].ask.prompt = all[0].prompt;
	all[1].ask.prompt = all[1].prompt;
	all[2].ask.prompt = all[2].prompt;
	run_all(d, all, 3);
	assert_int_equal(s.n, scored.ask.n_prompt - 1);
	assert_memory_equal(all[1].out, plain.out, sizeof(plain.out));
	/* What is seen after k tokens is what comes of a prompt of these. */
	for (size_t k = 1; k < scored.ask.n_prompt; k += 5) {
		text t;
		const ds_slot_event *events;
		size_t n = 0;
		int64_t slot;
		ds_err e;
		make(&t, 4);
		t.ask.n_prompt = k;
		t.ask.max_tokens = 0;
		assert_int_equal(ds_slots_admit(d, &t.ask, &slot, &e), DS_OK);
		while (!n)
			assert_int_equal(ds_slots_step(d, &events, &n, &e), DS_OK);
		for (size_t i = 0; i < VOCAB; i++)
			assert_true(fabsf(events->logits[i] - s.logits[k - 1][i]) < 1e-4f);
		ds_slots_release(d, slot);
	}
}

static void a_prompt_that_begins_as_an_earlier_one_starts_behind_it(void **state)
{
	DS_AUTO(ds_slots) d = open_slots(2, 16);
	text first, again, longer, other;
	int64_t slot;
	ds_err e;
	make(&first, 4);
	make(&again, 4);
	run_all(d, &first, 1);
	assert_int_equal(ds_slots_admit(d, &again.ask, &slot, &e), DS_OK);
	assert_int_equal(ds_slots_reused(d, slot), again.ask.n_prompt - 1);
	ds_slots_release(d, slot);
	run_all(d, &again, 1);
	assert_memory_equal(first.out, again.out, sizeof(first.out));
	assert_memory_equal(first.logprobs, again.logprobs, sizeof(first.logprobs));
	make(&longer, 4);
	longer.prompt[20] ^= 1;
	make(&other, 5);
	assert_int_equal(ds_slots_admit(d, &longer.ask, &slot, &e), DS_OK);
	assert_int_equal(ds_slots_reused(d, slot), 20);
	ds_slots_release(d, slot);
	/* The text after another one in the same slot is that of a slot that nobody used. */
	DS_AUTO(ds_slots) fresh = open_slots(2, 16);
	text same;
	make(&same, 4);
	same.prompt[20] ^= 1;
	run_all(d, &other, 1);
	run_all(d, &longer, 1);
	run_all(fresh, &same, 1);
	assert_memory_equal(longer.out, same.out, sizeof(same.out));
	assert_memory_equal(longer.logprobs, same.logprobs, sizeof(same.logprobs));
}

static void forbid(void *context, float *logits, size_t n, ds_arena *scratch)
{
	logits[*(uint32_t *)context] = -1e30f;
}

static void logits_may_be_changed_before_a_token_is_drawn(void **state)
{
	DS_AUTO(ds_slots) d = open_slots(2, 16);
	text plain, bent;
	make(&plain, 2);
	make(&bent, 2);
	run_all(d, &plain, 1);
	bent.ask.adjust = forbid;
	bent.ask.context = &plain.out[0];
	run_all(d, &bent, 1);
	for (size_t i = 0; i < bent.n_out; i++)
		assert_int_not_equal(bent.out[i], plain.out[0]);
	assert_true(bent.logprobs[0] <= plain.logprobs[0]); /* of the logits as they were */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prompt_that_is_scored_shows_the_logits_after_each_of_its_tokens),
		cmocka_unit_test(a_prompt_that_begins_as_an_earlier_one_starts_behind_it),
		cmocka_unit_test(logits_may_be_changed_before_a_token_is_drawn),
		cmocka_unit_test(a_sequence_gets_the_same_whatever_is_beside_it),
		cmocka_unit_test(fewer_bits_change_log_probabilities_little),
		cmocka_unit_test(a_prompt_in_pieces_is_the_prompt_at_once),
		cmocka_unit_test(sequences_end_at_stops_lengths_and_the_context),
		cmocka_unit_test(slots_are_given_out_once_and_taken_back_at_any_time),
		cmocka_unit_test(what_cannot_be_done_is_said_at_once),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
