/*
 * cpu.c - the CPU backend's table
 */
#include "graph/cpu/cpu_impl.h"

static const ds_kernel *const table[DS_N_OPS] = {
#define KERNEL(name) [DS_OP_##name] = &ds_cpu_##name,
#include "graph/cpu/kernels.def"
#undef KERNEL
};

static const ds_kernel *find(const ds_graph *g, const ds_node *n)
{
	for (int i = 0; i < DS_MAX_OUT; i++)
		if (n->out[i] && g->tensors[n->out[i]].dtype != DS_F32 && n->op != DS_OP_sqnorm &&
			n->op != DS_OP_cast)
			return NULL;
	return table[n->op];
}

const ds_backend *ds_backend_cpu(void)
{
	static const ds_backend b = { "cpu", find };
	return &b;
}
