/*
 * copy.c - see copy.h
 */
#include "copy.h"

#include "base/io.h"
#include "base/mem.h"
#include "base/outs.h"
#include "json/json.h"

ds_rc copy_open(copy_run **out, const ds_common *c, const char *const *paths, size_t n, ds_err *e)
{
	DS_AUTO(copy_run) r = DS_NEW(copy_run, 1);
	r->c = c;
	r->chain_mem = ds_arena_new(0);
	r->outs = DS_NEW(copy_out, n);
	r->n_outs = n;
	for (size_t i = 0; i < n; i++) {
		r->outs[i].how = c->out;
		r->outs[i].how.path = paths[i];
		DS_TRY(ds_sink_check(&r->outs[i].how, e));
		DS_TRY(ds_shards_check(&r->outs[i].how, e));
		r->outs[i].compressor = ds_compressor_new(c->out.level);
		r->outs[i].mem = ds_arena_new(1 << 20);
	}
	DS_TRY(ds_source_open(&r->source, &c->in, e));
	r->progress = ds_progress_new(&c->who);
	ds_progress_total(r->progress, ds_source_total_bytes(r->source));
	*out = r;
	r = NULL;
	return DS_OK;
}

void copy_close(copy_run *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_outs; i++) {
		copy_out *o = &r->outs[i];
		if (o->shards)
			ds_shards_free(o->shards);
		else
			ds_sink_close(o->sink);
		ds_compressor_free(o->compressor);
		ds_arena_free(o->mem);
		ds_mem_free(o->parts);
	}
	ds_mem_free(r->outs);
	ds_source_close(r->source);
	ds_progress_free(r->progress);
	ds_arena_free(r->chain_mem);
	ds_mem_free(r);
}

static ds_chain *chain_with_us(copy_run *r, ds_stage_entry **stage)
{
	ds_chain *chain = ds_source_chain(r->source);
	*stage = ds_chain_push(r->chain_mem, chain, ds_str_of(r->c->who.program), DS_S(DS_VERSION),
		r->c->recorded);
	return chain;
}

static ds_rc open_out(copy_run *r, copy_out *o, ds_err *e)
{
	ds_stage_entry *unused;
	ds_shard_file *first;
	const ds_chain *head = chain_with_us(r, &unused);
	if (!o->how.shard_bytes)
		return ds_sink_open(&o->sink, &o->how, head, e);
	o->shards = ds_shards_new(&o->how, head);
	DS_TRY(ds_shards_next(o->shards, &first, e));
	o->sink = first->sink;
	return DS_OK;
}

static ds_rc write_opt(copy_out *o, ds_opt block, ds_err *e)
{
	return o->shards ? ds_shards_opt(o->shards, block, e) : ds_sink_opt(o->sink, block, e);
}

/* Opens what is not open, and writes the optional blocks that have come since. */
static ds_rc begin(copy_run *r, ds_err *e)
{
	size_t n_opts;
	for (size_t i = 0; i < r->n_outs; i++) {
		copy_out *o = &r->outs[i];
		if (!o->sink)
			DS_TRY(open_out(r, o, e));
		const ds_opt *opts = ds_source_opts(r->source, &n_opts);
		for (; o->n_opts < n_opts; o->n_opts++)
			DS_TRY(write_opt(o, opts[o->n_opts], e));
	}
	return DS_OK;
}

ds_rc copy_next(copy_run *r, ds_arena *mem, ds_block **b, ds_err *e)
{
	DS_TRY(ds_source_next(r->source, mem, b, e));
	DS_TRY(begin(r, e));
	if (*b) {
		r->records += (*b)->n_rows;
		r->bytes += (*b)->input_bytes;
		ds_progress_add(r->progress, (*b)->n_rows, (*b)->input_bytes);
	}
	return DS_OK;
}

ds_rc copy_block(copy_run *r, copy_out *o, ds_block *b, ds_err *e)
{
	ds_sink_part part;
	if (b->n_rows == 0)
		return DS_OK;
	DS_TRY(ds_sink_encode(o->sink, b, o->compressor, &part, e));
	uint64_t bytes = part.frame.raw_bytes ? part.frame.raw_bytes : part.text.n;
	o->records += b->n_rows;
	o->bytes += bytes;
	if (!o->shards)
		return ds_sink_write(o->sink, &part, e);
	ds_shard_file *to;
	DS_TRY(ds_shards_next(o->shards, &to, e));
	to->records += b->n_rows;
	to->bytes += bytes;
	return ds_sink_write(to->sink, &part, e);
}

static ds_rc flush(copy_run *r, copy_out *o, ds_err *e)
{
	ds_block *b;
	if (o->n_parts == 0)
		return DS_OK;
	DS_TRY(ds_block_join(&b, o->mem, o->parts, o->n_parts, e));
	DS_TRY(copy_block(r, o, b, e));
	o->n_parts = 0;
	o->waiting_bytes = 0;
	ds_arena_reset(o->mem);
	return DS_OK;
}

static ds_rc add_part(copy_out *o, ds_block *b, const uint32_t *rows, uint32_t n, ds_err *e)
{
	if (n == 0)
		return DS_OK;
	if (o->n_parts == o->cap_parts) {
		size_t cap = o->cap_parts ? o->cap_parts * 2 : 64;
		o->parts = ds_mem_grow(
			o->parts, o->n_parts * sizeof(*o->parts), cap * sizeof(*o->parts));
		o->cap_parts = cap;
	}
	DS_TRY(ds_block_copy(&o->parts[o->n_parts], o->mem, b, rows, n, e));
	o->n_parts++;
	return DS_OK;
}

