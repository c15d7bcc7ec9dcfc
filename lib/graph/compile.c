/*
 * compile.c - runs the passes of passes.def
 */
#include "graph/graph.h"

#include "base/log.h"
#include "graph/op.h"

#define PASS(name, when) ds_pass_fn ds_pass_##name;
#include "graph/passes.def"
#undef PASS

static const struct {
	const char *name;
	ds_pass_fn *run;
	bool train_only;
} passes[] = {
#define always false
#define train true
#define PASS(name, when) { #name, ds_pass_##name, when },
#include "graph/passes.def"
#undef PASS
#undef always
#undef train
};

ds_rc ds_graph_compile(ds_graph *g, const ds_compile *c, ds_err *e)
{
	static const ds_traits plain = { 0 };
	ds_compile with = *c;
	with.traits = c->traits ? c->traits : &plain;
	with.layout = g->layout = ds_layout_whole(c->layout);
	DS_TRY(ds_graph_check(g, e));
	for (size_t i = 0; i < sizeof(passes) / sizeof(*passes); i++) {
		if (passes[i].train_only && !c->train)
			continue;
		DS_TRY(passes[i].run(g, &with, e));
		DS_TRY_AT(ds_graph_verify(g, e), e, "after pass %s", passes[i].name);
		DS_LOG(DS_LOG_GRAPH, "pass %s: %d nodes, %d tensors", passes[i].name, g->n_nodes,
			g->n_tensors - 1);
	}
	g->train = c->train;
	g->fixed = c->fixed && !c->train;
	return DS_OK;
}
