/*
 * ds_sp_read.c - SentencePiece's .model file: a protocol buffer, of which five messages matter
 *
 * ModelProto { 1: SentencePiece { 1 piece, 2 score, 3 type }, 2: TrainerSpec { 3 model_type,
 * 24 treat_whitespace_as_suffix, 35 byte_fallback, 40-43 ids, 44 unk_surface }, 3: NormalizerSpec
 * { 2 precompiled_charsmap, 3 add_dummy_prefix, 4 remove_extra_whitespaces, 5 escape_whitespaces } }
 */
#include "base/cur.h"
#include "text/tok/sentencepiece.h"

#include <stdlib.h>

enum { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };
enum { UNIGRAM = 1, BPE = 2 };

typedef struct { /* one field of a message */
	unsigned number, wire;
	uint64_t value;
	ds_str bytes;
} field;

static uint64_t varint(ds_cur *c)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = ds_cur_u8(c);
		v |= (uint64_t)(b & 127) << shift;
		if (b < 128)
			return v;
	}
	c->failed = true;
	return 0;
}

/* The next field, or false at the end (or where the bytes make no sense: then c is failed). */
static bool next_field(ds_cur *c, field *f)
{
	if (!ds_cur_ok(c) || ds_cur_left(c) == 0)
		return false;
	uint64_t key = varint(c);
	*f = (field){ .number = (unsigned)(key >> 3), .wire = key & 7 };
	switch (f->wire) {
	case 0:
		f->value = varint(c);
		break;
	case 1:
		f->value = ds_cur_u64(c);
		break;
	case 2: {
		uint64_t n = varint(c);
		f->bytes = ds_cur_bytes(c, n > ds_cur_left(c) ? SIZE_MAX : (size_t)n);
		break;
	}
	case 5:
		f->value = ds_cur_u32(c);
		break;
	default:
		c->failed = true;
	}
	return ds_cur_ok(c);
}

typedef struct {
	ds_tok *t;
	uint64_t model_type;
	int64_t ids[4]; /* unk, bos, eos, pad; -1: none, -2: not said */
	size_t cap_scores;
	bool has_trainer,
		has_normalizer; /* what follows the pieces: without it, the file was cut */
} reading;

/* "<0x41>" */
static int byte_of(ds_str s)
{
	static const char digits[] = "0123456789ABCDEF";
	if (s.n != 6 || memcmp(s.at, "<0x", 3) != 0 || s.at[5] != '>')
		return -1;
	const char *a = memchr(digits, s.at[3], 16), *b = memchr(digits, s.at[4], 16);
	return a && b ? (int)(a - digits) * 16 + (int)(b - digits) : -1;
}

static ds_rc keep_score(reading *r, uint32_t id, float score)
{
	struct tok_sp *sp = r->t->sp;
	if (id >= r->cap_scores) {
		size_t cap = r->cap_scores ? r->cap_scores * 2 : 1024;
		sp->score =
			ds_mem_grow(sp->score, r->cap_scores * sizeof(float), cap * sizeof(float));
		r->cap_scores = cap;
	}
	sp->score[id] = score;
	return DS_OK;
}

static ds_rc read_piece(reading *r, ds_str bytes, ds_err *e)
{
	ds_tok *t = r->t;
	ds_cur c = ds_cur_of(bytes.at, bytes.n);
	field f;
	ds_str piece = { "", 0 };
	float score = 0;
	uint64_t type = NORMAL;
	uint32_t id = t->n_ids;
	while (next_field(&c, &f)) {
		if (f.number == 1 && f.wire == 2)
			piece = f.bytes;
		else if (f.number == 2 && f.wire == 5)
			memcpy(&score, &(uint32_t){ (uint32_t)f.value }, sizeof(score));
		else if (f.number == 3 && f.wire == 0)
			type = f.value;
	}
	if (!ds_cur_ok(&c) || piece.n == 0 || !(score == score))
		return ds_fail(e, DS_BAD, "piece %u is damaged", id);
	if (type == USER_DEFINED || type == UNUSED)
		return ds_fail(e, DS_BAD, "piece %u: %s pieces are not supported", id,
			type == UNUSED ? "unused" : "user-defined");
	int byte = type == BYTE ? byte_of(piece) : -1;
	char one = (char)byte; /* lives until the piece is put */
	if (type > BYTE || (type == BYTE && byte < 0))
		return ds_fail(e, DS_BAD, "piece %u has no known type", id);
	if (byte >= 0) {
		t->sp->byte_piece[byte] = id;
		piece = (ds_str){ &one, 1 };
	}
	DS_TRY(ds_tok_put(t, id, piece, type == BYTE ? TOK_BYTE : 0, e));
	if (type == UNKNOWN || type == CONTROL)
		ds_tok_put_added(t, &(tok_added){ .id = id, .special = true });
	if (type == UNKNOWN)
		t->special[DS_TOK_UNK] = id;
	if (type == NORMAL) {
		t->sp->min_score = score < t->sp->min_score ? score : t->sp->min_score;
		t->sp->max_score = score > t->sp->max_score ? score : t->sp->max_score;
	}
	return keep_score(r, id, score);
}

