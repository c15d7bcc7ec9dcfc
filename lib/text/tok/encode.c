/*
 * encode.c - text to ids: scanner, word cache, merges
 *
 * Nearly all pieces are words seen before. A piece of up to 15 bytes is its own key: 16 bytes with
 * the length in the last; a slot holds it and up to four ids in 32 bytes, two slots share a cache
 * line, the newer one first. A second table does the same for up to 31 bytes and seven ids (indents,
 * long words). What is longer, or gives more ids, is merged anew each time, after unspaced text was
 * cut where no token crosses (cuts.c). Some pieces at a time go through in three passes, so that the
 * slots are on their way from memory while keys are still made, and what a missing word needs while
 * others are still looked for. A table is made twice as large while
 * new words keep coming, up to a limit; then old words are overwritten.
 */
#include "text/tok/chain.h"
#include "text/tok/sentencepiece.h"
#include "text/tok/wordpiece.h"
#include "text/unicode.h"

#include <assert.h>

enum {
	SLOT_BITS = 15,     /* pairs of 32-byte slots at first: 2 MiB, one huge page */
	SLOT_BITS_MAX = 19, /* 32 MiB */
	WIDE_BITS = 12,     /* pairs of 64-byte slots: 512 KiB */
	WIDE_BITS_MAX = 16, /* 8 MiB */
	SHORT = 15,         /* longest key of a slot, and of a wide one */
	LONG = 31,
	SHORT_IDS = 4,
	UNCUT = 6,   /* bytes up to which a piece of an unspaced script is looked up at once */
	PART = 0x80, /* in a key's length byte: part of a piece, where that makes a difference */
	OVER = 0x40, /* there: it has more ids than a slot, and is in the second table */
	LONG_IDS = 8,
	PARTS = 16, /* of a piece that are on their way at once */
	TURN = 128, /* pieces that are */
};

typedef struct {
	uint64_t key[2];
	uint32_t ids[SHORT_IDS]; /* how many: the upper byte of the first */
} slot;

typedef struct {
	uint64_t key[4];
	uint32_t ids[LONG_IDS];
} wide_slot;

typedef struct { /* of a piece that was cut */
	uint64_t key[2];
	size_t n;
	uint32_t hash;
} cut;

typedef struct {
	uint64_t key[2]; /* the second all ones: it is not for a slot */
	uint32_t hash, end;
} prepared;

enum { MISSED = UINT32_MAX }; /* in place of a slot's first id */

struct ds_tok_scratch {
	const ds_tok *of; /* whose words are in the cache */
	slot *slots;
	wide_slot *wide;
	unsigned shift, wide_shift; /* of a hash, so that it is a pair's number */
	size_t n_put, n_wide_put;
	bool from_part; /* the piece before was one part of several */
	uint32_t *out;
	size_t cap;
	ds_arena *mem; /* of this text */
	bpe_mem *bpe;
	sp_mem *sp;
	chain_mem *chain;
	ds_arena *piece_mem; /* of a model, while it does a piece */
	ds_rc rc;            /* of the chain: the first failure in this text */
	ds_err err;
	ds_scan scan;
	uint32_t ends[DS_SCAN_PIECES];
	prepared turn[TURN];
	uint32_t found[TURN][SHORT_IDS];
	cut parts[PARTS];
};

static const uint64_t length_mask[16][2] = {
	{ 0, 0 },
	{ 0xff, 0 },
	{ 0xffff, 0 },
	{ 0xffffff, 0 },
	{ 0xffffffff, 0 },
	{ 0xffffffffff, 0 },
	{ 0xffffffffffff, 0 },
	{ 0xffffffffffffff, 0 },
	{ ~0ULL, 0 },
	{ ~0ULL, 0xff },
	{ ~0ULL, 0xffff },
	{ ~0ULL, 0xffffff },
	{ ~0ULL, 0xffffffff },
	{ ~0ULL, 0xffffffffff },
	{ ~0ULL, 0xffffffffffff },
	{ ~0ULL, 0xffffffffffffff },
};

