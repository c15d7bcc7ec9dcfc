/*
 * cpu.c - two backends on the host: kernels for this CPU, and the references alone
 */
#include "graph/cpu/cpu_impl.h"

#include "base/cpu.h"

static const ds_kernel *const table[DS_N_OPS] = {
#define KERNEL(name) [DS_OP_##name] = &ds_cpu_##name,
#include "graph/cpu/kernels.def"
#undef KERNEL
};

static const ds_kernel *find(const ds_graph *g, const ds_node *n)
{
	const ds_kernel *k = table[n->op];
	for (int i = 0; k && !k->any_type && i < DS_MAX_OUT; i++)
		if (n->out[i] && g->tensors[n->out[i]].dtype != DS_F32)
			return NULL;
	return k;
}

static bool widens(ds_dtype product)
{
	return product == DS_F16 || (product == DS_BF16 && !ds_cpu_has_bf16());
}

/*
 * The same columns of rows of 4 KiB fall on the same few sets of a first-level cache, so that walking down a
 * column, as a weight's gradient does, misses at every step: 102 Gflop/s at 1024 columns, 127 at 1040 (one core,
 * fp32, 1024 x 256 x 2048).
 */
const ds_backend *ds_backend_cpu(void)
{
	static const ds_host b = {
		.base = { DS_HOST("cpu", "this machine's cores"),
			.traits = { .alias_bytes = 4096,
				.pad_bytes = 64,
				.widens = widens,
				.rounds_weights = true } },
		.find = find,
	};
	return &b.base;
}

static const ds_kernel *find_none(const ds_graph *g, const ds_node *n)
{
	return NULL;
}

const ds_backend *ds_backend_ref(void)
{
	static const ds_host b = { .base = { DS_HOST("ref", "every op in double") },
		.find = find_none };
	return &b.base;
}
