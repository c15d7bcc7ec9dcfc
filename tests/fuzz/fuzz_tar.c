/* fuzz_tar.c - any bytes as --from tar */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	fuzz_import("tar", data, n, block, (ds_input_opts){ 0 });
	return 0;
}
