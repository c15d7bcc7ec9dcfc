/* fuzz_warc.c - any bytes as --from warc, other media than text wanted and not */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	ds_input_opts c = { .media = n && *data / 6 % 2 ? "all" : NULL };
	const char *block = fuzz_block(&data, &n);
	fuzz_import("warc", data, n, block, c);
	return 0;
}
