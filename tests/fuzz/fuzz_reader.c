/*
 * fuzz_reader.c - the stream's reader on bytes of any kind
 *
 * Hashes keep random bytes from getting far, so the first byte chooses: hashes made right (then all
 * that decodes is reached), pipe or map, salvage. What is read is decoded, selected, joined and
 * written again; the second reading must give the same records.
 */
#include "fuzz.h"

#include "../unit/streams.h"

enum { REPAIR = 1, SALVAGE = 2, UNALIGNED = 4, LIMITED = 8 };

static void use(ds_block *b, ds_arena *mem)
{
	ds_err e;
	uint32_t rows[64], n = 0;
	uint64_t bytes;
	ds_block *copy, *both;
	for (uint32_t i = 0; i < b->n_rows && n < 64; i += 1 + i / 8)
		rows[n++] = i;
	for (uint32_t k = 0; k < b->n_cols; k++) {
		const ds_col *c = &b->cols[k];
		for (uint32_t i = 0; i < n; i++) {
			ds_str text;
			const uint32_t *ids;
			size_t n_ids;
			bool has;
			(void)!ds_block_text(b, c, rows[i], &text, &has, &e);
			(void)!ds_block_ids(b, c, rows[i], &ids, &n_ids, &has, &e);
		}
	}
	for (uint32_t i = 0; i < n; i++)
		if (ds_block_row_bytes(b, rows[i], &bytes, &e) != DS_OK)
			abort();
	if (ds_block_copy(&copy, mem, b, rows, n, &e) != DS_OK)
		abort();
	if (ds_block_join(&both, mem, (ds_block *[]){ b, copy }, 2, &e) != DS_OK)
		abort();
	if (both->n_rows != b->n_rows + n || block_digest(both) == 0)
		abort();
	if (ds_block_select(both, rows, n, &e) != DS_OK || both->n_rows != n)
		abort();
}

static void write_again(ds_block *b, ds_compressor *p)
{
	making m;
	uint64_t digest = block_digest(b);
	making_begin(&m);
	making_add(&m, b, p);
	making_end(&m);
	reading x = read_stream(ds_buf_view(&m.bytes), 0);
	if (x.rc != DS_OK || x.n_blocks != 1 || x.digests[0] != digest)
		abort();
	ds_buf_free(&m.bytes);
}

static void read_index(const uint8_t *data, size_t n)
{
	ds_err e;
	ds_reader *r;
	const ds_index_entry *entries;
	size_t k = 0;
	ds_block *b;
	if (ds_reader_open(&r, ds_in_from_mem(data, n, "a.dsr"), &e) != DS_OK)
		abort();
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	ds_reader_limit(r, 1 << 20);
	if (ds_reader_index(r, &entries, &k, &e) == DS_OK)
		for (size_t i = 0; i < k && i < 100; i++)
			if (ds_reader_at(r, &entries[i], mem, &b, &e) == DS_OK)
				(void)!ds_block_verify(b, &e);
	ds_reader_close(r);
}

static void read_all(const uint8_t *data, size_t n, unsigned how)
{
	ds_err e;
	ds_reader *r;
	ds_block *b;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	DS_AUTO(ds_compressor) p = ds_compressor_new(1);
	if (ds_reader_open(&r, ds_in_from_mem(data, n, "a.dsr"), &e) != DS_OK)
		abort();
	ds_reader_salvage(r, how & SALVAGE);
	ds_reader_limit(r, how & LIMITED ? 1000 : 1 << 20);
	for (unsigned k = 0; k < 100; k++) {
		if (ds_reader_next(r, mem, &b, &e) != DS_OK || !b)
			break;
		if (b->n_rows > 5000 || ds_block_check(b, &e) != DS_OK ||
			ds_block_verify(b, &e) != DS_OK)
			continue;
		use(b, mem);
		write_again(b, k % 2 ? p : NULL);
		ds_arena_reset(mem);
	}
	ds_buf json = { 0 };
	ds_chain_print(&json, ds_reader_chain(r));
	ds_buf_free(&json);
	ds_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 1)
		return 0;
	unsigned how = *data++;
	n--;
	size_t skip = how & UNALIGNED ? 8 : 0;
	void *buffer;
	if (posix_memalign(&buffer, 64, n + 64) != 0)
		abort();
	uint8_t *bytes = (uint8_t *)buffer + skip;
	if (n)
		memcpy(bytes, data, n);
	if (how & REPAIR)
		repair(bytes, n);
	read_all(bytes, n, how);
	read_index(bytes, n);
	free(buffer);
	return 0;
}
