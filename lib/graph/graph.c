/*
 * graph.c - the arrays of a graph: tensors, nodes, views
 *
 * Arrays move when they grow, so nobody holds a pointer to a tensor or node while adding others.
 */
#include "graph/graph.h"

#include "base/mem.h"
#include "graph/op.h"
#include "graph/part.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const dtype_names[] = { "f32", "bf16", "f16", "f64", "i32", "u8" };
static const uint8_t dtype_bytes[] = { 4, 2, 2, 8, 4, 1 };
static const char *const class_names[] = { "input", "constant", "parameter", "gradient",
	"optimizer", "state", "copy", "activation" };
static const char *const act_names[] = { "gelu_tanh", "gelu_erf", "silu", "relu", "tanh",
	"sigmoid" };

size_t ds_dtype_bytes(ds_dtype t)
{
	return dtype_bytes[t];
}

const char *ds_dtype_name(ds_dtype t)
{
	return dtype_names[t];
}

const char *ds_class_name(ds_class c)
{
	return class_names[c];
}

const char *ds_act_name(ds_act a)
{
	return act_names[a];
}

int64_t ds_t_cols(const ds_tensor *t)
{
	return t->dims[t->rank - 1];
}

int64_t ds_t_rows(const ds_tensor *t)
{
	int64_t n = 1;
	for (int i = 0; i < t->rank - 1; i++)
		n *= t->dims[i];
	return n;
}

int64_t ds_t_count(const ds_tensor *t)
{
	return ds_t_rows(t) * ds_t_cols(t);
}

size_t ds_t_bytes(const ds_tensor *t)
{
	return (size_t)ds_t_count(t) * dtype_bytes[t->dtype];
}

ds_graph *ds_graph_new(int64_t batch, int64_t seq)
{
	ds_graph *g = DS_NEW(ds_graph, 1);
	g->mem = ds_arena_new(1 << 16);
	g->batch = batch;
	g->seq = seq;
	g->layer = -1;
	g->origin = "";
	g->n_tensors = 1; /* number 0 is "none" */
	g->cap_tensors = g->cap_nodes = 64;
	g->tensors = DS_NEW(ds_tensor, g->cap_tensors);
	g->nodes = DS_NEW(ds_node, g->cap_nodes);
	return g;
}

void ds_graph_free(ds_graph *g)
{
	if (!g)
		return;
	ds_mem_free(g->tensors);
	ds_mem_free(g->nodes);
	ds_arena_free(g->mem);
	ds_mem_free(g);
}

ds_rc ds_graph_check(const ds_graph *g, ds_err *e)
{
	return g->rc == DS_OK ? DS_OK : ds_fail(e, g->rc, "%s", g->err.msg);
}