ds_tok_scratch *ds_tok_scratch_new(const ds_tok *t)
{
	ds_tok_scratch *s = DS_NEW(ds_tok_scratch, 1);
	s->of = t;
	/* The one thing that a reader changes. */
	atomic_fetch_add(&((ds_tok *)(uintptr_t)t)->n_scratches, 1);
	s->slots = ds_mem_huge(sizeof(slot) << (SLOT_BITS + 1));
	s->wide = ds_mem_zero(sizeof(wide_slot) << (WIDE_BITS + 1));
	s->shift = 32 - SLOT_BITS;
	s->wide_shift = 32 - WIDE_BITS;
	s->bpe = ds_bpe_mem_new();
	s->sp = ds_sp_mem_new();
	s->chain = ds_chain_mem_new(t);
	s->piece_mem = ds_arena_new(1 << 12);
	s->mem = ds_arena_new(1 << 12);
	s->cap = 4096;
	s->out = ds_mem_get(s->cap * sizeof(*s->out));
	return s;
}

void ds_tok_scratch_free(ds_tok_scratch *s)
{
	if (!s)
		return;
	atomic_fetch_sub(&((ds_tok *)(uintptr_t)s->of)->n_scratches, 1);
	ds_mem_free(s->slots);
	ds_mem_free(s->wide);
	ds_mem_free(s->out);
	ds_bpe_mem_free(s->bpe);
	ds_sp_mem_free(s->sp);
	ds_chain_mem_free(s->chain);
	ds_arena_free(s->piece_mem);
	ds_arena_free(s->mem);
	ds_mem_free(s);
}

static uint32_t *reserve(ds_tok_scratch *s, size_t n, size_t more)
{
	if (n + more > s->cap) {
		size_t cap = s->cap;
		while (cap < n + more)
			cap += cap / 2;
		s->out = ds_mem_grow(s->out, s->cap * sizeof(*s->out), cap * sizeof(*s->out));
		s->cap = cap;
	}
	return s->out + n;
}

static inline uint32_t hash_key(uint64_t lo, uint64_t hi)
{
	return (uint32_t)((lo ^ (hi << 29 | hi >> 35)) * 0x9e3779b97f4a7c15u >> 32);
}

static inline uint32_t hash_wide(const uint64_t key[4])
{
	uint64_t h = ((key[0] ^ (key[1] << 21 | key[1] >> 43)) * 0x9e3779b97f4a7c15u ^ key[2]) *
			     0xc2b2ae3d27d4eb4fu ^
		     key[3];
	return (uint32_t)(h * 0x9e3779b97f4a7c15u >> 32);
}

/* Twice the capacity; of each pair the older word first, so that the newer one is in front again. */
static __attribute__((noinline)) void grow_slots(ds_tok_scratch *s)
{
	size_t n = (size_t)2 << (32 - s->shift);
	slot *to = ds_mem_huge(sizeof(slot) * 2 * n);
	s->shift--;
	for (size_t i = 0; i < n; i++) {
		const slot *old = &s->slots[i ^ 1];
		if (old->key[1] == 0)
			continue;
		slot *at = &to[(size_t)(hash_key(old->key[0], old->key[1]) >> s->shift) * 2];
		at[1] = at[0];
		at[0] = *old;
	}
	ds_mem_free(s->slots);
	s->slots = to;
}

static __attribute__((noinline)) void grow_wide(ds_tok_scratch *s)
{
	size_t n = (size_t)2 << (32 - s->wide_shift);
	wide_slot *to = ds_mem_zero(sizeof(wide_slot) * 2 * n);
	s->wide_shift--;
	for (size_t i = 0; i < n; i++) {
		const wide_slot *old = &s->wide[i ^ 1];
		if (old->key[3] == 0)
			continue;
		wide_slot *at = &to[(size_t)(hash_wide(old->key) >> s->wide_shift) * 2];
		at[1] = at[0];
		at[0] = *old;
	}
	ds_mem_free(s->wide);
	s->wide = to;
}

