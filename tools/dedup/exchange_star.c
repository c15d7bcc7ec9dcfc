/*
 * exchange_star.c - clusters over machines, and the best of each
 *
 * Connected components by large-star and small-star in turn (Kiveris et al. 2014): every record is joined to the
 * smallest that it knows of, first those greater than itself and then the others, until all of a cluster hang
 * on its first member. An edge lies at both of its ends; a partition has all of a record's. What a partition
 * holds of a record is its neighbours, so a cluster's first has as many rows as the cluster members, 16 bytes each.
 */
#include "exchange.h"

#include "base/mem.h"
#include "base/sort.h"

#include <stdlib.h>

typedef struct {
	uint64_t at, to;
} edge;

static int by_edge(const void *a, const void *b)
{
	const edge *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

static ds_rc read_rows(exchange *x, frame_kind kind, ds_buf *rows, ds_err *e)
{
	frame f;
	for (;;) {
		DS_TRY(frames_next(x->in, &f, e));
		if (!f.kind)
			return DS_OK;
		if (f.kind == FRAME_CHANGED)
			continue;
		if (f.kind != kind)
			return exchange_unknown(&f, e);
		exchange_keep(rows, &f);
	}
}

typedef ds_rc take_node(exchange *x, const edge *v, size_t n, void *state, ds_err *e);

/* Each record of a partition with its neighbours, ascending, each once. */
static ds_rc each_node(exchange *x, take_node *take, void *state, ds_err *e)
{
	ds_buf rows = { 0 };
	ds_rc rc = read_rows(x, FRAME_EDGES, &rows, e);
	edge *v = (edge *)(void *)rows.at;
	size_t n = rc == DS_OK ? rows.n / sizeof(*v) : 0, kept = 0;
	if (n)
		qsort(v, n, sizeof(*v), by_edge);
	for (size_t i = 0; i < n; i++)
		if (!kept || by_edge(&v[kept - 1], &v[i]) != 0)
			v[kept++] = v[i];
	for (size_t i = 0, end; i < kept && rc == DS_OK; i = end) {
		for (end = i + 1; end < kept && v[end].at == v[i].at;)
			end++;
		rc = take(x, v + i, end - i, state, e);
	}
	ds_buf_free(&rows);
	return rc;
}

static ds_rc put_edge(exchange *x, uint64_t a, uint64_t b, ds_err *e)
{
	const uint64_t w[2] = { a, b };
	return frames_row(x->out, FRAME_EDGES, exchange_part(&a, sizeof(a)), w, e);
}

/* Greater neighbours go to the smallest known; it matters only to them, so their end alone is handed on. */
static ds_rc large_node(exchange *x, const edge *v, size_t n, void *state, ds_err *e)
{
	uint64_t me = v[0].at, least = v[0].to < me ? v[0].to : me, *changed = state;
	for (size_t i = 0; i < n; i++) {
		if (v[i].to <= me)
			continue;
		*changed += least != me;
		DS_TRY(put_edge(x, v[i].to, least, e));
	}
	return DS_OK;
}

/* Smaller neighbours and the record itself go to the smallest of them. */
static ds_rc small_node(exchange *x, const edge *v, size_t n, void *state, ds_err *e)
{
	uint64_t me = v[0].at, least = v[0].to, *changed = state;
	for (size_t i = 0; i < n && v[i].to < me; i++) {
		uint64_t one = i ? v[i].to : me; /* the least of them stands for me */
		*changed += i > 0;
		DS_TRY(put_edge(x, one, least, e));
		DS_TRY(put_edge(x, least, one, e));
	}
	return DS_OK;
}

ds_rc step_star(exchange *x, bool large, ds_err *e)
{
	uint64_t changed = 0;
	DS_TRY(each_node(x, large ? large_node : small_node, &changed, e));
	return changed ? frames_row(x->out, FRAME_CHANGED, 0, &changed, e) : DS_OK;
}

static ds_rc member_node(exchange *x, const edge *v, size_t n, void *state, ds_err *e)
{
	const uint64_t w[2] = { v[0].at, v[0].to < v[0].at ? v[0].to : v[0].at };
	return frames_row(x->out, FRAME_MEMBERS, frame_shard(w[0]), w, e);
}

ds_rc step_members(exchange *x, ds_err *e)
{
	return each_node(x, member_node, NULL, e);
}

static ds_rc put_value(exchange *x, uint64_t number, uint64_t first, ds_err *e)
{
	uint64_t row, w[5] = { number, first };
	uint32_t r;
	double worth = 0;
	DS_TRY(exchange_row(x, number, &row, e));
	const ds_block *b = x->s->blocks[signs_find(x->s, row, &r)].block;
	const ds_col *value = ds_block_find(b, "value"), *key = ds_block_find(b, "key");
	if (value && value->type == DS_T_F64 && ds_col_has(value, r))
		worth = ds_col_f64(value, r);
	memcpy(&w[2], &worth, sizeof(worth));
	if (key && key->type == DS_T_BYTES && ds_col_has(key, r) &&
		ds_col_bytes(key, r).n == sizeof(ds_h128))
		memcpy(&w[3], ds_col_bytes(key, r).at, sizeof(ds_h128));
	return frames_row(x->out, FRAME_VALUES, exchange_part(&first, sizeof(first)), w, e);
}

ds_rc step_values(exchange *x, ds_err *e)
{
	ds_buf rows = { 0 };
	ds_rc rc = read_rows(x, FRAME_MEMBERS, &rows, e);
	const edge *v = (const edge *)(const void *)rows.at;
	for (size_t i = 0; rc == DS_OK && i < rows.n / sizeof(*v); i++)
		rc = put_value(x, v[i].at, v[i].to, e);
	ds_buf_free(&rows);
	return rc;
}

typedef struct { /* a row of FRAME_VALUES */
	uint64_t number, first;
	double worth;
	ds_h128 key;
} worth;

static int by_first(const void *a, const void *b)
{
	const worth *x = a, *y = b;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* Of equals the earlier stays. Keys of zero are of runs that compare no texts. */
static ds_rc choose_one(exchange *x, const worth *v, size_t n, ds_err *e)
{
	size_t best = 0;
	for (size_t i = 1; i < n; i++)
		if (v[i].worth > v[best].worth)
			best = i;
	for (size_t i = 0; i < n; i++) {
		bool same = v[i].key.lo == v[best].key.lo && v[i].key.hi == v[best].key.hi &&
			    (v[i].key.lo || v[i].key.hi);
		const uint64_t w[3] = { v[i].number, v[best].number, same };
		if (i != best)
			DS_TRY(frames_row(x->out, FRAME_VERDICTS, frame_shard(w[0]), w, e));
	}
	return DS_OK;
}

ds_rc step_choose(exchange *x, ds_err *e)
{
	ds_buf rows = { 0 };
	ds_rc rc = read_rows(x, FRAME_VALUES, &rows, e);
	worth *v = (worth *)(void *)rows.at;
	size_t n = rc == DS_OK ? rows.n / sizeof(*v) : 0;
	if (n)
		qsort(v, n, sizeof(*v), by_first);
	for (size_t i = 0, end; i < n && rc == DS_OK; i = end) {
		for (end = i + 1; end < n && v[end].first == v[i].first;)
			end++;
		rc = choose_one(x, v + i, end - i, e);
	}
	ds_buf_free(&rows);
	return rc;
}

ds_rc step_settle(exchange *x, ds_err *e)
{
	frame f;
	ds_rc rc;
	uint64_t row, *dup = ds_mem_get((x->s->n + 1) * sizeof(*dup));
	uint8_t *why = DS_NEW(uint8_t, x->s->n + 1);
	memset(dup, 0xff, (x->s->n + 1) * sizeof(*dup));
	while ((rc = frames_next(x->in, &f, e)) == DS_OK && f.kind) {
		if (f.kind != FRAME_VERDICTS) {
			rc = exchange_unknown(&f, e);
			break;
		}
		for (size_t i = 0; i < f.n_rows && rc == DS_OK; i++) {
			rc = exchange_row(x, f.words[3 * i], &row, e);
			if (rc != DS_OK)
				break;
			dup[row] = f.words[3 * i + 1];
			why[row] = f.words[3 * i + 2] ? IS_SAME : IS_NEAR;
		}
		if (rc != DS_OK)
			break;
	}
	if (rc == DS_OK) {
		exchange_against(x->s, why);
		rc = exchange_verdicts(x, dup, why, 0, e);
	}
	ds_mem_free(dup);
	ds_mem_free(why);
	return rc;
}
