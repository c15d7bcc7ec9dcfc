/*
 * export_safetensors.c - the weights as one file, in another type where asked
 */
#include "export.h"

#include "base/mem.h"
#include "model/safetensors.h"

static ds_rc type_of(const char *name, ds_st_type *t, ds_err *e)
{
	static const struct {
		const char *name;
		ds_st_type t;
	} types[] = { { "f32", DS_ST_F32 }, { "bf16", DS_ST_BF16 }, { "f16", DS_ST_F16 } };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(name, types[i].name) == 0) {
			*t = types[i].t;
			return DS_OK;
		}
	return ds_fail(e, DS_USAGE, "--dtype '%s': f32, bf16 or f16", name);
}

static ds_rc write_all(const ds_graph *g, ds_exec *x, ds_st_type t, const char *path, ds_err *e)
{
	ds_st_item *items = DS_NEW(ds_st_item, (size_t)g->n_tensors);
	size_t n = 0;
	for (ds_tid i = 1; i < g->n_tensors; i++) {
		const ds_tensor *p = ds_g_tensor(g, i);
		if (p->class != DS_CLASS_PARAM)
			continue;
		ds_st_item *s = &items[n++];
		*s = (ds_st_item){ .name = p->name, .rank = p->rank, .data = ds_exec_data(x, i) };
		for (int d = 0; d < p->rank; d++)
			s->dims[d] = p->dims[d];
	}
	ds_rc rc = ds_st_write(path, items, n, t, e);
	ds_mem_free(items);
	return rc;
}

static ds_rc write_safetensors(
	const ds_model *m, const export_opts *o, const ds_common *c, ds_err *e)
{
	ds_st_type t = DS_ST_F32;
	DS_AUTO(ds_graph) g = ds_graph_new(1, 8);
	DS_AUTO(ds_pool) pool = ds_pool_new(1);
	DS_AUTO(ds_exec) x = NULL;
	ds_build b = { 0 };
	DS_TRY(type_of(o->dtype, &t, e));
	ds_arch_build(g, ds_model_config(m), &b);
	DS_TRY(ds_graph_compile(g, &(ds_compile){ .train = false }, e));
	DS_TRY(ds_exec_new(&x, g, ds_backend_cpu(), pool, (ds_exec_opts){ 0 }, e));
	DS_TRY(ds_model_load(m, x, g, e));
	return write_all(g, x, t, c->out_path, e);
}

const exporter export_safetensors = {
	.name = "safetensors",
	.help = "the weights as one file, in f32, bf16 or f16",
	.write = write_safetensors,
};
