/* fuzz_megatron.c - any bytes as an .idx, over a .bin of 64 bytes */
#include "fuzz.h"

#include "base/io.h"
#include "record/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void read_all(const char *path)
{
	ds_err e;
	ds_block *b;
	ds_source *s;
	ds_arena *mem = ds_arena_new(1 << 16);
	ds_input_opts c = { .from = "megatron",
		.field.column = "text",
		.on_error = DS_ON_SKIP,
		.files = &path,
		.n_files = 1,
		.max_record = 1 << 20 };
	if (ds_source_open(&s, &c, &e) != DS_OK)
		abort();
	while (ds_source_next(s, mem, &b, &e) == DS_OK && b)
		if (ds_block_verify(b, &e) != DS_OK)
			abort();
	ds_source_close(s);
	ds_arena_free(mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char idx[64], bin[64];
	static const char zeros[64];
	ds_err e;
	snprintf(idx, sizeof(idx), "/tmp/fuzz-%d.idx", (int)getpid());
	snprintf(bin, sizeof(bin), "/tmp/fuzz-%d.bin", (int)getpid());
	if (ds_file_write(idx, (ds_str){ (const char *)data, n }, &e) != DS_OK ||
		ds_file_write(bin, (ds_str){ zeros, sizeof(zeros) }, &e) != DS_OK)
		abort();
	read_all(idx);
	unlink(idx);
	unlink(bin);
	return 0;
}
