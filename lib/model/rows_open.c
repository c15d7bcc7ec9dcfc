/*
 * rows_open.c - pieces out of files
 *
 * A DSR file that can be mapped is read through its index: packed and uncompressed, its blocks are
 * left alone until a row of theirs is wanted; otherwise they are decoded now. Any other input goes
 * through ds_source, and its tokens, or its text encoded, are copied together.
 */
#include "model/rows_impl.h"

#include "base/hash.h"
#include "base/mem.h"
#include "record/source.h"

#include <sys/stat.h>

enum { TAIL_BYTES = 4096 };

static piece *add_piece(ds_rows *r, uint32_t n_rows, const char *origin, uint64_t record)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 64;
		r->pieces = ds_mem_grow(r->pieces, r->cap * sizeof(piece), cap * sizeof(piece));
		r->cap = cap;
	}
	r->pieces[r->n] = (piece){ .n_rows = n_rows, .origin = origin, .record = record };
	return &r->pieces[r->n++];
}

static void add_identity(ds_rows *r, uint64_t h)
{
	uint64_t both[2] = { r->identity, h };
	r->identity = ds_hash64(both, sizeof(both));
}

/* ---- blocks ---- */

static ds_rc take_list(list_col *out, ds_block *b, const char *name, ds_err *e)
{
	const ds_col *c;
	DS_TRY(ds_block_get(b, name, &c, e));
	if (!c)
		return DS_OK;
	bool bytes = ds_str_is(c->name, "mask") || ds_str_is(c->name, "types");
	bool ok = bytes ? c->type == DS_T_BYTES : c->type == DS_T_U16S || c->type == DS_T_U32S;
	if (!ok)
		return ds_fail(e, DS_BAD, "field '%s' is %s, wanted %s", name,
			ds_type_name(c->type),
			bytes ? "bytes" : "whole numbers from 0 (u16[], u32[])");
	*out = (list_col){ c->data, c->off, c->present, c->type == DS_T_U32S };
	return DS_OK;
}

/* Sets ids, docs, mask from a block whose memory lives as long as r. */
static ds_rc take_block(piece *p, ds_block *b, ds_err *e)
{
	DS_TRY(take_list(&p->ids, b, "tokens", e));
	if (!p->ids.off)
		return ds_fail(e, DS_BAD, "a block without 'tokens'");
	DS_TRY(take_list(&p->docs, b, "docs", e));
	DS_TRY(take_list(&p->mask, b, "mask", e));
	DS_TRY(take_list(&p->types, b, "types", e));
	p->ready = true;
	return DS_OK;
}

ds_rc ds_rows_ready(ds_rows *r, piece *p, ds_err *e)
{
	ds_block *b;
	if (p->ready)
		return DS_OK;
	DS_TRY_AT(ds_reader_at(p->reader, &p->entry, r->mem, &b, e), e, "%s", p->origin);
	DS_TRY_AT(take_block(p, b, e), e, "%s:%llu", p->origin, (unsigned long long)p->record);
	return DS_OK;
}

/* ---- tokenizers ---- */

static ds_rc meet_tokenizer(ds_rows *r, const ds_opt *opts, size_t n, const char *origin, ds_err *e)
{
	for (size_t i = 0; i < n; i++) {
		DS_AUTO(ds_tok) t = NULL;
		if (opts[i].kind != DS_OPT_TOKENIZER)
			continue;
		DS_TRY_AT(ds_tok_unpack(&t, opts[i].bytes, e), e, "%s", origin);
		if (r->tok) {
			bool same;
			DS_TRY(ds_tok_same(r->tok, t, &same, e));
			if (!same && !r->any_tok)
				return ds_fail(e, DS_BAD,
					"%s: encoded with another tokenizer than that of %s; "
					"--any-tokenizer true takes its ids as they are",
					origin, r->tok_from);
			continue;
		}
		r->tok = r->own_tok = t;
		r->tok_from = ds_arena_str(r->mem, ds_str_of(origin)).at;
		t = NULL;
		r->tok_known = true;
	}
	return DS_OK;
}

