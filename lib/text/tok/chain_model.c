/*
 * chain_model.c - models of tokenizer.json over pieces of characters: BPE, WordPiece, Unigram, WordLevel
 */
#include "text/tok/chain.h"
#include "text/tok/sentencepiece.h"

#include <stdlib.h>

/* --- BPE --- */

typedef struct {
	const ds_tok *t;
	uint32_t *out;
	size_t n;
	bool pending; /* an unknown id that may still be joined by another */
} chars;

static void flush(chars *c)
{
	if (c->pending)
		c->out[c->n++] = c->t->special[DS_TOK_UNK];
	c->pending = false;
}

/* A character that is no token: its bytes, the unknown id, or nothing. */
static void fall_back(chars *c, ds_str s)
{
	const struct tok_chain *ch = c->t->chain;
	if (ch->byte_fallback) {
		bool all = true;
		for (size_t i = 0; i < s.n; i++)
			all &= ch->byte_piece[(uint8_t)s.at[i]] != DS_TOK_NONE;
		for (size_t i = 0; i < s.n && all; i++)
			c->out[c->n++] = ch->byte_piece[(uint8_t)s.at[i]];
		if (all)
			return;
	}
	if (c->t->special[DS_TOK_UNK] == DS_TOK_NONE)
		return;
	if (c->pending && !ch->fuse_unk)
		flush(c);
	c->pending = true;
}

/* A character with what its place in the word puts around it; `with` has room for all of it. */
static ds_str dressed(const struct tok_chain *ch, ds_str s, bool first, bool last, char *with)
{
	size_t n = 0;
	if (!first) {
		memcpy(with, ch->prefix.at, ch->prefix.n);
		n = ch->prefix.n;
	}
	memcpy(with + n, s.at, s.n);
	n += s.n;
	if (last) {
		memcpy(with + n, ch->suffix.at, ch->suffix.n);
		n += ch->suffix.n;
	}
	return (ds_str){ with, n };
}

static size_t bpe(const ds_tok *t, ds_arena *mem, bpe_mem *m, ds_str piece, uint32_t *out)
{
	const struct tok_chain *ch = t->chain;
	chars c = { .t = t, .out = out };
	bool plain = ch->prefix.n == 0 && ch->suffix.n == 0;
	char *with = plain ? NULL : ds_arena_bytes(mem, ch->prefix.n + ch->suffix.n + 8);
	unsigned len;
	for (size_t at = 0; at < piece.n; at += len) {
		ds_utf8_at((const uint8_t *)piece.at + at, piece.n - at, &len);
		ds_str s = { piece.at + at, len };
		if (!plain)
			s = dressed(ch, s, at == 0, at + len == piece.n, with);
		uint32_t id = ds_tok_lookup(t, s);
		if (id == DS_TOK_NONE) {
			fall_back(&c, s);
			continue;
		}
		flush(&c);
		c.out[c.n++] = id;
	}
	flush(&c);
	return ds_bpe_ids(t, m, c.out, c.n);
}

/* --- WordPiece --- */

static size_t back(const char *p, size_t n)
{
	do
		n--;
	while (n > 0 && (p[n] & 0xc0) == 0x80);
	return n;
}

static size_t wordpiece(const ds_tok *t, ds_arena *mem, ds_str piece, uint32_t *out)
{
	ds_str prefix = t->chain->prefix;
	size_t k = 0, n_chars = 0, unk = t->special[DS_TOK_UNK];
	char *text = ds_arena_bytes(mem, prefix.n + piece.n + 1);
	unsigned len;
	for (size_t at = 0; at < piece.n; at += len, n_chars++)
		ds_utf8_at((const uint8_t *)piece.at + at, piece.n - at, &len);
	out[0] = (uint32_t)unk;
	if (n_chars > t->max_chars)
		return 1;
	memcpy(text, prefix.at, prefix.n);
	for (size_t at = 0, n; at < piece.n; at += n) {
		size_t before = at ? prefix.n : 0;
		char *from = text + prefix.n - before;
		memcpy(text + prefix.n, piece.at + at, piece.n - at);
		for (n = piece.n - at; n > 0; n = back(piece.at + at, n)) {
			if (before + n > t->longest)
				continue;
			out[k] = ds_tok_lookup(t, (ds_str){ from, before + n });
			if (out[k] != DS_TOK_NONE)
				break;
		}
		if (n == 0) {
			out[0] = (uint32_t)unk;
			return 1;
		}
		k++;
	}
	return k;
}

