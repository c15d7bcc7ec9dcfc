/*
 * fuzz_utf8.c - repair makes UTF-8 of anything and leaves UTF-8 alone; NFC and case keep it so
 */
#include "fuzz.h"

#include <assert.h>

#include "text/unicode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_str s = { (const char *)data, n };
	size_t n_repaired;
	bool valid = ds_utf8_valid(s) == n;
	ds_str good = ds_utf8_repair(s, mem, &n_repaired);
	assert(ds_utf8_valid(good) == good.n);
	assert(valid == (n_repaired == 0) && valid == (good.at == s.at));
	ds_str composed = ds_nfc(good, mem);
	assert(ds_utf8_valid(composed) == composed.n);
	assert(n > 2000 || ds_str_eq(ds_nfc(composed, mem), composed));
	ds_nfc(s, mem);
	ds_utf8_count(s);
	ds_str lower = ds_utf8_lower(good, mem);
	assert(ds_utf8_valid(lower) == lower.n);
	ds_utf8_fold(s, mem);
	return 0;
}
