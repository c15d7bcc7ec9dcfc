/*
 * plan.c - live ranges and offsets
 *
 * Activations: every storage (a tensor, with its views and what is written in its place) has a live
 * range in waves; the largest is placed first, each at the lowest offset that no storage with an
 * overlapping live range takes. On the graphs at hand the total is within a few per cent of the
 * largest sum of sizes live at once, a lower bound of any plan. The other classes lie side by side.
 */
#include "graph/plan.h"

#include "base/mem.h"
#include "graph/backend.h"
#include "graph/op.h"

#include <stdlib.h>

enum { ALIGN = 64 };

typedef struct {
	ds_tid t;
	uint64_t bytes, offset;
	int32_t from, to; /* waves, both included; from > to: never used */
} life;

static uint64_t aligned(uint64_t n)
{
	return (n + ALIGN - 1) / ALIGN * ALIGN;
}

/* What it takes with the gaps between its rows. */
static uint64_t bytes_of(const ds_tensor *t)
{
	return (uint64_t)(ds_t_rows(t) * t->ld) * ds_dtype_bytes(t->dtype);
}

/* ---- lifetimes ---- */

static ds_tid storage_of(const ds_graph *g, const ds_tid *place, ds_tid t)
{
	t = ds_g_root(g, t);
	while (place[t])
		t = place[t];
	return t;
}

static void find_lives(const ds_graph *g, life *lives)
{
	int32_t last = g->n_nodes ? g->nodes[g->n_nodes - 1].wave : 0;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		lives[t] = (life){ t, aligned(bytes_of(&g->tensors[t])), 0, INT32_MAX, -1 };
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		for (int j = 0; j < DS_MAX_IN + DS_MAX_OUT; j++) {
			ds_tid t = j < DS_MAX_IN ? n->in[j] : n->out[j - DS_MAX_IN];
			if (!t)
				continue;
			life *l = &lives[ds_g_root(g, t)];
			l->from = n->wave < l->from ? n->wave : l->from;
			l->to = n->wave > l->to ? n->wave : l->to;
		}
	}
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if ((g->tensors[t].flags & DS_TENSOR_KEEP) && lives[t].to >= 0)
			lives[t].to = last;
}

static bool is_plain_act(const ds_tensor *t)
{
	return t->memory == DS_CLASS_ACT && !t->base && !(t->flags & DS_TENSOR_KEEP);
}

/* Lets out[0] of a node take the memory of the input that dies there, where the op allows it. */
static void find_places(const ds_graph *g, life *lives, ds_tid *place)
{
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		int k = ds_op_of(n->op)->place;
		if (k < 0 || !n->in[k] || !n->out[0])
			continue;
		const ds_tensor *in = &g->tensors[n->in[k]], *out = &g->tensors[n->out[0]];
		if (!is_plain_act(in) || !is_plain_act(out) || bytes_of(in) != bytes_of(out))
			continue;
		ds_tid s = storage_of(g, place, in->id);
		if (lives[s].to != n->wave || lives[out->id].from != n->wave)
			continue;
		bool alone = true; /* no other node of the wave reads it, nor this one twice */
		for (int32_t o = i; o >= 0 && g->nodes[o].wave == n->wave; o--)
			for (int j = 0; j < DS_MAX_IN; j++)
				alone &= !(g->nodes[o].in[j] && (o != i || j != k) &&
					   storage_of(g, place, g->nodes[o].in[j]) == s);
		for (int32_t o = i + 1; o < g->n_nodes && g->nodes[o].wave == n->wave; o++)
			for (int j = 0; j < DS_MAX_IN; j++)
				alone &= !(g->nodes[o].in[j] &&
					   storage_of(g, place, g->nodes[o].in[j]) == s);
		if (!alone)
			continue;
		place[out->id] = s;
		lives[s].to = lives[out->id].to;
	}
}

/* ---- offsets ---- */

static int by_size(const void *a, const void *b)
{
	const life *x = *(const life *const *)a, *y = *(const life *const *)b;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->t < y->t ? -1 : 1);
}

