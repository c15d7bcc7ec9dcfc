/*
 * pack.c - see pack.h; bestfit is best-fit decreasing (Ding et al., "Fewer Truncations Improve Language
 * Modeling", 2024) with rows in buckets by the room they have left
 */
#include "pack.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
	WINDOW_TOKENS = 4 << 20, /* that bestfit looks at together */
	BLOCK_TOKENS = 256 << 10,
};
#define NO_ROW UINT32_MAX

typedef struct {
	uint32_t at, n; /* in the window */
	bool goes_on;   /* begins within a document */
} part;

typedef struct {
	size_t at; /* of its ids */
	uint32_t n;
	uint32_t next; /* with the same room left (while bestfit works) */
} row;

typedef struct {
	uint32_t row, at;
} start;

struct pack {
	pack_kind kind;
	uint32_t size, pad;
	bool wide;
	uint32_t *ids;                  /* rows, size tokens each */
	size_t n_rows, cap_rows, first; /* first: given out before it */
	row *rows;
	start *starts; /* of documents, by row */
	size_t n_starts, cap_starts, first_start;
	bool open; /* concat: the last row is not full */

	uint32_t *window;
	size_t n_window, cap_window;
	part *parts;
	size_t n_parts, cap_parts;
	uint64_t total_rows, total_tokens;
};

pack *pack_new(pack_kind kind, uint32_t row_tokens, uint32_t pad, bool wide)
{
	pack *p = DS_NEW(pack, 1);
	p->kind = kind;
	p->size = row_tokens;
	p->pad = pad;
	p->wide = wide;
	return p;
}

void pack_free(pack *p)
{
	if (!p)
		return;
	ds_mem_free(p->ids);
	ds_mem_free(p->rows);
	ds_mem_free(p->starts);
	ds_mem_free(p->window);
	ds_mem_free(p->parts);
	ds_mem_free(p);
}

static void *grown(void *at, size_t n, size_t *cap, size_t need, size_t bytes)
{
	if (need <= *cap)
		return at;
	size_t to = *cap ? *cap : 64;
	while (to < need)
		to *= 2;
	at = ds_mem_grow(at, n * bytes, to * bytes);
	*cap = to;
	return at;
}

static uint32_t new_row(pack *p)
{
	size_t cap = p->cap_rows;
	p->ids = grown(p->ids, p->n_rows * p->size, &cap, p->n_rows + 1, p->size * sizeof(*p->ids));
	p->rows = grown(p->rows, p->n_rows, &p->cap_rows, p->n_rows + 1, sizeof(*p->rows));
	p->rows[p->n_rows] = (row){ p->n_rows * p->size, 0, NO_ROW };
	return (uint32_t)p->n_rows++;
}

/* Appends to a row that has room. */
static void put(pack *p, uint32_t r, const uint32_t *ids, uint32_t n, bool begins)
{
	row *w = &p->rows[r];
	if (begins) {
		p->starts = grown(
			p->starts, p->n_starts, &p->cap_starts, p->n_starts + 1, sizeof(start));
		p->starts[p->n_starts++] = (start){ r, w->n };
	}
	memcpy(p->ids + w->at + w->n, ids, n * sizeof(*ids));
	w->n += n;
}

static void add_concat(pack *p, const uint32_t *ids, size_t n)
{
	bool begins = true;
	while (n) {
		if (!p->open)
			new_row(p);
		uint32_t r = (uint32_t)p->n_rows - 1, left = p->size - p->rows[r].n;
		uint32_t k = n < left ? (uint32_t)n : left;
		put(p, r, ids, k, begins);
		begins = false;
		p->open = k < left;
		ids += k;
		n -= k;
	}
}

static void add_alone(pack *p, const uint32_t *ids, size_t n)
{
	for (bool begins = true; n; begins = false) {
		uint32_t k = n < p->size ? (uint32_t)n : p->size;
		put(p, new_row(p), ids, k, begins);
		ids += k;
		n -= k;
	}
}

