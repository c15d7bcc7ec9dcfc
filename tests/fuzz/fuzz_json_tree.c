/* fuzz_json_tree.c - any bytes as a JSON document, and what is printed is read back the same */
#include "fuzz.h"

#include "json/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	ds_arena *mem = ds_arena_new(1 << 16);
	ds_buf first = { 0 }, second = { 0 };
	const ds_json *v;
	ds_err e;
	if (ds_json_parse(&v, mem, (ds_str){ (const char *)data, n }, &e) == DS_OK) {
		ds_json_add(&first, v);
		/* Replacing what is no UTF-8 can make two keys one, and nothing else. */
		ds_rc rc = ds_json_parse(&v, mem, ds_buf_view(&first), &e);
		if (rc != DS_OK && !strstr(e.msg, "duplicate key"))
			abort();
		if (rc == DS_OK) {
			ds_json_add(&second, v);
			if (!ds_str_eq(ds_buf_view(&first), ds_buf_view(&second)))
				abort();
		}
	}
	ds_buf_free(&first);
	ds_buf_free(&second);
	ds_arena_free(mem);
	return 0;
}
