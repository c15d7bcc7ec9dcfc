/*
 * export_megatron.c - Megatron-LM's indexed dataset: -o NAME gives NAME.bin and NAME.idx
 *
 * A record is a sequence and a document. The .idx is renamed into place after the .bin, so a reader
 * that finds it finds all.
 */
#include "record/export.h"

#include "base/mem.h"
#include "record/megatron.h"
#include "record/spool.h"

typedef struct {
	const ds_output_opts *how;
	ds_spool *tokens, *lengths;
} writer;

static void close_writer(void *state)
{
	writer *w = state;
	if (!w)
		return;
	ds_spool_close(w->tokens);
	ds_spool_close(w->lengths);
	ds_mem_free(w);
}

static ds_rc open_writer(void **state, const ds_output_opts *c, ds_out *out, ds_err *e)
{
	writer *w = DS_NEW(writer, 1);
	w->how = c;
	*state = w;
	if (!c->path)
		return ds_fail(e, DS_USAGE, "megatron writes two files: -o NAME is needed");
	DS_TRY(ds_spool_open(&w->tokens, e));
	return ds_spool_open(&w->lengths, e);
}

static ds_rc write_block(void *state, ds_block *b, ds_err *e)
{
	writer *w = state;
	return ds_spool_block(w->tokens, w->lengths, b, e);
}

static ds_rc put(ds_out *out, uint64_t v, size_t bytes, ds_err *e)
{
	return ds_out_write(out, &v, bytes, e); /* little-endian here and there */
}

static ds_rc write_index(writer *w, ds_out *out, unsigned width, ds_err *e)
{
	uint64_t n = ds_spool_count(w->lengths), at = 0;
	DS_TRY(ds_out_write(out, DS_MEGATRON_MAGIC_TEXT, DS_MEGATRON_MAGIC, e));
	DS_TRY(put(out, 1, 8, e));
	DS_TRY(put(out, width == 2 ? DS_MEGATRON_U16 : DS_MEGATRON_I32, 1, e));
	DS_TRY(put(out, n, 8, e));
	DS_TRY(put(out, n + 1, 8, e));
	DS_TRY(ds_spool_write(w->lengths, out, 4, e));
	for (uint64_t i = 0; i < n; i++) {
		uint32_t length;
		DS_TRY(put(out, at, 8, e));
		DS_TRY(ds_spool_at(w->lengths, i, &length, e));
		at += (uint64_t)length * width;
	}
	for (uint64_t i = 0; i <= n; i++)
		DS_TRY(put(out, i, 8, e));
	return DS_OK;
}

/* NAME, NAME.bin and NAME.idx all name the pair NAME.bin and NAME.idx. */
static char *pair_name(ds_arena *mem, const char *path, const char *suffix)
{
	ds_str name = ds_str_of(path);
	if (ds_str_ends(name, DS_S(".bin")) || ds_str_ends(name, DS_S(".idx")))
		name.n -= 4;
	return (char *)(uintptr_t)ds_arena_fmt(mem, "%.*s%s", (int)name.n, name.at, suffix).at;
}

static ds_rc finish(void *state, ds_err *e)
{
	writer *w = state;
	DS_AUTO(ds_arena) mem = ds_arena_new(4096);
	DS_AUTO(ds_out) bin = NULL;
	DS_AUTO(ds_out) idx = NULL;
	unsigned width = ds_spool_largest(w->tokens) < DS_MEGATRON_NARROW ? 2 : 4;
	if (ds_spool_largest(w->tokens) > INT32_MAX)
		return ds_fail(e, DS_BAD, "an id over %d does not fit", INT32_MAX);
	DS_TRY(ds_out_open(&bin, pair_name(mem, w->how->path, ".bin"), e));
	DS_TRY(ds_out_open(&idx, pair_name(mem, w->how->path, ".idx"), e));
	DS_TRY(ds_spool_write(w->tokens, bin, width, e));
	DS_TRY(write_index(w, idx, width, e));
	DS_TRY(ds_out_deliver(bin, e));
	return ds_out_deliver(idx, e);
}

const ds_exporter ds_export_megatron = {
	.name = "megatron",
	.suffixes = ".megatron",
	.what = "Megatron-LM's indexed dataset, NAME.bin and NAME.idx",
	.own_files = true,
	.open = open_writer,
	.write = write_block,
	.finish = finish,
	.close = close_writer,
};
