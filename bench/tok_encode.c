/*
 * tok_encode.c - encoding alone, inside one process: the first time a text is seen, and again
 *
 *   tok_encode TOKENIZER PATTERN|- TEXT IDS [lines]
 *
 * Prints the seconds that opening the tokenizer, the first and the second encoding took, and how many
 * ids there are. The text is one document, or each of its lines is; it is in memory before the clock
 * starts. IDS gets the ids as 32-bit numbers, so that they can be compared.
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

static ds_rc encode_lines(const ds_tok *t, ds_tok_scratch *s, ds_str text, ds_buf *out, ds_err *e)
{
	const uint32_t *ids;
	size_t n;
	ds_buf_clear(out);
	while (text.n) {
		DS_TRY(ds_tok_encode(t, s, ds_str_cut(text, '\n', &text), 0, &ids, &n, e));
		ds_buf_add(out, ids, n * sizeof(*ids));
	}
	return DS_OK;
}

static ds_rc run(char **argv, bool lines, ds_err *e)
{
	ds_tok_options o = { .pattern = strcmp(argv[2], "-") == 0 ? NULL : argv[2] };
	DS_AUTO(ds_tok) t = NULL;
	DS_AUTO(ds_tok_scratch) s = NULL;
	ds_buf text = { 0 }, out = { 0 };
	const uint32_t *ids;
	size_t n;
	double at = now();
	DS_TRY(ds_tok_open(&t, strcmp(argv[1], "-") == 0 ? NULL : argv[1], &o, e));
	printf("%.6f", now() - at);
	DS_TRY(ds_file_read(argv[3], (size_t)1 << 32, &text, e));
	for (int k = 0; k < 2; k++) {
		at = now();
		if (!s)
			s = ds_tok_scratch_new(t);
		if (lines)
			DS_TRY(encode_lines(t, s, ds_buf_view(&text), &out, e));
		else
			DS_TRY(ds_tok_encode(t, s, ds_buf_view(&text), 0, &ids, &n, e));
		printf(" %.6f", now() - at);
	}
	if (!lines)
		ds_buf_add(&out, ids, n * sizeof(*ids));
	printf(" %zu\n", out.n / sizeof(*ids));
	FILE *f = fopen(argv[4], "wb");
	if (!f || fwrite(out.at, 1, out.n, f) != out.n || fclose(f) != 0)
		return ds_fail(e, DS_IO, "%s: cannot be written", argv[4]);
	ds_buf_free(&text);
	ds_buf_free(&out);
	return DS_OK;
}

int main(int argc, char **argv)
{
	ds_err e;
	if (argc < 5 || argc > 6) {
		fputs("tok_encode TOKENIZER PATTERN|- TEXT IDS [lines]\n", stderr);
		return 2;
	}
	ds_rc rc = run(argv, argc == 6 && strcmp(argv[5], "lines") == 0, &e);
	if (rc != DS_OK)
		fprintf(stderr, "tok_encode: %s\n", e.msg);
	return (int)rc;
}
