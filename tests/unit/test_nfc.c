/*
 * test_nfc.c - NFC changes what it must and no other byte
 */
#include "test.h"

#include "base/arena.h"
#include "text/unicode.h"

static void becomes(const char *from, const char *to)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_str got = ds_nfc(ds_str_of(from), mem);
	assert_int_equal(got.n, strlen(to));
	assert_memory_equal(got.at, to, got.n);
}

static void composes_where_it_can(void **state)
{
	becomes("e\xcc\x81", "\xc3\xa9");
	becomes("plain e\xcc\x81 and a\xcc\x8a.", "plain \xc3\xa9 and \xc3\xa5.");
	becomes("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"); /* three jamo */
	becomes("q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87");               /* marks in their order */
	becomes("\xe2\x84\xab", "\xc3\x85");                             /* angstrom sign */
	becomes("\xcc\x81", "\xcc\x81");
}

static void leaves_the_rest(void **state)
{
	becomes("", "");
	becomes("ascii", "ascii");
	becomes("\xc3\xa9\xe6\xbc\xa2\xed\x95\x9c", "\xc3\xa9\xe6\xbc\xa2\xed\x95\x9c");
	becomes("\xff"
		"e\xcc\x81\xfe\xcc\x81",
		"\xff\xc3\xa9\xfe\xcc\x81"); /* nothing joins a bad byte */
	becomes("\xed\xa0\x80"
		"e\xcc\x81",
		"\xed\xa0\x80\xc3\xa9");
}

static void long_runs_of_marks_are_fine(void **state)
{
	static char text[200001];
	text[0] = 'x';
	for (size_t i = 1; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, i % 4 == 1 ? "\xcc\xa3" : "\xcc\x80", 2);
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_str got = ds_nfc((ds_str){ text, 200001 }, mem);
	assert_true(got.n > 190000);
	assert_memory_equal(got.at + 3, "\xcc\xa3\xcc\xa3", 2);
}

TESTS(cmocka_unit_test(composes_where_it_can), cmocka_unit_test(leaves_the_rest),
	cmocka_unit_test(long_runs_of_marks_are_fine))
