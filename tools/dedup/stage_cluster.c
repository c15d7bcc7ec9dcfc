/*
 * stage_cluster.c - dsdedup cluster: which records are near-duplicates, and what becomes of each
 *
 * Buckets give pairs (a record, one of the first 64 of its bucket), which are gathered by the record, as
 * many records at a time as memory allows; each part of them is sorted and confirmed by a thread of its
 * own, the earliest first. Sketches are views into the mapped signatures. Clusters are a forest that
 * threads join without locks: a root is put below a smaller one by one compare-and-swap (after Anderson
 * and Woll 1991), so that its end state is the same in any order. 5 bytes a record, 4 more with clusters.
 */
#include "options.h"
#include "stage_pairs.h"

#include "base/mem.h"

#include <stdio.h>

typedef struct {
	signs *s;
	pairs *pairs;
	const ds_col **key, **sketch; /* a block each */
	uint32_t *dup;                /* by record number */
	uint8_t *why;
	_Atomic uint32_t *parent; /* NULL: no clusters are wanted */
	uint32_t *size;           /* by a cluster's first; NULL: not wanted */
} cluster_run;

static uint32_t first_of(cluster_run *r, uint32_t x)
{
	for (;;) {
		uint32_t up = atomic_load_explicit(&r->parent[x], memory_order_relaxed);
		if (up == x)
			return x;
		uint32_t above = atomic_load_explicit(&r->parent[up], memory_order_relaxed);
		if (above != up)
			atomic_compare_exchange_weak(&r->parent[x], &up, above);
		x = above;
	}
}

static void join(cluster_run *r, uint32_t a, uint32_t b)
{
	for (;;) {
		a = first_of(r, a);
		b = first_of(r, b);
		if (a == b)
			return;
		uint32_t low = a < b ? a : b, high = a < b ? b : a, was = high;
		if (atomic_compare_exchange_strong(&r->parent[high], &was, low))
			return;
	}
}

static bool same_key(const cluster_run *r, uint32_t a, uint32_t b)
{
	uint32_t i, k;
	const ds_col *x = r->key[signs_find(r->s, a, &i)], *y = r->key[signs_find(r->s, b, &k)];
	return x && y && ds_col_has(x, i) && ds_col_has(y, k) &&
	       ds_str_eq(ds_col_bytes(x, i), ds_col_bytes(y, k));
}

/* The first of each kind of text in a bucket of exact keys takes the others. */
static void take_exact(void *context, const bucket *b)
{
	cluster_run *r = context;
	for (size_t k = 1; k < b->n; k++)
		for (size_t j = 0; j < k; j++) {
			uint32_t one = (uint32_t)b->number[j], me = (uint32_t)b->number[k];
			if (r->why[one] == IS_SAME || !same_key(r, one, me))
				continue;
			r->dup[me] = one;
			r->why[me] = IS_SAME;
			if (r->parent)
				join(r, one, me);
			break;
		}
}

static const uint32_t *sketch_of(const cluster_run *r, uint32_t number, uint32_t *n)
{
	uint32_t row;
	size_t count = 0;
	const ds_col *col = r->sketch[signs_find(r->s, number, &row)];
	const uint32_t *v = col && ds_col_has(col, row) ? ds_col_u32s(col, row, &count) : NULL;
	*n = (uint32_t)count;
	return v;
}

/* Those that a record met, ascending, each once. */
static void confirm(void *context, uint32_t me, const uint64_t *met, size_t n)
{
	cluster_run *r = context;
	uint32_t n_mine, n_other;
	bool found = r->why[me] == IS_SAME;
	const uint32_t *mine = sketch_of(r, me, &n_mine);
	for (size_t i = 0; i < n && (!found || r->parent); i++) {
		uint32_t other = (uint32_t)met[i];
		if (found && first_of(r, other) == first_of(r, me))
			continue;
		const uint32_t *its = sketch_of(r, other, &n_other);
		if (!ds_seen_alike(&r->s->plan, its, n_other, mine, n_mine))
			continue;
		if (!found) {
			r->dup[me] = other;
			r->why[me] = IS_NEAR;
			found = true;
		}
		if (r->parent)
			join(r, other, me);
	}
}

