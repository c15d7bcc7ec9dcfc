/* fuzz_json.c - any bytes as --from json */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	fuzz_import("json", data, n, block, (ds_input_opts){ 0 });
	return 0;
}