/* ---- files that can be mapped ---- */

static bool mappable(const char *path)
{
	DS_AUTO(ds_in) in = NULL;
	struct stat st;
	ds_err e;
	ds_str head;
	if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	if (ds_in_open(&in, path, &e) != DS_OK || ds_in_wrap(in) != DS_RAW)
		return false;
	return ds_in_peek(in, DS_MAGIC_BYTES, &head, &e) == DS_OK && ds_stream_looks(head);
}

/* The end of a DSR file holds the hash of the whole: enough to know the file again. */
static void know_file(ds_rows *r, ds_in *in)
{
	ds_str all;
	if (!ds_in_map(in, &all))
		return;
	size_t n = all.n < TAIL_BYTES ? all.n : TAIL_BYTES;
	add_identity(r, ds_hash64_seed(all.at + all.n - n, n, all.n));
}

static ds_reader *keep_reader(ds_rows *r, ds_reader *reader)
{
	size_t n = r->n_readers;
	r->readers = ds_mem_grow(r->readers, n * sizeof(reader), (n + 1) * sizeof(reader));
	return r->readers[r->n_readers++] = reader;
}

/* What the first block of all says holds for all: rows of one length with docs are packed. */
static void settle_packed(ds_rows *r, const piece *p)
{
	r->packed = p->docs.off && p->n_rows > 0;
	if (r->packed)
		r->seq = p->ids.off[1] - p->ids.off[0];
}

/* Rows of another length than those of the files before would be found when one is wanted, hours later. */
static ds_rc check_length(const ds_rows *r, ds_block *b, const char *path, ds_err *e)
{
	piece p = { 0 };
	if (!r->packed || !b->n_rows)
		return DS_OK;
	DS_TRY_AT(take_block(&p, b, e), e, "%s", path);
	uint32_t n = p.ids.off[1] - p.ids.off[0];
	if (p.docs.off && n != (uint64_t)r->seq)
		return ds_fail(e, DS_BAD, "%s: rows of %u tokens, those before have %lld", path, n,
			(long long)r->seq);
	return DS_OK;
}

static bool is_packed_raw(const ds_rows *r, ds_block *b)
{
	const ds_col *c = ds_block_find(b, "tokens");
	return r->packed && c && c->stored.codec == 0;
}

/* Has this file a tokens column at all? Then the index gives its blocks. */
static ds_rc open_mapped(ds_rows *r, const char *path, bool *done, ds_err *e)
{
	ds_in *in;
	ds_reader *reader;
	ds_block *b;
	const ds_index_entry *entries;
	size_t n, n_opts;
	DS_TRY(ds_in_open(&in, path, e));
	know_file(r, in);
	DS_TRY_AT(ds_reader_open(&reader, in, e), e, "%s", path);
	keep_reader(r, reader);
	DS_TRY(ds_reader_next(reader, r->mem, &b, e));
	if (!b || !ds_block_find(b, "tokens"))
		return DS_OK;
	*done = true;
	const ds_opt *opts = ds_reader_opts(reader, &n_opts);
	DS_TRY(meet_tokenizer(r, opts, n_opts, path, e));
	DS_TRY(check_length(r, b, path, e));
	DS_TRY_AT(ds_reader_index(reader, &entries, &n, e), e, "%s", path);
	for (size_t i = 0; i < n; i++) {
		if (!entries[i].n_rows)
			continue;
		piece *p = add_piece(r, entries[i].n_rows, path, entries[i].first_record + 1);
		p->reader = reader;
		p->entry = entries[i];
		if (r->n == 1) {
			DS_TRY(ds_rows_ready(r, p, e));
			settle_packed(r, p);
		}
		if (!is_packed_raw(r, b))
			DS_TRY(ds_rows_ready(r, p, e));
	}
	ds_chain_print(&r->chain, ds_reader_chain(reader));
	ds_buf_add_byte(&r->chain, ',');
	return DS_OK;
}

/* ---- everything else ---- */