static void read_trainer(reading *r, ds_str bytes, ds_cur *all)
{
	ds_cur c = ds_cur_of(bytes.at, bytes.n);
	field f;
	r->has_trainer = true;
	while (next_field(&c, &f)) {
		if (f.number == 3)
			r->model_type = f.value;
		else if (f.number == 24)
			r->t->sp->suffix = f.value;
		else if (f.number == 35)
			r->t->sp->byte_fallback = f.value;
		else if (f.number >= 40 && f.number <= 43)
			r->ids[f.number - 40] = (int32_t)f.value;
		else if (f.number == 44)
			r->t->sp->unk_surface = f.bytes;
	}
	all->failed |= !ds_cur_ok(&c);
}

ds_rc ds_sp_read_map(struct tok_sp *sp, ds_str bytes, ds_err *e)
{
	ds_cur m = ds_cur_of(bytes.at, bytes.n);
	uint32_t n = ds_cur_u32(&m);
	ds_str units = ds_cur_bytes(&m, n);
	sp->strings = ds_cur_bytes(&m, ds_cur_left(&m));
	sp->map = (const uint8_t *)units.at;
	sp->n_map = units.n / 4;
	if (!ds_cur_ok(&m) || n % 4 != 0 || sp->strings.n == 0 ||
		sp->strings.at[sp->strings.n - 1] != 0)
		return ds_fail(e, DS_BAD, "the precompiled map of characters is damaged");
	return DS_OK;
}

static void read_normalizer(reading *r, ds_str bytes, ds_cur *all)
{
	struct tok_sp *sp = r->t->sp;
	ds_cur c = ds_cur_of(bytes.at, bytes.n);
	field f;
	r->has_normalizer = true;
	while (next_field(&c, &f)) {
		if (f.number == 2 && f.bytes.n) {
			ds_err e;
			all->failed |= ds_sp_read_map(sp, f.bytes, &e) != DS_OK;
		} else if (f.number == 3) {
			sp->dummy_prefix = f.value;
		} else if (f.number == 4) {
			sp->remove_extra = f.value;
		} else if (f.number == 5) {
			sp->escape = f.value;
		}
	}
	all->failed |= !ds_cur_ok(&c);
}

static int by_score(const void *va, const void *vb, void *context)
{
	const uint32_t *a = va, *b = vb;
	const float *score = context;
	if (score[*a] != score[*b])
		return score[*a] > score[*b] ? -1 : 1;
	return *a < *b ? -1 : *a > *b;
}

/* What a part of a piece is while merging: its id, a stand-in for a character, or nothing. */
static uint32_t value_of(const ds_tok *t, ds_str s)
{
	unsigned len;
	uint32_t id = ds_tok_lookup(t, s);
	if (id != DS_TOK_NONE)
		return id;
	uint32_t c = ds_utf8_at((const uint8_t *)s.at, s.n, &len);
	return len == s.n && c < 0x110000 ? sp_stand_in(t, c) : DS_TOK_NONE;
}

/* Every way to make a piece of two; equal scores are equal ranks, so that the leftmost goes first. */
static ds_rc make_merges(ds_tok *t, ds_err *e)
{
	uint32_t *order = ds_arena_get(t->mem, t->n_ids * sizeof(*order)), n = 0, rank = 0;
	for (uint32_t id = 0; id < t->n_ids; id++)
		if (t->flags[id] == TOK_HAS)
			order[n++] = id;
	qsort_r(order, n, sizeof(*order), by_score, t->sp->score);
	for (uint32_t i = 0; i < n; i++) {
		ds_str s = t->bytes[order[i]];
		if (i > 0 && t->sp->score[order[i]] != t->sp->score[order[i - 1]])
			rank++;
		if (s.n > 4096)
			return ds_fail(e, DS_BAD, "piece %u has %zu bytes, the limit is 4096",
				order[i], s.n);
		for (size_t k = 1; k < s.n; k++) {
			if ((s.at[k] & 0xc0) == 0x80)
				continue;
			uint32_t left = value_of(t, (ds_str){ s.at, k });
			uint32_t right = left == DS_TOK_NONE
						 ? left
						 : value_of(t, (ds_str){ s.at + k, s.n - k });
			if (right != DS_TOK_NONE)
				ds_tok_put_merge_ranked(t, left, right, order[i], rank);
		}
	}
	return DS_OK;
}

static uint32_t shared(ds_str a, ds_str b)
{
	uint32_t n = 0;
	while (n < a.n && n < b.n && a.at[n] == b.at[n])
		n++;
	return n;
}

static int by_bytes(const void *va, const void *vb, void *context)
{
	const ds_str *s = context;
	return ds_str_cmp(s[*(const uint32_t *)va], s[*(const uint32_t *)vb]);
}

typedef struct {
	uint32_t node, lo, hi, depth; /* the pieces lo..hi begin with the same depth bytes */
} branch;

