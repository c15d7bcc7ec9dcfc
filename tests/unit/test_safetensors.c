/* test_safetensors.c - weights in files, well-formed and hostile */
#include "test.h"

#include "model/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static ds_rc view(const char *header, size_t data_bytes, ds_err *e)
{
	ds_buf file = { 0 };
	uint64_t n = strlen(header);
	char zero[64] = { 0 };
	DS_AUTO(ds_st) s = NULL;
	ds_buf_add(&file, &n, 8);
	ds_buf_add_c(&file, header);
	ds_buf_add(&file, zero, data_bytes);
	ds_rc rc = ds_st_view(&s, ds_buf_view(&file), e);
	ds_buf_free(&file);
	return rc;
}

static void what_is_written_reads_back(void **state)
{
	char path[] = "/tmp/ds-st-XXXXXX";
	float w[6] = { 1, -2.5f, 0, 1e-8f, INFINITY, 65504 }, got[6];
	ds_err e;
	close(mkstemp(path));
	for (int type = DS_ST_F32; type <= DS_ST_F16; type++) {
		ds_st_item items[] = { { "z.weight", 2, { 2, 2 }, w, 3 },
			{ "a\"b", 1, { 6 }, w, 0 }, { "none", 2, { 0, 4 }, w, 0 } };
		DS_AUTO(ds_st) s = NULL;
		assert_int_equal(ds_st_write(path, items, 3, (ds_st_type)type, &e), DS_OK);
		assert_int_equal(ds_st_open(&s, path, &e), DS_OK);
		assert_int_equal(ds_st_n(s), 3);
		const ds_st_tensor *z = ds_st_find(s, DS_S("z.weight"));
		const ds_st_tensor *a = ds_st_find(s, DS_S("a\"b"));
		assert_non_null(z);
		assert_non_null(a);
		assert_null(ds_st_find(s, DS_S("b")));
		assert_int_equal(z->type, type);
		assert_int_equal(ds_st_count(z), 4);
		assert_int_equal(ds_st_floats(a, 0, 6, got, &e), DS_OK);
		assert_true(got[0] == 1 && got[1] == -2.5f && got[2] == 0 && isinf(got[4]));
		assert_int_equal(ds_st_floats(z, 2, 2, got, &e), DS_OK);
		assert_true(
			type != DS_ST_F32 || got[0] == 1e-8f); /* the second row begins at w[3] */
	}
	unlink(path);
}

static void every_half_reads_back_as_itself(void **state)
{
	char path[] = "/tmp/ds-st-XXXXXX";
	static float in[65536], out[65536];
	static uint16_t bits[65536];
	ds_err e;
	ds_buf file = { 0 };
	char head[128];
	uint64_t n;
	close(mkstemp(path));
	for (int i = 0; i < 65536; i++)
		bits[i] = (uint16_t)i;
	snprintf(head, sizeof(head),
		"{\"h\":{\"dtype\":\"F16\",\"shape\":[65536],\"data_offsets\":[0,131072]}}");
	n = strlen(head);
	ds_buf_add(&file, &n, 8);
	ds_buf_add_c(&file, head);
	ds_buf_add(&file, bits, sizeof(bits));
	DS_AUTO(ds_st) a = NULL;
	DS_AUTO(ds_st) b = NULL;
	assert_int_equal(ds_st_view(&a, ds_buf_view(&file), &e), DS_OK);
	assert_int_equal(ds_st_floats(ds_st_at(a, 0), 0, 65536, in, &e), DS_OK);
	ds_st_item item = { "h", 1, { 65536 }, in, 0 };
	assert_int_equal(ds_st_write(path, &item, 1, DS_ST_F16, &e), DS_OK);
	assert_int_equal(ds_st_open(&b, path, &e), DS_OK);
	assert_int_equal(ds_st_floats(ds_st_at(b, 0), 0, 65536, out, &e), DS_OK);
	for (int i = 0; i < 65536; i++)
		assert_true((isnan(in[i]) && isnan(out[i])) ||
			    (in[i] == out[i] && signbit(in[i]) == signbit(out[i])));
	ds_buf_free(&file);
	unlink(path);
}

static void hostile_headers_are_refused_and_named(void **state)
{
	static const struct {
		const char *header;
		size_t data;
		ds_rc rc;
		const char *says;
	} cases[] = {
		{ "{}", 0, DS_OK, NULL },
		{ "{}", 4, DS_BAD, "4 bytes after the last tensor" },
		{ "[]", 0, DS_BAD, "the header is not a JSON object" },
		{ "{\"a\":1}", 0, DS_BAD, "tensor 'a': not an object" },
		{ "{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, DS_BAD,
			"tensor 'a': dtype 'F33' is not known" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, DS_BAD,
			"tensor 'a': data_offsets [4, 0] run backwards" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, DS_BAD,
			"tensor 'a': 4 bytes of data, its shape needs 8" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, DS_SHORT,
			"tensor 'a': its data ends at byte 8, the file has 4" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, DS_BAD,
			"tensor 'a': 'shape' holds something else than whole numbers" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4611686018427387904],"
		  "\"data_offsets\":[0,0]}}",
			0, DS_BAD, "tensor 'a': the shape's size does not fit into 63 bits" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
		  "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
			4, DS_BAD, "tensor 'b' overlaps another at byte 0 of the data" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, DS_BAD,
			"tensor 'a' leaves a gap before it at byte 4 of the data" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, DS_BAD,
			"tensor 'a': 'data_offsets' has 1 numbers, wanted 2" },
		{ "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}"
		  "}",
			4, DS_BAD, "tensor 'a': 'shape' has 9 numbers, the limit is 8" },
		{ "{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, DS_BAD,
			"the header is no UTF-8 at its byte 3" },
		{ "{\"__metadata__\":{\"by\":\"\xc3\"}}", 0, DS_BAD,
			"the header is no UTF-8 at its byte 23" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ds_err e;
		assert_int_equal(view(cases[i].header, cases[i].data, &e), cases[i].rc);
		if (cases[i].says)
			assert_string_equal(e.msg, cases[i].says);
	}
}

static void short_files_and_absurd_sizes_are_refused(void **state)
{
	DS_AUTO(ds_st) s = NULL;
	ds_err e;
	uint64_t sizes[] = { UINT64_MAX, (uint64_t)1 << 62, DS_ST_MAX_HEADER + 1 };
	assert_int_equal(ds_st_view(&s, DS_S(""), &e), DS_SHORT);
	assert_int_equal(ds_st_view(&s, DS_S("1234567"), &e), DS_SHORT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ds_st_view(&s, (ds_str){ (char *)&sizes[i], 8 }, &e), DS_BAD);
	assert_int_equal(ds_st_view(&s, DS_S("\x09\0\0\0\0\0\0\0{}"), &e), DS_SHORT);
	assert_int_equal(view("{\"a\":", 0, &e), DS_BAD);
	assert_int_equal(ds_st_open(&s, "/nonexistent/x", &e), DS_IO);
	assert_int_equal(ds_st_open(&s, "/tmp", &e), DS_IO);
	assert_int_equal(ds_st_open(&s, "/dev/null", &e), DS_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(every_half_reads_back_as_itself),
		cmocka_unit_test(hostile_headers_are_refused_and_named),
		cmocka_unit_test(short_files_and_absurd_sizes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
