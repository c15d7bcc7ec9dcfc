/*
 * encode.c - dstok encode: text to tokens, and tokens into rows
 *
 * Blocks are encoded on all threads; packing takes them in stream order, one at a time, and is a copy.
 * Records that hold tokens and no text (an unpacked shard) are taken as they are, if the stream's
 * tokenizer is the one in use.
 */
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "joined.h"
#include "model/own_chat.h"
#include "model/talk.h"
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
	joined *joined; /* a row a record */
	ds_chat *chat;
	ds_arena *mem;   /* of its layout */
	uint32_t fim[3]; /* ids before prefix, suffix and middle */
	size_t n_opts;   /* of the inputs' optional blocks, checked so far */
	uint64_t n_tokens, n_without, n_chats;
	ds_field_names names; /* of records, while none is a chat */
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

/* The tokens around the parts of a text that is filled in, as the code models call them. */
static ds_rc find_fim(encoder *x, ds_err *e)
{
	static const char *const names[][3] = {
		{ "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>" },
		{ "<fim_prefix>", "<fim_suffix>", "<fim_middle>" },
		{ "<fim-prefix>", "<fim-suffix>", "<fim-middle>" },
	};
	for (int i = 0; i < 3; i++) {
		bool all = true;
		for (int k = 0; k < 3; k++) {
			x->fim[k] = ds_tok_find(x->tok, ds_str_of(names[i][k]));
			all &= x->fim[k] != DS_TOK_NONE;
		}
		if (all)
			return DS_OK;
	}
	return ds_fail(e, DS_USAGE, "--fim: the tokenizer has no <|fim_prefix|> and so on");
}

static ds_rc settle_rows(encoder *x, uint32_t pad, ds_err *e)
{
	x->joined = DS_NEW(joined, 1);
	*x->joined = (joined){
		.tok = x->tok,
		.flags = x->flags,
		.before = x->before,
		.after = x->after,
		.row = (uint32_t)opt.seq,
		.pad = pad,
		.cut = !opt.truncate || strcmp(opt.truncate, "longest") == 0 ? DS_TOK_CUT_LONGEST
		       : strcmp(opt.truncate, "first") == 0                  ? DS_TOK_CUT_FIRST
									     : DS_TOK_CUT_SECOND,
		.wide = x->wide,
		.keep_text = opt.keep_text,
	};
	return opt.pair ? ds_field_new(&x->joined->second, &opt.pair, 1, e) : DS_OK;
}

