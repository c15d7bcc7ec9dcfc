/*
 * balance.c - copies for the labels that are few
 *
 * A first reading counts each label, and notes for each block how many records of its labels came before
 * it: some bytes for every label of a block, none for a record. A label of n records that wants m more
 * gives its i-th record floor((i + 1) m / n) - floor(i m / n) copies, so they are spread evenly; the
 * second reading finds i by counting on from its block's beginning.
 */
#include "augment.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdlib.h>

typedef struct {
	uint32_t label;
	uint64_t before; /* records with it before this block */
} standing;

typedef struct {
	uint64_t first; /* record */
	size_t at;      /* its standings begin there */
} block_at;

struct balance {
	ds_map *labels; /* how many records each has */
	block_at *blocks;
	size_t n_blocks, cap_blocks;
	standing *all; /* of each block those whose labels it has, by label */
	size_t n_all, cap_all;
	uint64_t target;
	uint32_t most;
};

static void add_block(balance *b, uint64_t first)
{
	if (b->n_blocks == b->cap_blocks) {
		size_t cap = b->cap_blocks ? 2 * b->cap_blocks : 64;
		b->blocks = ds_mem_grow(
			b->blocks, b->n_blocks * sizeof(*b->blocks), cap * sizeof(*b->blocks));
		b->cap_blocks = cap;
	}
	b->blocks[b->n_blocks++] = (block_at){ first, b->n_all };
}

static void add_standing(balance *b, standing s)
{
	if (b->n_all == b->cap_all) {
		size_t cap = b->cap_all ? 2 * b->cap_all : 256;
		b->all = ds_mem_grow(b->all, b->n_all * sizeof(*b->all), cap * sizeof(*b->all));
		b->cap_all = cap;
	}
	b->all[b->n_all++] = s;
}

/* A label that is a list, say, is none here. */
static bool label_of(ds_block *block, const ds_col *col, uint32_t row, ds_str *out, ds_err *e)
{
	bool has;
	*out = (ds_str){ "", 0 };
	return rows_value(block, col, row, out, &has, e) == DS_OK && has;
}

/* The value is number << 40 | count, so that the label's number is found with it. */
enum { COUNT_BITS = 40 };
static uint64_t count_of(uint64_t value)
{
	return value & (((uint64_t)1 << COUNT_BITS) - 1);
}

static int by_label(const void *a, const void *b)
{
	const standing *x = a, *y = b;
	return x->label < y->label ? -1 : x->label > y->label;
}

static ds_rc learn(void *state, ds_work *w, ds_block *block, ds_err *e)
{
	balance *b = state;
	const ds_col *col;
	size_t from = b->n_all;
	DS_AUTO(ds_map) here = ds_map_new(16);
	DS_TRY(ds_block_get(block, "label", &col, e));
	if (!block->n_rows)
		return DS_OK;
	add_block(b, ds_block_record(block, 0));
	for (uint32_t row = 0; row < block->n_rows; row++) {
		bool is_new;
		ds_str label;
		if (!label_of(block, col, row, &label, e))
			continue;
		uint64_t *v = ds_map_put(b->labels, label, &is_new);
		if (is_new)
			*v = (uint64_t)(ds_map_count(b->labels) - 1) << COUNT_BITS;
		ds_map_put(here, label, &is_new);
		if (is_new)
			add_standing(b, (standing){ (uint32_t)(*v >> COUNT_BITS), count_of(*v) });
		++*v;
	}
	qsort(b->all + from, b->n_all - from, sizeof(*b->all), by_label);
	return DS_OK;
}

ds_rc balance_read(balance **out, const ds_common *c, const char *target, uint32_t most, ds_err *e)
{
	DS_AUTO(balance) b = DS_NEW(balance, 1);
	int64_t wanted = 0;
	if (target && (!ds_str_i64(ds_str_of(target), &wanted) || wanted < 1))
		return ds_fail(
			e, DS_USAGE, "--label-balance '%s': it is a number of records", target);
	for (size_t i = 0; i < c->in.n_files; i++)
		if (strcmp(c->in.files[i], "-") == 0)
			return ds_fail(e, DS_USAGE,
				"--label-balance reads the input twice, so it must be files");
	b->labels = ds_map_new(16);
	b->most = most;
	static const char *const reads[] = { "label", NULL };
	const ds_stage stage = { .name = "aug", .state = b, .reads = reads, .order = learn };
	DS_TRY(ds_run_ahead(c, &stage, e));
	for (size_t i = 0; i < ds_map_count(b->labels); i++) {
		uint64_t n = count_of(*ds_map_value(b->labels, i));
		b->target = n > b->target ? n : b->target;
	}
	if (!b->target)
		return ds_fail(e, DS_BAD, "--label-balance: no record has a label");
	if (target)
		b->target = (uint64_t)wanted;
	*out = b;
	b = NULL;
	return DS_OK;
}

void balance_free(balance *b)
{
	if (!b)
		return;
	ds_mem_free(b->blocks);
	ds_mem_free(b->all);
	ds_map_free(b->labels);
	ds_mem_free(b);
}

/* The block's standings, copied for counting on; *n 0 where the first reading saw no such block. */
static standing *standings_of(const balance *b, uint64_t record, ds_arena *mem, size_t *n)
{
	size_t low = 0, high = b->n_blocks;
	*n = 0;
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (b->blocks[mid].first <= record)
			low = mid;
		else
			high = mid;
	}
	if (low >= b->n_blocks || b->blocks[low].first > record)
		return NULL;
	size_t end = low + 1 < b->n_blocks ? b->blocks[low + 1].at : b->n_all;
	*n = end - b->blocks[low].at;
	standing *s = ds_arena_get(mem, (*n + 1) * sizeof(*s));
	return memcpy(s, b->all + b->blocks[low].at, *n * sizeof(*s));
}

ds_rc balance_copies(
	const balance *b, ds_block *block, ds_arena *mem, const uint32_t **copies, ds_err *e)
{
	const ds_col *col;
	size_t n;
	uint32_t *out = ds_arena_zero(mem, ((size_t)block->n_rows + 1) * sizeof(*out));
	*copies = out;
	DS_TRY(ds_block_get(block, "label", &col, e));
	if (!block->n_rows)
		return DS_OK;
	standing *s = standings_of(b, ds_block_record(block, 0), mem, &n);
	for (uint32_t row = 0; row < block->n_rows; row++) {
		ds_str label;
		const uint64_t *v =
			label_of(block, col, row, &label, e) ? ds_map_find(b->labels, label) : NULL;
		standing key = { v ? (uint32_t)(*v >> COUNT_BITS) : 0, 0 };
		standing *at = v && n ? bsearch(&key, s, n, sizeof(*s), by_label) : NULL;
		if (!at)
			continue;
		uint64_t has = count_of(*v), i = at->before++;
		uint64_t wants = b->target > has ? b->target - has : 0;
		uint64_t some = (uint64_t)((unsigned __int128)(i + 1) * wants / has -
					   (unsigned __int128)i * wants / has);
		out[row] = some < b->most ? (uint32_t)some : b->most;
	}
	return DS_OK;
}
