/*
 * adapter_file.c - the low-rank pairs in a file of PEFT's, and what they add to a weight
 *
 * An adapter of a model without its head leaves the head's prefix off the names, as such models'
 * own files do.
 */
#include "model/adapter.h"

#include "base/mem.h"

#include <stdio.h>

enum { NAME_BYTES = 160 };
static const char end_a[] = ".lora_A.weight", end_b[] = ".lora_B.weight";

static const ds_st_tensor *find(const ds_st *s, ds_str module, const char *end)
{
	char name[NAME_BYTES];
	int n = snprintf(name, sizeof(name), DS_LORA_PREFIX "%.*s%s", DS_FMT(module), end);
	return n > 0 && n < NAME_BYTES ? ds_st_find(s, (ds_str){ name, (size_t)n }) : NULL;
}

static ds_str without(ds_str name, const char *prefix)
{
	ds_str p = ds_str_of(prefix);
	return ds_str_starts(name, p) ? (ds_str){ name.at + p.n, name.n - p.n } : name;
}

ds_rc ds_lora_find(const ds_lora *l, const ds_st *s, const char *prefix, const ds_tensor *t,
	ds_lora_pair *p, ds_err *e)
{
	ds_str module = ds_str_of(t->name), end = DS_S(".weight");
	*p = (ds_lora_pair){ 0 };
	if (!ds_str_ends(module, end))
		return DS_OK;
	module.n -= end.n;
	ds_str bare = without(module, prefix);
	p->a = find(s, module, end_a);
	p->b = find(s, module, end_b);
	if (!p->a && !p->b) {
		p->a = find(s, bare, end_a);
		p->b = find(s, bare, end_b);
	}
	if (!p->a && !p->b)
		return DS_OK;
	if (!p->a || !p->b || p->a->rank != 2 || p->b->rank != 2 || t->rank != 2)
		return ds_fail(e, DS_BAD, "the adapter of '%s' does not fit it", t->name);
	int64_t r = p->a->dims[0], in = p->a->dims[1], out = p->b->dims[0];
	bool fits =
		(out == t->dims[0] && in == t->dims[1]) || (out == t->dims[1] && in == t->dims[0]);
	if (r != ds_lora_rank(l, module) || p->b->dims[1] != r || !fits)
		return ds_fail(e, DS_BAD, "the adapter of '%s' does not fit it", t->name);
	p->scale = ds_lora_scale(l, module);
	return DS_OK;
}

/*
 * W[o][i] += scale * sum over r of B[o][r] A[r][i], a row of W at a time, so that everything is read as it
 * lies; W is [in, out] where its rows are A's columns.
 */
static void add_product(float *w, int64_t ld, const float *a, const float *b, const int64_t size[3],
	double scale, bool in_out)
{
	int64_t r = size[0], in = size[1], out = size[2];
	int64_t rows = in_out ? in : out, cols = in_out ? out : in;
	double *sums = DS_NEW(double, (size_t)cols);
	for (int64_t row = 0; row < rows; row++) {
		memset(sums, 0, (size_t)cols * sizeof(double));
		for (int64_t k = 0; k < r; k++) {
			double by = (double)(in_out ? a[k * in + row] : b[row * r + k]);
			const float *other = in_out ? b + k : a + k * in;
			int64_t step = in_out ? r : 1;
			for (int64_t c = 0; c < cols; c++)
				sums[c] += by * (double)other[c * step];
		}
		for (int64_t c = 0; c < cols; c++)
			w[row * ld + c] += (float)(scale * sums[c]);
	}
	ds_mem_free(sums);
}

ds_rc ds_lora_add(const ds_lora_pair *p, int64_t ld, bool in_out, float *w, ds_err *e)
{
	int64_t size[3] = { p->a->dims[0], p->a->dims[1], p->b->dims[0] };
	float *a = ds_mem_get((size_t)(size[0] * size[1]) * 4),
	      *b = ds_mem_get((size_t)(size[0] * size[2]) * 4);
	ds_rc rc = ds_st_floats(p->a, 0, size[0] * size[1], a, e);
	if (rc == DS_OK)
		rc = ds_st_floats(p->b, 0, size[0] * size[2], b, e);
	if (rc == DS_OK)
		add_product(w, ld, a, b, size, p->scale, in_out);
	ds_mem_free(a);
	ds_mem_free(b);
	return rc;
}

const ds_st_tensor *ds_lora_stored(const ds_st *s, const char *prefix, const char *param)
{
	char name[NAME_BYTES];
	ds_str full = ds_str_of(param), rest = without(full, DS_LORA_PREFIX);
	const ds_st_tensor *t = ds_st_find(s, full);
	if (t)
		return t;
	ds_str bare = without(rest, prefix);
	int n = snprintf(name, sizeof(name), DS_LORA_PREFIX "%.*s", DS_FMT(bare));
	return n > 0 && n < NAME_BYTES ? ds_st_find(s, (ds_str){ name, (size_t)n }) : NULL;
}

/* The weight that a tensor of the file adapts; 0: the graph has none. */
static ds_tid adapted(const ds_graph *g, const char *prefix, ds_str module)
{
	char name[NAME_BYTES];
	for (int way = 0; way < 2; way++) {
		int n = snprintf(
			name, sizeof(name), "%s%.*s.weight", way ? prefix : "", DS_FMT(module));
		ds_tid t = n > 0 && n < NAME_BYTES ? ds_g_find(g, name) : 0;
		if (t && strcmp(ds_g_tensor(g, t)->name, name) == 0)
			return t;
	}
	return 0;
}

ds_rc ds_lora_covers(
	const ds_graph *g, const ds_st *s, const char *prefix, const char *head, ds_err *e)
{
	for (size_t i = 0; i < ds_st_n(s); i++) {
		ds_str name = ds_st_at(s, i)->name, module = without(name, DS_LORA_PREFIX);
		bool low =
			ds_str_ends(name, ds_str_of(end_a)) || ds_str_ends(name, ds_str_of(end_b));
		if (!low)
			return ds_fail(e, DS_BAD,
				"tensor '%.*s' of the adapter is no pair of LoRA's, which is all "
				"that is supported",
				DS_FMT(name));
		module.n -= sizeof(end_a) - 1;
		bool is_head = ds_str_starts(ds_str_of(head), module);
		if (!adapted(g, prefix, module) && !(is_head && !ds_g_find(g, head)))
			return ds_fail(e, DS_BAD, "the adapter changes '%.*s', which %s",
				DS_FMT(module),
				is_head ? "is the embedding here" : "this model does not have");
	}
	return DS_OK;
}
