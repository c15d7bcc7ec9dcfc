/* test_chain.c - provenance: printed, read back, merged */
#include "test.h"

#include "record/chain.h"

static void is(const ds_chain *c, const char *want)
{
	ds_buf out = { 0 };
	ds_chain_print(&out, c);
	assert_string_equal(ds_buf_text(&out), want);
	ds_buf_free(&out);
}

static ds_chain *of(ds_arena *mem, const char *json)
{
	ds_err e;
	ds_chain *c;
	if (ds_chain_parse(&c, mem, ds_str_of(json), &e) != DS_OK)
		fail_msg("%s", e.msg);
	return c;
}

static void a_chain_is_read_as_it_was_printed(void **state)
{
	static const char *const chains[] = {
		"{\"stages\":[]}",
		"{\"stages\":[{\"program\":\"dsclean\",\"version\":\"1\",\"args\":\"--nfc "
		"\\\"x\\\"\"}]}",
		"{\"stages\":[{\"program\":\"a\",\"version\":\"\",\"args\":\"\",\"in\":3,\"out\":2,"
		"\"bytes_in\":9,"
		"\"bytes_out\":8,\"counts\":{\"html\":1,\"\":0}},{\"program\":\"b\",\"version\":"
		"\"1\",\"args\":\"\","
		"\"branches\":[{\"stages\":[]},{\"stages\":[{\"program\":\"c\",\"version\":\"1\","
		"\"args\":\"\"}]}]}]}",
	};
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	for (size_t i = 0; i < 3; i++)
		is(of(mem, chains[i]), chains[i]);
}

static void what_is_no_chain_is_refused(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"stages\":1}", "{\"stages\":[1]}",
		"{\"stages\":[{\"in\":-1}]}", "{\"stages\":[{\"counts\":{\"a\":\"b\"}}]}",
		"{\"stages\":[{\"branches\":[1]}]}" };
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_chain *c;
	ds_err e;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ds_chain_parse(&c, mem, ds_str_of(bad[i]), &e), DS_BAD);
}

#define STAGE(p, n) \
	"{\"program\":\"" p "\",\"version\":\"1\",\"args\":\"\",\"in\":" n ",\"out\":" n \
	",\"bytes_in\":" n ",\"bytes_out\":" n ",\"counts\":{\"x\":" n "}}"

static void equal_chains_count_once_and_add_up(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_chain *list[] = { of(mem, "{\"stages\":[" STAGE("a", "1") "]}"),
		of(mem, "{\"stages\":[" STAGE("a", "20") "]}"),
		of(mem, "{\"stages\":[" STAGE("a", "300") "]}") };
	is(ds_chain_merge(mem, list, 3), "{\"stages\":[" STAGE("a", "321") "]}");
	is(list[0], "{\"stages\":[" STAGE("a", "1") "]}");
	is(ds_chain_merge(mem, list, 0), "{\"stages\":[]}");
}

static void different_chains_become_branches_of_the_next_stage(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_chain *list[] = { of(mem, "{\"stages\":[" STAGE("a", "1") "]}"),
		of(mem, "{\"stages\":[" STAGE("b", "2") "]}"),
		of(mem, "{\"stages\":[" STAGE("a", "4") "]}") };
	ds_chain *c = ds_chain_merge(mem, list, 3);
	ds_chain_push(mem, c, DS_S("m"), DS_S("1"), DS_S("--y"));
	is(c, "{\"stages\":[{\"program\":\"m\",\"version\":\"1\",\"args\":\"--y\",\"branches\":[{"
	      "\"stages\":[" STAGE("a", "5") "]},{\"stages\":[" STAGE("b", "2") "]}]}]}");
	ds_chain_push(mem, c, DS_S("n"), DS_S("1"), DS_S(""));
	assert_int_equal(c->n, 2);
	ds_chain *twice = ds_chain_merge(mem, (ds_chain *[]){ c, c }, 2);
	assert_int_equal(twice->n, 2);
	assert_int_equal(twice->stages[0].branches[0]->stages[0].records_in, 10);
	assert_int_equal(c->stages[0].branches[0]->stages[0].records_in, 5);
}

TESTS(cmocka_unit_test(a_chain_is_read_as_it_was_printed),
	cmocka_unit_test(what_is_no_chain_is_refused),
	cmocka_unit_test(equal_chains_count_once_and_add_up),
	cmocka_unit_test(different_chains_become_branches_of_the_next_stage))
