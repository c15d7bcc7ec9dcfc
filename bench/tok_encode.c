/*
 * tok_encode.c - encoding alone, inside one process: the first time a text is seen, and again
 *
 *   tok_encode TOKENIZER PATTERN|- TEXT [IDS]
 *
 * Prints the seconds that opening the tokenizer, the first and the second encoding took, and how many
 * ids there are. The text is one document, mapped and touched before the clock starts. IDS is a file
 * that gets the ids as 32-bit numbers, so that they can be compared.
 */
#include "base/io.h"
#include "text/tok/tok.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ds_rc run(char **argv, ds_err *e)
{
	ds_tok_options o = { .pattern = strcmp(argv[2], "-") == 0 ? NULL : argv[2] };
	DS_AUTO(ds_tok) t = NULL;
	ds_buf text = { 0 };
	const uint32_t *ids;
	size_t n;
	double at = now();
	DS_TRY(ds_tok_open(&t, strcmp(argv[1], "-") == 0 ? NULL : argv[1], &o, e));
	printf("%.6f", now() - at);
	DS_TRY(ds_file_read(argv[3], (size_t)1 << 32, &text, e));
	DS_AUTO(ds_tok_scratch) s = NULL;
	for (int k = 0; k < 3; k++) {
		at = now();
		if (!s)
			s = ds_tok_scratch_new(t);
		DS_TRY(ds_tok_encode(t, s, ds_buf_view(&text), 0, &ids, &n, e));
		printf(" %.6f", now() - at);
	}
	printf(" %zu\n", n);
	ds_buf_free(&text);
	FILE *f = argv[4] ? fopen(argv[4], "wb") : NULL;
	if (argv[4] && (!f || fwrite(ids, sizeof(*ids), n, f) != n || fclose(f) != 0))
		return ds_fail(e, DS_IO, "%s: cannot be written", argv[4]);
	return DS_OK;
}

int main(int argc, char **argv)
{
	ds_err e;
	if (argc < 4 || argc > 5) {
		fputs("tok_encode TOKENIZER PATTERN|- TEXT [IDS]\n", stderr);
		return 2;
	}
	ds_rc rc = run(argv, &e);
	if (rc != DS_OK)
		fprintf(stderr, "tok_encode: %s\n", e.msg);
	return (int)rc;
}
