/*
 * codec_brotli.c - the door to brotli, which only the bodies of web pages come in: it has no magic
 */
#include "base/codec_impl.h"

#include "base/lazy.h"
#include "base/mem.h"
#include "sonames.h"

#include <assert.h>
#include <brotli/decode.h>

#define FUNCTIONS(F) \
	F(BrotliDecoderCreateInstance) \
	F(BrotliDecoderDecompressStream) F(BrotliDecoderDestroyInstance)
DS_LAZY(brotli, DS_SONAME_brotlidec, FUNCTIONS)

typedef struct {
	BrotliDecoderState *s; /* NULL until the first step */
} coder;

static void *open_coder(bool compress, int level)
{
	coder *c = DS_NEW(coder, 1);
	assert(!compress);
	return c;
}

static void reset(void *state)
{
	coder *c = state;
	if (c->s)
		brotli.BrotliDecoderDestroyInstance(c->s);
	c->s = NULL;
}

static void close_coder(void *state)
{
	reset(state);
	ds_mem_free(state);
}

static ds_rc step(
	void *state, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e)
{
	coder *c = state;
	DS_TRY_AT(ds_lazy_open(&brotli_lazy, e), e, "brotli");
	if (!c->s)
		c->s = ds_codec_have(brotli.BrotliDecoderCreateInstance(NULL, NULL, NULL));
	size_t in_n = in->n, out_n = *avail;
	const uint8_t *from = (const uint8_t *)in->at;
	uint8_t *to = (uint8_t *)*out;
	BrotliDecoderResult rc =
		brotli.BrotliDecoderDecompressStream(c->s, &in_n, &from, &out_n, &to, NULL);
	ds_codec_move(in, in->n - in_n, out, avail, *avail - out_n);
	*ended = rc == BROTLI_DECODER_RESULT_SUCCESS;
	if (rc == BROTLI_DECODER_RESULT_ERROR)
		return ds_fail(e, DS_SHORT, "brotli: damaged");
	return DS_OK;
}

const ds_coder ds_coder_brotli = {
	.name = "brotli",
	.open = open_coder,
	.close = close_coder,
	.reset = reset,
	.step = step,
};