/* The same list in memory that lives as long as r. */
static void own_list(ds_rows *r, list_col *c, uint32_t n_rows, unsigned element)
{
	if (!c->off)
		return;
	uint32_t n = c->off[n_rows] - c->off[0];
	uint32_t *off = ds_arena_get(r->mem, ((size_t)n_rows + 1) * 4);
	char *data = ds_arena_get(r->mem, (size_t)n * element + 1);
	for (uint32_t i = 0; i <= n_rows; i++)
		off[i] = c->off[i] - c->off[0];
	memcpy(data, (const char *)c->data + (size_t)c->off[0] * element, (size_t)n * element);
	if (c->present) {
		size_t bytes = ((size_t)n_rows + 7) / 8;
		c->present = memcpy(ds_arena_get(r->mem, bytes), c->present, bytes);
	}
	c->off = off;
	c->data = data;
}

ds_rc ds_rows_no_text(ds_rows *r, ds_block *b, ds_err *e)
{
	ds_field_names there = { 0 };
	DS_TRY(ds_field_names_add(&there, b, e));
	ds_buf list = { 0 };
	ds_field_names_print(&there, &list);
	ds_fail(e, DS_BAD, "neither 'tokens' nor '%s'; there are: %.600s (--field names one)",
		ds_field_name(r->field), ds_buf_text(&list));
	ds_buf_free(&list);
	ds_field_names_free(&there);
	return DS_BAD;
}

/* A record with tokens, or a text; DS_BAD: it has none, or what is there is no text. */
static ds_rc has_words(ds_rows *r, ds_block *b, const ds_col *tokens, uint32_t row, ds_err *e)
{
	bool has = tokens && ds_col_has(tokens, row) && !ds_col_null(tokens, row);
	ds_str text;
	if (!tokens)
		DS_TRY(ds_texts_get(&r->texts, row, &text, &has, e));
	return has ? DS_OK : ds_rows_no_text(r, b, e);
}

/* Records that lack what the block's others have leave it, as --on-error says. tokens NULL: texts. */
static ds_rc keep_those_with(ds_rows *r, ds_block *b, const ds_col *tokens, piece *p, ds_err *e)
{
	uint32_t n = 0, *rows = ds_arena_get(b->mem, ((size_t)b->n_rows + 1) * 4);
	for (uint32_t i = 0; i < b->n_rows; i++) {
		ds_rc rc = has_words(r, b, tokens, i, e);
		if (rc == DS_BAD)
			DS_TRY(ds_source_refuse(r->source, b, i, e));
		else
			DS_TRY(rc);
		if (rc == DS_OK)
			rows[n++] = i;
	}
	ds_rows_kept(r, p, b, rows, n);
	if (n == b->n_rows)
		return DS_OK;
	DS_TRY(ds_block_select(b, rows, n, e));
	return tokens ? DS_OK : ds_texts_open(&r->texts, r->field, b, NULL, e);
}

static ds_rc add_tokens(ds_rows *r, ds_block *b, piece *p, ds_err *e)
{
	DS_TRY(keep_those_with(r, b, ds_block_find(b, "tokens"), p, e));
	DS_TRY_AT(take_block(p, b, e), e, "%s:%llu", p->origin, (unsigned long long)p->record);
	own_list(r, &p->ids, p->n_rows, p->ids.wide ? 4 : 2);
	own_list(r, &p->docs, p->n_rows, p->docs.wide ? 4 : 2);
	own_list(r, &p->mask, p->n_rows, 1);
	own_list(r, &p->types, p->n_rows, 1);
	return DS_OK;
}

static void own_ids(ds_rows *r, piece *p, const ds_buf *ids, uint32_t *off)
{
	uint32_t n = (uint32_t)(ids->n / 4);
	const uint32_t *from = (const uint32_t *)ids->at;
	bool wide = ds_tok_size(r->tok) > 65536;
	void *to = ds_arena_get(r->mem, (size_t)n * (wide ? 4 : 2) + 4);
	for (uint32_t i = 0; i < n; i++) {
		if (wide)
			((uint32_t *)to)[i] = from[i];
		else
			((uint16_t *)to)[i] = (uint16_t)from[i];
	}
	p->ids = (list_col){ to, off, NULL, wide };
	p->ready = true;
}

