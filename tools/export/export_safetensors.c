/*
 * export_safetensors.c - the weights as one file, in another type where asked
 */
#include "export.h"
#include "values.h"

#include "model/engine.h"
#include "model/stack.h"

static ds_rc write_all(const ds_engine *m, ds_st_type t, bool clamp, const char *path, ds_err *e)
{
	const ds_graph *g = m->g;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 16);
	ds_st_item *items = ds_arena_zero(mem, (size_t)g->n_tensors * sizeof(*items));
	size_t n = 0;
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *p = ds_g_tensor(g, i);
		if (p->memory != DS_CLASS_PARAM)
			continue;
		const void *values;
		DS_TRY(ds_exec_view(m->x, i, mem, &values, e));
		ds_st_item *s = &items[n++];
		*s = (ds_st_item){ .name = p->name, .rank = p->rank, .data = values };
		for (int d = 0; d < p->rank; d++)
			s->dims[d] = p->dims[d];
	}
	items = ds_stack_split(items, &n, mem);
	return ds_st_write_how(path, items, n, t, &(ds_st_how){ .clamp = clamp }, e);
}

static ds_rc write_safetensors(
	const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e)
{
	static const ds_st_type types[] = {
		[VALUE_F32] = DS_ST_F32, [VALUE_F16] = DS_ST_F16, [VALUE_BF16] = DS_ST_BF16
	};
	value_type t = VALUE_F32;
	DS_AUTO(ds_device) device = NULL;
	DS_AUTO(ds_engine) n = NULL;
	ds_engine_opts eo = { .config = ds_model_config(m), .batch = 1, .seq = 8, .weights = m };
	DS_TRY(values_type(o->dtype, &t, e));
	DS_TRY(ds_device_open(&device, NULL, 1, e));
	DS_TRY(ds_engine_open(&n, device, &eo, e));
	return write_all(n, types[t], o->clamp, c->out.path, e);
}

const exporter export_safetensors = {
	.name = "safetensors",
	.help = "the weights as one file, in fp32, bf16 or fp16",
	.write = write_safetensors,
};
