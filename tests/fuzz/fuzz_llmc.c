/* fuzz_llmc.c - any bytes as --from llmc */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	fuzz_import("llmc", data, n, block, (ds_input_opts){ 0 });
	return 0;
}
