/*
 * fuzz_charset.c - any bytes in any charset: what comes out is UTF-8 and marks, however the bytes are cut
 *
 * The first byte chooses the charset, the second how large pieces are.
 */
#include "fuzz.h"

#include <assert.h>

#include "base/charset.h"
#include "base/mem.h"
#include "text/unicode.h"

static const char *const charsets[] = { "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-8", "GB18030",
	"GBK", "Shift_JIS", "EUC-JP", "ISO-2022-JP", "Big5", "EUC-KR", "windows-1251",
	"windows-1252", "KOI8-R", "ISO-8859-15", "UTF-7", "HZ-GB-2312", "SCSU" };

static void decode(ds_buf *out, const char *charset, ds_str from, size_t in, size_t avail)
{
	DS_AUTO(ds_charset) c = NULL;
	ds_err e;
	assert(ds_charset_open(&c, charset, &e) == DS_OK);
	for (bool last = false; !last;) {
		ds_str piece = { from.at, from.n < in ? from.n : in };
		last = !piece.n;
		from = (ds_str){ from.at + piece.n, from.n - piece.n };
		for (bool more = true; more;) {
			ds_buf_reserve(out, avail);
			char *w = out->at + out->n;
			size_t left = avail;
			more = ds_charset_step(c, &piece, &w, &left, last);
			assert(more || !piece.n);
			out->n += avail - left;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	ds_buf whole = { 0 }, cut = { 0 };
	if (n < 2)
		return 0;
	const char *charset = charsets[data[0] % (sizeof(charsets) / sizeof(*charsets))];
	ds_str bytes = { (const char *)data + 2, n - 2 };
	decode(&whole, charset, bytes, n, 4096);
	decode(&cut, charset, bytes, 1 + data[1] % 7, 1 + data[1] % 5);
	assert(ds_str_eq(ds_buf_view(&whole), ds_buf_view(&cut)));
	for (ds_str rest = ds_buf_view(&whole); rest.n;) {
		size_t good = ds_utf8_valid(rest);
		rest = (ds_str){ rest.at + good, rest.n - good };
		assert(!rest.n || (rest.n >= DS_CHARSET_MARK_BYTES &&
					  (unsigned char)*rest.at == DS_CHARSET_MARK));
		if (rest.n)
			rest = (ds_str){ rest.at + DS_CHARSET_MARK_BYTES,
				rest.n - DS_CHARSET_MARK_BYTES };
	}
	ds_buf_free(&whole);
	ds_buf_free(&cut);
	return 0;
}