/* --- Unigram, in double as tokenizers has it --- */

typedef struct {
	double score;
	uint32_t id;
	int64_t from;
} best;

static void extend(const ds_tok *t, best *path, ds_str s, size_t at)
{
	const struct tok_sp *sp = t->chain->trie;
	unsigned len;
	bool single = false;
	double here = path[at].score;
	ds_utf8_at((const uint8_t *)s.at + at, s.n - at, &len);
	uint32_t node = 0;
	for (size_t i = at; i < s.n; i++) {
		node = ds_sp_child(sp, node, (uint8_t)s.at[i]);
		if (node == 0)
			break;
		uint32_t id = sp->trie[node].id;
		if (id == DS_TOK_NONE)
			continue;
		double score = t->chain->score[id] + here;
		best *b = &path[i + 1];
		if (b->from < 0 || score > b->score)
			*b = (best){ score, id, (int64_t)at };
		single |= i + 1 - at == len;
	}
	best *b = &path[at + len];
	if (!single && (b->from < 0 || t->chain->unk_score + here > b->score))
		*b = (best){ t->chain->unk_score + here, t->special[DS_TOK_UNK], (int64_t)at };
}

/* Bytes of an unknown stretch where there are pieces for all of them, else one unknown id. */
static size_t unknown(const ds_tok *t, ds_str s, uint32_t *out)
{
	const struct tok_chain *ch = t->chain;
	uint32_t unk = t->special[DS_TOK_UNK];
	bool all = ch->byte_fallback && !ds_str_eq(s, t->bytes[unk]);
	for (size_t i = 0; i < s.n; i++)
		all = all && ch->byte_piece[(uint8_t)s.at[i]] != DS_TOK_NONE;
	for (size_t i = 0; i < s.n && all; i++)
		out[i] = ch->byte_piece[(uint8_t)s.at[i]];
	if (!all)
		out[0] = unk;
	return all ? s.n : 1;
}

static size_t unigram(const ds_tok *t, ds_arena *mem, ds_str s, uint32_t *out)
{
	uint32_t unk = t->special[DS_TOK_UNK];
	size_t k = 0, n = 0;
	unsigned len;
	best *path = ds_arena_get(mem, (s.n + 1) * sizeof(*path));
	uint32_t *ends = ds_arena_get(mem, (s.n + 1) * sizeof(*ends));
	for (size_t i = 0; i <= s.n; i++)
		path[i].from = -1;
	path[0] = (best){ 0, 0, 0 };
	for (size_t at = 0; at < s.n; at += len) {
		ds_utf8_at((const uint8_t *)s.at + at, s.n - at, &len);
		extend(t, path, s, at);
	}
	for (size_t at = s.n; at > 0; at = (size_t)path[at].from)
		ends[n++] = (uint32_t)at;
	for (size_t i = n; i-- > 0;) {
		size_t from = (size_t)path[ends[i]].from;
		if (path[ends[i]].id != unk) {
			out[k++] = path[ends[i]].id;
			continue;
		}
		while (t->chain->fuse_unk && i > 0 && path[ends[i - 1]].id == unk)
			i--;
		k += unknown(t, (ds_str){ s.at + from, ends[i] - from }, out + k);
	}
	return k;
}

size_t ds_chain_encode(const ds_tok *t, ds_arena *mem, bpe_mem *m, ds_str piece, uint32_t *out)
{
	switch (t->kind) {
	case TOK_CHAIN_BPE:
		return bpe(t, mem, m, piece, out);
	case TOK_CHAIN_WORDPIECE:
		return wordpiece(t, mem, piece, out);
	case TOK_CHAIN_UNIGRAM:
		return unigram(t, mem, piece, out);
	default:
		out[0] = ds_tok_lookup(t, piece);
		if (out[0] == DS_TOK_NONE)
			out[0] = t->special[DS_TOK_UNK];
		return out[0] != DS_TOK_NONE;
	}
}
