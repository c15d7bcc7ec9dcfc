/* test_answer.c - an answer's text as its tokens come: whole characters, stop strings, what is sure */
#include "infer/answer.h"

#include "test.h"

static ds_tok *tok;
static ds_tok_scratch *scratch;

static int set_up(void **state)
{
	ds_err e;
	if (ds_tok_builtin(&tok, &e) != DS_OK)
		return -1;
	scratch = ds_tok_scratch_new(tok);
	return 0;
}

static int tear_down(void **state)
{
	ds_tok_scratch_free(scratch);
	ds_tok_close(tok);
	return 0;
}

/* Adds all tokens of a text; the sure part only grows and is the final text's beginning. */
static void add_all(ds_answer *a, const char *text)
{
	const uint32_t *given;
	uint32_t ids[4096];
	size_t n, sure = 0;
	ds_err e;
	ds_buf sent = { 0 };
	assert_int_equal(ds_tok_encode(tok, scratch, ds_str_of(text), 0, &given, &n, &e), DS_OK);
	assert_true(n <= 4096);
	memcpy(ids, given, n * sizeof(*ids));
	for (size_t i = 0; i < n && !a->stopped; i++) {
		assert_int_equal(ds_answer_add(a, ids[i], &e), DS_OK);
		assert_true(a->sure >= sure);
		ds_buf_add(&sent, a->text.at + sure, a->sure - sure);
		sure = a->sure;
	}
	ds_answer_finish(a);
	ds_buf_add(&sent, a->text.at + sure, a->sure - sure);
	assert_true(ds_str_eq(ds_buf_view(&sent), ds_answer_text(a)));
	ds_buf_free(&sent);
}

static void tokens_give_the_text_back(void **state)
{
	static const char *texts[] = { "a", "Hello, world. 1234",
		"\xe4\xb8\xad\xe6\x96\x87 "
		"\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac!",
		"\xe4\xb8",
		"\xff\xfe\xfd and then \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
		"one\n\n\ttwo   three" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		ds_answer a;
		ds_answer_init(&a, &(ds_answer_opts){ .tok = tok });
		add_all(&a, texts[i]);
		assert_true(ds_str_is(ds_answer_text(&a), texts[i]));
		ds_answer_release(&a);
	}
}

static void a_stop_string_ends_the_answer_before_it(void **state)
{
	static const ds_str stops[] = { { "STOP here", 9 }, { "\n\n", 2 } };
	ds_answer a;
	ds_answer_opts o = { .tok = tok, .stops = stops, .n_stops = 2 };
	ds_answer_init(&a, &o);
	add_all(&a, "go on STOP there and STOP here and more");
	assert_true(a.stopped);
	assert_true(ds_str_is(ds_answer_text(&a), "go on STOP there and "));
	ds_answer_release(&a);
	o.with_stop = true;
	ds_answer_init(&a, &o);
	add_all(&a, "one\n\ntwo STOP here");
	assert_true(ds_str_is(ds_answer_text(&a), "one\n\n"));
	ds_answer_release(&a);
	o.min_tokens = 1000;
	ds_answer_init(&a, &o);
	add_all(&a, "one\n\ntwo STOP here");
	assert_false(a.stopped);
	ds_answer_release(&a);
}

static void what_may_become_a_stop_string_is_held_back(void **state)
{
	static const ds_str stops[] = { { "abc", 3 } };
	ds_answer a;
	ds_err e;
	const uint32_t *ids;
	size_t n;
	ds_answer_init(&a, &(ds_answer_opts){ .tok = tok, .stops = stops, .n_stops = 1 });
	assert_int_equal(ds_tok_encode(tok, scratch, DS_S("x"), 0, &ids, &n, &e), DS_OK);
	assert_int_equal(ds_answer_add(&a, ids[0], &e), DS_OK);
	assert_int_equal(a.sure, 1);
	assert_int_equal(ds_tok_encode(tok, scratch, DS_S("a"), 0, &ids, &n, &e), DS_OK);
	assert_int_equal(ds_answer_add(&a, ids[0], &e), DS_OK);
	assert_int_equal(a.sure, 1);
	assert_int_equal(a.text.n, 2);
	ds_answer_finish(&a);
	assert_int_equal(a.sure, 2);
	ds_answer_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_give_the_text_back),
		cmocka_unit_test(a_stop_string_ends_the_answer_before_it),
		cmocka_unit_test(what_may_become_a_stop_string_is_held_back),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
