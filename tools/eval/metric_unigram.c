/*
 * metric_unigram.c - perplexity of the unigram model of another file's tokens: what any model must beat
 *
 * p(t) = (n(t) + 1) / (N + V), counted over --fit FILE; V is one more than the largest id seen in either
 * file. The same targets count as for a model: not a row's first token, and none with mask 0.
 */
#include "value.h"

#include "base/mem.h"
#include "record/source.h"

#include <math.h>

enum { MAX_ID = 1 << 24 };

typedef struct { /* also a part */
	uint64_t *n, size, sum;
} counts;

static void counts_free(void *p)
{
	counts *c = p;
	if (c)
		ds_mem_free(c->n);
	ds_mem_free(c);
}

static void count_add(counts *c, uint32_t id, uint64_t n)
{
	if (id >= c->size) {
		uint64_t size = c->size ? c->size : 1024;
		while (size <= id)
			size *= 2;
		c->n = ds_mem_grow(c->n, c->size * sizeof(*c->n), size * sizeof(*c->n));
		memset(c->n + c->size, 0, (size - c->size) * sizeof(*c->n));
		c->size = size;
	}
	c->n[id] += n;
	c->sum += n;
}

/* skip: 1 leaves a row's first token out */
static ds_rc count_rows(counts *c, ds_block *b, uint32_t from, uint32_t to, size_t skip, ds_err *e)
{
	const ds_col *tokens = ds_block_find(b, "tokens"), *mask = ds_block_find(b, "mask");
	for (uint32_t row = from; row < to; row++) {
		const uint32_t *ids;
		size_t n = 0;
		bool has = false;
		if (tokens)
			DS_TRY(ds_block_ids(b, tokens, row, &ids, &n, &has, e));
		if (!has)
			return value_lacks(b, row, "tokens", NULL, e);
		ds_str m = { NULL, 0 };
		if (mask && mask->type == DS_T_BYTES && ds_col_has(mask, row))
			m = ds_col_bytes(mask, row);
		for (size_t i = skip; i < n; i++) {
			if (i < m.n && !m.at[i])
				continue;
			if (ids[i] >= MAX_ID)
				return ds_fail(
					e, DS_BAD, "token id %u, the limit is %u", ids[i], MAX_ID);
			count_add(c, ids[i], 1);
		}
	}
	return DS_OK;
}

static ds_rc fit(counts *c, const metric_args *a, ds_err *e)
{
	ds_input_opts how = a->common->in;
	const char *files[] = { a->fit };
	how.files = files;
	how.n_files = 1;
	DS_AUTO(ds_source) s = NULL;
	DS_AUTO(ds_arena) mem = ds_arena_new(DS_BLOCK_BYTES);
	DS_TRY(ds_source_open(&s, &how, e));
	for (;;) {
		ds_block *b;
		const ds_col *col;
		ds_arena_reset(mem);
		DS_TRY(ds_source_next(s, mem, &b, e));
		if (!b)
			return DS_OK;
		DS_TRY(ds_block_get(b, "tokens", &col, e));
		DS_TRY(ds_block_get(b, "mask", &col, e));
		DS_TRY_AT(count_rows(c, b, 0, b->n_rows, 0, e), e, "%s", a->fit);
	}
}

static ds_rc open_unigram(void **state, metric_args *a, ds_err *e)
{
	if (!a->fit)
		return ds_fail(e, DS_USAGE, "unigram needs --fit FILE, the tokens to count");
	counts *c = DS_NEW(counts, 1);
	*state = c;
	return fit(c, a, e);
}

static void *part_new(void *state)
{
	return DS_NEW(counts, 1);
}

static ds_rc update(
	void *state, void *p, ds_block *b, uint32_t from, uint32_t to, ds_arena *mem, ds_err *e)
{
	return count_rows(p, b, from, to, 1, e);
}

static ds_rc merge(void *state, void *into, void *from, ds_err *e)
{
	const counts *b = from;
	for (uint64_t i = 0; i < b->size; i++)
		if (b->n[i])
			count_add(into, (uint32_t)i, b->n[i]);
	return DS_OK;
}

static uint64_t vocabulary(const counts *c)
{
	uint64_t v = c->size;
	while (v && !c->n[v - 1])
		v--;
	return v;
}

static ds_rc compute(void *state, void *p, metric_result *out, ds_err *e)
{
	const counts *model = state, *seen = p;
	uint64_t v = vocabulary(model), w = vocabulary(seen);
	double nats = 0, all;
	v = v > w ? v : w;
	all = (double)(model->sum + v);
	if (seen->sum == 0)
		return ds_fail(e, DS_BAD, "unigram: there are no tokens to predict");
	for (uint64_t i = 0; i < w; i++) {
		uint64_t n = i < model->size ? model->n[i] : 0;
		nats -= (double)seen->n[i] * log((double)(n + 1) / all);
	}
	out->score = exp(nats / (double)seen->sum);
	ds_buf_fmt(&out->detail, "%llu token%s, fitted on %llu", (unsigned long long)seen->sum,
		ds_s(seen->sum), (unsigned long long)model->sum);
	ds_buf_fmt(&out->signature, "smooth:add-one|vocab:%llu", (unsigned long long)v);
	return DS_OK;
}

const metric metric_unigram = {
	.name = "unigram",
	.help = "perplexity of the unigram model of --fit FILE: what a model must beat",
	.fields = { "tokens", "mask" },
	.open = open_unigram,
	.close = counts_free,
	.part_new = part_new,
	.part_free = counts_free,
	.update = update,
	.merge = merge,
	.compute = compute,
};