/* Longest first; of equal ones the earlier. */
static int by_length(const void *va, const void *vb)
{
	const part *a = va, *b = vb;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static int by_row(const void *va, const void *vb)
{
	const start *a = va, *b = vb;
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

typedef struct { /* rows by room left, and which buckets have any */
	uint32_t *head;
	uint64_t *any;
	uint32_t n;
} buckets;

/* The bucket with the least room that is enough, or NO_ROW. */
static uint32_t best(const buckets *b, uint32_t need)
{
	uint64_t m = b->any[need >> 6] & (~0ULL << (need & 63));
	for (uint32_t w = need >> 6;; m = b->any[w]) {
		if (m)
			return w * 64 + (uint32_t)__builtin_ctzll(m);
		if (++w > b->n >> 6)
			return NO_ROW;
	}
}

static uint32_t bucket_pop(pack *p, buckets *b, uint32_t left)
{
	uint32_t r = b->head[left];
	b->head[left] = p->rows[r].next;
	if (b->head[left] == NO_ROW)
		b->any[left >> 6] &= ~(1ULL << (left & 63));
	return r;
}

static void bucket_push(pack *p, buckets *b, uint32_t left, uint32_t r)
{
	p->rows[r].next = b->head[left];
	b->head[left] = r;
	b->any[left >> 6] |= 1ULL << (left & 63);
}

static void pack_window(pack *p)
{
	buckets b = { ds_mem_get((p->size + (size_t)1) * sizeof(uint32_t)),
		ds_mem_zero((p->size / 64 + (size_t)1) * sizeof(uint64_t)), p->size };
	memset(b.head, 0xff, (p->size + (size_t)1) * sizeof(uint32_t));
	qsort(p->parts, p->n_parts, sizeof(part), by_length);
	for (size_t i = 0; i < p->n_parts; i++) {
		const part *x = &p->parts[i];
		uint32_t left = best(&b, x->n);
		uint32_t r = left == NO_ROW ? new_row(p) : bucket_pop(p, &b, left);
		bool first = p->rows[r].n == 0;
		/* A part that goes on is marked, too, unless it opens its row: it must not see the one before. */
		put(p, r, p->window + x->at, x->n, !x->goes_on || !first);
		if (p->rows[r].n < p->size)
			bucket_push(p, &b, p->size - p->rows[r].n, r);
	}
	qsort(p->starts + p->first_start, p->n_starts - p->first_start, sizeof(start), by_row);
	p->n_window = p->n_parts = 0;
	ds_mem_free(b.head);
	ds_mem_free(b.any);
}

static void add_window(pack *p, const uint32_t *ids, size_t n)
{
	p->window = grown(p->window, p->n_window, &p->cap_window, p->n_window + n, sizeof(*ids));
	memcpy(p->window + p->n_window, ids, n * sizeof(*ids));
	for (size_t at = 0; at < n; at += p->size) {
		p->parts = grown(p->parts, p->n_parts, &p->cap_parts, p->n_parts + 1, sizeof(part));
		p->parts[p->n_parts++] = (part){ (uint32_t)(p->n_window + at),
			n - at < p->size ? (uint32_t)(n - at) : p->size, at > 0 };
	}
	p->n_window += n;
	if (p->n_window >= WINDOW_TOKENS)
		pack_window(p);
}

void pack_add(pack *p, const uint32_t *ids, size_t n)
{
	if (p->kind == PACK_CONCAT)
		add_concat(p, ids, n);
	else if (p->kind == PACK_NONE)
		add_alone(p, ids, n);
	else if (n)
		add_window(p, ids, n);
}

void pack_end(pack *p)
{
	if (p->kind == PACK_BESTFIT && p->n_parts)
		pack_window(p);
	p->open = false;
}

static void put_ids(
	ds_colb *c, const uint32_t *ids, uint32_t n, uint32_t size, uint32_t pad, bool wide)
{
	if (wide) {
		uint32_t *to = ds_colb_reserve(c, size);
		for (uint32_t i = 0; i < size; i++)
			to[i] = i < n ? ids[i] & ~PACK_CONTEXT : pad;
	} else {
		uint16_t *to = ds_colb_reserve(c, size);
		for (uint32_t i = 0; i < size; i++)
			to[i] = (uint16_t)(i < n ? ids[i] : pad);
	}
	ds_colb_wrote(c, size);
}

static void put_starts(pack *p, ds_colb *c, uint32_t r, bool wide)
{
	size_t n = 0;
	while (p->first_start + n < p->n_starts && p->starts[p->first_start + n].row == r)
		n++;
	void *to = ds_colb_reserve(c, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t at = p->starts[p->first_start + i].at;
		if (wide)
			((uint32_t *)to)[i] = at;
		else
			((uint16_t *)to)[i] = (uint16_t)at;
	}
	ds_colb_wrote(c, n);
	p->first_start += n;
}

/* What was given out leaves; an open row moves to the front. */
static void forget(pack *p)
{
	size_t left = p->n_rows - p->first, n_starts = p->n_starts - p->first_start;
	if (left)
		memmove(p->ids, p->ids + p->first * p->size, left * p->size * sizeof(*p->ids));
	for (size_t i = 0; i < left; i++) {
		p->rows[i] = p->rows[p->first + i];
		p->rows[i].at = i * p->size;
	}
	for (size_t i = 0; i < n_starts; i++) {
		p->starts[i] = p->starts[p->first_start + i];
		p->starts[i].row -= (uint32_t)p->first;
	}
	p->n_rows = left;
	p->n_starts = n_starts;
	p->first = p->first_start = 0;
}

/* A row that is short, or holds what is no target. */
static bool masked(const pack *p, const row *r)
{
	uint32_t any = 0;
	for (uint32_t i = 0; i < r->n; i++)
		any |= p->ids[r->at + i];
	return r->n < p->size || any & PACK_CONTEXT;
}

static bool any_masked(const pack *p, size_t n)
{
	for (size_t i = p->first; i < p->first + n; i++)
		if (masked(p, &p->rows[i]))
			return true;
	return false;
}

ds_rc pack_take(pack *p, ds_arena *mem, ds_block **out, ds_err *e)
{
	size_t ready = p->n_rows - p->first - p->open, most = BLOCK_TOKENS / p->size + 1;
	size_t n = ready < most ? ready : most;
	*out = NULL;
	if (n == 0) {
		forget(p);
		return DS_OK;
	}
	ds_block *b = ds_block_new(mem, (uint32_t)n);
	bool wide_docs = p->size > 65536;
	ds_colb *tokens = ds_colb_new(b, "tokens", p->wide ? DS_T_U32S : DS_T_U16S);
	ds_colb *docs = ds_colb_new(b, "docs", wide_docs ? DS_T_U32S : DS_T_U16S);
	ds_colb *mask = any_masked(p, n) ? ds_colb_new(b, "mask", DS_T_BYTES) : NULL;
	for (size_t i = 0; i < n; i++, p->first++) {
		const row *r = &p->rows[p->first];
		put_ids(tokens, p->ids + r->at, r->n, p->size, p->pad, p->wide);
		put_starts(p, docs, (uint32_t)p->first, wide_docs);
		p->total_tokens += r->n;
		if (mask && masked(p, r)) {
			char *m = ds_colb_reserve(mask, p->size);
			for (uint32_t k = 0; k < p->size; k++)
				m[k] = k < r->n && !(p->ids[r->at + k] & PACK_CONTEXT);
			ds_colb_wrote(mask, p->size);
		} else if (mask) {
			ds_colb_absent(mask);
		}
	}
	p->total_rows += n;
	DS_TRY(ds_colb_put(tokens, e));
	DS_TRY(ds_colb_put(docs, e));
	if (mask)
		DS_TRY(ds_colb_put(mask, e));
	*out = b;
	return DS_OK;
}

uint64_t pack_rows(const pack *p)
{
	return p->total_rows;
}

uint64_t pack_tokens(const pack *p)
{
	return p->total_tokens;
}
