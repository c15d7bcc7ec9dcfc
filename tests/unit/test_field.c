/* test_field.c - paths into records: what they find, and that what is put back changes nothing else */
#include "test.h"

#include "record/field.h"

typedef struct {
	const char *path, *json; /* of the column m */
	const char *texts;       /* joined by |; NULL: a record error */
	const char *after;       /* every text with its own twice; NULL: the same */
} row;

static const row rows[] = {
	{ "m", "\"a\"", "a", "\"aa\"" },
	{ "m", "[\"a\",1,\"b\"]", "a|b", "[\"aa\",1,\"bb\"]" },
	{ "m", "null", "", NULL },
	{ "m", "5", NULL, NULL },
	{ "m", "{\"a\":1}", NULL, NULL },
	{ "m.a", "{\"a\":\"x\",\"n\":1.50}", "x", "{\"a\":\"xx\",\"n\":1.50}" },
	{ "m.a", "{ \"z\" : [ ] , \"a\" : \"x\" }", "x", "{ \"z\" : [ ] , \"a\" : \"xx\" }" },
	{ "m.a", "{\"b\":\"x\"}", "", NULL },
	{ "m.a", "{\"\\u0061\":\"x\"}", "x", "{\"\\u0061\":\"xx\"}" },
	{ "m.a.b", "{\"a\":{\"b\":\"x\"}}", "x", "{\"a\":{\"b\":\"xx\"}}" },
	{ "m.a.b", "{\"a\":[{\"b\":\"x\"}]}", "", NULL },
	{ "m.a[].b", "{\"a\":[{\"b\":\"x\"},{},{\"b\":null},{\"b\":\"y\"}]}", "x|y",
		"{\"a\":[{\"b\":\"xx\"},{},{\"b\":null},{\"b\":\"yy\"}]}" },
	{ "m[1]", "[\"a\",\"b\",\"c\"]", "b", "[\"a\",\"bb\",\"c\"]" },
	{ "m[0].b", "[{\"b\":\"x\"},{\"b\":\"y\"}]", "x", "[{\"b\":\"xx\"},{\"b\":\"y\"}]" },
	{ "m[].c", "[{\"c\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image\",\"n\":1}]}]",
		"x",
		"[{\"c\":[{\"type\":\"text\",\"text\":\"xx\"},{\"type\":\"image\",\"n\":1}]}]" },
	{ "m.a", "{\"a\":\"\\\"q\\\"\\n\"}", "\"q\"\n", "{\"a\":\"\\\"q\\\"\\n\\\"q\\\"\\n\"}" },
	{ "m.a\\.b", "{\"a.b\":\"x\"}", "x", "{\"a.b\":\"xx\"}" },
	{ "m.a", "{\"a\":true}", NULL, NULL },
	{ "m.a", "{\"a\":\"x\"", NULL, NULL },
	{ "m.a", "{\"b\":\"a\":\"x\"}", NULL, NULL },
};

static ds_block *block_of(ds_arena *mem, const char *json)
{
	ds_err e;
	ds_block *b = ds_block_new(mem, 2);
	ds_colb *c = ds_colb_new(b, "m", DS_T_JSON);
	ds_colb_bytes(c, ds_str_of(json));
	ds_colb_absent(c);
	assert_int_equal(ds_colb_put(c, &e), DS_OK);
	return b;
}

static void check_row(const row *r)
{
	ds_arena *mem = ds_arena_new(1 << 14);
	ds_block *b = block_of(mem, r->json);
	ds_field *f;
	ds_texts t;
	ds_text_part *p;
	size_t n;
	ds_err e;
	const ds_col *c;
	ds_buf got = { 0 };
	ds_field_count count = { 0 };
	assert_int_equal(ds_field_new(&f, &r->path, 1, &e), DS_OK);
	assert_int_equal(ds_texts_open(&t, f, b, &count, &e), DS_OK);
	ds_rc rc = ds_texts_parts(&t, 0, &p, &n, &e);
	assert_int_equal(rc, r->texts ? DS_OK : DS_BAD);
	for (size_t i = 0; rc == DS_OK && i < n; i++) {
		ds_buf_fmt(&got, "%s%.*s", i ? "|" : "", DS_FMT(p[i].text));
		p[i].now = ds_arena_fmt(mem, "%.*s%.*s", DS_FMT(p[i].text), DS_FMT(p[i].text));
	}
	if (rc == DS_OK) {
		assert_string_equal(ds_buf_text(&got), r->texts);
		ds_texts_put(&t, 0, p, n);
		assert_int_equal(ds_texts_parts(&t, 1, &p, &n, &e), DS_OK);
		assert_int_equal(n, 0);
		ds_texts_put(&t, 1, p, n);
		assert_int_equal(ds_texts_finish(&t, &e), DS_OK);
		assert_int_equal(ds_block_get(b, "m", &c, &e), DS_OK);
		ds_str now = ds_col_bytes(c, 0);
		assert_string_equal(ds_arena_str(mem, now).at, r->after ? r->after : r->json);
		assert_false(ds_col_has(c, 1));
		assert_int_equal(count.n_without, 1 + !*r->texts);
	}
	ds_buf_free(&got);
	ds_field_free(f);
	ds_arena_free(mem);
}