void ds_g_fail(ds_graph *g, const char *fmt, ...)
{
	if (g->rc != DS_OK)
		return;
	char msg[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	g->rc = ds_fail(&g->err, DS_BAD, "%s%s%s", g->origin, *g->origin ? ": " : "", msg);
}

void ds_g_at(ds_graph *g, int32_t layer, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	g->origin = ds_arena_str(g->mem, ds_str_of(path)).at;
	g->layer = layer;
}

static ds_tensor *append_tensor(ds_graph *g)
{
	if (g->n_tensors == g->cap_tensors) {
		size_t had = sizeof(ds_tensor) * (size_t)g->cap_tensors;
		g->tensors = ds_mem_grow(g->tensors, had, 2 * had);
		g->cap_tensors *= 2;
	}
	ds_tensor *t = &g->tensors[g->n_tensors];
	*t = (ds_tensor){ .id = g->n_tensors++, .writer = -1, .origin = g->origin };
	return t;
}

static bool dims_are_sound(ds_graph *g, const ds_shape *s, const char *name)
{
	size_t n = sizeof(double);
	if (s->rank < 1 || s->rank > DS_MAX_RANK) {
		ds_g_fail(g, "'%s': %d dimensions, the limit is %d", name ? name : "a tensor",
			s->rank, DS_MAX_RANK);
		return false;
	}
	for (int i = 0; i < s->rank; i++) {
		if (s->dims[i] < 1) {
			ds_g_fail(g, "'%s': dimension %d is %lld", name ? name : "a tensor", i,
				(long long)s->dims[i]);
			return false;
		}
		if (!ds_mul(n, (size_t)s->dims[i], &n) || n > SIZE_MAX / 64) {
			ds_g_fail(g, "'%s': too large, dimension %d is %lld",
				name ? name : "a tensor", i, (long long)s->dims[i]);
			return false;
		}
	}
	return true;
}

ds_tid ds_g_new(ds_graph *g, ds_class memory, const ds_shape *s, const char *name)
{
	if (g->rc != DS_OK || !dims_are_sound(g, s, name))
		return 0;
	ds_tensor *t = append_tensor(g);
	t->dtype = s->dtype;
	t->memory = memory;
	t->rank = s->rank;
	for (int i = 0; i < s->rank; i++)
		t->dims[i] = s->dims[i];
	t->ld = ds_t_cols(t);
	t->name = name ? ds_arena_str(g->mem, ds_str_of(name)).at
		       : ds_arena_fmt(g->mem, "t%d", t->id).at;
	return t->id;
}

ds_tid ds_g_view(ds_graph *g, ds_tid base, int64_t from, int64_t n)
{
	if (g->rc != DS_OK || !base)
		return 0;
	ds_tensor *t = append_tensor(g);
	const ds_tensor *b = &g->tensors[base];
	int32_t id = t->id;
	*t = *b;
	t->id = id;
	t->writer = -1;
	t->flags = DS_TENSOR_VIEW;
	t->base = ds_g_root(g, base);
	t->offset = b->offset + from;
	t->dims[t->rank - 1] = n;
	t->name =
		ds_arena_fmt(g->mem, "%s[%lld:%lld]", b->name, (long long)from, (long long)from + n)
			.at;
	return id;
}

/* ---- leaves ---- */

ds_tid ds_g_find(const ds_graph *g, const char *name)
{
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *x = &g->tensors[t];
		bool leaf = x->memory == DS_CLASS_IN || x->memory == DS_CLASS_PARAM ||
			    x->memory == DS_CLASS_STATE || x->memory == DS_CLASS_OPT ||
			    (x->flags & DS_TENSOR_KEEP);
		if (leaf && (strcmp(x->name, name) == 0 || (x->also && strcmp(x->also, name) == 0)))
			return t;
	}
	return 0;
}

static ds_tid leaf(ds_graph *g, ds_class memory, const char *name, ds_dtype type, int rank,
	const int64_t *dims)
{
	ds_shape s = { type, rank, { 0 } };
	for (int i = 0; i < rank && i < DS_MAX_RANK; i++)
		s.dims[i] = dims[i];
	return ds_g_new(g, memory, &s, name);
}

ds_tid ds_g_input(ds_graph *g, const char *name, ds_dtype type, int rank, const int64_t *dims)
{
	return leaf(g, DS_CLASS_IN, name, type, rank, dims);
}

ds_tid ds_g_const(ds_graph *g, const char *name, ds_dtype type, int rank, const int64_t *dims,
	const void *values)
{
	ds_tid t = leaf(g, DS_CLASS_CONST, name, type, rank, dims);
	if (t) {
		size_t bytes = ds_t_bytes(&g->tensors[t]);
		void *copy = ds_arena_get(g->mem, bytes);
		memcpy(copy, values, bytes);
		g->tensors[t].data = copy;
	}
	return t;
}

