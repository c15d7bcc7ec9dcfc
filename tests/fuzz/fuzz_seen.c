/*
 * fuzz_seen.c - an index file of made-up bytes: loaded, asked and saved again
 */
#include "fuzz.h"

#include "base/mem.h"
#include "text/seen.h"

static void save(ds_seen *s)
{
	ds_err e;
	ds_buf bytes = { 0 };
	DS_AUTO(ds_out) out = ds_out_to_mem(&bytes);
	if (ds_seen_save(s, out, &e) != DS_OK || ds_seen_write_clusters(s, out, &e) != DS_OK)
		__builtin_trap();
	ds_out_close(out);
	out = NULL;
	ds_buf_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const ds_seen_plan plan = {
		.exact = true,
		.near = true,
		.join = true,
		.ngram = 5,
		.n_perm = 2,
		.bands = { 1, 2 },
		.threshold = 0.5,
	};
	static const uint32_t sketch[] = { 1, 2, 3 };
	static const uint64_t bands[] = { 5 };
	ds_seen_item item = { .key = { 1, 2 }, .bands = bands, .sketch = sketch, .n_sketch = 3 };
	ds_err e;
	/* The right sum is put behind the bytes, so that they are believed. */
	ds_buf file = { 0 };
	uint64_t sum = ds_hash64(data, n);
	ds_buf_add(&file, data, n);
	ds_buf_add(&file, &sum, sizeof(sum));
	DS_AUTO(ds_seen) s = ds_seen_new(&plan);
	DS_AUTO(ds_in) in = ds_in_from_mem(file.at, file.n, "index");
	ds_rc rc = ds_seen_load(s, in, &e);
	if (rc == DS_OK)
		rc = ds_seen_add(s, &item, 1, &e);
	if (rc == DS_OK)
		save(s);
	ds_buf_free(&file);
	return 0;
}
