/*
 * encode.c - dstok encode: text to tokens, and tokens into rows
 *
 * Blocks are encoded on all threads; packing takes them in stream order, one at a time, and is a copy.
 * Records that hold tokens and no text (an unpacked shard) are taken as they are, if the stream's
 * tokenizer is the one in use.
 */
#include "base/mem.h"
#include "base/progress.h"
#include "pack.h"
#include "tokenize.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct {
	const ds_common *common;
	ds_tok *tok;
	bool wide;           /* ids over 65535 */
	bool foreign_tokens; /* the stream's tokens are of another tokenizer */
	unsigned flags;
	uint32_t before, after; /* ids around each document, DS_TOK_NONE: none */
	pack *packing;
	size_t n_opts; /* of the inputs' optional blocks, checked so far */
	uint64_t n_tokens, n_without;
} encoder;

static void *scratch_new(void *state)
{
	return ds_tok_scratch_new(((encoder *)state)->tok);
}

static void scratch_free(void *scratch)
{
	ds_tok_scratch_free(scratch);
}

static ds_rc wanted_id(
	const ds_tok *t, ds_tok_special_kind kind, const char *name, uint32_t *id, ds_err *e)
{
	*id = ds_tok_special(t, kind);
	if (*id == DS_TOK_NONE)
		return ds_fail(e, DS_USAGE, "the tokenizer has no %s token%s", name,
			kind == DS_TOK_EOS && !opt.eos ? " to put between documents: --no-eos"
						       : "");
	return DS_OK;
}

static ds_rc settle(encoder *x, ds_err *e)
{
	x->wide = ds_tok_size(x->tok) > 65536;
	x->flags =
		(opt.specials ? DS_TOK_SPECIALS : 0) | (opt.add_special ? DS_TOK_ADD_SPECIAL : 0);
	x->before = x->after = DS_TOK_NONE;
	if (opt.bos)
		DS_TRY(wanted_id(x->tok, DS_TOK_BOS, "bos", &x->before, e));
	if (opt.eos || (opt.seq && !opt.no_eos))
		DS_TRY(wanted_id(x->tok, DS_TOK_EOS, "eos", &x->after, e));
	if (!opt.seq)
		return DS_OK;
	pack_kind kind = strcmp(opt.pack, "bestfit") == 0 ? PACK_BESTFIT
			 : strcmp(opt.pack, "none") == 0  ? PACK_NONE
							  : PACK_CONCAT;
	uint32_t pad = ds_tok_special(x->tok, DS_TOK_PAD);
	if (pad == DS_TOK_NONE)
		pad = x->after != DS_TOK_NONE ? x->after : 0; /* the mask tells it from text */
	x->packing = pack_new(kind, (uint32_t)opt.seq, pad, x->wide);
	return DS_OK;
}

static ds_rc begin(void *state, ds_work *w, ds_err *e)
{
	encoder *x = state;
	DS_AUTO(ds_tok) stream = NULL;
	const ds_opt *opts = ds_work_opts(w, &x->n_opts);
	DS_TRY(stream_tokenizer(&stream, opts, x->n_opts, e));
	if (stream && !opt.tokenizer) {
		ds_tok_close(x->tok);
		x->tok = stream;
		stream = NULL;
	}
	if (stream) {
		ds_h128 a = ds_tok_identity(stream), b = ds_tok_identity(x->tok);
		x->foreign_tokens = a.lo != b.lo || a.hi != b.hi;
	}
	DS_TRY(settle(x, e));
	ds_buf packed = { 0 };
	ds_rc rc = ds_tok_pack(x->tok, &packed, e);
	if (rc == DS_OK) {
		ds_work_swallow_opt(w, DS_OPT_TOKENIZER);
		ds_work_opt(w, (ds_opt){ DS_OPT_TOKENIZER,
				       ds_arena_str(ds_work_mem(w), ds_buf_view(&packed)) });
	}
	ds_buf_free(&packed);
	return rc;
}

static void put_ids(encoder *x, ds_colb *out, const uint32_t *ids, size_t n)
{
	size_t k = 0, all = n + (x->before != DS_TOK_NONE) + (x->after != DS_TOK_NONE);
	if (x->wide) {
		uint32_t *to = ds_colb_room(out, all);
		if (x->before != DS_TOK_NONE)
			to[k++] = x->before;
		memcpy(to + k, ids, n * sizeof(*ids));
		if (x->after != DS_TOK_NONE)
			to[all - 1] = x->after;
	} else {
		uint16_t *to = ds_colb_room(out, all);
		if (x->before != DS_TOK_NONE)
			to[k++] = (uint16_t)x->before;
		for (size_t i = 0; i < n; i++)
			to[k + i] = (uint16_t)ids[i];
		if (x->after != DS_TOK_NONE)
			to[all - 1] = (uint16_t)x->after;
	}
	ds_colb_wrote(out, all);
	__atomic_fetch_add(&x->n_tokens, all, __ATOMIC_RELAXED);
}

