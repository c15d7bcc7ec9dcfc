/*
 * fuzz_labelmap.c - a map of labels of any bytes, and some values looked up in it
 */
#include "fuzz.h"

#include "../../tools/clean/labelmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const values[] = { "", "a", "4", "-1e3", "\xe7\xa7\xaf\xe6\x9e\x81",
		"b c" };
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	DS_AUTO(labelmap) map = NULL;
	ds_err e;
	if (n > 65536 || labelmap_read(&map, "map", (ds_str){ (const char *)data, n }, &e) != DS_OK)
		return 0;
	labelmap_run *run = labelmap_run_new(map);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		ds_str name;
		bool found;
		rule_value v = { RULE_VALUE_TEXT, ds_str_of(values[i]), 0 };
		if (labelmap_find(run, &v, mem, &name, &found, &e) != DS_OK)
			continue;
		v = (rule_value){ RULE_VALUE_NUMBER, ds_str_of("7"), 7 };
		(void)!labelmap_find(run, &v, mem, &name, &found, &e);
	}
	labelmap_run_free(run);
	return 0;
}
