/* fuzz_config.c - any bytes as config.json: refused, or what is written back reads as the same */
#include "fuzz.h"

#include "base/arena.h"
#include "model/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_config c, again;
	ds_err e;
	ds_buf out = { 0 };
	if (ds_config_parse(&c, (ds_str){ (const char *)data, n }, false, mem, &e) != DS_OK ||
		ds_config_finish(&c, &e) != DS_OK)
		return 0;
	ds_config_print(&c, &out);
	if (ds_config_parse(&again, ds_buf_view(&out), false, mem, &e) != DS_OK ||
		ds_config_finish(&again, &e) != DS_OK)
		abort();
	for (const ds_key *k = ds_config_keys; k->name; k++)
		if (!ds_key_equal(k, &c, &again))
			abort();
	ds_buf_free(&out);
	return 0;
}
