/*
 * write.c - row groups as they fill, then what they are in the footer
 *
 * A row group is at most GROUP_ROWS rows or about GROUP_BYTES in memory. Its pages are planned a leaf a
 * task and made a page a task, then written in the schema's order.
 */
#include "record/parquet/write.h"

#include "base/mem.h"
#include "base/thread.h"
#include "record/parquet/held.h"
#include "record/parquet/pages_out.h"
#include "record/parquet/write_meta.h"

#include <pthread.h>

enum { GROUP_BYTES = 64 << 20, GROUP_ROWS = 1 << 20 };

struct ds_pq_writer {
	ds_out *out;
	ds_arena *mem;
	ds_pq_shredder s;
	ds_pq_held held;
	bool begun;
	ds_pool *pool;
	ds_compressor **compressors; /* one a worker */
	ds_pq_group_out *groups;
	size_t n_groups, cap_groups;
};

typedef struct { /* a row group on its way */
	ds_pq_writer *w;
	ds_pq_chunk_out *chunks;
	size_t n_chunks;
	struct {
		ds_pq_chunk_out *c;
		ds_pq_page_out *p;
	} * pages;
	ds_rc rc; /* the first page's that failed */
	size_t failed;
	ds_err err;
	pthread_mutex_t lock;
} batch;

ds_pq_writer *ds_pq_writer_new(ds_out *out, unsigned threads, int level)
{
	ds_pq_writer *w = DS_NEW(ds_pq_writer, 1);
	w->out = out;
	w->mem = ds_arena_new(64 << 10);
	ds_pq_held_open(&w->held);
	w->s.mem = w->mem;
	w->pool = ds_pool_new(threads);
	w->compressors = DS_NEW(ds_compressor *, threads);
	for (unsigned i = 0; i < threads; i++)
		w->compressors[i] = ds_compressor_new(level);
	return w;
}

void ds_pq_writer_free(ds_pq_writer *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < ds_pool_threads(w->pool); i++)
		ds_compressor_free(w->compressors[i]);
	ds_mem_free(w->compressors);
	ds_pool_free(w->pool);
	ds_pq_shredder_free(&w->s);
	for (size_t i = 0; i < w->n_groups; i++)
		ds_mem_free(w->groups[i].chunks);
	ds_mem_free(w->groups);
	ds_pq_held_close(&w->held);
	ds_arena_free(w->mem);
	ds_mem_free(w);
}

uint64_t ds_pq_writer_replaced(const ds_pq_writer *w)
{
	return w->s.replaced;
}

static void plan(void *context, size_t task, unsigned worker)
{
	batch *b = context;
	ds_pq_plan_pages(&b->chunks[task]);
}

static void make(void *context, size_t task, unsigned worker)
{
	batch *b = context;
	ds_err e;
	ds_rc rc =
		ds_pq_make_page(b->pages[task].c, b->pages[task].p, b->w->compressors[worker], &e);
	if (rc == DS_OK)
		return;
	pthread_mutex_lock(&b->lock);
	if (b->rc == DS_OK || task < b->failed) {
		b->rc = rc;
		b->failed = task;
		b->err = e;
	}
	pthread_mutex_unlock(&b->lock);
}

static ds_rc make_pages(batch *b, ds_err *e)
{
	size_t n = 0;
	for (size_t i = 0; i < b->n_chunks; i++)
		n += b->chunks[i].n_pages;
	b->pages = ds_mem_get((n + 1) * sizeof(*b->pages));
	n = 0;
	for (size_t i = 0; i < b->n_chunks; i++)
		for (size_t k = 0; k < b->chunks[i].n_pages; k++) {
			b->pages[n].c = &b->chunks[i];
			b->pages[n++].p = &b->chunks[i].pages[k];
		}
	pthread_mutex_init(&b->lock, NULL);
	ds_pool_run(b->w->pool, n, make, b);
	pthread_mutex_destroy(&b->lock);
	ds_mem_free(b->pages);
	if (b->rc != DS_OK)
		*e = b->err;
	return b->rc;
}

static ds_rc write_chunk(ds_pq_writer *w, const ds_pq_chunk_out *c, ds_pq_chunk_meta *m, ds_err *e)
{
	*m = (ds_pq_chunk_meta){ .first_byte = (int64_t)ds_out_offset(w->out),
		.has_dictionary = c->index != NULL,
		.has_range = c->has_range };
	memcpy(m->least, c->least, 8);
	memcpy(m->most, c->most, 8);
	for (size_t i = 0; i < c->n_pages; i++) {
		const ds_pq_page_out *p = &c->pages[i];
		ds_str parts[] = { ds_buf_view(&p->head), { p->compressed, p->n_compressed } };
		if (!p->dictionary && !m->n_values)
			m->first_data = (int64_t)ds_out_offset(w->out);
		m->n_values += p->dictionary ? 0 : (int64_t)p->n_entries;
		m->n_nulls += p->dictionary ? 0 : (int64_t)(p->n_entries - p->n_values);
		m->raw_bytes += (int64_t)(p->head.n + p->n_raw);
		m->compressed_bytes += (int64_t)(p->head.n + p->n_compressed);
		DS_TRY(ds_out_write(w->out, parts[0].at, parts[0].n, e));
		DS_TRY(ds_out_write(w->out, parts[1].at, parts[1].n, e));
	}
	return DS_OK;
}