/* Where `whole` holds, a piece that is a token is that token, merges or not; a part of one is merged. */
static size_t merge(const ds_tok *t, ds_tok_scratch *s, const uint8_t *p, size_t n, unsigned part,
	uint32_t *out)
{
	if (t->whole && !part) {
		out[0] = ds_tok_lookup(t, (ds_str){ (const char *)p, n });
		if (out[0] != DS_TOK_NONE)
			return 1;
	}
	if (t->kind >= TOK_CHAIN_BPE) {
		ds_arena_reset(s->piece_mem);
		return ds_chain_encode(
			t, s->piece_mem, s->bpe, (ds_str){ (const char *)p, n }, out);
	}
	return t->kind == TOK_WORDPIECE ? ds_wp_piece(t, s->mem, p, n, out)
					: ds_bpe_piece(t, s->bpe, p, n, out);
}

static inline __attribute__((always_inline)) slot *find_slot(
	const ds_tok_scratch *s, const uint64_t key[2], uint32_t hash)
{
	slot *at = &s->slots[(size_t)(hash >> s->shift) * 2];
	uint64_t a = (at[0].key[0] ^ key[0]) | (at[0].key[1] ^ key[1]);
	uint64_t b = (at[1].key[0] ^ key[0]) | (at[1].key[1] ^ key[1]);
	/* Selected without a branch, which would often be mispredicted. */
	return __builtin_expect((a != 0) & (b != 0), 0) ? NULL : at + (a != 0);
}

/* Four ids are written, whatever it has. */
static inline size_t put_slot(const slot *at, uint32_t *out)
{
	memcpy(out, at->ids, sizeof(at->ids));
	out[0] &= 0xffffff;
	return at->ids[0] >> 24;
}

/* Remembers up to LONG bytes that have up to LONG_IDS ids. */
static void put_wide(
	ds_tok_scratch *s, const uint8_t *p, size_t n, unsigned part, const uint32_t *ids, size_t k)
{
	uint64_t key[4] = { 0 };
	memcpy(key, p, n);
	key[3] |= (uint64_t)(n | part) << 56;
	if (s->n_wide_put++ >> (32 - s->wide_shift) && s->wide_shift > 32 - WIDE_BITS_MAX)
		grow_wide(s);
	wide_slot *at = &s->wide[(size_t)(hash_wide(key) >> s->wide_shift) * 2];
	at[1] = at[0];
	memset(&at[0], 0, sizeof(at[0]));
	memcpy(at[0].key, key, sizeof(key));
	memcpy(at[0].ids, ids, k * sizeof(*ids));
	at[0].ids[0] |= (uint32_t)k << 24;
}

static size_t find_wide(const ds_tok *t, ds_tok_scratch *s, const uint8_t *p, size_t n,
	unsigned part, uint32_t *out)
{
	uint64_t key[4] = { 0 };
	memcpy(key, p, n);
	key[3] |= (uint64_t)(n | part) << 56;
	const wide_slot *at = &s->wide[(size_t)(hash_wide(key) >> s->wide_shift) * 2];
	for (int k = 0; k < 2; k++)
		if (memcmp(at[k].key, key, sizeof(key)) == 0) {
			memcpy(out, at[k].ids, sizeof(at->ids));
			out[0] &= 0xffffff;
			return at[k].ids[0] >> 24;
		}
	size_t k = merge(t, s, p, n, part, out);
	if (k <= LONG_IDS)
		put_wide(s, p, n, part, out, k);
	return k;
}

static void put_short(ds_tok_scratch *s, const uint64_t key[2], uint32_t hash, const uint32_t *ids,
	size_t n, uint64_t over)
{
	if (s->n_put++ >> (32 - s->shift) && s->shift > 32 - SLOT_BITS_MAX)
		grow_slots(s);
	slot *at = &s->slots[(size_t)(hash >> s->shift) * 2];
	at[1] = at[0];
	at[0] = (slot){ { key[0], key[1] | over << 56 }, { 0 } };
	memcpy(at[0].ids, ids, n * sizeof(*ids));
	at[0].ids[0] |= (uint32_t)n << 24;
}