static ds_rc encode_rows(
	ds_rows *r, ds_block *b, ds_tok_scratch *scratch, ds_buf *ids, uint32_t *off, ds_err *e)
{
	for (uint32_t row = 0; row < b->n_rows; row++) {
		const uint32_t *at;
		size_t n;
		bool has;
		ds_str s;
		DS_TRY(ds_texts_get(&r->texts, row, &s, &has, e));
		DS_TRY(ds_tok_encode(r->tok, scratch, s, 0, &at, &n, e));
		if (ids->n / 4 + n > UINT32_MAX / 2)
			return ds_fail(
				e, DS_BAD, "%s: over 2 billion tokens in a block", b->origin);
		ds_buf_add(ids, at, n * 4);
		off[row + 1] = (uint32_t)(ids->n / 4);
	}
	return DS_OK;
}

static ds_rc add_texts(ds_rows *r, ds_block *b, piece *p, ds_tok_scratch *scratch, ds_err *e)
{
	ds_buf ids = { 0 };
	DS_TRY(keep_those_with(r, b, NULL, p, e));
	uint32_t *off = ds_arena_zero(r->mem, ((size_t)b->n_rows + 1) * 4);
	ds_rc rc = encode_rows(r, b, scratch, &ids, off, e);
	if (rc == DS_OK)
		own_ids(r, p, &ids, off);
	ds_buf_free(&ids);
	return rc;
}

static ds_rc open_tokenizer(ds_rows *r, ds_tok_scratch **scratch, ds_err *e)
{
	if (!r->tok) {
		DS_TRY(ds_tok_open(&r->own_tok, NULL, NULL, e));
		r->tok = r->own_tok;
	}
	r->tok_known = true;
	if (!*scratch)
		*scratch = ds_tok_scratch_new(r->tok);
	return DS_OK;
}

static ds_rc add_block(ds_rows *r, ds_block *b, ds_tok_scratch **scratch, ds_err *e)
{
	const char *origin = ds_arena_str(r->mem, ds_str_of(b->origin)).at;
	piece *p = add_piece(r, b->n_rows, origin, b->origin_record);
	bool plain = !is_labelled(r) && ds_block_find(b, "tokens");
	DS_TRY(ds_texts_open(&r->texts, r->field, b, NULL, e));
	if (plain)
		DS_TRY(add_tokens(r, b, p, e));
	else if (!r->images || r->kind == DS_ROWS_PAIR)
		DS_TRY(open_tokenizer(r, scratch, e));
	if (plain && r->kind == DS_ROWS_CHAT && p->docs.off)
		return ds_fail(e, DS_BAD, "%s: packed rows, whose mask task=clm follows", origin);
	if (r->kind == DS_ROWS_CHAT && !plain)
		DS_TRY(ds_rows_add_chat(r, b, p, *scratch, e));
	else if (r->kind == DS_ROWS_PAIR)
		DS_TRY(ds_rows_add_pairs(r, b, p, *scratch, e));
	else if (is_labelled(r))
		DS_TRY(ds_rows_add_labelled(r, b, p, *scratch, e));
	else if (!plain)
		DS_TRY(add_texts(r, b, p, *scratch, e));
	if (r->n == 1 && r->kind == DS_ROWS_TEXT)
		settle_packed(r, p);
	uint32_t n = p->ids.off[p->n_rows] - p->ids.off[0];
	add_identity(r, ds_hash64(p->ids.data, (size_t)n * (p->ids.wide ? 4 : 2)));
	for (uint32_t i = 0; p->images && i < p->n_rows; i++)
		add_identity(r, ds_hash64(p->images[i].at, p->images[i].n));
	return DS_OK;
}

