/*
 * pack_tokenizer.c - the small form of lib/text/tok/compact.c, packed with zstd, as C; for builtin-tokenizer.sh
 */
#include "base/codec.h"
#include "base/io.h"
#include "base/mem.h"
#include "text/tok/tok_impl.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	ds_err e = { { 0 } };
	ds_tok *t;
	ds_buf small = { 0 };
	size_t n;
	ds_compressor *p = ds_compressor_new(19);
	if (ds_tok_open(&t, argv[1], NULL, &e) != DS_OK || !ds_compact_fits(t)) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	ds_compact_write(t, &small);
	unsigned char *out = ds_mem_get(ds_compress_bound(small.n));
	if (ds_compress(p, small.at, small.n, out, ds_compress_bound(small.n), &n, &e) != DS_OK)
		return 1;
	printf("/*\n * Made by scripts/builtin-tokenizer.sh: %u ids, from\n", ds_tok_size(t));
	for (int i = 2; i < argc; i++)
		printf(" * %s\n", argv[i]);
	printf(" */\n");
	printf("#include \"text/tok/tok_impl.h\"\n\nconst unsigned ds_builtin_bytes = %zu;\n", n);
	printf("const unsigned ds_builtin_raw = %zu;\nconst unsigned char ds_builtin_packed[] = {",
		small.n);
	for (size_t i = 0; i < n; i++)
		printf("%s%d,", i % 32 ? "" : "\n", out[i]);
	printf("\n};\n");
	return 0;
}
