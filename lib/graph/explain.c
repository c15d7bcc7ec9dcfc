/*
 * explain.c - a plan and a schedule for people
 */
#include "base/mem.h"
#include "base/progress.h"
#include "graph/backend.h"
#include "graph/op.h"

#include <stdlib.h>

enum { LARGEST = 10 };

static void line(ds_buf *out, const char *what, uint64_t bytes)
{
	char human[16];
	ds_buf_fmt(out, "%-12s %14llu  %s\n", what, (unsigned long long)bytes,
		ds_human_bytes(human, (double)bytes));
}

static int by_bytes(const void *a, const void *b)
{
	const ds_tensor *x = *(const ds_tensor *const *)a, *y = *(const ds_tensor *const *)b;
	size_t n = ds_t_bytes(x), m = ds_t_bytes(y);
	return n != m ? (n < m ? 1 : -1) : x->id - y->id;
}

void ds_plan_explain(const ds_plan *p, const ds_graph *g, ds_buf *out)
{
	for (int c = 0; c < DS_N_CLASSES; c++)
		if (p->bytes[c])
			line(out, ds_class_name((ds_class)c), p->bytes[c]);
	line(out, "scratch", p->scratch_bytes);
	line(out, "total", p->total_bytes);
	const ds_tensor **all = ds_mem_get((size_t)g->n_tensors * sizeof(void *));
	int n = 0;
	for (ds_tid t = 1; t < g->n_tensors; t++)
		if (!g->tensors[t].base &&
			(g->tensors[t].memory != DS_CLASS_ACT || p->to[t] >= p->from[t]))
			all[n++] = &g->tensors[t];
	qsort(all, (size_t)n, sizeof(void *), by_bytes);
	ds_buf_add_c(out, "largest:\n");
	for (int i = 0; i < n && i < LARGEST; i++) {
		char human[16];
		ds_buf_fmt(out, "  %-10s %-12s %s%s%s\n",
			ds_human_bytes(human, (double)ds_t_bytes(all[i])),
			ds_class_name(all[i]->memory), all[i]->name, *all[i]->origin ? " of " : "",
			all[i]->origin);
	}
	ds_mem_free(all);
}

void ds_plan_dump(const ds_plan *p, const ds_graph *g, ds_buf *out)
{
	for (ds_tid t = 1; t < g->n_tensors; t++) {
		const ds_tensor *x = &g->tensors[t];
		if (x->memory == DS_CLASS_ACT && p->to[t] < p->from[t])
			continue;
		ds_buf_fmt(out, "%s %llu +%zu", ds_class_name(x->memory),
			(unsigned long long)p->offsets[t], ds_t_bytes(x));
		if (x->memory == DS_CLASS_ACT)
			ds_buf_fmt(out, " waves %d-%d", p->from[t], p->to[t]);
		ds_buf_fmt(out, " %s%s%s\n", x->name, *x->origin ? " of " : "", x->origin);
	}
	for (int32_t i = 0; i < g->n_nodes; i++)
		if (!p->backend->has_kernel(p->backend, g, &g->nodes[i]))
			ds_buf_fmt(out, "by reference %s%s%s\n", ds_op_of(g->nodes[i].op)->name,
				*g->nodes[i].origin ? " of " : "", g->nodes[i].origin);
}

void ds_sched_dump(const ds_graph *g, ds_buf *out)
{
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		ds_buf_fmt(out, "wave %d %s %s %.3g flops\n", n->wave, ds_op_of(n->op)->name,
			*n->origin ? n->origin : "-", ds_op_of(n->op)->flops(g, n));
	}
}