ds_tid ds_g_param(
	ds_graph *g, const char *name, int rank, const int64_t *dims, ds_init init, unsigned flags)
{
	ds_tid had = g->rc == DS_OK ? ds_g_find(g, name) : 0;
	if (had) {
		bool same = g->tensors[had].rank == rank;
		for (int i = 0; same && i < rank; i++)
			same = g->tensors[had].dims[i] == dims[i];
		if (!same)
			ds_g_fail(g, "'%s' is used with two shapes", name);
		return same ? had : 0;
	}
	ds_tid t = leaf(g, DS_CLASS_PARAM, name, DS_F32, rank, dims);
	if (t) {
		g->tensors[t].init = init;
		g->tensors[t].flags = flags & (DS_TENSOR_FROZEN | DS_TENSOR_NO_DECAY);
	}
	return t;
}

ds_tid ds_g_param_experts(ds_graph *g, const char *name, int rank, const int64_t *dims,
	ds_init init, unsigned flags, int64_t from, int64_t n)
{
	int64_t mine[DS_MAX_RANK] = { n }, each = 1;
	ds_tensor whole = { .rank = rank };
	for (int d = 0; d < rank; d++)
		whole.dims[d] = dims[d];
	for (int d = 1; d < rank; d++)
		mine[d] = dims[d];
	for (int d = 1; d < rank - 1; d++)
		each *= dims[d];
	ds_tid t = ds_g_param(g, name, rank, mine, init, flags);
	if (t && n < dims[0]) {
		g->tensors[t].part = ds_part_rows(g, &whole, from * each, n * each);
		g->tensors[t].flags |= DS_TENSOR_SPREAD;
	}
	return t;
}

void ds_g_tie(ds_graph *g, ds_tid param, const char *also)
{
	if (!param || g->rc != DS_OK)
		return;
	g->tensors[param].also = ds_arena_str(g->mem, ds_str_of(also)).at;
	g->tensors[param].flags |= DS_TENSOR_TIED;
}

void ds_g_stored(ds_graph *g, ds_tid param, int rank, const int64_t *dims)
{
	if (!param)
		return;
	ds_dims *d = ds_arena_zero(g->mem, sizeof(*d));
	int64_t n = 1;
	d->rank = rank;
	for (int i = 0; i < rank; i++)
		n *= d->dims[i] = dims[i];
	if (n != ds_t_count(&g->tensors[param]))
		ds_g_fail(g, "'%s' has %lld elements, and %lld in files", g->tensors[param].name,
			(long long)ds_t_count(&g->tensors[param]), (long long)n);
	g->tensors[param].stored = d;
}

ds_dims ds_t_stored(const ds_tensor *t)
{
	if (t->stored)
		return *t->stored;
	ds_dims d = { .rank = t->rank };
	for (int i = 0; i < t->rank; i++)
		d.dims[i] = t->dims[i];
	return d;
}

void ds_g_freeze(ds_graph *g, ds_tid param)
{
	if (param && g->rc == DS_OK)
		g->tensors[param].flags |= DS_TENSOR_FROZEN;
}

ds_tid ds_g_state(ds_graph *g, const char *name, ds_dtype type, int rank, const int64_t *dims)
{
	return leaf(g, DS_CLASS_STATE, name, type, rank, dims);
}

void ds_g_keep(ds_graph *g, ds_tid t, const char *name)
{
	if (!t || g->rc != DS_OK)
		return;
	g->tensors[t].flags |= DS_TENSOR_KEEP;
	if (g->tensors[t].base)
		g->tensors[g->tensors[t].base].flags |= DS_TENSOR_KEEP;
	if (name)
		g->tensors[t].name = ds_arena_str(g->mem, ds_str_of(name)).at;
}

void ds_g_loss(ds_graph *g, ds_tid loss)
{
	if (!loss || g->rc != DS_OK)
		return;
	if (ds_t_count(&g->tensors[loss]) != 1) {
		ds_g_fail(g, "a loss of %lld numbers", (long long)ds_t_count(&g->tensors[loss]));
		return;
	}
	ds_g_keep(g, loss, "loss");
	g->loss = loss;
}