static ds_rc encode_row(encoder *x, ds_work *w, ds_block *b, const ds_col *col, uint32_t row,
	ds_colb *out, ds_err *e)
{
	ds_str text;
	bool has = false;
	const uint32_t *ids;
	size_t n;
	ds_err why;
	ds_rc rc = ds_block_text(b, col, row, &text, &has, &why);
	if (rc == DS_OK && has)
		rc = ds_tok_encode(x->tok, ds_work_scratch(w), text, x->flags, &ids, &n, &why);
	if (rc == DS_OK && has) {
		put_ids(x, out, ids, n);
		return DS_OK;
	}
	ds_colb_absent(out);
	if (rc != DS_OK)
		return ds_work_bad(w, b, row, e, "%s", why.msg);
	__atomic_fetch_add(&x->n_without, 1, __ATOMIC_RELAXED);
	return DS_OK;
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	encoder *x = state;
	const ds_col *col, *tokens;
	DS_TRY(ds_block_get(b, x->common->field, &col, e));
	if (!col) {
		DS_TRY(ds_block_get(b, "tokens", &tokens, e));
		if (tokens && x->foreign_tokens)
			return ds_fail(
				e, DS_BAD, "the stream's tokens are of another tokenizer than -t");
		if (!tokens)
			__atomic_fetch_add(&x->n_without, b->n_rows, __ATOMIC_RELAXED);
		return DS_OK;
	}
	ds_colb *out = ds_colb_new(b, "tokens", x->wide ? DS_T_U32S : DS_T_U16S);
	for (uint32_t row = 0; row < b->n_rows; row++)
		DS_TRY(encode_row(x, w, b, col, row, out, e));
	DS_TRY(ds_colb_put(out, e));
	if (!opt.keep_text && strcmp(x->common->field, "tokens") != 0)
		ds_block_remove(b, x->common->field);
	return DS_OK;
}

static ds_rc give_out(encoder *x, ds_work *w, ds_err *e)
{
	for (;;) {
		ds_block *rows;
		DS_TRY(pack_take(x->packing, ds_work_mem(w), &rows, e));
		if (!rows)
			return DS_OK;
		ds_work_emit(w, rows, NULL);
	}
}

/* Inputs that begin later may bring another tokenizer: that does not mix. */
static ds_rc check_opts(encoder *x, ds_work *w, ds_err *e)
{
	size_t n;
	const ds_opt *opts = ds_work_opts(w, &n);
	if (n == x->n_opts)
		return DS_OK;
	x->n_opts = n;
	DS_AUTO(ds_tok) stream = NULL;
	return stream_tokenizer(&stream, opts, n, e);
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	encoder *x = state;
	DS_TRY(check_opts(x, w, e));
	if (!x->packing)
		return DS_OK;
	const ds_col *tokens;
	DS_TRY(ds_block_get(b, "tokens", &tokens, e));
	for (uint32_t row = 0; tokens && row < b->n_rows; row++) {
		const uint32_t *ids;
		size_t n;
		bool has;
		DS_TRY(ds_block_ids(b, tokens, row, &ids, &n, &has, e));
		if (has)
			pack_add(x->packing, ids, n);
	}
	ds_work_swallow(w);
	return give_out(x, w, e);
}

static ds_rc end(void *state, ds_work *w, ds_err *e)
{
	encoder *x = state;
	if (x->n_without)
		ds_warn(x->common, "%" PRIu64 " records have no field '%s'", x->n_without,
			x->common->field);
	if (!x->packing)
		return DS_OK;
	pack_end(x->packing);
	return give_out(x, w, e);
}

static void summary(void *state, ds_buf *out)
{
	encoder *x = state;
	char count[16];
	if (!x->packing) {
		ds_buf_fmt(out, "%s tokens", ds_human_count(count, (double)x->n_tokens));
		return;
	}
	uint64_t rows = pack_rows(x->packing), tokens = pack_tokens(x->packing);
	ds_buf_fmt(out, "%s tokens in %" PRIu64 " rows of %" PRId64 ", %.1f%% filled",
		ds_human_count(count, (double)tokens), rows, opt.seq,
		rows ? 100.0 * (double)tokens / ((double)rows * (double)opt.seq) : 100.0);
}

static ds_rc check_options(ds_err *e)
{
	if (opt.seq < 0 || opt.seq > 1 << 24)
		return ds_fail(
			e, DS_USAGE, "--seq %" PRId64 ": it must be 1 to %d", opt.seq, 1 << 24);
	if (opt.pack && !opt.seq)
		return ds_fail(e, DS_USAGE, "--pack needs --seq N");
	if (opt.no_eos && (!opt.seq || opt.eos))
		return ds_fail(
			e, DS_USAGE, opt.eos ? "--eos and --no-eos" : "--no-eos needs --seq N");
	if (!opt.pack)
		opt.pack = "concat";
	return DS_OK;
}

ds_rc encode_run(const ds_common *c, ds_err *e)
{
	encoder x = { .common = c };
	DS_TRY(check_options(e));
	DS_TRY(open_tokenizer(&x.tok, e));
	ds_rc rc = ds_pipe_run(c,
		&(ds_stage){ .name = "encode",
			.state = &x,
			.scratch_new = scratch_new,
			.scratch_free = scratch_free,
			.work = work,
			.order = order,
			.end = end,
			.begin = begin,
			.summary = summary },
		e);
	ds_tok_close(x.tok);
	pack_free(x.packing);
	return rc;
}
