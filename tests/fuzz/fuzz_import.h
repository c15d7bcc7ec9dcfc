/*
 * fuzz_import.h - what the fuzz targets of the importers share
 *
 * The first byte chooses the size of a block, so that seams come everywhere; the rest is the file.
 * Every block that comes of it is checked as a reader checks one, and written as JSONL, text and CSV.
 */
#ifndef DS_TESTS_FUZZ_IMPORT_H
#define DS_TESTS_FUZZ_IMPORT_H

#include "fuzz.h"

#include "base/mem.h"
#include "record/export.h"
#include "record/import.h"
#include "record/source.h"

#include <stdlib.h>

typedef struct {
	uint64_t rows, bad;
	ds_rc rc;
} fuzz_result;

static void fuzz_encode(const ds_output_opts *c, ds_block *b)
{
	static const char *const formats[] = { "jsonl", "text" };
	static const char *const text = "text";
	ds_err e;
	DS_AUTO(ds_field) f = NULL;
	if (ds_field_new(&f, &text, 1, &e) != DS_OK)
		abort();
	for (size_t i = 0; i < 2; i++) {
		ds_sink_part part = { .n_rows = b->n_rows, .field = f };
		if (ds_exporter_find(formats[i])->encode(c, b, &part, &e) != DS_OK)
			abort();
	}
}

static void fuzz_table(const ds_output_opts *c, ds_block *b)
{
	const ds_exporter *csv = ds_exporter_find("csv");
	ds_buf bytes = { 0 };
	ds_out *out = ds_out_to_mem(&bytes);
	void *state;
	ds_err e;
	if (csv->open(&state, c, out, &e) != DS_OK || csv->write(state, b, &e) != DS_OK)
		abort();
	csv->close(state);
	ds_out_close(out);
	ds_buf_free(&bytes);
}

/* Chunks after which a run ends: few bytes of a columnar file may stand for very many rows. */
static uint64_t fuzz_most_chunks = UINT64_MAX;

static fuzz_result fuzz_import(
	const char *from, const uint8_t *data, size_t n, const char *block, ds_input_opts c)
{
	fuzz_result r = { 0 };
	ds_err e;
	ds_block *b;
	c.from = from;
	c.field.column = "text";
	c.on_error = DS_ON_SKIP;
	c.max_record = c.max_record ? c.max_record : 1 << 20;
	setenv("DS_BLOCK", block, 1);
	ds_output_opts out = { .columns = c.columns, .tsv_escapes = c.tsv_escapes };
	ds_source *s = ds_source_from_mem(&c, data, n, "input");
	ds_arena *mem = ds_arena_new(1 << 16);
	for (uint64_t n_chunks = 0; n_chunks < fuzz_most_chunks; n_chunks++) {
		ds_chunk *chunk;
		ds_bad *bad;
		ds_arena_reset(mem);
		r.rc = ds_source_chunk(s, mem, &chunk, &e);
		if (r.rc != DS_OK || !chunk)
			break;
		r.rc = ds_chunk_parse(chunk, &b, &bad, &e);
		if (r.rc != DS_OK)
			break;
		for (; bad; bad = bad->next)
			r.bad++;
		r.rows += b->n_rows;
		if (ds_block_verify(b, &e) != DS_OK)
			abort();
		fuzz_encode(&out, b);
		fuzz_table(&out, b);
	}
	ds_arena_free(mem);
	ds_source_close(s);
	return r;
}

/* The first byte's block size, and what follows it. */
static const char *fuzz_block(const uint8_t **data, size_t *n)
{
	static const char *const sizes[] = { "1", "7", "64", "600", "4096", "16384" };
	if (!*n)
		return sizes[5];
	unsigned k = **data % 6;
	++*data;
	--*n;
	return sizes[k];
}

#endif
