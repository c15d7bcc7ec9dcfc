/*
 * opt_impl.h - the tables of opts.def, and what optimizers share
 */
#ifndef DS_GRAPH_OPT_IMPL_H
#define DS_GRAPH_OPT_IMPL_H

#include "graph/op.h"

#define OPTIMIZER(name) extern const ds_optimizer ds_optimizer_##name;
#define SCHEDULE(name) extern const ds_schedule_kind ds_schedule_##name;
#include "graph/opts.def"
#undef OPTIMIZER
#undef SCHEDULE

/* "NAME.suffix" of class opt, shaped like the parameter. */
ds_tid ds_opt_state(ds_graph *g, ds_tid param, const char *suffix);
/* Appends op, which takes and updates a parameter and two running means, "NAME.m" and "NAME.v". */
void ds_opt_moments(ds_graph *g, const ds_compile *c, ds_op_kind op, ds_tid param, ds_tid scale);
/* hyper: the rate, the two means' corrections for their start at 0, the gradients' factor. */
void ds_opt_unbias(float out[4], const ds_compile *c, int64_t step, double lr);

#endif
