/*
 * muon.c - Muon for the matrices inside the model, AdamW for embeddings, the output layer and vectors
 */
#include "graph/opt/opt_impl.h"

/* A weight of linear layers and of nothing else. */
static bool is_hidden(const ds_graph *g, ds_tid param)
{
	bool found = false;
	if (ds_g_tensor(g, param)->rank != 2)
		return false;
	for (int32_t i = 0; i < g->n_nodes; i++) {
		const ds_node *n = &g->nodes[i];
		if (n->phase != DS_PHASE_FWD)
			continue;
		for (int k = 0; k < DS_MAX_IN; k++) {
			if (n->in[k] != param)
				continue;
			if (n->op != DS_OP_linear || k != 1)
				return false;
			found = true;
		}
	}
	return found;
}

static void update(ds_graph *g, const ds_compile *c, ds_tid param, ds_tid scale)
{
	const ds_tensor *p = ds_g_tensor(g, param);
	if (!is_hidden(g, param)) {
		ds_opt_moments(g, c, DS_OP_adamw, param, scale);
		return;
	}
	ds_muon_attr a = { .momentum = c->momentum,
		.decay = p->flags & DS_TENSOR_NO_DECAY ? 0 : c->decay,
		.steps = c->muon_steps,
		.type = c->product == DS_BF16 ? DS_BF16 : DS_F32 };
	ds_tid m = ds_opt_state(g, param, "m");
	p = ds_g_tensor(g, param);
	ds_g_node(g, (ds_node){ .op = DS_OP_muon,
			     .attr.muon = a,
			     .in = { param, p->grad, m, g->hyper, scale },
			     .out = { param, m } });
}

const ds_optimizer ds_optimizer_muon = { .name = "muon",
	.help = "an orthogonal step for matrices inside the model, AdamW for the rest",
	.update = update,
	.hyper = ds_opt_unbias };