void ds_g_seed(ds_graph *g, ds_tid t, ds_tid seed)
{
	if (!t || !seed || g->rc != DS_OK)
		return;
	if (g->n_seeds == DS_MAX_SEEDS) {
		ds_g_fail(g, "more than %d gradients from outside", DS_MAX_SEEDS);
		return;
	}
	g->seeds[g->n_seeds++] = (ds_seed){ t, seed };
}

/* ---- nodes ---- */

static bool same_shape(const ds_tensor *t, const ds_shape *s)
{
	if (t->rank != s->rank || t->dtype != s->dtype)
		return false;
	for (int i = 0; i < s->rank; i++)
		if (t->dims[i] != s->dims[i])
			return false;
	return true;
}

static bool make_outputs(ds_graph *g, ds_node *n)
{
	const ds_op *op = ds_op_of(n->op);
	ds_shape out[DS_MAX_OUT];
	for (int i = 0; i < DS_MAX_OUT; i++)
		out[i].rank = -1;
	ds_err e;
	if (op->shape(g, n, out, &e) != DS_OK) {
		ds_g_fail(g, "%s", e.msg);
		return false;
	}
	for (int i = 0; i < DS_MAX_OUT; i++) {
		if (n->out[i] == DS_NOT_WANTED || out[i].rank < 0)
			n->out[i] = 0;
		else if (n->out[i] == 0)
			n->out[i] = ds_g_new(g, DS_CLASS_ACT, &out[i], NULL);
		else if (!same_shape(&g->tensors[n->out[i]], &out[i])) {
			ds_g_fail(g, "%s: output %d '%s' has another shape", op->name, i,
				g->tensors[n->out[i]].name);
			return false;
		}
	}
	return g->rc == DS_OK;
}

const ds_node *ds_g_node(ds_graph *g, ds_node n)
{
	if (g->rc != DS_OK)
		return NULL;
	n.phase = g->phase;
	n.layer = g->layer;
	n.origin = g->origin;
	if (!make_outputs(g, &n))
		return NULL;
	if (g->n_nodes == g->cap_nodes) {
		size_t had = sizeof(ds_node) * (size_t)g->cap_nodes;
		g->nodes = ds_mem_grow(g->nodes, had, 2 * had);
		g->cap_nodes *= 2;
	}
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (n.out[i] && g->tensors[n.out[i]].writer < 0)
			g->tensors[n.out[i]].writer = g->n_nodes;
	g->nodes[g->n_nodes] = n;
	return &g->nodes[g->n_nodes++];
}

double ds_graph_flops(const ds_graph *g, ds_phase phase)
{
	double sum = 0;
	for (int32_t i = 0; i < g->n_nodes; i++)
		if (g->nodes[i].phase == phase)
			sum += ds_op_of(g->nodes[i].op)->flops(g, &g->nodes[i]);
	return sum;
}

int64_t ds_graph_params(const ds_graph *g, int64_t *trainable)
{
	int64_t all = 0, train = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if (g->tensors[t].memory == DS_CLASS_PARAM && !g->tensors[t].base) {
			ds_tensor whole = ds_t_whole(&g->tensors[t]);
			all += ds_t_count(&whole);
			train += whole.flags & DS_TENSOR_FROZEN ? 0 : ds_t_count(&whole);
		}
	if (trainable)
		*trainable = train;
	return all;
}

void ds_g_nodes(ds_graph *g, ds_node *nodes, int32_t n, int32_t cap)
{
	ds_mem_free(g->nodes);
	g->nodes = nodes;
	g->n_nodes = n;
	g->cap_nodes = cap;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		g->tensors[t].writer = -1;
	for (int32_t i = n - 1; i >= 0; i--)
		for (int j = 0; j < DS_MAX_OUT; j++)
			if (nodes[i].out[j])
				g->tensors[nodes[i].out[j]].writer = i;
}
