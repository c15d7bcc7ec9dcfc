/*
 * tok.c - ids and their bytes, merges, special tokens, identity: what every tokenizer has
 */
#include "text/tok/chain.h"
#include "text/tok/sentencepiece.h"
#include "text/tok/wordpiece.h"

#include <assert.h>

enum { HASHED_AT_ONCE = 1 << 15 };

/* GPT-2: printable bytes stand for themselves, the others, in order, for U+0100 and up. */
const uint16_t ds_tok_char_of_byte[256] = {
	256,
	257,
	258,
	259,
	260,
	261,
	262,
	263,
	264,
	265,
	266,
	267,
	268,
	269,
	270,
	271,
	272,
	273,
	274,
	275,
	276,
	277,
	278,
	279,
	280,
	281,
	282,
	283,
	284,
	285,
	286,
	287,
	288,
	33,
	34,
	35,
	36,
	37,
	38,
	39,
	40,
	41,
	42,
	43,
	44,
	45,
	46,
	47,
	48,
	49,
	50,
	51,
	52,
	53,
	54,
	55,
	56,
	57,
	58,
	59,
	60,
	61,
	62,
	63,
	64,
	65,
	66,
	67,
	68,
	69,
	70,
	71,
	72,
	73,
	74,
	75,
	76,
	77,
	78,
	79,
	80,
	81,
	82,
	83,
	84,
	85,
	86,
	87,
	88,
	89,
	90,
	91,
	92,
	93,
	94,
	95,
	96,
	97,
	98,
	99,
	100,
	101,
	102,
	103,
	104,
	105,
	106,
	107,
	108,
	109,
	110,
	111,
	112,
	113,
	114,
	115,
	116,
	117,
	118,
	119,
	120,
	121,
	122,
	123,
	124,
	125,
	126,
	289,
	290,
	291,
	292,
	293,
	294,
	295,
	296,
	297,
	298,
	299,
	300,
	301,
	302,
	303,
	304,
	305,
	306,
	307,
	308,
	309,
	310,
	311,
	312,
	313,
	314,
	315,
	316,
	317,
	318,
	319,
	320,
	321,
	322,
	161,
	162,
	163,
	164,
	165,
	166,
	167,
	168,
	169,
	170,
	171,
	172,
	323,
	174,
	175,
	176,
	177,
	178,
	179,
	180,
	181,
	182,
	183,
	184,
	185,
	186,
	187,
	188,
	189,
	190,
	191,
	192,
	193,
	194,
	195,
	196,
	197,
	198,
	199,
	200,
	201,
	202,
	203,
	204,
	205,
	206,
	207,
	208,
	209,
	210,
	211,
	212,
	213,
	214,
	215,
	216,
	217,
	218,
	219,
	220,
	221,
	222,
	223,
	224,
	225,
	226,
	227,
	228,
	229,
	230,
	231,
	232,
	233,
	234,
	235,
	236,
	237,
	238,
	239,
	240,
	241,
	242,
	243,
	244,
	245,
	246,
	247,
	248,
	249,
	250,
	251,
	252,
	253,
	254,
	255,
};

static int byte_of_char(uint32_t c)
{
	if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255))
		return (int)c;
	if (c >= 256 && c <= 288)
		return (int)c - 256;
	if (c >= 289 && c <= 322)
		return (int)c - 289 + 127;
	return c == 323 ? 173 : -1;
}

bool ds_tok_unspell(ds_str s, char *out, size_t *n)
{
	size_t k = 0;
	unsigned len;
	for (size_t at = 0; at < s.n; at += len) {
		int b = byte_of_char(ds_utf8_at((const uint8_t *)s.at + at, s.n - at, &len));
		if (b < 0)
			return false;
		out[k++] = (char)b;
	}
	*n = k;
	return true;
}

void ds_tok_spell(ds_str bytes, ds_buf *out)
{
	for (size_t i = 0; i < bytes.n; i++) {
		uint16_t c = ds_tok_char_of_byte[(uint8_t)bytes.at[i]];
		if (c < 128) {
			ds_buf_add_byte(out, (char)c);
		} else {
			ds_buf_add_byte(out, (char)(0xc0 | c >> 6));
			ds_buf_add_byte(out, (char)(0x80 | (c & 63)));
		}
	}
}