/* Merges a part of at most SHORT bytes and remembers it. The caller has room for SHORT ids. */
static __attribute__((noinline)) size_t miss_short(
	const ds_tok *t, ds_tok_scratch *s, const uint64_t key[2], uint32_t hash, uint32_t *out)
{
	uint8_t bytes[16];
	memcpy(bytes, key, 16);
	unsigned len = bytes[15] & 15, part = bytes[15] & PART;
	const uint64_t over[2] = { key[0], key[1] | (uint64_t)OVER << 56 };
	if (find_slot(s, over, hash))
		return find_wide(t, s, bytes, len, part, out);
	size_t n = merge(t, s, bytes, len, part, out);
	if (n <= SHORT_IDS) {
		put_short(s, key, hash, out, n, 0);
	} else if (n <= LONG_IDS) {
		put_short(s, key, hash, out, 0, OVER);
		put_wide(s, bytes, len, part, out, n);
	}
	return n;
}

static inline size_t find_short(
	const ds_tok *t, ds_tok_scratch *s, const uint64_t key[2], uint32_t hash, uint32_t *out)
{
	const slot *at = find_slot(s, key, hash);
	return at ? put_slot(at, out) : miss_short(t, s, key, hash, out);
}

static bool has_high(const uint8_t *p, size_t n)
{
	uint64_t v, any = 0;
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&v, p, 8);
		any |= v;
	}
	for (; n; n--)
		any |= (uint64_t)*p++;
	return any & 0x8080808080808080u;
}

static inline uint64_t load(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

/* n bytes, 1 to SHORT, without reading others and without a copy that the next load would wait for. */
static inline void load_key(uint64_t key[2], const uint8_t *p, size_t n)
{
	key[1] = 0;
	if (n > 8) {
		key[0] = load(p, 8);
		key[1] = load(p + n - 8, 8) >> 8 * (16 - n);
	} else if (n >= 4) {
		key[0] = load(p, 4) | load(p + n - 4, 4) << 8 * (n - 4);
	} else {
		key[0] = p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) |
			 (uint64_t)p[n - 1] << 8 * (n - 1);
	}
}

/* The next parts of a piece, up to PARTS; the slots of the short ones start coming in. */
static unsigned cut_parts(
	const ds_tok *t, ds_tok_scratch *s, const uint8_t *p, size_t n, bool first, bool part)
{
	unsigned k = 0;
	for (size_t size; k < PARTS && n; p += size, n -= size, k++, first = false) {
		size = first && !(t->cuts && has_high(p, n)) ? n : ds_cuts_next(t, p, n);
		cut *x = &s->parts[k];
		*x = (cut){ .n = size };
		if (size > SHORT)
			continue;
		load_key(x->key, p, size);
		x->key[1] |=
			(uint64_t)(size | (t->whole && (part || !(first && size == n)) ? PART : 0))
			<< 56;
		x->hash = hash_key(x->key[0], x->key[1]);
		__builtin_prefetch(&s->slots[(size_t)(x->hash >> s->shift) * 2]);
	}
	return k;
}

/* A piece over SHORT bytes, or one that may be worth cutting; part: of one that was cut already. */
static __attribute__((noinline)) size_t encode_long(
	const ds_tok *t, ds_tok_scratch *s, const uint8_t *p, size_t n, bool part, uint32_t *out)
{
	size_t k = 0, all = n;
	while (n) {
		unsigned parts = cut_parts(t, s, p, n, n == all, part);
		for (unsigned i = 0; i < parts; i++) {
			const cut *x = &s->parts[i];
			unsigned flag = t->whole && (part || x->n < all) ? PART : 0;
			if (x->n <= SHORT)
				k += find_short(t, s, x->key, x->hash, out + k);
			else if (x->n <= LONG)
				k += find_wide(t, s, p, x->n, flag, out + k);
			else
				k += merge(t, s, p, x->n, flag, out + k);
			p += x->n;
			n -= x->n;
		}
	}
	return k;
}

