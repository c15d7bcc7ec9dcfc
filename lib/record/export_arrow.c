/*
 * export_arrow.c - Arrow IPC: a stream where the name ends with .arrows, else a file
 */
#include "record/export.h"

#include "base/mem.h"
#include "record/arrow/write.h"

typedef struct {
	ds_ar_writer *writer;
	ds_buf chain;
} table;

static ds_rc open_table(void **state, const ds_output_opts *c, ds_out *out, ds_err *e)
{
	table *t = DS_NEW(table, 1);
	ds_str name = c->path ? ds_str_of(c->path) : DS_S("");
	t->writer = ds_ar_writer_new(out, !ds_str_ends(name, DS_S(".arrows")), c->level);
	*state = t;
	return DS_OK;
}

static void close_table(void *state)
{
	table *t = state;
	if (!t)
		return;
	ds_ar_writer_free(t->writer);
	ds_buf_free(&t->chain);
	ds_mem_free(t);
}

static ds_rc write_block(void *state, ds_block *b, ds_err *e)
{
	table *t = state;
	return ds_ar_writer_add(t->writer, b, e);
}

static void take_chain(void *state, const ds_chain *chain)
{
	table *t = state;
	ds_chain_print(&t->chain, chain);
}

static ds_rc finish(void *state, ds_err *e)
{
	table *t = state;
	return ds_ar_writer_finish(t->writer, ds_buf_view(&t->chain), e);
}

static uint64_t replaced(const void *state)
{
	const table *t = state;
	return ds_ar_writer_replaced(t->writer);
}

const ds_exporter ds_export_arrow = {
	.name = "arrow",
	.what = "Arrow IPC: a file, or a stream where the name ends with .arrows",
	.suffixes = ".arrow .arrows .ipc .feather",
	.packs_itself = true,
	.open = open_table,
	.write = write_block,
	.chain = take_chain,
	.finish = finish,
	.replaced = replaced,
	.close = close_table,
};
