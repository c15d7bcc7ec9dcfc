/* test_keys.c - settings by name */
#include "test.h"

#include "model/keys.h"

typedef struct {
	int64_t steps, every;
	double rate;
	bool on;
	int kind;
	const char *text;
} opts;
#define AT(f) offsetof(opts, f)
static const ds_key table[] = {
	{ "max_steps", { "steps" }, DS_KEY_I64, AT(steps), 0, 1000000, NULL, "" },
	{ "eval_every", { 0 }, DS_KEY_I64, AT(every), 1, 100, "epoch", "" },
	{ "lr", { "learning_rate" }, DS_KEY_F64, AT(rate), 0, 10, NULL, "" },
	{ "on", { 0 }, DS_KEY_BOOL, AT(on), 0, 0, NULL, "" },
	{ "kind", { 0 }, DS_KEY_CHOICE, AT(kind), 0, 0, "linear|cosine", "" },
	{ "text", { 0 }, DS_KEY_TEXT, AT(text), 0, 0, NULL, "" },
	{ 0 },
};

typedef struct {
	opts o;
	ds_arena *mem;
} setting;

static bool known(void *context, ds_str name)
{
	return ds_key_find(table, name) != NULL;
}

static ds_rc set(void *context, ds_str name, ds_str value, ds_err *e)
{
	setting *s = context;
	const ds_key *k = ds_key_find(table, name);
	if (!k)
		return ds_fail(e, DS_USAGE, "unknown key '%.*s', nearest '%s'", DS_FMT(name),
			ds_key_nearest(table, NULL, name));
	return ds_key_set(k, &s->o, value, s->mem, e);
}

static ds_rc pairs(setting *s, const char *text, ds_err *e)
{
	return ds_pairs_each(ds_str_of(text), known, set, s, e);
}

static void a_comma_starts_a_pair_only_before_a_known_key(void **state)
{
	setting s = { .mem = ds_arena_new(100) };
	ds_err e;
	assert_int_equal(pairs(&s, "text=a=1,b=2,steps=7, lr = 1e-3", &e), DS_OK);
	assert_string_equal(s.o.text, "a=1,b=2");
	assert_int_equal(s.o.steps, 7);
	assert_true(s.o.rate == 1e-3);
	ds_arena_free(s.mem);
}

static void values_are_read_by_kind(void **state)
{
	setting s = { .mem = ds_arena_new(100) };
	ds_err e;
	assert_int_equal(pairs(&s, "max-steps=1e3,eval_every=epoch,on=yes,kind=cosine", &e), DS_OK);
	assert_int_equal(s.o.steps, 1000);
	assert_int_equal(s.o.every, -1);
	assert_true(s.o.on);
	assert_int_equal(s.o.kind, 1);
	ds_arena_free(s.mem);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "max_stesp=3", "unknown key 'max_stesp', nearest 'max_steps'" },
		{ "lr=fast", "lr='fast': wanted a number" },
		{ "lr=nan", "lr='nan': wanted a number" },
		{ "max_steps=1.5", "max_steps='1.5': wanted a whole number" },
		{ "max_steps=-1", "max_steps=-1: the least is 0" },
		{ "max_steps=1000001", "max_steps=1000001: the most is 1000000" },
		{ "kind=square", "kind='square': wanted linear|cosine" },
		{ "on=maybe", "on='maybe': wanted true or false" },
		{ "lr", "--set 'lr': wanted key=value" },
		{ "", "--set '': wanted key=value" },
	};
	setting s = { .mem = ds_arena_new(100) };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ds_err e;
		assert_int_equal(pairs(&s, cases[i].text, &e), DS_USAGE);
		assert_string_equal(e.msg, cases[i].says);
	}
	ds_arena_free(s.mem);
}

static void what_is_printed_reads_back(void **state)
{
	setting a = { .mem = ds_arena_new(100) }, b = { .mem = a.mem };
	ds_err e;
	ds_buf ini = { 0 };
	assert_int_equal(
		pairs(&a, "steps=12,every=3,eval_every=epoch,lr=0.1,on=true,text=a b,c", &e),
		DS_USAGE);
	assert_int_equal(
		pairs(&a, "steps=12,eval_every=epoch,lr=0.1,on=true,text=a b,c", &e), DS_OK);
	ds_buf_add_c(&ini, "# made by a test\n[run]\n");
	for (const ds_key *k = table; k->name; k++) {
		ds_buf_fmt(&ini, "%s = ", k->name);
		ds_key_print(k, &a.o, &ini);
		ds_buf_add_c(&ini, "\r\n");
	}
	assert_int_equal(ds_ini_each(ds_buf_view(&ini), set, &b, &e), DS_OK);
	for (const ds_key *k = table; k->name; k++)
		assert_true(ds_key_equal(k, &a.o, &b.o));
	ds_buf_free(&ini);
	ds_arena_free(a.mem);
}

static void a_line_that_is_wrong_is_given_with_its_number(void **state)
{
	setting s = { .mem = ds_arena_new(100) };
	ds_err e;
	assert_int_equal(ds_ini_each(DS_S("lr = 1\n\nsteps\n"), set, &s, &e), DS_USAGE);
	assert_string_equal(e.msg, "line 3: 'steps': wanted key = value");
	assert_int_equal(ds_ini_each(DS_S("\nlr = x"), set, &s, &e), DS_USAGE);
	assert_string_equal(e.msg, "line 2: lr='x': wanted a number");
	ds_arena_free(s.mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_comma_starts_a_pair_only_before_a_known_key),
		cmocka_unit_test(values_are_read_by_kind),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(a_line_that_is_wrong_is_given_with_its_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
