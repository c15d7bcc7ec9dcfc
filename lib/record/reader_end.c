/*
 * reader_end.c - what a reader keeps of headers, optional blocks and trailers
 */
#include "record/reader_impl.h"

#include "base/mem.h"

ds_rc ds_reader_header_chain(ds_reader *r, ds_str payload, uint64_t exact, ds_err *e)
{
	if (exact > payload.n || ds_pad(exact) != payload.n ||
		!ds_zeros(payload.at + exact, payload.n - exact))
		return ds_fail(e, DS_SHORT, "the stream's header is damaged");
	if (ds_chain_parse(&r->chain, r->mem, (ds_str){ payload.at, exact }, e) != DS_OK)
		return ds_at(e, DS_SHORT, "the stream's header");
	return DS_OK;
}

ds_rc ds_reader_add_opt(ds_reader *r, uint16_t kind, ds_str bytes, ds_err *e)
{
	for (size_t i = 0; i < r->n_opts; i++)
		if (r->opts[i].kind == kind && ds_str_eq(r->opts[i].bytes, bytes))
			return DS_OK;
	if (r->n_opts == r->opts_cap) {
		/* The old list stays where it is: others may be looking at it. */
		size_t cap = r->opts_cap ? 2 * r->opts_cap : 8;
		ds_opt *more = ds_arena_get(r->mem, cap * sizeof(*more));
		if (r->n_opts)
			memcpy(more, r->opts, r->n_opts * sizeof(*more));
		r->opts = more;
		r->opts_cap = cap;
	}
	r->opts[r->n_opts++] = (ds_opt){ kind, ds_arena_str(r->mem, bytes) };
	return DS_OK;
}

bool ds_trailer_cut(ds_str body, uint64_t exact, ds_totals *t, ds_str *index, ds_str *chain)
{
	if (exact < DS_TOTALS_BYTES || exact > body.n)
		return false;
	ds_totals_get((const uint8_t *)body.at, t);
	uint64_t left = exact - DS_TOTALS_BYTES;
	if (t->zero || t->frames > left / DS_INDEX_BYTES ||
		t->chain_bytes != left - t->frames * DS_INDEX_BYTES)
		return false;
	*index = (ds_str){ body.at + DS_TOTALS_BYTES, t->frames * DS_INDEX_BYTES };
	*chain = (ds_str){ index->at + index->n, t->chain_bytes };
	return true;
}

static const char *totals_wrong(const ds_reader *r, const ds_totals *t, ds_str index, uint64_t at)
{
	if (t->checksum != ds_hasher_get64(r->sum))
		return "the trailer's checksum is not that of the blocks";
	if (t->records != r->first || t->blocks != r->blocks || t->frames != r->seq ||
		t->raw_bytes != r->raw_bytes || t->trailer_at != at)
		return "the trailer's totals are not those of the blocks";
	if (ds_hash64(index.at, index.n) != ds_hasher_get64(r->index))
		return "the trailer's index is not that of the blocks";
	return NULL;
}

ds_rc ds_reader_trailer(
	ds_reader *r, const ds_frame_head *h, ds_str body, uint64_t trailer_at, ds_err *e)
{
	ds_totals t;
	ds_str index, json;
	if (!ds_trailer_cut(body, h->first, &t, &index, &json))
		return ds_fail(e, DS_SHORT, "the trailer is damaged");
	const char *wrong = totals_wrong(r, &t, index, trailer_at);
	if (wrong && !r->broken)
		return ds_fail(e, DS_SHORT, "%s", wrong);
	ds_chain *chain;
	if (ds_chain_parse(&chain, r->mem, json, e) != DS_OK)
		return ds_at(e, DS_SHORT, "the trailer");
	r->chain = chain;
	return DS_OK;
}

void ds_reader_end_chain(ds_reader *r)
{
	if (!r->chain)
		return;
	/* At most one chain more than there are different ones, so merging now keeps the list short. */
	ds_chain **list = ds_arena_get(r->mem, (r->n_done + 1) * sizeof(*list));
	if (r->n_done)
		memcpy(list, r->done, r->n_done * sizeof(*list));
	list[r->n_done] = r->chain;
	ds_chain *merged = ds_chain_merge(r->mem, list, r->n_done + 1);
	bool several =
		merged->n == 1 && merged->stages[0].program.n == 0 && merged->stages[0].n_branches;
	if (several) {
		r->n_done = merged->stages[0].n_branches;
		r->done = (ds_chain **)(uintptr_t)merged->stages[0].branches;
	} else {
		list[0] = merged;
		r->done = list;
		r->n_done = 1;
	}
	r->chain = NULL;
}

ds_chain *ds_reader_chain(const ds_reader *r)
{
	ds_chain **list = ds_arena_get(r->mem, (r->n_done + 1) * sizeof(*list));
	size_t n = r->n_done;
	if (n)
		memcpy(list, r->done, n * sizeof(*list));
	if (r->chain)
		list[n++] = r->chain;
	return ds_chain_merge(r->mem, list, n);
}

const ds_chain *ds_reader_stream_chain(const ds_reader *r)
{
	return r->chain;
}

const ds_opt *ds_reader_opts(const ds_reader *r, size_t *n)
{
	*n = r->n_opts;
	return r->opts;
}
