/*
 * part.h - which part of a tensor a rank has
 *
 * Spans of the whole's rows (all dimensions but the last) and of its columns, in order: a fused matrix is cut in each of
 * its pieces. Whoever fills, reads or saves a tensor sees the whole, so values do not depend on the layout.
 */
#ifndef DS_GRAPH_PART_H
#define DS_GRAPH_PART_H

#include "graph/graph.h"

enum { DS_MAX_SPANS = 8 };
typedef struct {
	int64_t from, n;
} ds_span;

struct ds_part {
	int rank;
	int64_t dims[DS_MAX_RANK]; /* of the whole */
	int n_rows, n_cols;        /* spans; 0: all of them */
	ds_span rows[DS_MAX_SPANS], cols[DS_MAX_SPANS];
};

/* t as the whole that it is a part of, without memory. */
ds_tensor ds_t_whole(const ds_tensor *t);
/* The part's elements, row after row, out of the whole's, or into them. */
void ds_part_take(const ds_part *p, void *part, const void *whole, size_t size);
void ds_part_put(const ds_part *p, const void *part, void *whole, size_t size);
int64_t ds_part_count(const ds_part *p);
bool ds_part_same(const ds_part *a, const ds_part *b);
/* Rows (of a vector: elements) [from, from + n) of t, which may itself be a part; in g's memory. */
const ds_part *ds_part_rows(ds_graph *g, const ds_tensor *t, int64_t from, int64_t n);

#endif
