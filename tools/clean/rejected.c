/*
 * rejected.c - a second sink, beside the pipe's own
 */
#include "rejected.h"

#include "base/mem.h"
#include "record/export.h"

struct rejected {
	ds_output_opts out; /* the run's, but for where and how to write */
	ds_arena *mem;
	ds_chain *chain;
	ds_sink *sink;
};

void rejected_close(rejected *r)
{
	if (!r)
		return;
	ds_sink_close(r->sink);
	ds_arena_free(r->mem);
	ds_mem_free(r);
}

ds_rc rejected_open(rejected **out, const ds_common *c, const char *path, ds_err *e)
{
	DS_AUTO(rejected) r = DS_NEW(rejected, 1);
	r->out = c->out;
	r->out.path = path;
	/* The name says it, else JSON Lines: what was dropped is for people to look at. */
	ds_sink_form form;
	DS_TRY_AT(ds_sink_format(&form, NULL, path, "jsonl", e), e, "--rejected");
	r->out.to = form.exporter ? form.exporter->name : "dsr";
	r->out.level = 0;
	r->mem = ds_arena_new(4096);
	r->chain = ds_chain_new(r->mem);
	ds_chain_push(r->mem, r->chain, ds_str_of(c->who.program), DS_S(DS_VERSION), c->recorded);
	DS_TRY(ds_sink_open(&r->sink, &r->out, r->chain, e));
	*out = r;
	r = NULL;
	return DS_OK;
}

ds_rc rejected_encode(
	rejected *r, ds_block *b, const rejected_rows *rows, ds_sink_part *out, ds_err *e)
{
	ds_block *some;
	DS_TRY(ds_block_copy(&some, b->mem, b, rows->rows, rows->n, e));
	ds_colb *reason = ds_colb_new(some, "rejected", DS_T_UTF8);
	ds_colb *id = ds_block_find(b, "id") ? NULL : ds_colb_new(some, "id", DS_T_I64);
	for (uint32_t i = 0; i < rows->n; i++) {
		ds_colb_bytes(reason, ds_str_of(rows->names[rows->reasons[i]]));
		if (id)
			ds_colb_i64(id, (int64_t)ds_block_record(b, rows->rows[i]));
	}
	DS_TRY(ds_colb_put(reason, e));
	if (id)
		DS_TRY(ds_colb_put(id, e));
	return ds_sink_encode(r->sink, some, NULL, out, e);
}

ds_rc rejected_write(rejected *r, ds_sink_part *part, ds_err *e)
{
	return ds_sink_write(r->sink, part, e);
}

ds_rc rejected_finish(rejected *r, ds_err *e)
{
	return ds_sink_finish(r->sink, r->chain, e);
}
