/*
 * part.c - parts of tensors: copied, cut again
 */
#include "graph/part.h"

#include <string.h>

static int64_t rows_of(const ds_part *p)
{
	int64_t n = 1;
	for (int i = 0; i < p->rank - 1; i++)
		n *= p->dims[i];
	return n;
}

/* All rows or columns are one span. */
static int spans(const ds_span **s, ds_span *all, int n, const ds_span *given, int64_t whole)
{
	*all = (ds_span){ 0, whole };
	*s = n ? given : all;
	return n ? n : 1;
}

ds_tensor ds_t_whole(const ds_tensor *t)
{
	ds_tensor w = *t;
	if (!t->part)
		return w;
	w.rank = t->part->rank;
	memcpy(w.dims, t->part->dims, sizeof(w.dims));
	w.ld = ds_t_cols(&w);
	w.part = NULL;
	return w;
}

static void copy(const ds_part *p, char *part, char *whole, size_t size, bool take)
{
	ds_span all_rows, all_cols;
	const ds_span *rows, *cols;
	size_t ld = (size_t)p->dims[p->rank - 1] * size;
	int n_rows = spans(&rows, &all_rows, p->n_rows, p->rows, rows_of(p));
	int n_cols = spans(&cols, &all_cols, p->n_cols, p->cols, p->dims[p->rank - 1]);
	for (int r = 0; r < n_rows; r++)
		for (int64_t i = rows[r].from; i < rows[r].from + rows[r].n; i++)
			for (int c = 0; c < n_cols; c++) {
				char *at = whole + (size_t)i * ld + (size_t)cols[c].from * size;
				size_t n = (size_t)cols[c].n * size;
				memcpy(take ? part : at, take ? at : part, n);
				part += n;
			}
}

void ds_part_take(const ds_part *p, void *part, const void *whole, size_t size)
{
	copy(p, part, (char *)(uintptr_t)whole, size, true);
}

void ds_part_put(const ds_part *p, const void *part, void *whole, size_t size)
{
	copy(p, (char *)(uintptr_t)part, whole, size, false);
}

int64_t ds_part_count(const ds_part *p)
{
	int64_t rows = p->n_rows ? 0 : rows_of(p), cols = p->n_cols ? 0 : p->dims[p->rank - 1];
	for (int i = 0; i < p->n_rows; i++)
		rows += p->rows[i].n;
	for (int i = 0; i < p->n_cols; i++)
		cols += p->cols[i].n;
	return rows * cols;
}

/* Numbers [from, from + n) of those that the spans hold. */
static int within(ds_span *out, const ds_span *in, int n_in, int64_t from, int64_t n)
{
	int n_out = 0;
	int64_t before = 0;
	for (int i = 0; i < n_in; before += in[i++].n) {
		int64_t lo = from > before ? from - before : 0, hi = from + n - before;
		hi = hi < in[i].n ? hi : in[i].n;
		if (lo < hi)
			out[n_out++] = (ds_span){ in[i].from + lo, hi - lo };
	}
	return n_out;
}

const ds_part *ds_part_rows(ds_graph *g, const ds_tensor *t, int64_t from, int64_t n)
{
	ds_part *p = ds_arena_zero(g->mem, sizeof(*p));
	ds_span all;
	const ds_span *had;
	if (t->part) {
		*p = *t->part;
	} else {
		p->rank = t->rank;
		memcpy(p->dims, t->dims, sizeof(p->dims));
	}
	ds_part old = *p;
	if (p->rank == 1) {
		int k = spans(&had, &all, old.n_cols, old.cols, old.dims[0]);
		p->n_cols = within(p->cols, had, k, from, n);
	} else {
		int k = spans(&had, &all, old.n_rows, old.rows, rows_of(&old));
		p->n_rows = within(p->rows, had, k, from, n);
	}
	return p;
}

static bool same_spans(const ds_span *a, const ds_span *b, int n)
{
	for (int i = 0; i < n; i++)
		if (a[i].from != b[i].from || a[i].n != b[i].n)
			return false;
	return true;
}

bool ds_part_same(const ds_part *a, const ds_part *b)
{
	if (a->rank != b->rank || a->n_rows != b->n_rows || a->n_cols != b->n_cols)
		return false;
	for (int d = 0; d < a->rank; d++)
		if (a->dims[d] != b->dims[d])
			return false;
	return same_spans(a->rows, b->rows, a->n_rows) && same_spans(a->cols, b->cols, a->n_cols);
}
