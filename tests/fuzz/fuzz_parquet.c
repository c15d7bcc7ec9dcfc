/* fuzz_parquet.c - any bytes as --from parquet */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	fuzz_most_chunks = 200;
	fuzz_import("parquet", data, n, block, (ds_input_opts){ 0 });
	return 0;
}
