/*
 * layout.h - how a job's ranks share a graph: data (dp), pipeline (pp) and tensor parallelism (tp)
 *
 * Rank = (copy * pp + stage) * tp + cut, where a copy is a data-parallel replica and a cut a tensor-parallel shard:
 * neighbours exchange most. All zeros is one rank.
 */
#ifndef DS_GRAPH_LAYOUT_H
#define DS_GRAPH_LAYOUT_H

#include "comm/world.h"

typedef struct {
	int dp, pp, tp, rank;
	int ep; /* so many neighbouring copies share out the experts (a divisor of dp); each has its own rows */
	bool zero;  /* each copy keeps and makes its part of the optimizer's state (ZeRO-1) */
	bool apart; /* no all-reduce of gradients: copies are averaged every sync_every steps */
} ds_layout;

static inline ds_layout ds_layout_whole(ds_layout l)
{
	l.dp = l.dp ? l.dp : 1;
	l.pp = l.pp ? l.pp : 1;
	l.tp = l.tp ? l.tp : 1;
	l.ep = l.ep ? l.ep : 1;
	return l;
}
static inline int ds_layout_ranks(const ds_layout *l)
{
	return l->dp * l->pp * l->tp;
}
static inline int ds_layout_cut(const ds_layout *l)
{
	return l->rank % l->tp;
}
static inline int ds_layout_stage(const ds_layout *l)
{
	return l->rank / l->tp % l->pp;
}
static inline int ds_layout_copy(const ds_layout *l)
{
	return l->rank / (l->tp * l->pp);
}
/* The ranks that differ from this one in their cut alone, in their copy alone; those of one copy. */
static inline ds_group ds_layout_cuts(const ds_layout *l)
{
	return (ds_group){ l->rank - ds_layout_cut(l), 1, l->tp };
}
static inline ds_group ds_layout_copies(const ds_layout *l)
{
	return (ds_group){ l->rank % (l->tp * l->pp), l->tp * l->pp, l->dp };
}
static inline ds_group ds_layout_model(const ds_layout *l)
{
	int n = l->tp * l->pp;
	return (ds_group){ ds_layout_copy(l) * n, 1, n };
}
/* The ranks that share out the experts with this one; those that have the same ones; all ranks of the first's copies. */
static inline ds_group ds_layout_experts(const ds_layout *l)
{
	int n = l->tp * l->pp, ep = l->ep > 1 ? l->ep : 1;
	return (ds_group){ l->rank % n + ds_layout_copy(l) / ep * ep * n, n, ep };
}
static inline ds_group ds_layout_same_experts(const ds_layout *l)
{
	int n = l->tp * l->pp, ep = l->ep > 1 ? l->ep : 1;
	return (ds_group){ l->rank % (n * ep), n * ep, l->dp / ep };
}
static inline ds_group ds_layout_all_experts(const ds_layout *l)
{
	int ep = l->ep > 1 ? l->ep : 1, n = l->tp * l->pp * ep;
	return (ds_group){ l->rank / n * n, 1, n };
}
/* This rank's counterpart in another stage. */
static inline int ds_layout_at_stage(const ds_layout *l, int stage)
{
	return l->rank + (stage - ds_layout_stage(l)) * l->tp;
}

#endif