/* Whether the piece that ends there is a part: the scanner cut it off or at its front. */
static bool is_part(ds_tok_scratch *s, uint32_t end)
{
	const ds_scan *scan = &s->scan;
	size_t at = end - scan->turn + 64;
	bool cuts = scan->any_cut && (scan->cut[at >> 6] >> (at & 63) & 1), before = s->from_part;
	s->from_part = cuts;
	return cuts || before;
}

typedef struct {
	const uint8_t *text;
	size_t tail_at;
	uint8_t tail[32]; /* the last bytes, so that 16 can always be read */
	bool by_parts;    /* parts are told from pieces */
	bool uncut;       /* the scanner does not cut, so what may be worth it goes the long way */
} source;

/* The key and hash of a piece at p; its slots start coming in. */
static inline __attribute__((always_inline)) void prepare_one(
	const slot *slots, unsigned shift, const uint8_t *p, size_t len, prepared *to)
{
	const uint64_t *mask = length_mask[len < 16 ? len : 0];
	uint64_t lo, hi;
	memcpy(&lo, p, 8);
	memcpy(&hi, p + 8, 8);
	lo &= mask[0];
	hi = (hi & mask[1]) | (uint64_t)len << 56;
	to->key[0] = len > SHORT ? 0 : lo; /* 1: a part */
	to->key[1] = len > SHORT ? ~0ULL : hi;
	to->hash = hash_key(lo, hi);
	__builtin_prefetch(&slots[(size_t)(to->hash >> shift) * 2]);
}

/* The same where parts are told from pieces, or pieces with bytes from 0xe0 go the long way. */
static void mark_one(ds_tok_scratch *s, const source *x, prepared *to, size_t len)
{
	bool part = x->by_parts && is_part(s, to->end);
	uint64_t lo = to->key[0], hi = to->key[1] << 8;
	uint64_t wide = (lo & lo << 1 & lo << 2) | (hi & hi << 1 & hi << 2);
	if (len > SHORT || (x->uncut && len > UNCUT && wide & 0x8080808080808080u)) {
		to->key[0] = part;
		to->key[1] = ~0ULL;
	} else if (part) {
		to->key[1] |= (uint64_t)PART << 56;
		to->hash = hash_key(to->key[0], to->key[1]);
		__builtin_prefetch(&s->slots[(size_t)(to->hash >> s->shift) * 2]);
	}
}

/* k pieces that end at ends[0 … k]. */
static void prepare(ds_tok_scratch *s, const source *x, size_t from, const uint32_t *ends, size_t k)
{
	const uint8_t *text = x->text;
	const slot *slots = s->slots;
	unsigned shift = s->shift;
	prepared *to = s->turn;
	size_t i = 0, begin = from;
	if (ends[k - 1] < x->tail_at)
		for (; i < k; from = ends[i++]) {
			to[i].end = ends[i];
			prepare_one(slots, shift, text + from, ends[i] - from, &to[i]);
		}
	for (; i < k; from = ends[i++]) {
		const uint8_t *p = from < x->tail_at ? text + from : x->tail + (from - x->tail_at);
		to[i].end = ends[i];
		prepare_one(slots, shift, p, ends[i] - from, &to[i]);
	}
	from = begin;
	if (x->by_parts || x->uncut)
		for (i = 0; i < k; from = ends[i++])
			mark_one(s, x, &to[i], ends[i] - from);
}

/* What a word that is not in the table will ask for first starts coming in. */
static __attribute__((noinline)) void foresee(const ds_tok *t, ds_tok_scratch *s, const prepared *x)
{
	uint8_t bytes[16];
	memcpy(bytes, x->key, 16);
	if (x->key[1] == ~0ULL)
		return;
	if (t->whole && !(bytes[15] & PART))
		ds_tok_foresee(t, (ds_str){ (const char *)bytes, bytes[15] & 15 });
	if (t->kind == TOK_BPE && bytes[0] >= 0xe0)
		ds_bpe_foresee(t, s->bpe, bytes, bytes[15] & 15);
}

