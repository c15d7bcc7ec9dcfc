/*
 * test.h - cmocka with what it needs, in the order it needs it
 */
#ifndef DS_TESTS_UNIT_TEST_H
#define DS_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TESTS(...) \
	int main(void) \
	{ \
		const struct CMUnitTest tests[] = { __VA_ARGS__ }; \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

/* Compares a ds_str with a literal. */
#define assert_str(s, literal) \
	do { \
		ds_str assert_str_is = (s); \
		assert_int_equal(assert_str_is.n, sizeof(literal) - 1); \
		assert_memory_equal(assert_str_is.at, literal, sizeof(literal) - 1); \
	} while (0)

#endif
