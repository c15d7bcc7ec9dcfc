/*
 * replay.c - runs a fuzz target on the files of its corpus, as a plain test
 *
 * The name of the program says which: fuzz_NAME reads tests/fuzz/corpus/NAME. Every file is also cut
 * in the middle, which costs nothing and finds what a whole input hides.
 */
#include "fuzz.h"

#include "base/io.h"
#include "base/mem.h"

#include <stdio.h>

enum { LIMIT_BYTES = 64 << 20 };

static void one(const ds_buf *bytes, size_t n)
{
	/* An allocation of its own: reading past its end is then seen by the sanitizer. */
	uint8_t *copy = ds_mem_get(n);
	if (n)
		memcpy(copy, bytes->at, n);
	LLVMFuzzerTestOneInput(copy, n);
	ds_mem_free(copy);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = (slash ? slash + 1 : argv[0]) + strlen("fuzz_");
	ds_buf folder = { 0 };
	ds_err e;
	char **names;
	ds_buf_fmt(&folder, "tests/fuzz/corpus/%s", name);
	if (ds_dir_list(ds_buf_text(&folder), &names, &e) != DS_OK) {
		printf("1..0 # skip no corpus: %s\n", e.msg);
		ds_buf_free(&folder);
		return 0;
	}
	size_t n = 0;
	for (; names[n]; n++) {
		ds_buf path = { 0 }, bytes = { 0 };
		ds_buf_fmt(&path, "%s/%s", ds_buf_text(&folder), names[n]);
		/* Not ds_file_read, which would unpack what is gzip. */
		FILE *f = fopen(ds_buf_text(&path), "rb");
		ds_buf_reserve(&bytes, LIMIT_BYTES);
		bytes.n = f ? fread(bytes.at, 1, LIMIT_BYTES, f) : 0;
		if (f)
			fclose(f);
		one(&bytes, bytes.n);
		one(&bytes, bytes.n / 2);
		ds_buf_free(&path);
		ds_buf_free(&bytes);
	}
	ds_names_free(names);
	ds_buf_free(&folder);
	printf("1..1\nok 1 - %zu inputs of %s\n", n, name);
	return 0;
}
