/*
 * exchange_confirm.c - what becomes of the records of a shard, by those that they met
 *
 * The sketches of a shard's own records lie in its signatures, those of others came in frames. Memory: these,
 * 16 bytes a pair and 16 a sketch.
 */
#include "exchange.h"

#include "base/mem.h"
#include "base/sort.h"

#include <stdlib.h>

typedef struct {
	uint64_t number, at; /* in words of the sketches */
	uint32_t n;
} told;

typedef struct {
	exchange *x;
	uint64_t *dup;
	uint8_t *why;
	uint64_t full;
	ds_buf pairs, sketches, told;
} confirm_run;

static ds_rc put_edge(exchange *x, uint64_t a, uint64_t b, ds_err *e)
{
	const uint64_t there[2] = { a, b }, back[2] = { b, a };
	DS_TRY(frames_row(x->out, FRAME_EDGES, exchange_part(&a, sizeof(a)), there, e));
	return frames_row(x->out, FRAME_EDGES, exchange_part(&b, sizeof(b)), back, e);
}

static ds_rc take_sames(confirm_run *r, const frame *f, ds_err *e)
{
	for (size_t i = 0; i < f->n_rows; i++) {
		uint64_t row;
		DS_TRY(exchange_row(r->x, f->words[2 * i], &row, e));
		r->dup[row] = f->words[2 * i + 1];
		r->why[row] = IS_SAME;
		if (r->x->out)
			DS_TRY(put_edge(r->x, f->words[2 * i], f->words[2 * i + 1], e));
	}
	return DS_OK;
}

static ds_rc take_sketches(confirm_run *r, const frame *f, ds_err *e)
{
	size_t base = r->sketches.n / sizeof(*f->words);
	frame_sketch s;
	bool more;
	for (size_t at = 0;;) {
		DS_TRY(frame_sketch_next(f, &at, &s, &more, e));
		if (!more)
			break;
		const told t = { s.number,
			base + (size_t)((const uint64_t *)(const void *)s.at - f->words), s.n };
		ds_buf_add(&r->told, &t, sizeof(t));
	}
	ds_buf_add(&r->sketches, f->words, f->n_rows * sizeof(*f->words));
	return DS_OK;
}

static ds_rc take_frames(confirm_run *r, ds_err *e)
{
	frame f;
	for (;;) {
		DS_TRY(frames_next(r->x->in, &f, e));
		switch ((int)f.kind) {
		case 0:
			return DS_OK;
		case FRAME_SAMES:
			DS_TRY(take_sames(r, &f, e));
			break;
		case FRAME_PAIRS:
			exchange_keep(&r->pairs, &f);
			break;
		case FRAME_FULLS:
			r->full += f.n_rows;
			break;
		case FRAME_SKETCHES:
			DS_TRY(take_sketches(r, &f, e));
			break;
		case FRAME_ASKS:
			break;
		default:
			return exchange_unknown(&f, e);
		}
	}
}

static int by_number(const void *a, const void *b)
{
	const told *x = a, *y = b;
	return x->number < y->number ? -1 : x->number > y->number;
}

static const uint32_t *own_sketch(const exchange *x, uint64_t row, uint32_t *n)
{
	uint32_t r;
	size_t count = 0;
	const ds_col *col = ds_block_find(x->s->blocks[signs_find(x->s, row, &r)].block, "sketch");
	bool has = col && col->type == DS_T_U32S && ds_col_has(col, r);
	const uint32_t *v = has ? ds_col_u32s(col, r, &count) : NULL;
	*n = (uint32_t)count;
	return v;
}

