/*
 * check.c - every hash, every column's structure, the order of blocks and the trailer of each file
 *
 * Blocks are read in order and verified on all threads, a batch at a time.
 */
#include "record.h"

#include "base/mem.h"
#include "base/thread.h"

enum { BATCH_A_THREAD = 4 };

typedef struct {
	ds_arena *mem;
	ds_block *block;
	ds_rc rc;
	ds_err e;
} slot;

typedef struct {
	slot *slots;
	size_t n;
	ds_pool *pool;
} batch;

static void batch_free(batch *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		ds_arena_free(t->slots[i].mem);
	ds_pool_free(t->pool);
	ds_mem_free(t->slots);
	ds_mem_free(t);
}
DS_AUTO_WITH(batch, batch_free)

static batch *batch_new(unsigned threads)
{
	batch *t = DS_NEW(batch, 1);
	t->pool = ds_pool_new(threads);
	t->n = threads * BATCH_A_THREAD;
	t->slots = DS_NEW(slot, t->n);
	for (size_t i = 0; i < t->n; i++)
		t->slots[i].mem = ds_arena_new(1 << 20);
	return t;
}

static void verify(void *context, size_t task, unsigned worker)
{
	slot *s = (slot *)context + task;
	s->rc = ds_block_verify(s->block, &s->e);
}

static ds_rc check_blocks(batch *t, ds_reader *r, ds_progress *p, ds_err *e)
{
	for (;;) {
		size_t n = 0;
		ds_rc rc = DS_OK;
		for (; n < t->n; n++) {
			slot *s = &t->slots[n];
			ds_arena_reset(s->mem);
			rc = ds_reader_next(r, s->mem, &s->block, e);
			if (rc != DS_OK || !s->block)
				break;
			ds_progress_add(p, s->block->n_rows, s->block->input_bytes);
		}
		ds_pool_run(t->pool, n, verify, t->slots);
		/* The first damage in the file is the one to tell of. */
		for (size_t i = 0; i < n; i++) {
			if (t->slots[i].rc != DS_OK) {
				*e = t->slots[i].e;
				return t->slots[i].rc;
			}
		}
		if (rc != DS_OK || n < t->n)
			return rc;
	}
}

static ds_rc check_file(const ds_common *c, batch *t, const char *path, ds_progress *p, ds_err *e)
{
	DS_AUTO(ds_reader) r = NULL;
	const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
	DS_TRY(open_stream(&r, path, e));
	DS_TRY(check_blocks(t, r, p, e));
	ds_reader_stats s = ds_reader_get_stats(r);
	ds_progress_clear(p);
	ds_buf counts = { 0 };
	add_grouped(&counts, s.blocks);
	ds_buf_fmt(&counts, " block%s, ", ds_s(s.blocks));
	add_grouped(&counts, s.records);
	ds_say(&c->who, "%s: whole, %s record%s", name, ds_buf_text(&counts), ds_s(s.records));
	ds_buf_free(&counts);
	return DS_OK;
}

ds_rc run_check(const ds_common *c, ds_err *e)
{
	DS_AUTO(batch) t = batch_new((unsigned)c->jobs);
	DS_AUTO(ds_progress) p = ds_progress_new(&c->who);
	ds_rc first = DS_OK;
	size_t bad = 0;
	for (size_t i = 0; i < c->in.n_files; i++) {
		ds_err one;
		ds_rc rc = check_file(c, t, c->in.files[i], p, &one);
		if (rc == DS_OK)
			continue;
		bad++;
		/* The worst decides: what cannot be read before what is damaged. */
		if (rc > first || first == DS_OK) {
			first = rc;
			*e = one;
		}
	}
	if (bad > 1)
		return ds_at(
			e, first, "%zu of %zu files are not whole, the first", bad, c->in.n_files);
	return first;
}
