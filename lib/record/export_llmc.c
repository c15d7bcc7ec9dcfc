/*
 * export_llmc.c - llm.c's .bin: a header of 256 int32, then all tokens as one row
 *
 * Version 1 (magic 20240520, 16 bits) where every id fits, else version 7 (magic 20240801, 32 bits),
 * as its data scripts write for GPT-2 and Llama 3. Records follow one another; what separates
 * documents is in the tokens or nowhere.
 */
#include "record/export.h"

#include "base/mem.h"
#include "record/spool.h"

typedef struct {
	ds_out *out;
	ds_spool *tokens;
} writer;

static void close_writer(void *state)
{
	writer *w = state;
	if (!w)
		return;
	ds_spool_close(w->tokens);
	ds_mem_free(w);
}

static ds_rc open_writer(void **state, const ds_output_opts *c, ds_out *out, ds_err *e)
{
	writer *w = DS_NEW(writer, 1);
	w->out = out;
	*state = w;
	return ds_spool_open(&w->tokens, e);
}

static ds_rc write_block(void *state, ds_block *b, ds_err *e)
{
	writer *w = state;
	return ds_spool_block(w->tokens, NULL, b, e);
}

static ds_rc finish(void *state, ds_err *e)
{
	writer *w = state;
	bool narrow = ds_spool_largest(w->tokens) <= UINT16_MAX;
	uint64_t n = ds_spool_count(w->tokens);
	int32_t header[256] = { narrow ? 20240520 : 20240801, narrow ? 1 : 7, (int32_t)n };
	if (n > INT32_MAX)
		return ds_fail(e, DS_BAD,
			"%llu tokens, the format counts up to %d: split them first",
			(unsigned long long)n, INT32_MAX);
	DS_TRY(ds_out_write(w->out, header, sizeof(header), e));
	return ds_spool_write(w->tokens, w->out, narrow ? 2 : 4, e);
}

const ds_exporter ds_export_llmc = {
	.name = "llmc",
	.suffixes = ".llmc",
	.what = "llm.c's .bin of tokens",
	.open = open_writer,
	.write = write_block,
	.finish = finish,
	.close = close_writer,
};
