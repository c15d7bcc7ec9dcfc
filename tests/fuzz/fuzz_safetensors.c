/* fuzz_safetensors.c - any bytes as a safetensors file: refused, or every tensor can be read */
#include "fuzz.h"

#include "model/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_st) s = NULL;
	ds_err e;
	if (ds_st_view(&s, (ds_str){ (const char *)data, n }, &e) != DS_OK)
		return 0;
	for (size_t i = 0; i < ds_st_n(s); i++) {
		const ds_st_tensor *t = ds_st_at(s, i);
		char shape[128];
		float last;
		ds_st_shape(t, shape);
		if (ds_st_count(t) > 0)
			(void)!ds_st_floats(t, ds_st_count(t) - 1, 1, &last, &e);
		if (!ds_st_find(s, t->name))
			abort();
	}
	return 0;
}