/* The trie, level by level, out of the sorted pieces. */
void ds_sp_make_trie(const ds_tok *t, struct tok_sp *sp)
{
	uint32_t *order = ds_arena_get(t->mem, t->n_ids * sizeof(*order)), n = 0, n_nodes = 1;
	for (uint32_t id = 0; id < t->n_ids; id++)
		if (t->flags[id] == TOK_HAS && ds_tok_lookup(t, t->bytes[id]) == id)
			order[n++] = id;
	qsort_r(order, n, sizeof(*order), by_bytes, t->bytes);
	size_t most = 1;
	for (uint32_t i = 0; i < n; i++)
		most += t->bytes[order[i]].n -
			(i ? shared(t->bytes[order[i - 1]], t->bytes[order[i]]) : 0);
	sp_node *nodes = sp->trie = ds_arena_zero(t->mem, most * sizeof(*nodes));
	branch *todo = ds_mem_get(most * sizeof(*todo));
	size_t n_todo = 1;
	todo[0] = (branch){ 0, 0, n, 0 };
	for (size_t k = 0; k < n_todo; k++) {
		branch b = todo[k];
		uint32_t lo = b.lo;
		nodes[b.node].id = DS_TOK_NONE;
		if (lo < b.hi && t->bytes[order[lo]].n == b.depth)
			nodes[b.node].id = order[lo++];
		nodes[b.node].first = n_nodes;
		while (lo < b.hi) {
			uint8_t byte = (uint8_t)t->bytes[order[lo]].at[b.depth];
			uint32_t hi = lo;
			while (hi < b.hi && (uint8_t)t->bytes[order[hi]].at[b.depth] == byte)
				hi++;
			if (b.node == 0)
				sp->root[byte] = n_nodes;
			nodes[n_nodes].byte = byte;
			todo[n_todo++] = (branch){ n_nodes++, lo, hi, b.depth + 1 };
			nodes[b.node].n++;
			lo = hi;
		}
	}
	ds_mem_free(todo);
}

static ds_rc no_duplicates(const ds_tok *t, ds_err *e)
{
	for (uint32_t id = 0; id < t->n_ids; id++)
		if (t->flags[id] == TOK_HAS && ds_tok_lookup(t, t->bytes[id]) != id)
			return ds_fail(e, DS_BAD, "pieces %u and %u are the same",
				ds_tok_lookup(t, t->bytes[id]), id);
	return DS_OK;
}

static ds_rc settle(reading *r, ds_err *e)
{
	static const ds_tok_special_kind kinds[] = { DS_TOK_UNK, DS_TOK_BOS, DS_TOK_EOS,
		DS_TOK_PAD };
	ds_tok *t = r->t;
	if (t->special[DS_TOK_UNK] == DS_TOK_NONE)
		return ds_fail(e, DS_BAD, "there is no unknown piece");
	for (int i = 1; i < 4; i++)
		if (r->ids[i] >= 0 && r->ids[i] < t->n_ids && t->flags[r->ids[i]] & TOK_SPECIAL)
			t->special[kinds[i]] = (uint32_t)r->ids[i];
	for (int b = 0; b < 256 && t->sp->byte_fallback; b++)
		if (t->sp->byte_piece[b] == DS_TOK_NONE)
			return ds_fail(e, DS_BAD, "there is no piece for the byte 0x%02x", b);
	ds_tok_build_find(t);
	DS_TRY(no_duplicates(t, e));
	if (r->model_type == BPE) {
		t->kind = TOK_SP_BPE;
		return make_merges(t, e);
	}
	if (r->model_type != UNIGRAM)
		return ds_fail(e, DS_BAD, "model type %llu is neither BPE nor Unigram",
			(unsigned long long)r->model_type);
	t->kind = TOK_UNIGRAM;
	ds_sp_make_trie(t, t->sp);
	return DS_OK;
}

ds_rc ds_sp_read(ds_tok *t, ds_str file, ds_err *e)
{
	ds_cur c = ds_cur_of(file.at, file.n);
	reading r = { .t = t, .model_type = UNIGRAM, .ids = { 0, 1, 2, -1 } };
	field f;
	t->sp = ds_arena_zero(t->mem, sizeof(*t->sp));
	t->sp->dummy_prefix = t->sp->remove_extra = t->sp->escape = true;
	t->sp->unk_surface = DS_S(" \xe2\x81\x87 ");
	t->sp->min_score = __FLT_MAX__;
	t->sp->max_score = -__FLT_MAX__;
	memset(t->sp->byte_piece, 0xff, sizeof(t->sp->byte_piece));
	while (next_field(&c, &f)) {
		if (f.number == 1 && f.wire == 2)
			DS_TRY(read_piece(&r, f.bytes, e));
		else if (f.number == 2 && f.wire == 2)
			read_trainer(&r, f.bytes, &c);
		else if (f.number == 3 && f.wire == 2)
			read_normalizer(&r, f.bytes, &c);
	}
	if (!ds_cur_ok(&c) || !r.has_trainer || !r.has_normalizer)
		return ds_fail(e, DS_BAD, "the SentencePiece model is cut short or damaged");
	return settle(&r, e);
}
