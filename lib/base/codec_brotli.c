/*
 * codec_brotli.c - the door to brotli, which only the bodies of web pages come in: it has no magic
 */
#include "base/codec_impl.h"

#include "base/mem.h"

#include <assert.h>
#include <brotli/decode.h>

typedef struct {
	BrotliDecoderState *s;
} coder;

static void *open_coder(bool compress, int level)
{
	coder *c = DS_NEW(coder, 1);
	assert(!compress);
	c->s = ds_codec_have(BrotliDecoderCreateInstance(NULL, NULL, NULL));
	return c;
}

static void close_coder(void *state)
{
	coder *c = state;
	BrotliDecoderDestroyInstance(c->s);
	ds_mem_free(c);
}

static void reset(void *state)
{
	coder *c = state;
	BrotliDecoderDestroyInstance(c->s);
	c->s = ds_codec_have(BrotliDecoderCreateInstance(NULL, NULL, NULL));
}

static ds_rc step(
	void *state, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e)
{
	coder *c = state;
	size_t in_n = in->n, out_n = *avail;
	const uint8_t *from = (const uint8_t *)in->at;
	uint8_t *to = (uint8_t *)*out;
	BrotliDecoderResult rc =
		BrotliDecoderDecompressStream(c->s, &in_n, &from, &out_n, &to, NULL);
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