static int by_offset(const void *a, const void *b)
{
	const life *x = *(const life *const *)a, *y = *(const life *const *)b;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The lowest gap among what is live at the same time; placed is sorted by offset. */
static uint64_t lowest_gap(life **placed, size_t n, const life *l)
{
	uint64_t at = 0;
	for (size_t i = 0; i < n; i++) {
		const life *p = placed[i];
		if (p->to < l->from || p->from > l->to)
			continue;
		if (at + l->bytes <= p->offset)
			break;
		if (p->offset + p->bytes > at)
			at = p->offset + p->bytes;
	}
	return at;
}

static uint64_t place_acts(const ds_graph *g, life *lives, const ds_tid *place)
{
	life **order = DS_NEW(life *, (size_t)g->n_tensors),
	     **placed = DS_NEW(life *, (size_t)g->n_tensors);
	size_t n = 0;
	uint64_t top = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if (g->tensors[t].memory == DS_CLASS_ACT && !g->tensors[t].base && !place[t] &&
			lives[t].to >= lives[t].from)
			order[n++] = &lives[t];
	qsort(order, n, sizeof(life *), by_size);
	for (size_t i = 0; i < n; i++) {
		order[i]->offset = lowest_gap(placed, i, order[i]);
		uint64_t end = order[i]->offset + order[i]->bytes;
		top = end > top ? end : top;
		size_t k = i;
		for (; k > 0 && by_offset(&order[i], &placed[k - 1]) < 0; k--)
			placed[k] = placed[k - 1];
		placed[k] = order[i];
	}
	ds_mem_free(order);
	ds_mem_free(placed);
	return top;
}

/* The most that a wave needs. */
static uint64_t scratch(const ds_graph *g, const ds_backend *b, unsigned threads)
{
	uint64_t most = 0;
	for (int32_t i = 0, end; i < g->n_nodes; i = end) {
		end = ds_wave_end(g, i, g->n_nodes);
		uint64_t wave = b->scratch(b, g, i, end, threads);
		most = wave > most ? wave : most;
	}
	return most;
}

void ds_plan_make(ds_plan *p, const ds_graph *g, const ds_backend *b, unsigned threads)
{
	*p = (ds_plan){ .backend = b, .mem = ds_arena_new(1 << 16) };
	size_t n = (size_t)g->n_tensors;
	life *lives = ds_arena_zero(p->mem, n * sizeof(life));
	ds_tid *place = ds_arena_zero(p->mem, n * sizeof(ds_tid));
	p->offsets = ds_arena_zero(p->mem, n * sizeof(uint64_t));
	p->from = ds_arena_zero(p->mem, n * sizeof(int32_t));
	p->to = ds_arena_zero(p->mem, n * sizeof(int32_t));
	find_lives(g, lives);
	find_places(g, lives, place);
	p->bytes[DS_CLASS_ACT] = place_acts(g, lives, place);
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *x = &g->tensors[t];
		if (x->memory != DS_CLASS_ACT && !x->base && !(x->flags & DS_TENSOR_ELSEWHERE)) {
			lives[t].offset = p->bytes[x->memory];
			p->bytes[x->memory] += lives[t].bytes;
		}
	}
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *x = &g->tensors[t];
		const life *l = &lives[storage_of(g, place, t)];
		p->offsets[t] = l->offset + (uint64_t)x->offset * ds_dtype_bytes(x->dtype);
		p->from[t] = l->from;
		p->to[t] = l->to;
	}
	p->scratch_bytes = scratch(g, b, threads);
	p->n_waves = g->n_nodes ? g->nodes[g->n_nodes - 1].wave + 1 : 0;
	p->prepacked_bytes = b->prepacked ? b->prepacked(b, g) : 0;
	p->total_bytes = p->scratch_bytes + p->prepacked_bytes;
	for (int c = 0; c < DS_N_CLASSES; c++)
		p->total_bytes += p->bytes[c];
}

void ds_plan_release(ds_plan *p)
{
	ds_arena_free(p->mem);
	*p = (ds_plan){ 0 };
}