static ds_rc open_stream(
	ds_rows *r, const ds_input_opts *how, const char *path, const char *exec, ds_err *e)
{
	DS_AUTO(ds_source) s = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	DS_AUTO(ds_tok_scratch) scratch = NULL;
	ds_input_opts one = *how;
	size_t n_opts;
	one.files = &path;
	one.n_files = exec ? 0 : 1;
	one.exec = exec;
	DS_TRY(ds_source_open(&s, &one, e));
	ds_source_reject_to(s, r->rejects);
	r->source = s;
	for (;;) {
		ds_block *b;
		ds_arena_reset(mem);
		DS_TRY(ds_source_next(s, mem, &b, e));
		if (!b)
			break;
		const ds_opt *opts = ds_source_opts(s, &n_opts);
		DS_TRY(meet_tokenizer(r, opts, n_opts, path, e));
		if (b->n_rows)
			DS_TRY(add_block(r, b, &scratch, e));
	}
	r->n_bad += ds_source_bad(s);
	ds_chain_print(&r->chain, ds_source_chain(s));
	ds_buf_add_byte(&r->chain, ',');
	return DS_OK;
}

/* The records of a plugin, a block's worth of JSON lines at a time. */
static ds_rc open_plugin(ds_rows *r, const ds_input_opts *how, const ds_rows_opts *o, ds_err *e)
{
	DS_AUTO(ds_rows_plugin) plugin = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	DS_AUTO(ds_tok_scratch) scratch = NULL;
	ds_input_opts one = *how;
	uint64_t before = 0;
	one.from = "jsonl";
	DS_TRY(ds_rows_plugin_open(&plugin, o->plugin, o->plugin_options, e));
	for (;;) {
		ds_str lines;
		ds_block *b;
		uint64_t n = 0;
		DS_TRY_AT(ds_rows_plugin_next(plugin, &lines, e), e, "%s", o->plugin);
		if (!lines.at)
			break;
		DS_AUTO(ds_source) s = ds_source_from_mem(&one, lines.at, lines.n, o->plugin);
		ds_source_reject_to(s, r->rejects);
		r->source = s;
		for (;;) {
			ds_arena_reset(mem);
			DS_TRY(ds_source_next(s, mem, &b, e));
			if (!b)
				break;
			b->origin_record += before;
			n += b->n_rows;
			uint64_t bad = ds_source_bad(s);
			if (b->n_rows)
				DS_TRY(add_block(r, b, &scratch, e));
			n -= ds_source_bad(s) -
			     bad; /* counted in what came and in what was refused */
		}
		n += ds_source_bad(s);
		before += n;
		r->n_bad += ds_source_bad(s);
	}
	ds_rows_plugin_chain(plugin, &r->chain);
	ds_buf_add_byte(&r->chain, ',');
	return DS_OK;
}

/* ---- all together ---- */

/* Records that are rows of their own: no longer than the longest, in eights. */
static int64_t longest_row(const ds_rows *r, const ds_rows_opts *o)
{
	int64_t longest = (r->longest + 7) / 8 * 8;
	return is_labelled(r) && longest < o->seq_max ? longest : o->seq_max;
}

static ds_rc settle_seq(ds_rows *r, const ds_rows_opts *o, ds_err *e)
{
	if (r->packed && o->seq && o->seq != r->seq)
		return ds_fail(e, DS_USAGE,
			"seq=%lld, but the rows have %lld tokens: pack them again with dstok --seq "
			"%lld",
			(long long)o->seq, (long long)r->seq, (long long)o->seq);
	if (!r->packed)
		r->seq = o->seq ? o->seq : longest_row(r, o);
	if (r->seq < 2)
		return ds_fail(e, DS_BAD, "rows of %lld tokens predict nothing", (long long)r->seq);
	return DS_OK;
}

/* A piece's rows, or its tokens where they are cut. */
static int64_t extent(const ds_rows *r, const piece *p)
{
	if (r->packed || is_labelled(r))
		return p->n_rows;
	return (int64_t)(p->ids.off[p->n_rows] - p->ids.off[0]) + (r->separator >= 0) * p->n_rows;
}

