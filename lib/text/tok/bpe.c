/*
 * bpe.c - merges the bytes of one piece, lowest rank first, the leftmost of equal ones first
 *
 * Short pieces: an array of ranks searched for its minimum. Long ones: a linked list and a heap,
 * n log n. Very long ones (a 10 MB run of one letter) go by windows, so that memory stays small and
 * time is linear. That is exact: ids t1 … tn are the encoding of their bytes if every two
 * neighbours are the encoding of theirs. (Take the first merge that crosses one of the boundaries:
 * until then both neighbours have been merged as if alone, so it would have happened to the two
 * alone as well.) Neighbours inside a window's result have that property by the same argument; so
 * when two windows that overlap agree on one token, the first may be followed up to that token and
 * the second from there on.
 */
#include "text/tok/sentencepiece.h"

enum {
	SMALL = 48,        /* bytes; up to here searching beats the heap */
	WINDOW = 16 << 10, /* bytes; its nodes and heap stay in the second-level cache */
	NONE = UINT32_MAX,
};

typedef struct {
	uint32_t id, prev, next;
	uint32_t rank, merged; /* of this one with the next; rank NONE: they do not merge */
} node;

enum { CHARS = 0x10000 };

struct bpe_mem {
	uint32_t *
		chars; /* by character: its token + 1; 0: not known yet, NONE: it is no single token */
	node *nodes;
	uint64_t *heap; /* rank << 32 | index, smallest first */
	size_t cap, n_heap;
	uint32_t *ids, *ends; /* results of two windows, one after the other */
};

bpe_mem *ds_bpe_mem_new(void)
{
	return DS_NEW(bpe_mem, 1);
}

void ds_bpe_mem_free(bpe_mem *m)
{
	if (!m)
		return;
	ds_mem_free(m->nodes);
	ds_mem_free(m->heap);
	ds_mem_free(m->ids);
	ds_mem_free(m->ends);
	ds_mem_free(m->chars);
	ds_mem_free(m);
}

static void reserve(bpe_mem *m, size_t n)
{
	if (m->cap >= n)
		return;
	size_t cap = m->cap ? m->cap : 1024;
	while (cap < n)
		cap *= 2;
	ds_mem_free(m->nodes);
	ds_mem_free(m->heap);
	m->ids = ds_mem_grow(m->ids, m->cap * 8, cap * 8);
	m->ends = ds_mem_grow(m->ends, m->cap * 8, cap * 8);
	m->nodes = ds_mem_get(cap * sizeof(node));
	m->heap = ds_mem_get(cap * 3 * sizeof(uint64_t)); /* n pairs, and two new ones a merge */
	m->cap = cap;
}

static uint64_t pair_of(const ds_tok *t, uint32_t left, uint32_t right)
{
	const tok_merge *m = tok_merge_of(t, left, right);
	return m ? (uint64_t)m->rank << 32 | m->id : UINT64_MAX;
}

/* Bytes to their ids; those without a token are left out, as the reference does. */
static size_t to_ids(const ds_tok *t, const uint8_t *p, size_t n, uint32_t *out)
{
	size_t k = 0;
	if (t->sp)
		return ds_sp_chars_to_ids(t, p, n, out);
	for (size_t i = 0; i < n; i++) {
		out[k] = t->byte_id[p[i]];
		k += out[k] != DS_TOK_NONE;
	}
	return k;
}

static size_t merge_small(const ds_tok *t, const uint8_t *p, size_t n, uint32_t *ids)
{
	uint64_t pair[SMALL]; /* of i with i + 1 */
	if (n < 2)
		return n;
	if (p)
		for (size_t i = 0; i + 1 < n; i++)
			pair[i] = t->byte_pairs[p[i] << 8 | p[i + 1]];
	else
		for (size_t i = 0; i + 1 < n; i++)
			pair[i] = pair_of(t, ids[i], ids[i + 1]);
	while (n > 1) {
		size_t at = 0;
		uint64_t best = pair[0];
		for (size_t i = 1; i + 1 < n; i++)
			if (pair[i] >> 32 < best >> 32) {
				best = pair[i];
				at = i;
			}
		if (best == UINT64_MAX)
			break;
		ids[at] = (uint32_t)best;
		n--;
		for (size_t i = at + 1; i < n; i++)
			ids[i] = ids[i + 1];
		for (size_t i = at + 1; i + 1 < n; i++)
			pair[i] = pair[i + 1];
		if (at + 1 < n)
			pair[at] = pair_of(t, ids[at], ids[at + 1]);
		if (at > 0)
			pair[at - 1] = pair_of(t, ids[at - 1], ids[at]);
	}
	return n;
}

