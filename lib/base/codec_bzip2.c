/*
 * codec_bzip2.c - the door to bzip2
 */
#include "base/codec_impl.h"

#include "base/lazy.h"
#include "base/mem.h"
#include "sonames.h"

#include <bzlib.h>
#include <limits.h>

#define FUNCTIONS(F) \
	F(BZ2_bzCompressInit) \
	F(BZ2_bzCompress) \
	F(BZ2_bzCompressEnd) \
	F(BZ2_bzDecompressInit) F(BZ2_bzDecompress) F(BZ2_bzDecompressEnd)
DS_LAZY(bz2, DS_SONAME_bz2, FUNCTIONS)

typedef struct {
	bz_stream s;
	bool compress, begun; /* begun: once the library is there */
	int level;
} coder;

static void begin(coder *c)
{
	c->s = (bz_stream){ 0 };
	int rc = c->compress ? bz2.BZ2_bzCompressInit(&c->s, c->level, 0, 0)
			     : bz2.BZ2_bzDecompressInit(&c->s, 0, 0);
	ds_codec_have(rc == BZ_OK ? c : NULL);
	c->begun = true;
}

static void end(coder *c)
{
	if (!c->begun)
		return;
	c->begun = false;
	if (c->compress)
		bz2.BZ2_bzCompressEnd(&c->s);
	else
		bz2.BZ2_bzDecompressEnd(&c->s);
}

static void *open_coder(bool compress, int level)
{
	coder *c = DS_NEW(coder, 1);
	c->compress = compress;
	c->level = level < 1 || level > 9 ? 9 : level;
	return c;
}

static void close_coder(void *state)
{
	end(state);
	ds_mem_free(state);
}

static void reset(void *state)
{
	end(state);
}

static ds_rc step(
	void *state, ds_str *in, char **out, size_t *avail, bool finish, bool *ended, ds_err *e)
{
	coder *c = state;
	DS_TRY_AT(ds_lazy_open(&bz2_lazy, e), e, "bzip2");
	if (!c->begun)
		begin(c);
	unsigned in_n = in->n > UINT_MAX ? UINT_MAX : (unsigned)in->n;
	unsigned out_n = *avail > UINT_MAX ? UINT_MAX : (unsigned)*avail;
	c->s.next_in = (char *)(uintptr_t)in->at;
	c->s.avail_in = in_n;
	c->s.next_out = *out;
	c->s.avail_out = out_n;
	int rc;
	if (!c->compress)
		rc = bz2.BZ2_bzDecompress(&c->s);
	else if (finish && in_n == in->n)
		rc = bz2.BZ2_bzCompress(&c->s, BZ_FINISH);
	else /* the library calls it an error that there is nothing to do */
		rc = in_n ? bz2.BZ2_bzCompress(&c->s, BZ_RUN) : BZ_OK;
	ds_codec_move(in, in_n - c->s.avail_in, out, avail, out_n - c->s.avail_out);
	*ended = rc == BZ_STREAM_END;
	if (rc == BZ_MEM_ERROR)
		return ds_fail(e, DS_IO, "bzip2: no memory");
	if (rc < 0)
		return ds_fail(e, c->compress ? DS_BAD : DS_SHORT, "bzip2: damaged");
	return DS_OK;
}

const ds_coder ds_coder_bzip2 = {
	.name = "bzip2",
	.open = open_coder,
	.close = close_coder,
	.reset = reset,
	.step = step,
};