static void look_up(const ds_tok *t, ds_tok_scratch *s, size_t k)
{
	for (size_t i = 0; i < k; i++) {
		const prepared *x = &s->turn[i];
		const slot *at = find_slot(s, x->key, x->hash);
		if (__builtin_expect(at == NULL, 0)) {
			foresee(t, s, x);
			s->found[i][0] = MISSED;
		} else {
			memcpy(s->found[i], at->ids, sizeof(at->ids));
		}
	}
}

/* A long piece, or one that was not in the table, but may be by now. */
static __attribute__((noinline)) size_t miss(
	const ds_tok *t, ds_tok_scratch *s, const uint8_t *text, size_t from, size_t i, uint32_t *w)
{
	const prepared *x = &s->turn[i];
	return x->key[1] == ~0ULL ? encode_long(t, s, text + from, x->end - from, x->key[0], w)
				  : find_short(t, s, x->key, x->hash, w);
}

/* The ids of k pieces that were prepared and looked up; where they end is returned. */
static uint32_t *give(
	const ds_tok *t, ds_tok_scratch *s, const uint8_t *text, size_t from, size_t k, uint32_t *w)
{
	for (size_t i = 0; i < k; i++) {
		uint32_t first = s->found[i][0];
		if (__builtin_expect(first == MISSED, 0)) {
			w += miss(t, s, text, i ? s->turn[i - 1].end : from, i, w);
			continue;
		}
		memcpy(w, s->found[i], sizeof(s->found[i]));
		w[0] = first & 0xffffff;
		w += first >> 24;
	}
	return w;
}

/* Appends the ids of plain text to s->out, which holds n_out already. */
static size_t encode_plain(const ds_tok *t, ds_tok_scratch *s, ds_str text, size_t n_out)
{
	source x = { .text = (const uint8_t *)text.at };
	size_t from = 0, k;
	x.tail_at = text.n > 16 ? text.n - 16 : 0;
	memcpy(x.tail, text.at + x.tail_at, text.n - x.tail_at);
	ds_scan_begin(&s->scan, t->pattern, x.text, text.n);
	s->scan.cuts = t->cuts;
	x.uncut = t->cuts && !t->pattern->starts;
	s->from_part = false;
	while ((k = ds_scan_next(&s->scan, s->ends)) > 0) {
		uint32_t *out = reserve(s, n_out, s->ends[k - 1] - from + 16), *w = out;
		x.by_parts = t->whole && (s->scan.any_cut || s->from_part);
		for (size_t at = 0; at < k; at += TURN) {
			size_t n = k - at < TURN ? k - at : TURN;
			prepare(s, &x, from, s->ends + at, n);
			look_up(t, s, n);
			w = give(t, s, x.text, from, n, w);
			from = s->ends[at + n - 1];
		}
		n_out += (size_t)(w - out);
	}
	return n_out;
}

static size_t put_id(ds_tok_scratch *s, size_t n_out, uint32_t id)
{
	*reserve(s, n_out, 1) = id;
	return n_out + 1;
}

/* A SentencePiece model's text is cut where no piece crosses (mostly before a space), nowhere else. */
static size_t encode_sentence(const ds_tok *t, ds_tok_scratch *s, ds_str text, size_t n_out)
{
	text = ds_sp_normalize(t, s->sp, text);
	uint32_t *out = reserve(s, n_out, text.n + 16);
	size_t n;
	if (text.n == 0)
		return n_out;
	if (t->kind == TOK_UNIGRAM)
		n = ds_sp_best_path(t, s->sp, text, out);
	else
		n = encode_long(t, s, (const uint8_t *)text.at, text.n, false, out);
	return n_out + (t->sp->byte_fallback ? n : ds_sp_join_unknown(t, out, n));
}