static void sift_down(uint64_t *h, size_t n, size_t i)
{
	uint64_t v = h[i];
	for (;;) {
		size_t c = 2 * i + 1;
		if (c >= n)
			break;
		c += c + 1 < n && h[c + 1] < h[c];
		if (h[c] >= v)
			break;
		h[i] = h[c];
		i = c;
	}
	h[i] = v;
}

static uint64_t heap_pop(bpe_mem *m)
{
	uint64_t top = m->heap[0];
	m->heap[0] = m->heap[--m->n_heap];
	if (m->n_heap)
		sift_down(m->heap, m->n_heap, 0);
	return top;
}

static void heap_push(bpe_mem *m, uint64_t v)
{
	size_t i = m->n_heap++;
	for (; i > 0 && m->heap[(i - 1) / 2] > v; i = (i - 1) / 2)
		m->heap[i] = m->heap[(i - 1) / 2];
	m->heap[i] = v;
}

/* Looks the pair at i up anew, and puts it on the heap. */
static void renew(const ds_tok *t, bpe_mem *m, uint32_t i)
{
	node *a = &m->nodes[i];
	uint64_t pair = a->next == NONE ? UINT64_MAX : pair_of(t, a->id, m->nodes[a->next].id);
	a->rank = (uint32_t)(pair >> 32);
	a->merged = (uint32_t)pair;
	if (a->rank != NONE)
		heap_push(m, (uint64_t)a->rank << 32 | i);
}

/* ids in place; ends (may be NULL) gets each one's end, counted in the ids given. */
static size_t merge_heap(const ds_tok *t, bpe_mem *m, uint32_t *ids, uint32_t *ends, size_t n)
{
	if (n == 0)
		return 0;
	m->n_heap = 0;
	for (uint32_t i = 0; i < n; i++)
		m->nodes[i] = (node){ ids[i], i ? i - 1 : NONE, i + 1 < n ? i + 1 : NONE, NONE, 0 };
	for (uint32_t i = 0; i + 1 < n; i++) {
		uint64_t pair = pair_of(t, ids[i], ids[i + 1]);
		m->nodes[i].rank = (uint32_t)(pair >> 32);
		m->nodes[i].merged = (uint32_t)pair;
		if (m->nodes[i].rank != NONE)
			m->heap[m->n_heap++] = (uint64_t)m->nodes[i].rank << 32 | i;
	}
	for (size_t i = m->n_heap / 2; i-- > 0;)
		sift_down(m->heap, m->n_heap, i);
	while (m->n_heap) {
		uint64_t top = heap_pop(m);
		node *a = &m->nodes[(uint32_t)top];
		if (a->rank != (uint32_t)(top >> 32))
			continue; /* the pair is no longer there */
		node *b = &m->nodes[a->next];
		a->id = a->merged;
		a->next = b->next;
		b->rank = NONE;
		if (b->next != NONE)
			m->nodes[b->next].prev = (uint32_t)top;
		renew(t, m, (uint32_t)top);
		if (a->prev != NONE)
			renew(t, m, a->prev);
	}
	size_t k = 0;
	for (uint32_t i = 0; i != NONE; i = m->nodes[i].next, k++) {
		ids[k] = m->nodes[i].id;
		if (ends)
			ends[k] = m->nodes[i].next == NONE ? (uint32_t)n : m->nodes[i].next;
	}
	return k;
}

typedef struct { /* one window's result; positions are in the whole piece's list of byte ids */
	uint32_t *ids, *ends;
	size_t n, first; /* ids before first are written, or belong to the window before */
	size_t base;
} part;

static size_t start_of(const part *w, size_t i)
{
	return w->base + (i ? w->ends[i - 1] : 0);
}

/* Whether a and b have a token in common; *i and *j are then behind it. */
static bool agree(const part *a, const part *b, size_t *i, size_t *j)
{
	while (*i < a->n && *j < b->n) {
		size_t at = start_of(a, *i), bt = start_of(b, *j);
		if (at == bt && a->base + a->ends[*i] == b->base + b->ends[*j]) {
			++*i;
			++*j;
			return true;
		}
		if (at <= bt)
			++*i;
		else
			++*j;
	}
	return false;
}

/* The piece as a whole: where windows find no common token, which real vocabularies do not do. */
static size_t merge_whole(const ds_tok *t, bpe_mem *m, const uint8_t *p, size_t n, uint32_t *all)
{
	size_t k = to_ids(t, p, n, all);
	reserve(m, k);
	return merge_heap(t, m, all, NULL, k);
}

