#include "test.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>

static ds_rc inner(ds_err *e)
{
	return ds_fail(e, DS_BAD, "column %u: %zu bytes", 3u, (size_t)9000);
}

static ds_rc outer(ds_err *e)
{
	DS_TRY_AT(inner(e), e, "%s: block %u", "a.dsr", 12u);
	return DS_OK;
}

static void where_is_put_before_what(void **state)
{
	ds_err e;
	assert_int_equal(outer(&e), DS_BAD);
	assert_string_equal(e.msg, "a.dsr: block 12: column 3: 9000 bytes");
}

static void errno_is_read_before_it_changes(void **state)
{
	ds_err e;
	errno = ENOSPC;
	assert_int_equal(ds_fail_errno(&e, "cannot write %s", "x"), DS_IO);
	assert_string_equal(e.msg, "cannot write x: No space left on device");
	errno = EPIPE;
	assert_int_equal(ds_fail_errno(&e, "cannot write"), DS_PIPE);
}

static void a_message_is_one_line(void **state)
{
	ds_err e;
	(void)ds_fail(&e, DS_BAD,
		"a\nb\tc\x7f"
		"d");
	assert_string_equal(e.msg, "a?b?c?d");
}

static void what_a_terminal_would_obey_is_not_in_a_message(void **state)
{
	static const char *const pairs[][2] = {
		{ "\x1b[31mred\x1b]0;t\x07", "?[31mred?]0;t?" },
		{ "caf\xe9, caf\xc3\xa9, \xe4\xb8\xad\xf0\x9f\x98\x80",
			"caf?, caf\xc3\xa9, \xe4\xb8\xad\xf0\x9f\x98\x80" },
		{ "\xc2\x9b 2J \xe2\x80\xae txt.exe \xe2\x80\xa8|\xe2\x81\xa6",
			"? 2J ? txt.exe ?|?" },
		{ "\xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe4\xb8", "?? ??? ???? ??" },
		{ "\xff\xfe \x80", "?? ?" },
	};
	ds_err e;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		(void)ds_fail(&e, DS_BAD, "%s", pairs[i][0]);
		assert_string_equal(e.msg, pairs[i][1]);
		(void)ds_at(&e, DS_BAD, "%s", pairs[i][0]);
		assert_memory_equal(e.msg, pairs[i][1], strlen(pairs[i][1]));
	}
}

static void a_long_message_is_cut_between_characters(void **state)
{
	ds_err e;
	char text[3000];
	for (size_t lead = 0; lead < 3; lead++) {
		memset(text, 'a', lead);
		for (size_t i = lead; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe4\xb8\xad", 4);
		(void)ds_fail(&e, DS_BAD, "%s", text);
		size_t n = strlen(e.msg);
		assert_true(n < DS_ERR_BYTES);
		assert_string_equal(e.msg + n - 3, "...");
		assert_int_equal((n - 3 - lead) % 3, 0);
	}
}

static void a_long_where_keeps_the_message_whole_lines(void **state)
{
	ds_err e;
	char text[2000];
	memset(text, 'w', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)ds_fail(&e, DS_SHORT, "what");
	assert_int_equal(ds_at(&e, DS_SHORT, "%s", text), DS_SHORT);
	assert_int_equal(strlen(e.msg), DS_ERR_BYTES - 1);
}

TESTS(cmocka_unit_test(where_is_put_before_what), cmocka_unit_test(errno_is_read_before_it_changes),
	cmocka_unit_test(a_message_is_one_line),
	cmocka_unit_test(what_a_terminal_would_obey_is_not_in_a_message),
	cmocka_unit_test(a_long_message_is_cut_between_characters),
	cmocka_unit_test(a_long_where_keeps_the_message_whole_lines))
