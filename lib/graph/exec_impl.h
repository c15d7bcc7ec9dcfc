/*
 * exec_impl.h - what the files of the executor share
 */
#ifndef DS_GRAPH_EXEC_IMPL_H
#define DS_GRAPH_EXEC_IMPL_H

#include "graph/backend.h"
#include "graph/exec.h"

struct ds_exec {
	const ds_graph *g;
	ds_device *device;
	const ds_backend *backend; /* the device's */
	ds_exec_opts opts;
	ds_plan plan;
	ds_addr arenas[DS_N_CLASSES], scratch;
	uint64_t bytes; /* of all these */
	ds_addr *at;    /* [n_tensors] */
	ds_program *program;
	char *inputs; /* the inputs' arena as the host fills it; NULL: it sees the arena itself */
	bool inputs_given; /* since they were last sent */
	double *seconds;   /* [n_nodes], with opts.profile */
};

/* DS_BAD naming the first of nodes [from, to) that made a NaN or Inf. */
DS_MUST ds_rc ds_exec_look(ds_exec *x, int32_t from, int32_t to, const ds_run *r, ds_err *e);

#endif