/* With --keep longest and max: the best of each cluster instead of the first. */
static ds_rc choose(cluster_run *r, ds_err *e)
{
	size_t n = r->s->n;
	uint32_t *best = DS_NEW(uint32_t, n + 1);
	double *value = DS_NEW(double, n + 1);
	for (size_t i = 0; i < r->s->n_blocks; i++) {
		const ds_col *v = ds_block_find(r->s->blocks[i].block, "value");
		for (uint32_t row = 0; v && row < r->s->blocks[i].block->n_rows; row++)
			if (v->type == DS_T_F64 && ds_col_has(v, row))
				value[r->s->blocks[i].first + row] = ds_col_f64(v, row);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = first_of(r, i);
		if (first == i || value[i] > value[best[first]])
			best[first] = i;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t stays = best[first_of(r, i)];
		r->dup[i] = stays == i ? DS_NO_TEXT : stays;
		r->why[i] = stays == i ? STAYS : same_key(r, stays, i) ? IS_SAME : IS_NEAR;
	}
	ds_mem_free(best);
	ds_mem_free(value);
	return DS_OK;
}

static void mark_against(cluster_run *r)
{
	for (size_t i = 0; i < r->s->n_blocks; i++) {
		const ds_col *col = ds_block_find(r->s->blocks[i].block, "against");
		for (uint32_t row = 0; col && row < r->s->blocks[i].block->n_rows; row++)
			if (ds_col_has(col, row))
				r->why[r->s->blocks[i].first + row] = IS_AGAINST;
	}
}

static void count_sizes(cluster_run *r)
{
	r->size = DS_NEW(uint32_t, r->s->n + 1);
	for (uint32_t i = 0; i < r->s->n; i++)
		r->size[first_of(r, i)]++;
}

/* The first of its cluster, and with the one record that stays for it, its size. */
static ds_rc put_sizes(cluster_run *r, ds_block *b, uint64_t first, uint32_t n, ds_err *e)
{
	bool first_stays = strcmp(r->s->keep, "first") == 0;
	ds_colb *size = ds_colb_new(b, "size", DS_T_I64),
		*cluster = ds_colb_new(b, "cluster", DS_T_I64);
	for (uint32_t i = (uint32_t)first; i < first + n; i++) {
		uint32_t lead = first_of(r, i);
		if (r->size[lead] == 1)
			ds_colb_absent(cluster);
		else
			ds_colb_i64(cluster, lead);
		if (r->why[i] != STAYS || r->size[lead] == 1 || (first_stays && lead != i))
			ds_colb_absent(size);
		else
			ds_colb_i64(size, r->size[lead]);
	}
	DS_TRY(ds_colb_put(cluster, e));
	return ds_colb_put(size, e);
}

static ds_rc put_verdicts(cluster_run *r, stage_out *o, uint64_t first, uint32_t n, ds_err *e)
{
	ds_block *b = ds_block_new(o->mem, n);
	ds_colb *dup = ds_colb_new(b, "dup_of", DS_T_I64), *why = ds_colb_new(b, "why", DS_T_UTF8);
	for (uint64_t i = first; i < first + n; i++) {
		if (r->dup[i] == DS_NO_TEXT)
			ds_colb_absent(dup);
		else
			ds_colb_i64(dup, r->dup[i]);
		if (r->why[i] == STAYS)
			ds_colb_absent(why);
		else
			ds_colb_bytes(why, ds_str_of(stage_why[r->why[i]]));
	}
	DS_TRY(ds_colb_put(dup, e));
	DS_TRY(ds_colb_put(why, e));
	if (r->size)
		DS_TRY(put_sizes(r, b, first, n, e));
	return stage_put(o, b, e);
}

static ds_rc write_verdicts(cluster_run *r, const ds_common *c, const stage_head *head, ds_err *e)
{
	stage_out o;
	ds_rc rc = stage_create(&o, c, r->s, "cluster.dsr", head, e);
	for (uint64_t i = 0; i < r->s->n && rc == DS_OK; i += STAGE_ROWS) {
		uint64_t left = r->s->n - i;
		rc = put_verdicts(r, &o, i, left < STAGE_ROWS ? (uint32_t)left : STAGE_ROWS, e);
	}
	if (rc == DS_OK)
		rc = stage_finish(&o, e);
	stage_discard(&o);
	return rc;
}

