/*
 * codec_xz.c - the door to liblzma
 */
#include "base/codec_impl.h"

#include "base/lazy.h"
#include "base/mem.h"
#include "sonames.h"

#include <lzma.h>

#define FUNCTIONS(F) \
	F(lzma_easy_encoder) F(lzma_stream_decoder) F(lzma_code) F(lzma_end) F(lzma_memusage)
DS_LAZY(xz, DS_SONAME_lzma, FUNCTIONS)

/* A dictionary may be 4 GiB; over this, as with zstd's windows, it is refused before it is taken. */
static const uint64_t most_bytes = (2ull << 30) + (64 << 20);

typedef struct {
	lzma_stream s;
	bool compress, begun; /* begun: once the library is there */
	uint32_t level;
} coder;

static void begin(coder *c)
{
	lzma_ret rc = c->compress ? xz.lzma_easy_encoder(&c->s, c->level, LZMA_CHECK_CRC64)
				  : xz.lzma_stream_decoder(&c->s, most_bytes, 0);
	ds_codec_have(rc == LZMA_OK ? c : NULL);
	c->begun = true;
}

static void *open_coder(bool compress, int level)
{
	coder *c = DS_NEW(coder, 1);
	c->s = (lzma_stream)LZMA_STREAM_INIT;
	c->compress = compress;
	c->level = level < 1 || level > 9 ? LZMA_PRESET_DEFAULT : (uint32_t)level;
	return c;
}

static void close_coder(void *state)
{
	coder *c = state;
	if (c->begun)
		xz.lzma_end(&c->s);
	ds_mem_free(c);
}

static void reset(void *state)
{
	coder *c = state;
	if (c->begun)
		begin(c); /* the library takes its own memory up again */
}

static ds_rc step(
	void *state, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e)
{
	coder *c = state;
	DS_TRY_AT(ds_lazy_open(&xz_lazy, e), e, "xz");
	if (!c->begun)
		begin(c);
	c->s.next_in = (const uint8_t *)in->at;
	c->s.avail_in = in->n;
	c->s.next_out = (uint8_t *)*out;
	c->s.avail_out = *avail;
	lzma_ret rc = xz.lzma_code(&c->s, c->compress && finish ? LZMA_FINISH : LZMA_RUN);
	ds_codec_move(in, in->n - c->s.avail_in, out, avail, *avail - c->s.avail_out);
	*ended = rc == LZMA_STREAM_END;
	/* LZMA_BUF_ERROR: nothing could be done now, more input or room is needed */
	if (rc == LZMA_OK || rc == LZMA_STREAM_END || rc == LZMA_BUF_ERROR)
		return DS_OK;
	if (rc == LZMA_MEM_ERROR)
		return ds_fail(e, DS_IO, "xz: no memory");
	if (rc == LZMA_MEMLIMIT_ERROR)
		return ds_fail(e, DS_BAD, "xz: a dictionary of %llu MiB, the limit is 2 GiB",
			(unsigned long long)(xz.lzma_memusage(&c->s) >> 20));
	return ds_fail(e, c->compress ? DS_BAD : DS_SHORT, "xz: %s",
		rc == LZMA_OPTIONS_ERROR  ? "made with options that the library does not know"
		: rc == LZMA_FORMAT_ERROR ? "not xz"
					  : "damaged");
}

const ds_coder ds_coder_xz = {
	.name = "xz",
	.open = open_coder,
	.close = close_coder,
	.reset = reset,
	.step = step,
};
