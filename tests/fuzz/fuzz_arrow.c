/* fuzz_arrow.c - any bytes as --from arrow */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	fuzz_most_chunks = 200;
	fuzz_import("arrow", data, n, block, (ds_input_opts){ 0 });
	return 0;
}