ds_tok *ds_tok_new(const char *name)
{
	ds_arena *mem = ds_arena_new(1 << 16);
	ds_tok *t = ds_arena_zero(mem, sizeof(*t));
	t->mem = mem;
	t->name = ds_arena_str(mem, ds_str_of(name)).at;
	t->pair.type[1] = 1;
	for (int i = 0; i < DS_TOK_N_SPECIAL; i++)
		t->special[i] = DS_TOK_NONE;
	for (int i = 0; i < 256; i++)
		t->byte_id[i] = DS_TOK_NONE;
	return t;
}

void ds_tok_close(ds_tok *t)
{
	if (!t)
		return;
	assert(atomic_load(&t->n_scratches) == 0);
	ds_mem_free(t->added);
	ds_mem_free(t->bytes);
	ds_mem_free(t->flags);
	ds_mem_free(t->find);
	ds_mem_free(t->pairs);
	ds_mem_free(t->pair_id);
	ds_mem_free(t->pair_rank);
	if (t->sp)
		ds_mem_free(t->sp->score);
	ds_chain_free(t);
	ds_mem_free(t->merges);
	ds_mem_free(t->merge_bits);
	ds_mem_free(t->byte_pairs);
	ds_mem_free(t->cuts);
	ds_arena_free(t->mem);
}

/* Growing by halves; what is new is zeroed. */
static void *grown(void *p, size_t old, size_t *cap, size_t need, size_t size)
{
	size_t to = *cap ? *cap : 1024;
	while (to < need)
		to += to / 2;
	p = ds_mem_grow(p, old * size, to * size);
	memset((char *)p + old * size, 0, (to - old) * size);
	*cap = to;
	return p;
}

static void reserve_ids(ds_tok *t, size_t n)
{
	size_t cap = t->cap_ids;
	if (n <= cap)
		return;
	t->bytes = grown(t->bytes, t->cap_ids, &cap, n, sizeof(*t->bytes));
	t->flags = ds_mem_grow(t->flags, t->cap_ids, cap);
	memset(t->flags + t->cap_ids, 0, cap - t->cap_ids);
	t->cap_ids = (uint32_t)cap;
}

static void reserve_pairs(ds_tok *t, size_t n)
{
	size_t cap = t->cap_pairs;
	if (n <= cap)
		return;
	t->pairs = grown(t->pairs, t->n_pairs, &cap, n, sizeof(*t->pairs));
	t->pair_id = grown(t->pair_id, t->n_pairs, &t->cap_pairs, n, sizeof(*t->pair_id));
}

void ds_tok_reserve(ds_tok *t, size_t n_ids, size_t n_pairs)
{
	reserve_ids(t, n_ids);
	reserve_pairs(t, n_pairs);
}

ds_rc ds_tok_put(ds_tok *t, uint32_t id, ds_str bytes, unsigned flags, ds_err *e)
{
	if (id >= DS_TOK_MAX_IDS)
		return ds_fail(e, DS_BAD, "id %u, the limit is %d", id, DS_TOK_MAX_IDS - 1);
	if (id >= t->n_ids) {
		reserve_ids(t, id + (size_t)1);
		t->n_ids = id + 1;
	}
	if (t->flags[id])
		return ds_fail(e, DS_BAD, "id %u is used twice", id);
	char *at = ds_arena_bytes(t->mem, bytes.n + 1);
	memcpy(at, bytes.at, bytes.n);
	at[bytes.n] = 0;
	t->bytes[id] = (ds_str){ at, bytes.n };
	t->flags[id] = (uint8_t)(flags | TOK_HAS);
	return DS_OK;
}

void ds_tok_put_added(ds_tok *t, const tok_added *a)
{
	if (t->n_added == t->cap_added)
		t->added = grown(t->added, t->n_added, &t->cap_added, t->n_added + 1, sizeof(*a));
	t->added[t->n_added] = *a;
	t->added[t->n_added++].content =
		a->content.n ? ds_arena_str(t->mem, a->content) : t->bytes[a->id];
	t->flags[a->id] |= TOK_ADDED | (a->special ? TOK_SPECIAL : 0);
	t->any_plain_added |= !a->special;
}

void ds_tok_put_merge(ds_tok *t, uint32_t left, uint32_t right, uint32_t id)
{
	reserve_pairs(t, t->n_pairs + 1);
	t->pairs[t->n_pairs][0] = left;
	t->pairs[t->n_pairs][1] = right;
	t->pair_id[t->n_pairs++] = id;
}

