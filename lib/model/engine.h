/*
 * engine.h - a model ready to run: graph, what was built, executor, weights
 *
 * The one way to use a model: training, evaluation, generation, embedding, export and planning open engines. Engines
 * of one model share weights and caches through exec.share. What is borrowed (config, device, model) must outlive
 * the engine.
 *
 *	DS_AUTO(ds_engine) n = NULL;
 *	ds_engine_open(&n, device, &(ds_engine_opts){ .config = c, .batch = 1, .seq = 8, .weights = m }, e);
 *	fill ds_exec_input(n->x, n->b.ids) …; ds_engine_run(n, e); ds_exec_view(n->x, n->b.logits, mem, &logits, e)
 */
#ifndef DS_MODEL_ENGINE_H
#define DS_MODEL_ENGINE_H

#include "graph/exec.h"
#include "model/model.h"

typedef struct {
	ds_graph *g;
	ds_exec *x; /* NULL where only planned */
	ds_build b;
	bool twin; /* the graph is another's */
} ds_engine;

typedef struct {
	const ds_config *config;
	int64_t batch, seq;
	ds_build build;     /* what is asked of the architecture */
	ds_compile compile; /* its traits are the backend's */
	ds_exec_opts exec;
	const ds_model *weights; /* loaded from there; NULL: they are shared, or filled later */
} ds_engine_opts;

/* The graph alone, compiled for a backend: sizes, dumps, what a run would take. */
DS_MUST ds_rc ds_engine_plan(
	ds_engine **n, const ds_backend *b, const ds_engine_opts *o, ds_err *e);
/* And with memory on a device. */
DS_MUST ds_rc ds_engine_open(ds_engine **n, ds_device *d, const ds_engine_opts *o, ds_err *e);
/* The same once more for another micro-batch on its way: inputs and activations of its own, all else is of's, which
 * outlives it. */
DS_MUST ds_rc ds_engine_twin(ds_engine **n, ds_device *d, const ds_engine *of, ds_err *e);
void ds_engine_close(ds_engine *n); /* NULL is fine */
DS_AUTO_WITH(ds_engine, ds_engine_close)
DS_MUST ds_rc ds_engine_run(ds_engine *n, ds_err *e); /* forward, not in training */

#endif
