/*
 * opt_impl.h - the tables of opts.def
 */
#ifndef DS_GRAPH_OPT_IMPL_H
#define DS_GRAPH_OPT_IMPL_H

#include "graph/op.h"

#define OPTIMIZER(name) extern const ds_optimizer ds_optimizer_##name;
#define SCHEDULE(name) extern const ds_schedule_kind ds_schedule_##name;
#include "graph/opts.def"
#undef OPTIMIZER
#undef SCHEDULE

#endif
