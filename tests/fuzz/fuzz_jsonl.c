/*
 * fuzz_jsonl.c - any bytes as --from jsonl; the same records are good with and without an index
 *
 * In one block a single open string keeps simdjson from indexing, so all lines are scanned; in blocks
 * of one byte each line has an index of its own.
 */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *block = fuzz_block(&data, &n);
	fuzz_result one = fuzz_import("jsonl", data, n, block, (ds_input_opts){ 0 });
	fuzz_result all = fuzz_import("jsonl", data, n, "16384", (ds_input_opts){ 0 });
	if (one.rc != all.rc || one.rows != all.rows || one.bad != all.bad)
		abort();
	return 0;
}