static ds_rc write_members(cluster_run *r, ds_out *out, const uint8_t *leads, ds_err *e)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 12);
	ds_buf line = { 0 };
	ds_rc rc = ds_out_write(out, "cluster\tid\n", 11, e);
	for (uint32_t i = 0; i < r->s->n && rc == DS_OK; i++) {
		ds_seen_id id, first_id;
		uint32_t first = first_of(r, i);
		if (!(leads[first / 8] >> first % 8 & 1))
			continue;
		ds_arena_reset(mem);
		ds_buf_clear(&line);
		if ((rc = signs_id(r->s, first, mem, &first_id, e)) != DS_OK ||
			(rc = signs_id(r->s, i, mem, &id, e)) != DS_OK)
			break;
		ds_seen_add_row(&line, first_id.text, id.text);
		rc = ds_out_write(out, line.at, line.n, e);
	}
	ds_buf_free(&line);
	return rc;
}

static ds_rc write_clusters(cluster_run *r, ds_out *out, ds_err *e)
{
	uint8_t *leads = DS_NEW(uint8_t, r->s->n / 8 + 1);
	for (uint32_t i = 0; i < r->s->n; i++) {
		uint32_t first = first_of(r, i);
		if (first != i)
			leads[first / 8] |= (uint8_t)(1 << first % 8);
	}
	ds_rc rc = write_members(r, out, leads, e);
	ds_mem_free(leads);
	DS_TRY_AT(rc, e, "%s", opt.clusters);
	return ds_out_finish(out, e);
}

static void prepare(cluster_run *r)
{
	signs *s = r->s;
	r->key = ds_arena_get(s->mem, (s->n_blocks + 1) * sizeof(*r->key));
	r->sketch = ds_arena_get(s->mem, (s->n_blocks + 1) * sizeof(*r->sketch));
	for (size_t i = 0; i < s->n_blocks; i++) {
		const ds_col *key = ds_block_find(s->blocks[i].block, "key"),
			     *sketch = ds_block_find(s->blocks[i].block, "sketch");
		r->key[i] = key && key->type == DS_T_BYTES ? key : NULL;
		r->sketch[i] = sketch && sketch->type == DS_T_U32S ? sketch : NULL;
	}
	r->why = DS_NEW(uint8_t, s->n + 1);
	r->dup = ds_mem_get((s->n + 1) * sizeof(*r->dup));
	memset(r->dup, 0xff, (s->n + 1) * sizeof(*r->dup));
	if (!opt.clusters && !opt.sizes && strcmp(s->keep, "first") == 0)
		return;
	r->parent = ds_mem_get((s->n + 1) * sizeof(*r->parent));
	for (uint32_t i = 0; i < s->n; i++)
		atomic_init(&r->parent[i], i);
}

static ds_rc cluster(cluster_run *r, const ds_common *c, ds_err *e)
{
	static const char *const columns[] = { "key", "sketch", "id", "record", "value", "against",
		NULL };
	const char *dir;
	DS_TRY(stage_dir(c, &dir, e));
	DS_TRY(signs_open(&r->s, dir, columns, e));
	stage_head head = stage_head_of(STAGE_CLUSTER, 0, &r->s->plan, r->s->keep);
	head.from = r->s->sum;
	head.sizes = opt.sizes;
	if (!opt.clusters && stage_is_done(dir, "cluster.dsr", &head))
		return DS_OK;
	DS_AUTO(ds_out) clusters = NULL;
	if (opt.clusters)
		DS_TRY(ds_out_open(&clusters, opt.clusters, e));
	prepare(r);
	DS_TRY(pairs_open(&r->pairs, r->s, (unsigned)c->jobs, opt.memory.bytes, e));
	DS_TRY(pairs_exact(r->pairs, take_exact, r, e));
	DS_TRY(pairs_near(r->pairs, confirm, r, &head.full, e));
	if (strcmp(r->s->keep, "first") != 0)
		DS_TRY(choose(r, e));
	mark_against(r);
	if (opt.sizes)
		count_sizes(r);
	DS_TRY(write_verdicts(r, c, &head, e));
	return clusters ? write_clusters(r, clusters, e) : DS_OK;
}

ds_rc run_cluster(const ds_common *c, ds_err *e)
{
	cluster_run r = { 0 };
	ds_rc rc = cluster(&r, c, e);
	pairs_close(r.pairs);
	ds_mem_free(r.dup);
	ds_mem_free(r.why);
	ds_mem_free(r.size);
	ds_mem_free((void *)r.parent);
	signs_close(r.s);
	return rc;
}
