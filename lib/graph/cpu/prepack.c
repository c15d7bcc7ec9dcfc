/*
 * prepack.c - a list, found by where the weights lie, in blocks of large pages
 *
 * Decoding is bound by reading weights: from large pages that is a fifth faster. A matrix is smaller than one as a rule, so
 * they lie side by side in blocks, each of which goes with the last of its own.
 */
#include "graph/cpu/prepack.h"

#include "base/mem.h"

enum { BLOCK_BYTES = 16 << 20 };

typedef struct block block;
struct block {
	char *at;
	size_t bytes, used;
	int users;
	block *next;
};

struct ds_prepacked {
	const void *weights;
	int64_t rows, cols, ld;
	int form;
	int users;
	void *data; /* NULL: not yet made */
	block *block;
	ds_prepacked *next;
};

struct ds_prepack_cache {
	ds_prepacked *first;
	block *blocks; /* the last one first */
};

ds_prepack_cache *ds_prepack_cache_new(void)
{
	return DS_NEW(ds_prepack_cache, 1);
}

static void *get(ds_prepack_cache *k, size_t bytes, block **from)
{
	block *b = k->blocks;
	if (!b || b->bytes - b->used < bytes) {
		b = DS_NEW(block, 1);
		b->bytes = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
		b->at = ds_mem_huge(b->bytes);
		b->next = k->blocks;
		k->blocks = b;
	}
	void *at = b->at + b->used;
	b->used += bytes;
	b->users++;
	*from = b;
	return at;
}

static void give_back(ds_prepack_cache *k, block *b)
{
	if (!b || --b->users)
		return;
	block **at = &k->blocks;
	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	ds_mem_free(b->at);
	ds_mem_free(b);
}

static void forget(ds_prepack_cache *k, ds_prepacked *w)
{
	ds_prepacked **at = &k->first;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	give_back(k, w->block);
	ds_mem_free(w);
}

void ds_prepack_cache_free(ds_prepack_cache *k)
{
	while (k && k->first)
		forget(k, k->first);
	ds_mem_free(k);
}

ds_prepacked *ds_prepacked_get(ds_prepack_cache *k, const ds_kernel *kernel, const ds_job *j)
{
	const ds_operand *m = &j->in[1];
	int form = kernel->form(j);
	for (ds_prepacked *w = k->first; w; w = w->next)
		if (w->weights == m->data && w->form == form && w->rows == m->rows &&
			w->cols == m->cols && w->ld == m->ld) {
			w->users++;
			return w;
		}
	ds_prepacked *w = DS_NEW(ds_prepacked, 1);
	*w = (ds_prepacked){ .weights = m->data,
		.rows = m->rows,
		.cols = m->cols,
		.ld = m->ld,
		.form = form,
		.users = 1,
		.next = k->first };
	k->first = w;
	return w;
}

void ds_prepacked_drop(ds_prepack_cache *k, ds_prepacked *w)
{
	if (--w->users == 0)
		forget(k, w);
}

typedef struct {
	const ds_kernel *kernel;
	const ds_job *job;
	void *to;
} making;

static void make_tile(void *context, size_t tile, unsigned worker)
{
	const making *m = context;
	m->kernel->prepack(m->job, (int64_t)tile, m->to);
}

const void *ds_prepacked_make(ds_prepack_cache *k, ds_prepacked *w, const ds_kernel *kernel,
	const ds_job *j, ds_pool *pool)
{
	if (w->data)
		return w->data;
	w->data = get(k, (kernel->prepacked_bytes(j) + 63) / 64 * 64, &w->block);
	ds_pool_run(
		pool, (size_t)kernel->prepack_tiles(j), make_tile, &(making){ kernel, j, w->data });
	return w->data;
}