static ds_rc open_chat(encoder *x, ds_err *e)
{
	const ds_chat_layout *l;
	x->mem = ds_arena_new(1 << 14);
	DS_TRY(ds_own_chat(&l, opt.chat, opt.tokenizer, x->mem, e));
	DS_TRY(ds_chat_open(&x->chat, l, x->tok, e));
	if (ds_chat_of(x->chat) != l)
		ds_warn(&x->common->who, "%s", ds_chat_roles_warning);
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
	if (opt.offsets && !ds_tok_has_offsets(x->tok))
		return ds_fail(e, DS_USAGE,
			"--offsets: not with the normalizers and pre-tokenizers of this tokenizer");
	if (opt.chat)
		DS_TRY(open_chat(x, e));
	if (opt.fim > 0)
		DS_TRY(find_fim(x, e));
	bool rows = opt.pair || opt.truncate;
	if (opt.eos || (opt.seq && !rows && !opt.no_eos && !opt.chat))
		DS_TRY(wanted_id(x->tok, DS_TOK_EOS, "eos", &x->after, e));
	uint32_t pad = ds_tok_special(x->tok, DS_TOK_PAD);
	if (pad == DS_TOK_NONE)
		pad = x->after != DS_TOK_NONE ? x->after : 0; /* the mask tells it from text */
	if (rows)
		DS_TRY(settle_rows(x, pad, e));
	if (!opt.seq || rows)
		return DS_OK;
	pack_kind kind = strcmp(opt.pack, "bestfit") == 0 ? PACK_BESTFIT
			 : strcmp(opt.pack, "none") == 0  ? PACK_NONE
							  : PACK_CONCAT;
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
		uint32_t *to = ds_colb_reserve(out, all);
		if (x->before != DS_TOK_NONE)
			to[k++] = x->before;
		memcpy(to + k, ids, n * sizeof(*ids));
		if (x->after != DS_TOK_NONE)
			to[all - 1] = x->after;
	} else {
		uint16_t *to = ds_colb_reserve(out, all);
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

/* A place between two characters. */
static size_t place(ds_str text, ds_rng r, uint64_t counter)
{
	size_t at = (size_t)ds_rng_below(r, counter, text.n + 1);
	while (at < text.n && (text.at[at] & 0xc0) == 0x80)
		at++;
	return at;
}

/* This share of texts becomes prefix, suffix, middle, which are encoded each by itself. */
static ds_rc encode_fim(encoder *x, ds_work *w, ds_str text, uint64_t record, const uint32_t **ids,
	size_t *n, ds_err *e)
{
	ds_rng r = ds_rng_of(x->common->seed, record);
	ds_tok_scratch *s = ds_work_scratch(w);
	if (ds_rng_unit(r, 0) >= opt.fim)
		return ds_tok_encode(x->tok, s, text, x->flags, ids, n, e);
	size_t a = place(text, r, 1), b = place(text, r, 2), k = 0;
	if (a > b) {
		size_t swap = a;
		a = b;
		b = swap;
	}
	const ds_str parts[3] = { { text.at, a }, { text.at + b, text.n - b },
		{ text.at + a, b - a } };
	uint32_t *all = ds_arena_get(ds_work_mem(w), (text.n + 64) * sizeof(*all));
	for (int i = 0; i < 3; i++) {
		all[k++] = x->fim[i];
		DS_TRY(ds_tok_encode(x->tok, s, parts[i], x->flags & DS_TOK_SPECIALS, ids, n, e));
		memcpy(all + k, *ids, *n * sizeof(*all));
		k += *n;
	}
	*ids = all;
	*n = k;
	return DS_OK;
}

static ds_rc encode_row(
	encoder *x, ds_work *w, ds_texts *texts, uint32_t row, ds_colb *out, ds_err *e)
{
	ds_str text;
	bool has = false;
	const uint32_t *ids;
	size_t n;
	ds_err why;
	ds_block *b = texts->b;
	ds_rc rc = ds_texts_get(texts, row, &text, &has, &why);
	if (rc == DS_OK && has)
		rc = opt.fim > 0 ? encode_fim(x, w, text, ds_block_record(b, row), &ids, &n, &why)
				 : ds_tok_encode(x->tok, ds_work_scratch(w), text, x->flags, &ids,
					   &n, &why);
	if (rc == DS_OK && has) {
		put_ids(x, out, ids, n);
		return DS_OK;
	}
	ds_colb_absent(out);
	return rc == DS_OK ? DS_OK : ds_work_bad(w, b, row, e, "%s", why.msg);
}

/* Ids with what the post-processor adds, and where they come from: 0 and 0 for what was added. */
static ds_rc offsets_row(
	encoder *x, ds_work *w, ds_str text, ds_colb *out, ds_colb *offsets, ds_err *e)
{
	ds_tok_text plain;
	ds_tok_joined all;
	ds_arena *mem = ds_work_mem(w);
	ds_tok_join_options o = { .add_special = opt.add_special };
	DS_TRY(ds_tok_encode(x->tok, ds_work_scratch(w), text, x->flags & DS_TOK_SPECIALS,
		&plain.ids, &plain.n, e));
	uint32_t *at = ds_arena_get(mem, (2 * plain.n + 1) * sizeof(*at));
	DS_TRY(ds_tok_offsets(x->tok, text, opt.specials, &plain, mem, at, e));
	DS_TRY(ds_tok_join(x->tok, &plain, 1, &o, mem, &all, e));
	size_t before = x->before != DS_TOK_NONE, after = x->after != DS_TOK_NONE;
	size_t n = 2 * (all.n + before + after);
	uint32_t *to = ds_colb_reserve(offsets, n);
	memset(to, 0, n * sizeof(*to));
	if (plain.n)
		memcpy(to + 2 * (before + all.at[0]), at, 2 * plain.n * sizeof(*to));
	ds_colb_wrote(offsets, n);
	put_ids(x, out, all.ids, all.n);
	return DS_OK;
}

static ds_rc encode_with_offsets(encoder *x, ds_work *w, ds_texts *texts, ds_colb *out, ds_err *e)
{
	ds_block *b = texts->b;
	ds_colb *offsets = ds_colb_new(b, "offsets", DS_T_U32S);
	for (uint32_t row = 0; row < b->n_rows; row++) {
		ds_str text;
		bool has = false;
		ds_err why;
		ds_rc rc = ds_texts_get(texts, row, &text, &has, &why);
		if (rc == DS_OK && has)
			rc = offsets_row(x, w, text, out, offsets, &why);
		if (rc == DS_OK && has)
			continue;
		ds_colb_absent(out);
		ds_colb_absent(offsets);
		if (rc != DS_OK)
			DS_TRY(ds_work_bad(w, b, row, e, "%s", why.msg));
	}
	return ds_colb_put(offsets, e);
}

static ds_rc chat_row(encoder *x, ds_work *w, ds_block *b, const ds_talk *f, uint32_t row,
	ds_colb *out, ds_colb *mask, ds_err *e)
{
	ds_chat_turns turns;
	ds_chat_tokens t;
	bool has = false;
	ds_err why;
	ds_arena *mem = ds_work_mem(w);
	ds_rc rc = ds_talk_get(f, b, row, mem, &turns, &has, &why);
	if (rc == DS_OK && has)
		rc = ds_chat_encode(x->chat, ds_work_scratch(w), &turns, false, mem, &t, &why);
	if (rc == DS_OK && has) {
		size_t before = x->before != DS_TOK_NONE, after = x->after != DS_TOK_NONE;
		put_ids(x, out, t.ids, t.n);
		char *m = ds_colb_reserve(mask, t.n + before + after);
		memset(m, 0, before);
		memcpy(m + before, t.mask, t.n);
		memset(m + before + t.n, 1, after);
		ds_colb_wrote(mask, t.n + before + after);
		__atomic_fetch_add(&x->n_chats, 1, __ATOMIC_RELAXED);
		return DS_OK;
	}
	ds_colb_absent(out);
	ds_colb_absent(mask);
	if (rc != DS_OK)
		return ds_work_bad(w, b, row, e, "%s", why.msg);
	__atomic_fetch_add(&x->n_without, 1, __ATOMIC_RELAXED);
	return DS_OK;
}

static ds_rc chat_block(encoder *x, ds_work *w, ds_block *b, ds_err *e)
{
	ds_talk f;
	DS_TRY(ds_talk_find(&f, b, ds_chat_of(x->chat), false, e));
	ds_colb *out = ds_colb_new(b, "tokens", x->wide ? DS_T_U32S : DS_T_U16S);
	ds_colb *mask = ds_colb_new(b, "mask", DS_T_BYTES);
	for (uint32_t row = 0; row < b->n_rows; row++)
		DS_TRY(chat_row(x, w, b, &f, row, out, mask, e));
	DS_TRY(ds_colb_put(out, e));
	DS_TRY(ds_colb_put(mask, e));
	for (size_t i = 0; ds_talk_fields[i] && !opt.keep_text; i++)
		ds_block_remove(b, ds_talk_fields[i]);
	return DS_OK;
}

static ds_rc work(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	encoder *x = state;
	if (x->chat)
		return chat_block(x, w, b, e);
	if (x->joined)
		return joined_block(x->joined, w, b, e);
	ds_texts texts;
	DS_TRY(ds_work_texts(w, &texts, e));
	if (!texts.n_cols) {
		if (x->foreign_tokens && ds_block_find(b, "tokens"))
			return ds_fail(
				e, DS_BAD, "the stream's tokens are of another tokenizer than -t");
		return DS_OK;
	}
	ds_colb *out = ds_colb_new(b, "tokens", x->wide ? DS_T_U32S : DS_T_U16S);
	if (opt.offsets)
		DS_TRY(encode_with_offsets(x, w, &texts, out, e));
	for (uint32_t row = 0; row < b->n_rows && !opt.offsets; row++)
		DS_TRY(encode_row(x, w, &texts, row, out, e));
	DS_TRY(ds_colb_put(out, e));
	if (!opt.keep_text && strcmp(x->common->in.field.column, "tokens") != 0)
		ds_texts_remove(&texts);
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

/* The ids as packing takes them: those that are no targets are marked. */
static const uint32_t *with_mask(
	ds_work *w, const ds_col *mask, uint32_t row, const uint32_t *ids, size_t n)
{
	if (!mask || mask->type != DS_T_BYTES || !ds_col_has(mask, row) || ds_col_null(mask, row))
		return ids;
	ds_str m = ds_col_bytes(mask, row);
	uint32_t *out = ds_arena_get(ds_work_mem(w), (n + 1) * sizeof(*out));
	for (size_t i = 0; i < n; i++)
		out[i] = ids[i] | (i < m.n && !m.at[i] ? PACK_CONTEXT : 0);
	return out;
}

static ds_rc order(void *state, ds_work *w, ds_block *b, ds_err *e)
{
	encoder *x = state;
	DS_TRY(check_opts(x, w, e));
	if (x->chat && !__atomic_load_n(&x->n_chats, __ATOMIC_RELAXED))
		DS_TRY(ds_field_names_add(&x->names, b, e));
	if (!x->packing)
		return DS_OK;
	const ds_col *tokens, *mask;
	DS_TRY(ds_block_get(b, "tokens", &tokens, e));
	DS_TRY(ds_block_get(b, "mask", &mask, e));
	for (uint32_t row = 0; tokens && row < b->n_rows; row++) {
		const uint32_t *ids;
		size_t n;
		bool has;
		DS_TRY(ds_block_ids(b, tokens, row, &ids, &n, &has, e));
		if (has)
			pack_add(x->packing, with_mask(w, mask, row, ids, n), n);
	}
	ds_work_swallow(w);
	return give_out(x, w, e);
}

static ds_rc end(void *state, ds_work *w, ds_err *e)
{
	encoder *x = state;
	if (x->n_without && !x->n_chats)
		return ds_field_missing(ds_talk_known, &x->names, NULL, e);
	if (x->n_without)
		ds_warn(&x->common->who, "%" PRIu64 " record%s", x->n_without,
			x->n_without == 1 ? " is no chat" : "s are no chats");
	if (!x->packing)
		return DS_OK;
	pack_end(x->packing);
	return give_out(x, w, e);
}

/* Tokens in rows, how full these are, and the padding. */
static void say_rows(ds_buf *out, uint64_t tokens, uint64_t rows)
{
	char count[16], padding[16];
	uint64_t all = rows * (uint64_t)opt.seq;
	ds_buf_fmt(out, "%s token%s in %" PRIu64 " row%s of %" PRId64 ", %.1f%% filled, %s padding",
		ds_human_count(count, (double)tokens), ds_s(tokens), rows, ds_s(rows), opt.seq,
		rows ? 100.0 * (double)tokens / (double)all : 100.0,
		ds_human_count(padding, (double)(all - tokens)));
}

static void summary(void *state, ds_buf *out)
{
	encoder *x = state;
	char count[16];
	uint64_t tokens = x->joined ? x->joined->n_tokens : x->n_tokens;
	if (x->packing)
		say_rows(out, pack_tokens(x->packing), pack_rows(x->packing));
	else if (x->joined && opt.seq)
		say_rows(out, x->joined->n_tokens, x->joined->n_rows);
	else
		ds_buf_fmt(out, "%s token%s", ds_human_count(count, (double)tokens), ds_s(tokens));
	if (x->joined && opt.seq)
		ds_buf_fmt(out, ", %" PRIu64 " record%s cut", x->joined->n_cut,
			ds_s(x->joined->n_cut));
}

static ds_rc check_rows(ds_err *e)
{
	if (opt.truncate && !opt.seq)
		return ds_fail(e, DS_USAGE, "--truncate needs --seq N");
	if (opt.chat || opt.fim > 0)
		return ds_fail(e, DS_USAGE, "%s with %s", opt.pair ? "--pair" : "--truncate",
			opt.chat ? "--chat" : "--fim");
	if (opt.pack && strcmp(opt.pack, "none") != 0)
		return ds_fail(e, DS_USAGE, "--pack %s with %s, which gives each record one row",
			opt.pack, opt.pair ? "--pair" : "--truncate");
	if (opt.truncate && !opt.pair && strcmp(opt.truncate, "second") == 0)
		return ds_fail(e, DS_USAGE, "--truncate second without --pair");
	return DS_OK;
}

static ds_rc check_options(ds_err *e)
{
	if (opt.seq < 0 || opt.seq > 1 << 24)
		return ds_fail(
			e, DS_USAGE, "--seq %" PRId64 ": it must be 1 to %d", opt.seq, 1 << 24);
	if (opt.pack && !opt.seq)
		return ds_fail(e, DS_USAGE, "--pack needs --seq N");
	if (opt.fim < 0 || opt.fim > 1)
		return ds_fail(e, DS_USAGE, "--fim %g: it must be 0 to 1", opt.fim);
	if (opt.fim > 0 && opt.chat)
		return ds_fail(e, DS_USAGE, "--fim and --chat");
	if (opt.no_eos && (!opt.seq || opt.eos))
		return ds_fail(
			e, DS_USAGE, opt.eos ? "--eos and --no-eos" : "--no-eos needs --seq N");
	if (opt.pair || opt.truncate)
		DS_TRY(check_rows(e));
	if (opt.offsets && (opt.seq || opt.pair || opt.chat || opt.fim > 0))
		return ds_fail(
			e, DS_USAGE, "--offsets goes with none of --seq --pair --chat --fim");
	if (!opt.pack)
		opt.pack = "concat";
	return DS_OK;
}

ds_rc encode_run(const ds_common *c, ds_err *e)
{
	encoder x = { .common = c };
	const char *reads[] = { opt.pair, NULL };
	DS_TRY(check_options(e));
	DS_TRY(open_tokenizer(&x.tok, e));
	ds_rc rc = ds_run_stage(c,
		&(ds_stage){ .name = "encode",
			.state = &x,
			.scratch_new = scratch_new,
			.scratch_free = scratch_free,
			.reads_field = opt.chat ? DS_FIELD_UNREAD : DS_FIELD_NEEDED,
			.instead = "tokens",
			.reads = reads,
			.work = work,
			.order = order,
			.end = end,
			.begin = begin,
			.summary = summary },
		e);
	ds_tok_close(x.tok);
	pack_free(x.packing);
	if (x.joined)
		ds_field_free(x.joined->second);
	ds_mem_free(x.joined);
	ds_chat_close(x.chat);
	ds_field_names_free(&x.names);
	ds_arena_free(x.mem);
	return rc;
}
