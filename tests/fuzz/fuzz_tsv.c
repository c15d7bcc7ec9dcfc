/* fuzz_tsv.c - any bytes as --from tsv, with and without --tsv-escapes and --columns */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	unsigned k = n ? *data : 0;
	fuzz_import("tsv", data, n, block,
		(ds_input_opts){ .tsv_escapes = k & 1, .columns = k & 2 ? "a,b" : NULL });
	return 0;
}
