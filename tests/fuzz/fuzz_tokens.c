/*
 * fuzz_tokens.c - any bytes as text: encoded and decoded they are the same bytes, and any bytes as a packed
 * tokenizer are refused or used
 */
#include "fuzz.h"

#include "text/tok/tok.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_tok) t = NULL;
	DS_AUTO(ds_tok) odd = NULL;
	ds_str text = { (const char *)data, n };
	const uint32_t *ids;
	size_t k;
	ds_err e;
	ds_buf out = { 0 };
	if (ds_tok_builtin(&t, &e) != DS_OK)
		abort();
	DS_AUTO(ds_tok_scratch) s = ds_tok_scratch_new(t);
	for (int twice = 0; twice < 2; twice++) {
		ds_buf_clear(&out);
		if (ds_tok_encode(t, s, text, 0, &ids, &k, &e) != DS_OK ||
			ds_tok_decode(t, ids, k, false, &out, &e) != DS_OK ||
			!ds_str_eq(ds_buf_view(&out), text))
			abort();
	}
	ds_buf_free(&out);
	if (ds_tok_unpack(&odd, text, &e) != DS_OK)
		odd = NULL;
	return 0;
}
