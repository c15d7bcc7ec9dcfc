/*
 * cuts.c - where a long piece of Chinese, Japanese or other unspaced text may be cut
 *
 * Between two neighbouring characters that stand next to each other in no token, no merge ever
 * happens: both sides can be encoded apart, and short parts hit the word cache where a whole
 * clause never would. Which pairs some token contains is in a ds_cuts; scan.c asks it for letters
 * of three bytes, what is here for the rest. Pairs of two ASCII characters are never cut.
 */
#include "text/tok/tok_impl.h"

/* A character as its bytes, little-endian; UINT32_MAX: none, and *len is 1. */
static inline uint32_t char_at(const uint8_t *p, size_t n, unsigned *len)
{
	uint32_t c = ds_utf8_at(p, n, len), bytes = 0;
	if (c >= 0x110000)
		return UINT32_MAX;
	memcpy(&bytes, p, *len);
	return bytes;
}

static uint32_t bytes_of(const uint8_t *p, size_t n)
{
	uint32_t bytes = 0;
	memcpy(&bytes, p, n);
	return bytes;
}

static unsigned length_of(uint8_t lead)
{
	return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/* The token's place `at` as a boundary between characters, each of which may be there in part only. */
static void note_boundary(ds_cuts *m, const uint8_t *p, size_t n, size_t at)
{
	size_t left = 1, right = length_of(p[at]);
	if ((p[at] & 0xc0) == 0x80)
		return;
	while (left < at && left < 4 && (p[at - left] & 0xc0) == 0x80)
		left++;
	bool part = (p[at - left] & 0xc0) == 0x80 || right > n - at;
	right = right < n - at ? right : n - at;
	if (part)
		ds_mask_set(m->parts, (size_t)p[at - 1] << 8 | p[at]);
	if (part || left > 1 || right > 1)
		ds_mask_set(m->pairs,
			ds_cuts_hash(bytes_of(p + at - left, left), bytes_of(p + at, right)));
}

bool ds_cuts_partly(
	const ds_cuts *c, uint32_t left, unsigned n_left, uint32_t right, unsigned n_right)
{
	for (unsigned i = 1; i <= n_left; i++)
		for (unsigned k = 1; k <= n_right; k++)
			if ((i < n_left || k < n_right) &&
				ds_cuts_pair(c, left >> 8 * (n_left - i),
					k < 4 ? right & ((1u << 8 * k) - 1) : right))
				return true;
	return false;
}

static bool is_ascii(ds_str s)
{
	uint64_t any = 0, v = 0;
	for (; s.n >= 8; s.at += 8, s.n -= 8) {
		memcpy(&v, s.at, 8);
		any |= v;
	}
	v = 0;
	memcpy(&v, s.at, s.n);
	return !((any | v) & 0x8080808080808080u);
}

void ds_cuts_build(ds_tok *t)
{
	t->cuts = DS_NEW(ds_cuts, 1);
	for (uint32_t id = 0; id < t->n_ids; id++) {
		ds_str token = t->bytes[id];
		if ((t->flags[id] & (TOK_HAS | TOK_ADDED)) != TOK_HAS || is_ascii(token))
			continue;
		for (size_t at = 1; at < token.n; at++)
			note_boundary(t->cuts, (const uint8_t *)token.at, token.n, at);
	}
}

size_t ds_cuts_next(const ds_tok *t, const uint8_t *p, size_t n)
{
	unsigned n_left, n_right;
	uint32_t left = char_at(p, n, &n_left);
	for (size_t at = n_left; at < n; at += n_right, n_left = n_right) {
		uint32_t right = char_at(p + at, n - at, &n_right);
		if ((n_left > 1 || n_right > 1) && left != UINT32_MAX && right != UINT32_MAX &&
			!ds_cuts_pair(t->cuts, left, right) &&
			!ds_cuts_inside(t->cuts, left, n_left, right, n_right))
			return at;
		left = right;
	}
	return n;
}

bool ds_cuts_apart(const ds_tok *t, const uint8_t *p, size_t n)
{
	unsigned n_left, n_right;
	uint32_t left = char_at(p, n, &n_left);
	for (size_t at = n_left; at < n; at += n_right, n_left = n_right) {
		uint32_t right = char_at(p + at, n - at, &n_right);
		if (left == UINT32_MAX || right == UINT32_MAX ||
			ds_cuts_inside(t->cuts, left, n_left, right, n_right))
			return false;
		left = right;
	}
	return true;
}
