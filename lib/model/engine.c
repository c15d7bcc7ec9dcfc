/*
 * engine.c - building, compiling, allocating and loading, in this order
 */
#include "model/engine.h"

#include "base/mem.h"
#include "graph/backend.h"

ds_rc ds_engine_plan(ds_engine **out, const ds_backend *b, const ds_engine_opts *o, ds_err *e)
{
	DS_AUTO(ds_engine) n = DS_NEW(ds_engine, 1);
	ds_compile c = o->compile;
	c.traits = &b->traits;
	n->g = ds_graph_new(o->batch, o->seq);
	n->b = o->build;
	ds_layout l = ds_layout_whole(c.layout);
	n->b.experts = ds_layout_experts(&l);
	n->b.my_experts = ds_layout_copy(&l) % n->b.experts.n;
	ds_arch_build(n->g, o->config, &n->b);
	if (o->build.lora)
		DS_TRY(ds_lora_check(o->build.lora, n->g, e));
	DS_TRY(ds_graph_compile(n->g, &c, e));
	*out = n;
	n = NULL;
	return DS_OK;
}

ds_rc ds_engine_open(ds_engine **out, ds_device *d, const ds_engine_opts *o, ds_err *e)
{
	DS_AUTO(ds_engine) n = NULL;
	DS_TRY(ds_engine_plan(&n, ds_device_backend(d), o, e));
	DS_TRY(ds_exec_new(&n->x, n->g, d, o->exec, e));
	if (o->weights)
		DS_TRY(ds_model_load(o->weights, n->x, n->g, e));
	*out = n;
	n = NULL;
	return DS_OK;
}

ds_rc ds_engine_twin(ds_engine **out, ds_device *d, const ds_engine *of, ds_err *e)
{
	DS_AUTO(ds_engine) n = DS_NEW(ds_engine, 1);
	*n = (ds_engine){ .g = of->g, .b = of->b, .twin = true };
	DS_TRY(ds_exec_new(&n->x, n->g, d, (ds_exec_opts){ .twin = of->x }, e));
	*out = n;
	n = NULL;
	return DS_OK;
}

void ds_engine_close(ds_engine *n)
{
	if (!n)
		return;
	ds_exec_free(n->x);
	if (!n->twin)
		ds_graph_free(n->g);
	ds_mem_free(n);
}

ds_rc ds_engine_run(ds_engine *n, ds_err *e)
{
	return ds_exec_run(n->x, DS_PHASE_FWD, &(ds_run){ .step = 1 }, e);
}
