/* fuzz_recognize.c - any bytes without a name: known by their first ones, then read */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	ds_json_shape_of((ds_str){ (const char *)data, n }, n % 2);
	fuzz_import(NULL, data, n, block, (ds_input_opts){ 0 });
	return 0;
}
