/* test_lazy.c - libraries that are opened when they are first needed */
#include "test.h"

#include "base/lazy.h"

#include <math.h>
#include <string.h>

#define ONE(F) F(trunc)
DS_LAZY(there, "libm.so.6", ONE)
DS_LAZY(nowhere, "libds-nowhere.so.1", ONE)
DS_LAZY(without, "libdl.so.2", ONE)

static int n_opened;

static void opened(void)
{
	n_opened++;
}

static void functions_have_their_headers_types(void **state)
{
	ds_err e;
	assert_null(there.trunc);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ds_lazy_open_with(&there_lazy, opened, &e), DS_OK);
	assert_int_equal(n_opened, 1);
	assert_true(there.trunc(2.5) == 2);
}

static void a_library_that_is_not_there_is_named(void **state)
{
	ds_err e;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ds_lazy_open(&nowhere_lazy, &e), DS_IO);
		assert_non_null(strstr(e.msg, "cannot load libds-nowhere.so.1"));
	}
}

static void a_function_that_is_not_there_is_named(void **state)
{
	ds_err e;
	assert_int_equal(ds_lazy_open(&without_lazy, &e), DS_IO);
	assert_string_equal(e.msg, "libdl.so.2 has no trunc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_have_their_headers_types),
		cmocka_unit_test(a_library_that_is_not_there_is_named),
		cmocka_unit_test(a_function_that_is_not_there_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
