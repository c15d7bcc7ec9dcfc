/*
 * cuts.c - where a long piece of Chinese, Japanese or other unspaced text may be cut
 *
 * Between two neighbouring characters that stand next to each other in no token, no merge ever
 * happens: both sides can be encoded apart, and short parts hit the word cache where a whole
 * clause never would. A bitmap over hashed pairs of characters tells which pairs some token
 * contains (a collision only loses a cut); where a token begins or ends inside a character, the
 * pair of bytes at the boundary is noted instead. Pairs of two ASCII characters are never cut.
 */
#include "text/tok/tok_impl.h"

enum {
	PAIR_BITS = 20, /* 128 KiB: 5% of cuts lost to collisions with Qwen's 50,000 pairs */
};

static inline uint32_t hash_pair(uint32_t a, uint32_t b)
{
	return (a * 0x9e3779b1u ^ b * 0x85ebca6bu) >> (32 - PAIR_BITS);
}

static inline bool bit(const uint64_t *m, uint32_t i)
{
	return m[i >> 6] >> (i & 63) & 1;
}

static void note_token(ds_tok *t, ds_str token)
{
	const uint8_t *p = (const uint8_t *)token.at;
	unsigned len;
	if (token.n < 2)
		return;
	uint32_t a = ds_utf8_at(p, token.n, &len);
	for (size_t at = len; at < token.n; at += len) {
		uint32_t b = ds_utf8_at(p + at, token.n - at, &len);
		if (a < 0x110000 && b < 0x110000) {
			if (a >= 0x80 || b >= 0x80)
				ds_mask_set(t->crossed, hash_pair(a, b));
		} else {
			ds_mask_set(t->crossed_part, (size_t)p[at - 1] << 8 | p[at]);
		}
		a = b;
	}
}

void cuts_build(ds_tok *t)
{
	t->crossed = ds_mem_zero((1u << PAIR_BITS) / 8);
	t->crossed_part = ds_mem_zero(65536 / 8);
	for (uint32_t id = 0; id < t->n_ids; id++)
		if ((t->flags[id] & (TOK_HAS | TOK_ADDED)) == TOK_HAS)
			note_token(t, t->bytes[id]);
}

size_t cuts_next(const ds_tok *t, const uint8_t *p, size_t n)
{
	unsigned len;
	uint32_t a = ds_utf8_at(p, n, &len);
	for (size_t at = len; at < n; at += len) {
		uint32_t b = ds_utf8_at(p + at, n - at, &len);
		if ((a >= 0x80 || b >= 0x80) && a < 0x110000 && b < 0x110000 &&
			!bit(t->crossed_part, (uint32_t)p[at - 1] << 8 | p[at]) &&
			!bit(t->crossed, hash_pair(a, b)))
			return at;
		a = b;
	}
	return n;
}
