/*
 * op_impl.h - what the files in op/ share: rules for shapes and costs, checks, declarations
 */
#ifndef DS_GRAPH_OP_IMPL_H
#define DS_GRAPH_OP_IMPL_H

#include "graph/op.h"

/* A name may stand in several lines; C allows to declare a function again. */
#define OP(name, n_in, n_out, place, traits, shape, grad, flops, bytes, shards, print, sample) \
	ds_shape_fn ds_##shape; \
	ds_grad_fn ds_##grad; \
	ds_cost_fn ds_##flops, ds_##bytes; \
	extern const char ds_##shards[]; \
	ds_print_fn ds_##print; \
	ds_ref_fn ds_ref_##name; \
	ds_sample_fn ds_##sample;
#include "graph/ops.def"
#undef OP

static inline const ds_tensor *in_of(const ds_graph *g, const ds_node *n, int i)
{
	return &g->tensors[n->in[i]];
}
static inline ds_shape shape_of(const ds_tensor *t)
{
	ds_shape s = { t->dtype, t->rank, { 0 } };
	for (int i = 0; i < t->rank; i++)
		s.dims[i] = t->dims[i];
	return s;
}
static inline ds_shape matrix(ds_dtype type, int64_t rows, int64_t cols)
{
	return (ds_shape){ type, 2, { rows, cols } };
}
static inline ds_shape vector(ds_dtype type, int64_t n)
{
	return (ds_shape){ type, 1, { n } };
}
/* The type in which by-products (statistics, losses) of a computation in t are kept. */
static inline ds_dtype side_type(ds_dtype t)
{
	return t == DS_F64 ? DS_F64 : DS_F32;
}
/* DS_BAD with names and shapes where input i is missing, or is not [rows, cols] (-1: any; rows 0: a
 * vector of cols). Of a rank over 2 all dimensions but the last are rows. */
ds_rc ds_need_shape(
	const ds_graph *g, const ds_node *n, int i, int64_t rows, int64_t cols, ds_err *e);
ds_rc ds_need_type(const ds_graph *g, const ds_node *n, int i, ds_dtype type, ds_err *e);

#endif