void ds_tok_put_merge_ranked(ds_tok *t, uint32_t left, uint32_t right, uint32_t id, uint32_t rank)
{
	size_t before = t->cap_pairs;
	ds_tok_put_merge(t, left, right, id);
	if (t->cap_pairs != before)
		t->pair_rank = ds_mem_grow(
			t->pair_rank, before * sizeof(rank), t->cap_pairs * sizeof(rank));
	t->pair_rank[t->n_pairs - 1] = rank;
}

static size_t power_of_two(size_t at_least)
{
	size_t n = 16;
	while (n < at_least)
		n *= 2;
	return n;
}

/* Tokens are short: what they begin and end with is a word each. */
static inline uint64_t hash_token(ds_str s)
{
	uint64_t lo = 0, hi = 0;
	if (s.n > 16)
		return ds_hash64(s.at, s.n);
	if (s.n >= 8) {
		memcpy(&lo, s.at, 8);
		memcpy(&hi, s.at + s.n - 8, 8);
	} else if (s.n >= 4) {
		memcpy(&lo, s.at, 4);
		memcpy(&hi, s.at + s.n - 4, 4);
	} else if (s.n) {
		lo = (uint64_t)(uint8_t)s.at[0] | (uint64_t)(uint8_t)s.at[s.n / 2] << 8 |
		     (uint64_t)(uint8_t)s.at[s.n - 1] << 16;
	}
	uint64_t h = (lo ^ (uint64_t)s.n << 56) * 0x9e3779b97f4a7c15u;
	h = (h ^ h >> 32 ^ hi) * 0xc2b2ae3d27d4eb4fu;
	return h ^ h >> 29;
}

/* Where the id of these bytes is, or could be put. */
static size_t find_at(const ds_tok *t, ds_str bytes)
{
	uint64_t hash = hash_token(bytes), e;
	size_t at = hash & t->find_mask;
	while ((e = t->find[at]) != 0 &&
		(e >> 32 != hash >> 32 || !ds_str_eq(t->bytes[(uint32_t)e - 1], bytes)))
		at = (at + 1) & t->find_mask;
	return at;
}

void ds_tok_build_find(ds_tok *t)
{
	size_t n = power_of_two((size_t)t->n_ids * 2);
	ds_mem_free(t->find);
	t->find = ds_mem_huge(n * sizeof(*t->find));
	t->find_mask = n - 1;
	for (uint32_t id = 0; id < t->n_ids; id++) {
		if ((t->flags[id] & (TOK_HAS | TOK_ADDED | TOK_BYTE)) != TOK_HAS)
			continue;
		size_t at = find_at(t, t->bytes[id]);
		/* Of a token that a file has twice the last counts, as everywhere. */
		if (t->find[at] == 0 || t->kind == TOK_WORDPIECE || t->kind == TOK_CHAIN_UNIGRAM)
			t->find[at] = hash_token(t->bytes[id]) >> 32 << 32 | (id + 1);
	}
}

void ds_tok_foresee(const ds_tok *t, ds_str bytes)
{
	__builtin_prefetch(&t->find[hash_token(bytes) & t->find_mask]);
}

uint32_t ds_tok_lookup(const ds_tok *t, ds_str bytes)
{
	uint64_t e = t->find[find_at(t, bytes)];
	return e ? (uint32_t)e - 1 : DS_TOK_NONE;
}

void ds_tok_merges_begin(ds_tok *t, size_t n_merges)
{
	size_t n = power_of_two(n_merges + n_merges / 2);
	ds_mem_free(t->merges);
	ds_mem_free(t->merge_bits);
	ds_mem_free(t->byte_pairs);
	t->merges = ds_mem_huge(n * sizeof(*t->merges));
	t->merge_mask = n - 1;
	t->merge_bits = ds_mem_zero(n); /* 8 bits for each place */
	t->merge_shift = 64 - 3 - (unsigned)__builtin_ctzll(n);
	t->byte_pairs = ds_mem_get(65536 * sizeof(uint64_t));
	memset(t->byte_pairs, 0xff, 65536 * sizeof(uint64_t));
}