ds_rc copy_rows(copy_run *r, copy_out *o, ds_block *b, const uint32_t *rows, uint32_t n, ds_err *e)
{
	uint32_t from = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t bytes;
		DS_TRY(ds_block_row_bytes(b, rows[i], &bytes, e));
		/* A record that does not fit any more begins the next block. */
		if (o->waiting_bytes && o->waiting_bytes + bytes > DS_BLOCK_BYTES) {
			DS_TRY(add_part(o, b, rows + from, i - from, e));
			DS_TRY(flush(r, o, e));
			from = i;
		}
		o->waiting_bytes += bytes;
	}
	return add_part(o, b, rows + from, n - from, e);
}

/* Counts of what did not come out: records that were bad, and those that are in other outputs. */
static void add_counts(copy_run *r, const copy_out *o, const ds_shard_file *shard,
	ds_stage_entry *stage, const char *elsewhere)
{
	uint64_t bad = ds_source_bad(r->source), records = r->records + bad;
	ds_reader_stats lost = ds_source_damage(r->source);
	ds_count all[] = {
		{ ds_str_of(elsewhere ? elsewhere : ""), elsewhere ? r->records - o->records : 0 },
		{ DS_S("in other shards"), shard ? o->records - shard->records : 0 },
		{ DS_S("bad"), bad },
		{ DS_S("blocks lost"), lost.bad_blocks },
		{ DS_S("bytes lost"), lost.lost_bytes },
		{ DS_S("inputs cut short"), ds_source_cut_short(r->source) },
	};
	stage->has_counts = true;
	stage->records_in = records;
	stage->records_out = shard ? shard->records : o->records;
	stage->bytes_in = r->bytes;
	stage->bytes_out = shard ? shard->bytes : o->bytes;
	stage->counts = ds_arena_get(r->chain_mem, sizeof(all));
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].n)
			stage->counts[stage->n_counts++] = all[i];
}

/* --stats FILE: the stage's entry as JSON. */
static ds_rc write_stats(copy_run *r, ds_err *e)
{
	uint64_t out = 0;
	ds_buf text = { 0 };
	if (!r->c->stats_path)
		return DS_OK;
	for (size_t i = 0; i < r->n_outs; i++)
		out += r->outs[i].records;
	ds_buf_add_c(&text, "{\"program\":");
	ds_json_add_str(&text, ds_str_of(r->c->who.program));
	ds_buf_add_c(&text, ",\"args\":");
	ds_json_add_str(&text, r->c->recorded);
	ds_buf_fmt(&text,
		",\"records_in\":%llu,\"records_out\":%llu,\"bytes_in\":%llu,\"seconds\":%.3f"
		",\"counts\":{\"bad\":%llu}}\n",
		(unsigned long long)(r->records + ds_source_bad(r->source)),
		(unsigned long long)out, (unsigned long long)r->bytes,
		ds_progress_seconds(r->progress), (unsigned long long)ds_source_bad(r->source));
	ds_rc rc = ds_file_deliver(r->c->stats_path, ds_buf_view(&text), e);
	ds_buf_free(&text);
	return rc;
}

static ds_rc finish_sink(copy_run *r, const copy_out *o, ds_sink *sink, const ds_shard_file *shard,
	const char *elsewhere, ds_err *e)
{
	ds_stage_entry *stage;
	ds_chain *chain = chain_with_us(r, &stage);
	add_counts(r, o, shard, stage, elsewhere);
	return ds_sink_finish(sink, chain, e);
}

ds_rc copy_finish(copy_run *r, const char *elsewhere, ds_err *e)
{
	for (size_t i = 0; i < r->n_outs; i++) {
		copy_out *o = &r->outs[i];
		DS_TRY(flush(r, o, e));
		if (!o->shards)
			DS_TRY(finish_sink(r, o, o->sink, NULL, elsewhere, e));
		for (size_t k = 0; o->shards && k < o->shards->n; k++)
			DS_TRY(finish_sink(
				r, o, o->shards->at[k]->sink, o->shards->at[k], elsewhere, e));
		o->finished = true;
	}
	DS_TRY(write_stats(r, e));
	return ds_outs_with(ds_source_tell(r->source, e), e);
}

ds_rc copy_abort(copy_run *r, ds_rc rc, const ds_err *e)
{
	for (size_t i = 0; rc != DS_OK && i < r->n_outs; i++)
		if (r->outs[i].sink && !r->outs[i].finished)
			ds_sink_abort(r->outs[i].sink, e->msg);
	return rc;
}

void copy_summary(copy_run *r, const char *more)
{
	ds_buf text = { 0 };
	uint64_t out = 0, bad = ds_source_bad(r->source);
	for (size_t i = 0; i < r->n_outs; i++)
		out += r->outs[i].records;
	add_grouped(&text, r->records + bad);
	ds_buf_fmt(&text, " record%s in, ", ds_s(r->records + bad));
	add_grouped(&text, out);
	ds_buf_add_c(&text, " out");
	if (bad) {
		ds_buf_add_c(&text, " (");
		add_grouped(&text, bad);
		ds_buf_add_c(&text, " bad)");
	}
	ds_progress_clear(r->progress);
	ds_say(&r->c->who, "%s%s%s", ds_buf_text(&text), more ? ": " : "", more ? more : "");
	ds_buf_free(&text);
}
