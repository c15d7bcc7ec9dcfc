/* fuzz_text.c - any bytes as --from text: lines, paragraphs, the whole, small --max-record */
#include "fuzz_import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const splits[] = { NULL, "line", "para", "file" };
	const char *block = fuzz_block(&data, &n);
	unsigned k = n ? *data : 0;
	fuzz_import("text", data, n, block,
		(ds_input_opts){ .split = splits[k & 3], .max_record = k & 4 ? 40 : 0 });
	return 0;
}