void ds_tok_merges_add(ds_tok *t, uint32_t left, uint32_t right, uint32_t id, uint32_t rank)
{
	uint64_t key = (uint64_t)left << 32 | right, hash = tok_hash_pair(key);
	size_t at = hash >> 32 & t->merge_mask;
	while (t->merges[at].not_key != 0 && t->merges[at].not_key != ~key)
		at = (at + 1) & t->merge_mask;
	t->merges[at] = (tok_merge){ ~key, rank, id };
	ds_mask_set(t->merge_bits, hash >> t->merge_shift);
	if (t->sp || t->bytes[left].n != 1 || t->bytes[right].n != 1)
		return;
	uint8_t a = (uint8_t)t->bytes[left].at[0], b = (uint8_t)t->bytes[right].at[0];
	if (t->byte_id[a] == left && t->byte_id[b] == right)
		t->byte_pairs[a << 8 | b] = (uint64_t)rank << 32 | id;
}

static void build_merges(ds_tok *t)
{
	ds_tok_merges_begin(t, t->n_pairs);
	for (size_t i = 0; i < t->n_pairs; i++)
		ds_tok_merges_add(t, t->pairs[i][0], t->pairs[i][1], t->pair_id[i],
			t->pair_rank ? t->pair_rank[i] : (uint32_t)i);
}

void ds_tok_name_bytes(ds_tok *t)
{
	for (uint32_t id = t->n_ids; id-- > 0;)
		if (((t->flags[id] & (TOK_HAS | TOK_ADDED)) == TOK_HAS ||
			    t->flags[id] & TOK_LETTER) &&
			t->bytes[id].n == 1)
			t->byte_id[(uint8_t)t->bytes[id].at[0]] = id;
}

static void add_number(ds_hasher *h, uint64_t v)
{
	ds_hasher_add(h, &v, sizeof(v));
}

static void add_text(ds_hasher *h, ds_str s)
{
	add_number(h, s.n);
	ds_hasher_add(h, s.at, s.n);
}

/* Each id's flags, length and bytes; in parts, since the hasher takes its time for every call. */
static void add_tokens(ds_hasher *h, const ds_tok *t)
{
	ds_buf part = { 0 };
	for (uint32_t id = 0; id < t->n_ids; id++) {
		uint64_t head[2] = { t->flags[id], t->bytes[id].n };
		ds_buf_add(&part, head, sizeof(head));
		ds_buf_add_str(&part, t->bytes[id]);
		if (part.n > HASHED_AT_ONCE) {
			ds_hasher_add(h, part.at, part.n);
			ds_buf_clear(&part);
		}
	}
	ds_hasher_add(h, part.at, part.n);
	ds_buf_free(&part);
}

/* Of what the tokenizer does. Numbers go in as they lie in memory: little-endian. */
void ds_tok_identify(ds_tok *t)
{
	DS_AUTO(ds_hasher) h = ds_hasher_new();
	add_text(h, ds_str_of(ds_tok_model(t)));
	add_text(h, ds_str_of(ds_tok_pattern(t)));
	add_number(h, t->nfc | t->prefix_space << 1 | t->whole << 2 | t->bert.clean << 3 |
			      t->bert.chinese << 4 | t->bert.strip << 5 | t->bert.lower << 6 |
			      t->max_chars << 8);
	add_number(h, t->n_ids);
	add_tokens(h, t);
	add_number(h, t->n_pairs);
	ds_hasher_add(h, t->pairs, t->n_pairs * sizeof(*t->pairs));
	ds_hasher_add(h, t->pair_id, t->n_pairs * sizeof(*t->pair_id));
	ds_hasher_add(h, t->special, sizeof(t->special));
	if (t->sp) {
		const struct tok_sp *sp = t->sp;
		add_number(h, sp->dummy_prefix | sp->remove_extra << 1 | sp->escape << 2 |
				      sp->suffix << 3 | sp->byte_fallback << 4);
		ds_hasher_add(h, sp->score, t->n_ids * sizeof(*sp->score));
		add_text(h, (ds_str){ (const char *)sp->map, 4 * sp->n_map });
		add_text(h, sp->strings);
	}
	if (t->chain)
		ds_hasher_add(h, &t->chain->hash, sizeof(t->chain->hash));
	t->identity = ds_hasher_get128(h);
}