/* Numbers rows or tokens; a part begins with a row of its own. */
static ds_rc number_pieces(ds_rows *r, ds_err *e)
{
	bool whole = r->packed || is_labelled(r);
	int64_t at = 0, a_row = whole ? 1 : r->seq;
	for (size_t k = 0; k < r->n_parts; k++) {
		part *t = &r->parts[k];
		at = (at + a_row - 1) / a_row * a_row;
		t->first = at / a_row;
		size_t end = k + 1 < r->n_parts ? r->parts[k + 1].piece : r->n;
		for (size_t i = t->piece; i < end; i++) {
			piece *p = &r->pieces[i];
			p->first = at;
			if (p->ready && r->packed != (p->docs.off != NULL))
				return ds_fail(e, DS_BAD, "%s: %s, what came before is%s",
					p->origin, r->packed ? "not packed" : "packed rows",
					r->packed ? "" : " not");
			at += extent(r, p);
		}
		t->end = at;
		t->count = (at + a_row - 1) / a_row - t->first;
	}
	if (!at)
		return ds_fail(e, DS_BAD, "no tokens in the input");
	r->count = (at + a_row - 1) / a_row;
	return DS_OK;
}

static void settle_ids(ds_rows *r)
{
	uint32_t eos = r->tok ? ds_tok_special(r->tok, DS_TOK_EOS) : (uint32_t)DS_TOK_NONE;
	uint32_t pad = r->tok ? ds_tok_special(r->tok, DS_TOK_PAD) : (uint32_t)DS_TOK_NONE;
	r->separator = eos == DS_TOK_NONE ? -1 : (int64_t)eos;
	r->pad = pad != DS_TOK_NONE ? (int64_t)pad : eos != DS_TOK_NONE ? (int64_t)eos : 0;
	if (!r->vocab_size)
		r->vocab_size = r->tok ? ds_tok_size(r->tok) : INT32_MAX;
}

ds_rc ds_rows_open(ds_rows **out, const ds_input_opts *how, const ds_rows_opts *o, ds_err *e)
{
	DS_AUTO(ds_rows) r = DS_NEW(ds_rows, 1);
	r->mem = ds_arena_new(1 << 16);
	r->tok = o->tok;
	r->tok_known = o->tok != NULL;
	r->tok_from = "the model";
	r->any_tok = o->any_tok;
	r->rejects = o->rejects;
	r->n_types = o->n_types;
	r->docs = o->docs;
	r->alone = o->alone;
	r->kind = o->kind;
	r->pair_eos = o->eos;
	r->images = o->images || o->kind == DS_ROWS_PAIR;
	r->pool = r->images ? ds_pool_new(o->threads) : NULL;
	if (is_labelled(r) && r->kind != DS_ROWS_PAIR)
		ds_rows_labels_new(r, o->labels, o->n_labels);
	if (o->kind == DS_ROWS_CHAT)
		ds_rows_chat_new(r, o->chat);
	r->vocab_size = o->vocab_size;
	DS_TRY(ds_field_of(&r->field, &how->field, e));
	DS_TRY(ds_rows_parts_new(r, o, e));
	for (size_t i = 0; i < o->n_files; i++) {
		bool done = false;
		if (r->mixed)
			r->parts[i].piece = r->n;
		if (o->kind == DS_ROWS_TEXT && mappable(o->files[i]))
			DS_TRY(open_mapped(r, o->files[i], &done, e));
		if (!done)
			DS_TRY(open_stream(r, how, o->files[i], NULL, e));
	}
	if (o->exec)
		DS_TRY(open_stream(r, how, "--exec", o->exec, e));
	if (o->plugin)
		DS_TRY(open_plugin(r, how, o, e));
	settle_ids(r);
	DS_TRY(settle_seq(r, o, e));
	if (r->kind == DS_ROWS_CHAT)
		DS_TRY(ds_rows_settle_chat(r, e));
	else
		DS_TRY(number_pieces(r, e));
	DS_TRY(ds_rows_settle_mix(r, e));
	if (r->labels)
		DS_TRY(ds_rows_settle_labels(r, e));
	if (r->chain.n)
		r->chain.n--; /* the last comma */
	*out = r;
	r = NULL;
	return DS_OK;
}