static ds_rc sketch_of(
	const confirm_run *r, uint64_t number, const uint32_t **v, uint32_t *n, ds_err *e)
{
	if (frame_shard(number) == r->x->shard) {
		uint64_t row;
		DS_TRY(exchange_row(r->x, number, &row, e));
		*v = own_sketch(r->x, row, n);
		return DS_OK;
	}
	const told wanted = { .number = number };
	const told *t = r->told.n ? bsearch(&wanted, r->told.at, r->told.n / sizeof(*t), sizeof(*t),
					    by_number)
				  : NULL;
	if (!t)
		return ds_fail(e, DS_BAD, "no sketch of record %llu of shard %llu came",
			(unsigned long long)frame_row(number),
			(unsigned long long)frame_shard(number));
	*v = (const uint32_t *)(const void *)((const uint64_t *)(const void *)r->sketches.at +
					      t->at);
	*n = t->n;
	return DS_OK;
}

/* Those that a record met, ascending: the earliest that is alike; for clusters all. */
static ds_rc confirm(confirm_run *r, uint64_t row, const uint64_t *met, size_t n, ds_err *e)
{
	uint32_t n_mine, n_other = 0;
	const uint32_t *other = NULL, *mine = own_sketch(r->x, row, &n_mine);
	bool found = r->why[row] == IS_SAME;
	for (size_t i = 0; i < n && (!found || r->x->out); i++) {
		if (i && met[i] == met[i - 1])
			continue;
		DS_TRY(sketch_of(r, met[i], &other, &n_other, e));
		if (!ds_seen_alike(&r->x->s->plan, other, n_other, mine, n_mine))
			continue;
		if (!found) {
			r->dup[row] = met[i];
			r->why[row] = IS_NEAR;
			found = true;
		}
		if (r->x->out)
			DS_TRY(put_edge(r->x, frame_number(r->x->shard, row), met[i], e));
	}
	return DS_OK;
}

static ds_rc confirm_all(confirm_run *r, ds_err *e)
{
	const uint64_t *pair = (const uint64_t *)(const void *)r->pairs.at;
	size_t n = r->pairs.n / sizeof(*pair) / 2;
	uint64_t row, *order = ds_mem_get((n + 1) * sizeof(*order));
	ds_buf met = { 0 };
	ds_rc rc = DS_OK;
	if (n > UINT32_MAX || r->x->s->n > UINT32_MAX)
		rc = ds_fail(e, DS_BAD, "more than %u pairs or records of a shard", UINT32_MAX);
	for (size_t i = 0; i < n && rc == DS_OK; i++) {
		rc = exchange_row(r->x, pair[2 * i], &row, e);
		order[i] = row << 32 | i;
	}
	if (rc == DS_OK)
		ds_sort_u64(order, n);
	for (size_t i = 0, end; i < n && rc == DS_OK; i = end) {
		ds_buf_clear(&met);
		for (end = i; end < n && order[end] >> 32 == order[i] >> 32; end++)
			ds_buf_add(&met, &pair[2 * (order[end] & UINT32_MAX) + 1], sizeof(*pair));
		ds_sort_u64((uint64_t *)(void *)met.at, end - i);
		rc = confirm(r, order[i] >> 32, (const uint64_t *)(const void *)met.at, end - i, e);
	}
	ds_buf_free(&met);
	ds_mem_free(order);
	return rc;
}

ds_rc step_confirm(exchange *x, ds_err *e)
{
	confirm_run r = { .x = x };
	r.dup = ds_mem_get((x->s->n + 1) * sizeof(*r.dup));
	memset(r.dup, 0xff, (x->s->n + 1) * sizeof(*r.dup));
	r.why = DS_NEW(uint8_t, x->s->n + 1);
	ds_rc rc = take_frames(&r, e);
	if (rc == DS_OK) {
		if (r.told.n)
			qsort(r.told.at, r.told.n / sizeof(told), sizeof(told), by_number);
		rc = confirm_all(&r, e);
	}
	if (rc == DS_OK) {
		exchange_against(x->s, r.why);
		rc = exchange_verdicts(x, r.dup, r.why, r.full, e);
	}
	ds_buf_free(&r.pairs);
	ds_buf_free(&r.sketches);
	ds_buf_free(&r.told);
	ds_mem_free(r.dup);
	ds_mem_free(r.why);
	return rc;
}