/* Names by which tokenizers are known to call them, where no tokenizer_config.json says it. */
static const char *const special_names[DS_TOK_N_SPECIAL][7] = {
	[DS_TOK_PAD] = { "<|pad|>", "<pad>", "[PAD]", "<|finetune_right_pad_id|>" },
	[DS_TOK_BOS] = { "<|bos|>", "<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>",
		"<\xef\xbd\x9c"
		"begin\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>" },
	[DS_TOK_EOS] = { "<|eos|>", "</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>",
		"<\xef\xbd\x9c"
		"end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>" },
	[DS_TOK_MASK] = { "<|mask|>", "<mask>", "[MASK]" },
	[DS_TOK_CLS] = { "<|cls|>", "<cls>", "[CLS]" },
	[DS_TOK_SEP] = { "<|sep|>", "<sep>", "[SEP]" },
	[DS_TOK_UNK] = { "<|unk|>", "<unk>", "[UNK]" },
};

static void name_specials(ds_tok *t)
{
	for (int kind = 0; kind < DS_TOK_N_SPECIAL; kind++)
		for (int i = 0; i < 7 && special_names[kind][i] && t->special[kind] == DS_TOK_NONE;
			i++)
			for (size_t k = 0; k < t->n_added; k++)
				if (ds_str_is(t->bytes[t->added[k].id], special_names[kind][i]))
					t->special[kind] = t->added[k].id;
}

ds_rc ds_tok_finish(ds_tok *t, ds_err *e)
{
	if (t->n_ids == 0)
		return ds_fail(e, DS_BAD, "the vocabulary is empty");
	ds_tok_name_bytes(t);
	for (uint32_t id = 0; id < t->n_ids; id++)
		t->longest = t->bytes[id].n > t->longest ? t->bytes[id].n : t->longest;
	if (t->kind == TOK_BPE || t->kind == TOK_SP_BPE || t->kind == TOK_CHAIN_BPE) {
		build_merges(t);
		if (!t->chain || t->chain->bounded)
			ds_cuts_build(t);
	}
	ds_added_build(t);
	name_specials(t);
	if (t->kind == TOK_WORDPIECE && t->special[DS_TOK_UNK] == DS_TOK_NONE)
		return ds_fail(e, DS_BAD, "there is no unknown token");
	ds_tok_identify(t);
	return DS_OK;
}

uint32_t ds_tok_size(const ds_tok *t)
{
	return t->n_ids;
}

uint32_t ds_tok_special(const ds_tok *t, ds_tok_special_kind kind)
{
	return t->special[kind];
}

void ds_tok_set_special(ds_tok *t, ds_tok_special_kind kind, uint32_t id)
{
	t->special[kind] = id;
	ds_tok_identify(t);
}

uint32_t ds_tok_find(const ds_tok *t, ds_str name)
{
	for (size_t i = 0; i < t->n_added; i++)
		if (ds_str_eq(t->bytes[t->added[i].id], name))
			return t->added[i].id;
	return ds_tok_lookup(t, name);
}

bool ds_tok_is_special(const ds_tok *t, uint32_t id)
{
	return id < t->n_ids && t->flags[id] & TOK_SPECIAL;
}

ds_str ds_tok_bytes(const ds_tok *t, uint32_t id)
{
	return id < t->n_ids ? t->bytes[id] : (ds_str){ "", 0 };
}

ds_h128 ds_tok_identity(const ds_tok *t)
{
	return t->identity;
}

const char *ds_tok_model(const ds_tok *t)
{
	static const char *const names[] = { "bpe", "wordpiece", "sentencepiece-bpe", "unigram",
		"bpe", "wordpiece", "unigram", "wordlevel" };
	return names[t->kind];
}

const char *ds_tok_pattern(const ds_tok *t)
{
	return t->pattern ? t->pattern->name : "";
}

const char *ds_tok_name(const ds_tok *t)
{
	return t->name;
}

ds_rc ds_tok_decode(
	const ds_tok *t, const uint32_t *ids, size_t n, bool skip_special, ds_buf *out, ds_err *e)
{
	if (t->sp)
		return ds_sp_decode(t, ids, n, skip_special, out, e);
	if (t->chain && !chain_joins(t))
		return ds_chain_decode(t, ids, n, skip_special, out, e);
	if (t->kind == TOK_WORDPIECE)
		return ds_wp_decode(t, ids, n, skip_special, out, e);
	ds_buf_reserve(out, n * 4);
	for (size_t i = 0; i < n; i++) {
		uint32_t id = ids[i];
		if (id >= t->n_ids || !t->flags[id])
			return ds_fail(e, DS_BAD, "id %u is not in the tokenizer", id);
		if (skip_special && t->flags[id] & TOK_SPECIAL)
			continue;
		ds_buf_add(out, t->bytes[id].at, t->bytes[id].n);
	}
	return DS_OK;
}