static ds_rc write_batch(batch *b, ds_pq_chunk_meta *out, ds_err *e)
{
	DS_TRY(make_pages(b, e));
	for (size_t i = 0; i < b->n_chunks; i++)
		DS_TRY(write_chunk(b->w, &b->chunks[i], &out[i], e));
	return DS_OK;
}

static void free_batch(batch *b)
{
	for (size_t i = 0; i < b->n_chunks; i++)
		ds_pq_chunk_out_free(&b->chunks[i]);
	ds_mem_free(b->chunks);
}

static ds_pq_group_out *new_group(ds_pq_writer *w)
{
	if (w->n_groups == w->cap_groups) {
		size_t cap = w->cap_groups ? 2 * w->cap_groups : 16;
		w->groups = ds_mem_grow(
			w->groups, w->cap_groups * sizeof(*w->groups), cap * sizeof(*w->groups));
		w->cap_groups = cap;
	}
	ds_pq_group_out *g = &w->groups[w->n_groups++];
	*g = (ds_pq_group_out){ .n_rows = w->s.rows, .n_chunks = w->s.n_leaves };
	g->chunks = DS_NEW(ds_pq_chunk_meta, w->s.n_leaves + 1);
	return g;
}

static ds_rc begin(ds_pq_writer *w, ds_err *e)
{
	if (w->begun)
		return DS_OK;
	w->begun = true;
	return ds_out_write(w->out, "PAR1", 4, e);
}

static ds_rc write_group(ds_pq_writer *w, ds_err *e)
{
	if (!w->s.rows || !w->s.n_leaves) /* rows without a field wait for one */
		return DS_OK;
	DS_TRY(begin(w, e));
	ds_pq_group_out *g = new_group(w);
	batch b = { .w = w, .n_chunks = w->s.n_leaves };
	b.chunks = DS_NEW(ds_pq_chunk_out, b.n_chunks + 1);
	for (size_t i = 0; i < b.n_chunks; i++)
		b.chunks[i].leaf = w->s.leaves[i];
	ds_pool_run(w->pool, b.n_chunks, plan, &b);
	ds_rc rc = write_batch(&b, g->chunks, e);
	free_batch(&b);
	ds_pq_next_group(&w->s);
	return rc;
}

static ds_rc shred(ds_pq_writer *w, ds_block *b, ds_err *e)
{
	DS_TRY(ds_pq_shred(&w->s, b, e));
	if (w->s.rows >= GROUP_ROWS || ds_pq_gathered_bytes(&w->s) >= GROUP_BYTES)
		return write_group(w, e);
	return DS_OK;
}

static ds_rc release_held(ds_pq_writer *w, ds_err *e)
{
	DS_TRY(ds_pq_learn(&w->held, &w->s, e));
	for (size_t i = 0; i < w->held.n; i++)
		DS_TRY(shred(w, w->held.at[i], e));
	ds_pq_held_close(&w->held);
	return DS_OK;
}

ds_rc ds_pq_writer_add(ds_pq_writer *w, ds_block *b, ds_err *e)
{
	bool enough;
	if (!w->held.mem)
		return shred(w, b, e);
	DS_TRY(ds_pq_hold(&w->held, b, &enough, e));
	return enough ? release_held(w, e) : DS_OK;
}

/* Row groups without a column that came later: null, behind all others. */
static ds_rc add_nulls(ds_pq_writer *w, ds_err *e)
{
	for (size_t i = 0; i < w->n_groups; i++) {
		ds_pq_group_out *g = &w->groups[i];
		size_t n = w->s.n_leaves - g->n_chunks;
		if (!n)
			continue;
		batch b = { .w = w, .n_chunks = n, .chunks = DS_NEW(ds_pq_chunk_out, n) };
		g->chunks = ds_mem_grow(g->chunks, g->n_chunks * sizeof(*g->chunks),
			w->s.n_leaves * sizeof(*g->chunks));
		for (size_t k = 0; k < n; k++) {
			b.chunks[k].leaf = w->s.leaves[g->n_chunks + k];
			ds_pq_plan_nulls(&b.chunks[k], g->n_rows);
		}
		ds_rc rc = write_batch(&b, g->chunks + g->n_chunks, e);
		free_batch(&b);
		DS_TRY(rc);
		g->n_chunks = w->s.n_leaves;
	}
	return DS_OK;
}

ds_rc ds_pq_writer_finish(ds_pq_writer *w, ds_str chain, ds_err *e)
{
	if (w->held.mem)
		DS_TRY(release_held(w, e));
	ds_pq_add_open(&w->s);
	if (w->s.rows && !w->s.n_leaves)
		return ds_fail(e, DS_BAD, "no record has a field, and a Parquet file is columns");
	DS_TRY(write_group(w, e));
	DS_TRY(begin(w, e));
	DS_TRY(add_nulls(w, e));
	ds_buf footer = { 0 };
	ds_pq_write_footer(&footer, &w->s, w->groups, w->n_groups, chain);
	uint32_t n = (uint32_t)footer.n;
	ds_rc rc =
		footer.n > INT32_MAX
			? ds_fail(e, DS_BAD, "the footer has %zu bytes, a Parquet file allows %d",
				  footer.n, INT32_MAX)
			: ds_out_write(w->out, footer.at, footer.n, e);
	ds_buf_free(&footer);
	DS_TRY(rc);
	DS_TRY(ds_out_write(w->out, &n, 4, e));
	return ds_out_write(w->out, "PAR1", 4, e);
}