/* all: the k ids of the piece's bytes, replaced by the result, which never overtakes what is to be read. */
static size_t merge_windows(
	const ds_tok *t, bpe_mem *m, const uint8_t *p, size_t n, uint32_t *all, size_t k)
{
	size_t written = 0, size = WINDOW;
	reserve(m, WINDOW);
	part a = { m->ids, m->ends, 0, 0, 0 };
	part b = { m->ids + m->cap, m->ends + m->cap, 0, 0, 0 };
	memcpy(a.ids, all, size * sizeof(*all));
	a.n = merge_heap(t, m, a.ids, a.ends, size);
	while (a.base + size < k) {
		size_t i = a.n, j = 0;
		while (i > a.first && start_of(&a, i) + WINDOW / 8 > a.base + size)
			i--;
		b.base = start_of(&a, i);
		size = k - b.base < WINDOW ? k - b.base : WINDOW;
		memcpy(b.ids, all + b.base, size * sizeof(*all));
		b.n = merge_heap(t, m, b.ids, b.ends, size);
		if (i == a.first || !agree(&a, &b, &i, &j))
			return merge_whole(t, m, p, n, all);
		memcpy(all + written, a.ids + a.first, (i - a.first) * sizeof(*all));
		written += i - a.first;
		b.first = j;
		part swap = a;
		a = b;
		b = swap;
	}
	memcpy(all + written, a.ids + a.first, (a.n - a.first) * sizeof(*all));
	return written + a.n - a.first;
}

size_t ds_bpe_ids(const ds_tok *t, bpe_mem *m, uint32_t *ids, size_t k)
{
	if (k <= SMALL)
		return merge_small(t, NULL, k, ids);
	reserve(m, k);
	return merge_heap(t, m, ids, NULL, k);
}

/* The token that a character's bytes merge to, or NONE. */
static uint32_t token_of_char(const ds_tok *t, bpe_mem *m, uint32_t c, const uint8_t *p, unsigned n)
{
	uint32_t ids[4];
	if (!m->chars)
		m->chars = ds_mem_zero(CHARS * sizeof(*m->chars));
	if (m->chars[c] == 0) {
		size_t k = to_ids(t, p, n, ids);
		m->chars[c] = merge_small(t, k == n ? p : NULL, k, ids) == 1 ? ids[0] + 1 : NONE;
	}
	return m->chars[c] == NONE ? NONE : m->chars[c] - 1;
}

void ds_bpe_foresee(const ds_tok *t, const bpe_mem *m, const uint8_t *p, size_t n)
{
	uint32_t before = 0;
	for (size_t at = 0; at + 3 <= n && p[at] >= 0xe0 && p[at] < 0xf0 && m->chars; at += 3) {
		uint32_t c = (p[at] & 15u) << 12 | (p[at + 1] & 63u) << 6 | (p[at + 2] & 63u);
		uint32_t id = m->chars[c]; /* + 1 */
		if (id == 0 || id == NONE)
			return;
		if (before)
			__builtin_prefetch(tok_merge_at(t, before - 1, id - 1));
		before = id;
	}
}

/*
 * Short text of characters of several bytes: where no token crosses from one into the next but whole ones
 * (cuts.c), each is first merged as if alone, so its token can stand for it from the start. 0: not so here.
 */
static size_t chars_to_ids(const ds_tok *t, bpe_mem *m, const uint8_t *p, size_t n, uint32_t *out)
{
	size_t k = 0;
	unsigned len;
	if (!t->cuts)
		return 0;
	for (size_t at = 0; at < n; at += len) {
		uint32_t c = ds_utf8_at(p + at, n - at, &len);
		if (c < 0x80 || c >= CHARS)
			return 0;
		out[k] = token_of_char(t, m, c, p + at, len);
		if (out[k++] == NONE)
			return 0;
	}
	return ds_cuts_apart(t, p, n) ? k : 0;
}

static size_t merge_any(const ds_tok *t, bpe_mem *m, const uint8_t *p, size_t n, uint32_t *out)
{
	size_t k = p[0] >= 0x80 && n <= SMALL && t->kind == TOK_BPE && t->cuts
			   ? chars_to_ids(t, m, p, n, out)
			   : 0;
	if (k)
		return merge_small(t, NULL, k, out);
	k = to_ids(t, p, n, out);
	if (k <= SMALL)
		return merge_small(t, k == n && !t->sp ? p : NULL, k, out);
	if (k <= WINDOW) {
		reserve(m, k);
		return merge_heap(t, m, out, NULL, k);
	}
	return merge_windows(t, m, p, n, out, k);
}

size_t ds_bpe_piece(const ds_tok *t, bpe_mem *m, const uint8_t *p, size_t n, uint32_t *out)
{
	size_t k = merge_any(t, m, p, n, out);
	return t->sp ? ds_sp_resolve(t, out, k) : k;
}
