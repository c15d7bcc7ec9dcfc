/*
 * fuzz_tokenizer.c - any bytes as a tokenizer file: refused, or it encodes, and is the same again out of a stream
 *
 * The first byte chooses the pattern that a rank file or vocab.txt is read with.
 */
#include "fuzz.h"

#include "text/tok/tok.h"

#include <stdlib.h>

static void use(const ds_tok *t)
{
	static const char text[] =
		"The quick\n  brown f\xc3\xb6x's 12345 \xe4\xb8\xad\xe6\x96\x87, \xff\xfe!!  ";
	DS_AUTO(ds_tok_scratch) s = ds_tok_scratch_new(t);
	const uint32_t *ids;
	size_t n;
	ds_err e;
	ds_buf out = { 0 };
	for (unsigned flags = 0; flags < 4; flags++) {
		if (ds_tok_encode(t, s, (ds_str){ text, sizeof(text) - 1 }, flags, &ids, &n, &e) !=
			DS_OK)
			abort();
		if (ds_tok_decode(t, ids, n, flags & 1, &out, &e) != DS_OK)
			abort();
	}
	ds_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const patterns[] = { NULL, "gpt2", "qwen2", "o200k", "bert",
		"bert-cased" };
	DS_AUTO(ds_tok) t = NULL;
	DS_AUTO(ds_tok) again = NULL;
	ds_buf packed = { 0 };
	ds_err e;
	if (n == 0)
		return 0;
	ds_tok_options o = { .pattern = patterns[data[0] % 6], .nfc = data[0] & 64 };
	if (ds_tok_parse(&t, (ds_str){ (const char *)data + 1, n - 1 }, &o, &e) != DS_OK)
		return 0;
	use(t);
	if (ds_tok_pack(t, &packed, &e) != DS_OK ||
		ds_tok_unpack(&again, ds_buf_view(&packed), &e) != DS_OK)
		abort();
	ds_h128 a = ds_tok_identity(t), b = ds_tok_identity(again);
	if (a.lo != b.lo || a.hi != b.hi)
		abort();
	ds_buf_free(&packed);
	return 0;
}