/* Pieces as the chain cuts them, each by itself. */
static size_t encode_chain(
	const ds_tok *t, ds_tok_scratch *s, ds_str text, bool first, size_t n_out)
{
	const chain_piece *pieces;
	size_t n = 0;
	if (text.n == 0 || s->rc != DS_OK)
		return n_out;
	s->rc = ds_chain_pieces(
		t, s->chain, (chain_piece){ text, first }, s->mem, &pieces, &n, &s->err);
	for (size_t i = 0; i < n && s->rc == DS_OK; i++) {
		ds_str p = pieces[i].text;
		uint32_t *out = reserve(s, n_out, p.n + 16);
		n_out += encode_long(t, s, (const uint8_t *)p.at, p.n, false, out);
	}
	return n_out;
}

/* What the normalizer makes of text; *first stays only where it begins with the same character. */
static ds_str normalized_text(const ds_tok *t, ds_tok_scratch *s, ds_str text, bool *first)
{
	bool moved = false;
	if (!t->chain)
		return t->nfc ? ds_nfc(text, s->mem) : text;
	if (s->rc == DS_OK)
		s->rc = ds_chain_normalize(t, s->chain, text, s->mem, &text, &moved, &s->err);
	*first = *first && !moved;
	return text;
}

/* Normalized text without added tokens. */
static size_t encode_stretch(
	const ds_tok *t, ds_tok_scratch *s, ds_str text, bool first, size_t n_out)
{
	if (t->chain)
		return encode_chain(t, s, text, first, n_out);
	if (t->sp)
		return encode_sentence(t, s, text, n_out);
	if (text.n && t->prefix_space && text.at[0] != ' ') {
		char *spaced = ds_arena_bytes(s->mem, text.n + 1);
		spaced[0] = ' ';
		memcpy(spaced + 1, text.at, text.n);
		text = (ds_str){ spaced, text.n + 1 };
	}
	return text.n ? encode_plain(t, s, text, n_out) : n_out;
}

/* Text around the added tokens that are looked for in it as it is, or (normalized) in what became of it. */
static size_t encode_added(const ds_tok *t, ds_tok_scratch *s, ds_str text, bool specials,
	bool normalized, bool first, size_t n_out)
{
	for (added_walk w = { 0 };; w.from = w.end) {
		const tok_added *a = ds_added_next(t, text, &w, specials, normalized);
		ds_str part = { text.at + w.from, w.text_end - w.from };
		bool begins = first && w.from == 0;
		if (normalized) {
			n_out = encode_stretch(t, s, part, begins, n_out);
		} else {
			part = normalized_text(t, s, part, &begins);
			n_out = encode_added(t, s, part, specials, true, begins, n_out);
		}
		if (!a)
			return n_out;
		n_out = put_id(s, n_out, a->id);
	}
}

static size_t put_all(ds_tok_scratch *s, size_t n_out, const uint32_t *ids, size_t n)
{
	if (n)
		memcpy(reserve(s, n_out, n), ids, n * sizeof(*ids));
	return n_out + n;
}

ds_rc ds_tok_encode(const ds_tok *t, ds_tok_scratch *s, ds_str text, unsigned flags,
	const uint32_t **ids, size_t *n, ds_err *e)
{
	assert(s->of == t); /* its cache holds that one's words */
	bool specials = flags & DS_TOK_SPECIALS, add = flags & DS_TOK_ADD_SPECIAL;
	bool first = !(flags & DS_TOK_INSIDE);
	size_t k = 0;
	if (text.n > UINT32_MAX - 64)
		return ds_fail(e, DS_BAD, "a text of %zu bytes, the limit is 4294967231", text.n);
	ds_arena_reset(s->mem);
	s->rc = DS_OK;
	if (add)
		k = put_all(s, k, t->post.before, t->post.n_before);
	if (specials || t->any_plain_added)
		k = encode_added(t, s, text, specials, false, first, k);
	else
		k = encode_stretch(t, s, normalized_text(t, s, text, &first), first, k);
	if (add)
		k = put_all(s, k, t->post.after, t->post.n_after);
	if (s->rc != DS_OK) {
		*e = s->err;
		return s->rc;
	}
	*ids = s->out;
	*n = k;
	return DS_OK;
}
