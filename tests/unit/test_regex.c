/*
 * test_regex.c - expressions, replacements, limits, the literal that is looked for first
 */
#include "test.h"

#include <stdio.h>

#include "text/regex.h"

static ds_arena *mem;

static int set_up(void **state)
{
	mem = ds_arena_new(1 << 16);
	return 0;
}

static int tear_down(void **state)
{
	ds_arena_free(mem);
	return 0;
}

static void subst(const char *expression, const char *text, const char *want)
{
	DS_AUTO(ds_regex) r = NULL;
	ds_err e;
	ds_str out;
	size_t n;
	assert_int_equal(ds_regex_parse_subst(&r, ds_str_of(expression), &e), DS_OK);
	ds_regex_run *run = ds_regex_run_new(r);
	assert_int_equal(ds_regex_subst(run, ds_str_of(text), mem, &out, &n, &e), DS_OK);
	ds_regex_run_free(run);
	ds_str copy = ds_arena_str(mem, out);
	assert_string_equal(copy.at, want);
}

static void substitutes_as_perl_does(void **state)
{
	subst("s/b/x/", "abab", "axab");
	subst("s/b/x/g", "abab", "axax");
	subst("s/price: (\\d+) usd/$1 dollars/i", "Price: 10 USD", "10 dollars");
	subst("s/(?<a>.)(.)/${a}-$2-\\1$$&/", "xy", "x-y-x$&");
	subst("s|/a\\|b|[$&]|", "/a|b", "[/a|b]");
	subst("s,\\s+,\\n\\t\\\\,g", "a  b c", "a\n\t\\b\n\t\\c");
	subst("s/x*/-/g", "abc", "-a-b-c-");
	subst("s/x*/-/g", "", "-");
	subst("s/^/> /gm", "a\nb", "> a\n> b");
	subst("s/a.b/x/s", "a\nb", "x");
	subst("s/a b # c/x/x", "ab", "x");
	subst("s/\\w+/W/g", "\xe4\xb8\xad\xe6\x96\x87 \xc3\xa9t\xc3\xa9", "W W");
	subst("s/./x/g", "\xff\xe4\xb8\xad", "\xffx");
	subst("s/(a)|b/[$1]/g", "ab", "[a][]");
	subst("s/(?<!\\d)\\d{3}-(\\d)/<$1>/g", "x 123-4, 1123-4 \xd9\xa1\xd9\xa2\xd9\xa3-5",
		"x <4>, 1123-4 <5>");
	subst("s/\\b\\d+/n/g", "a1 22 \xef\xbc\x91", "a1 n n");
	subst("s/\\d{0,2}-/n/g", "--", "nn");
	subst("s/\\d|b/n/", "ab", "an");
	subst("s/foo(?=bar)/x/", "foobar", "xbar");
}

static void refused(const char *expression, const char *words)
{
	ds_regex *r = NULL;
	ds_err e;
	assert_int_equal(ds_regex_parse_subst(&r, ds_str_of(expression), &e), DS_USAGE);
	if (!strstr(e.msg, words))
		fail_msg("'%s' lacks '%s'", e.msg, words);
}

static void what_is_wrong_is_named(void **state)
{
	refused("", "it is s/");
	refused("s", "it is s/");
	refused("s/", "it is s/");
	refused("s/a", "missing");
	refused("s/a/b", "missing");
	refused("y/a/b/", "it is s/");
	refused("s/a/b/q", "flag 'q'");
	refused("s/(a/b/", "missing");
	refused("s/(a/b/g", "parenthesis");
	refused("s/a/$1/", "group '1'");
	refused("s/(a)/${b}/", "group 'b'");
	refused("s/(a)/${1/", "without '}'");
	refused("s/a/\\q/", "means nothing");
	refused("s//x/", "empty");
}

static void found(const char *expression, const char *text, bool want)
{
	DS_AUTO(ds_regex) r = NULL;
	ds_err e;
	bool yes;
	assert_int_equal(ds_regex_parse(&r, ds_str_of(expression), &e), DS_OK);
	ds_regex_run *run = ds_regex_run_new(r);
	assert_int_equal(ds_regex_find(run, ds_str_of(text), &yes, &e), DS_OK);
	ds_regex_run_free(run);
	assert_int_equal(yes, want);
}

static void finds(void **state)
{
	found("a.c", "xabcx", true);
	found("/A.C/i", "xabcx", true);
	found("/A.C/", "xabcx", false);
	found("/usr/lib9", "x/usr/lib9", true);
	found("literal", "no such thing", false);
	found("^$", "", true);
	found("foo|bar", "a bar", true);
	found("foo|bar", "a baz", false);
	found("/hello world/i", "- HELLO World", true);
	found("/\\bmask\\b/i", "MA\xc5\xbf\xe2\x84\xaa", true);
}

static void a_bomb_is_an_error_and_no_hang(void **state)
{
	static const char *const bombs[] = { "s/(a+)+$/x/", "s/(a|aa)+!!$//",
		"s/^(([a-z])+.)+[A-Z]([a-z])+$//", "s/(.*)*(.*)*(.*)*y//", "s/(x+x+)+y/z/" };
	enum { N = 50000 };
	char *text = ds_arena_bytes(mem, N + 1);
	memset(text, 'a', N);
	text[N] = '!';
	for (size_t i = 0; i < sizeof(bombs) / sizeof(*bombs); i++) {
		DS_AUTO(ds_regex) r = NULL;
		ds_err e;
		ds_str out;
		size_t n;
		assert_int_equal(ds_regex_parse_subst(&r, ds_str_of(bombs[i]), &e), DS_OK);
		ds_regex_run *run = ds_regex_run_new(r);
		ds_rc rc = ds_regex_subst(run, (ds_str){ text, N + 1 }, mem, &out, &n, &e);
		ds_regex_run_free(run);
		if (rc != DS_OK)
			assert_non_null(strstr(e.msg, "over the match"));
	}
}

static void literal(const char *expression, const char *want)
{
	DS_AUTO(ds_regex) r = NULL;
	ds_err e;
	assert_int_equal(ds_regex_parse(&r, ds_str_of(expression), &e), DS_OK);
	ds_str copy = ds_arena_str(mem, ds_regex_literal(r, 0));
	assert_string_equal(copy.at, want);
}

static void the_literal_is_one_that_every_match_has(void **state)
{
	literal("hello", "hello");
	literal("hello+x", "hello");
	literal("hello?x", "hell");
	literal("abcd*efgh", "efgh");
	literal("abc{0,3}def", "def");
	literal("a(bcdef)ghi", "ghi");
	literal("a(b|c[)]d)(?:x)ghi\\.j", "ghi.j");
	literal("foo|bar", "foo");
	literal("(foo|bar)", "");
	literal("hello{5|bye", "");
	literal("(?i)hello", "hello");
	literal("/HeLLo1?/i", "hello");
	literal("/ask me/i", " me");
	literal("/caf\xc3\xa9 aux/i", " aux");
	literal("hello|by", "");
	literal("\\x{fffc}", "\xef\xbf\xbc");
	literal("abc\\x{fffc}?", "abc");
	literal("a(?i)bcd", "");
	literal("[abc]hello[^]]x", "hello");
	literal("\\Qhello\\E", "");
	literal("\\x41hello", "");
	literal("\\bhello\\b", "hello");
	literal("h\xc3\xa9llo\xc3\xa9?", "h\xc3\xa9llo");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
TESTS(T(substitutes_as_perl_does), T(what_is_wrong_is_named), T(finds),
	T(a_bomb_is_an_error_and_no_hang), T(the_literal_is_one_that_every_match_has))