static void finds_and_puts_back(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(&rows[i]);
}

static void a_whole_name_comes_first(void **state)
{
	ds_arena *mem = ds_arena_new(1 << 14);
	ds_block *b = block_of(mem, "{\"x\":\"inner\"}");
	const char *path = "m.x";
	ds_field *f;
	ds_texts t;
	ds_str text;
	bool has;
	ds_err e;
	ds_colb *c = ds_colb_new(b, "m.x", DS_T_UTF8);
	ds_colb_bytes(c, DS_S("outer"));
	ds_colb_null(c);
	assert_int_equal(ds_colb_put(c, &e), DS_OK);
	assert_int_equal(ds_field_new(&f, &path, 1, &e), DS_OK);
	assert_int_equal(ds_texts_open(&t, f, b, NULL, &e), DS_OK);
	assert_non_null(t.whole);
	assert_int_equal(ds_texts_get(&t, 0, &text, &has, &e), DS_OK);
	assert_true(has && ds_str_is(text, "outer"));
	assert_int_equal(ds_texts_get(&t, 1, &text, &has, &e), DS_OK);
	assert_false(has);
	ds_field_free(f);
	ds_arena_free(mem);
}

static void several_are_joined_and_overlaps_written_once(void **state)
{
	ds_arena *mem = ds_arena_new(1 << 14);
	ds_block *b = block_of(mem, "[\"a\",\"b\"]");
	const char *paths[] = { "m[1]", "t", "m[]", "t" };
	ds_field *f;
	ds_texts t;
	ds_text_part *p;
	ds_str text;
	size_t n;
	bool has;
	ds_err e;
	const ds_col *col;
	ds_colb *c = ds_colb_new(b, "t", DS_T_UTF8);
	ds_colb_bytes(c, DS_S("title"));
	ds_colb_absent(c);
	assert_int_equal(ds_colb_put(c, &e), DS_OK);
	assert_int_equal(ds_field_new(&f, paths, 4, &e), DS_OK);
	assert_string_equal(ds_field_name(f), "m[1], t, m[]");
	assert_int_equal(ds_texts_open(&t, f, b, NULL, &e), DS_OK);
	assert_int_equal(ds_texts_get(&t, 0, &text, &has, &e), DS_OK);
	assert_true(has && ds_str_is(text, "b\ntitle\na\nb"));
	assert_int_equal(ds_texts_parts(&t, 0, &p, &n, &e), DS_OK);
	for (size_t i = 0; i < n; i++)
		p[i].now = DS_S("x");
	ds_texts_put(&t, 0, p, n);
	ds_texts_put(&t, 1, NULL, 0);
	assert_int_equal(ds_texts_finish(&t, &e), DS_OK);
	assert_int_equal(ds_block_get(b, "m", &col, &e), DS_OK);
	assert_true(ds_str_is(ds_col_bytes(col, 0), "[\"x\",\"x\"]"));
	assert_int_equal(ds_block_get(b, "t", &col, &e), DS_OK);
	assert_true(ds_str_is(ds_col_bytes(col, 0), "x") && !ds_col_has(col, 1));
	ds_field_free(f);
	ds_arena_free(mem);
}

static void names_what_there_is(void **state)
{
	ds_arena *mem = ds_arena_new(1 << 14);
	ds_block *b = block_of(mem, "[{\"role\":\"u\",\"n\":{\"k\":\"v\"}},{\"content\":\"c\"}]");
	ds_field_names names = { 0 };
	ds_err e;
	ds_colb *c = ds_colb_new(b, "id", DS_T_I64);
	ds_colb_i64(c, 1);
	ds_colb_i64(c, 2);
	assert_int_equal(ds_colb_put(c, &e), DS_OK);
	assert_int_equal(ds_field_names_add(&names, b, &e), DS_OK);
	assert_int_equal(ds_field_missing("text", &names, "--field", &e), DS_BAD);
	assert_string_equal(e.msg,
		"no record has the field 'text'; there are m[].role, m[].n.k, m[].content, id "
		"(--field names another)");
	ds_field_names_free(&names);
	ds_arena_free(mem);
}

static void paths_that_are_none(void **state)
{
	static const char *const bad[] = { "", ".", "a.", "a..b", "a[", "a[x]", "a[-1]", "[]",
		"[0]", "a[].", "a.[]" };
	ds_field *f;
	ds_err e;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (ds_field_new(&f, &bad[i], 1, &e) != DS_USAGE)
			fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_and_puts_back),
		cmocka_unit_test(a_whole_name_comes_first),
		cmocka_unit_test(several_are_joined_and_overlaps_written_once),
		cmocka_unit_test(names_what_there_is),
		cmocka_unit_test(paths_that_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
