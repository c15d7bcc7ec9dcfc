/*
 * import_dsr.c - our own streams: blocks as they are, undecoded
 */
#include "record/import.h"

enum { LIMIT_USUAL = 1 << 30 };

static bool looks(ds_str head)
{
	return ds_stream_looks(head);
}

static ds_rc open_stream(ds_input *in, ds_err *e)
{
	ds_reader *r;
	ds_in *bytes = in->in;
	in->in = NULL; /* the reader takes it over, also where it fails */
	DS_TRY(ds_reader_open(&r, bytes, e));
	ds_reader_salvage(r, in->how->salvage);
	/* A block must be read before one of its records can be named, or left out: as far as usual. */
	uint64_t limit = in->how->max_record;
	ds_reader_limit(r, limit < LIMIT_USUAL ? LIMIT_USUAL : limit);
	ds_source_add_reader(in->source, r);
	in->state = r;
	return DS_OK;
}

static ds_rc cut(ds_input *in, ds_chunk *ch, bool *more, ds_err *e)
{
	DS_TRY(ds_reader_next(in->state, ch->mem, &ch->block, e));
	*more = ch->block != NULL;
	if (*more) {
		ch->block->chain = ds_reader_stream_chain(in->state);
		ch->n_records = ch->block->n_rows;
		ch->input_bytes = ch->block->input_bytes;
		in->n_records += ch->n_records;
	}
	return DS_OK;
}

static ds_rc parse(ds_chunk *ch, ds_block **out, ds_err *e)
{
	/* Columns that nobody looks into pass undecoded; their hashes must be right all the same. */
	*out = ch->block;
	return ds_block_check(ch->block, e);
}

const ds_importer ds_import_dsr = {
	.name = "dsr",
	.what = "dstools' own record stream",
	.magic = looks,
	.open = open_stream,
	.cut = cut,
	.parse = parse,
};
