/* fuzz_packed.c - any bytes as gzip, zstd, bzip2, xz, or what a web server sends: zlib, deflate, brotli */
#include "fuzz.h"

#include "base/codec.h"

#include <stdlib.h>

enum { MOST = 1 << 22 };

/* As a file is read: by its magic, members after one another; damage once told is told again. */
static void as_file(const uint8_t *data, size_t n)
{
	ds_in *in = ds_in_from_mem(data, n, "input");
	char out[4096];
	size_t got = 1, all = 0;
	ds_err e;
	ds_rc rc = DS_OK;
	while (rc == DS_OK && got && all < MOST) {
		rc = ds_in_some(in, out, 1 + all % sizeof(out), &got, &e);
		all += rc == DS_OK ? got : 0;
	}
	if (rc != DS_OK && ds_in_damaged(in) && ds_in_read(in, out, 1, &got, &e) != rc)
		abort();
	ds_in_close(in);
}

static void as_stream(ds_wrap wrap, const uint8_t *data, size_t n)
{
	ds_codec *c = ds_codec_open(wrap, false, 0);
	char out[1000], *w;
	bool ended = false;
	ds_err e;
	ds_str in = { (const char *)data, n };
	for (size_t all = 0, avail, left; !ended && all < MOST; all += sizeof(out) - avail) {
		w = out;
		avail = sizeof(out);
		left = in.n;
		if (ds_codec_step(c, &in, &w, &avail, false, &ended, &e) != DS_OK)
			break;
		if (in.n > left || avail > sizeof(out))
			abort();
		if (in.n == left && avail == sizeof(out))
			break;
	}
	ds_codec_close(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	as_file(data, n);
	if (n)
		as_stream((ds_wrap)(DS_GZIP + *data % (DS_BROTLI - DS_GZIP + 1)), data + 1, n - 1);
	return 0;
}
