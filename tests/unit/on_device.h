/*
 * on_device.h - devices and tensors of executors, for tests of graphs
 */
#ifndef DS_TEST_ON_DEVICE_H
#define DS_TEST_ON_DEVICE_H

#include "graph/backend.h"
#include "graph/exec.h"

#include <stdlib.h>

static inline ds_device *open_device(const char *backend, unsigned threads)
{
	ds_device *d;
	ds_err e;
	if (ds_device_open(&d, backend, threads, &e) != DS_OK)
		abort();
	return d;
}

/* The tensor of that name; NULL where there is none. */
static inline void *named(ds_exec *x, const char *name)
{
	return ds_exec_map(x, ds_g_find(ds_exec_graph(x), name));
}

/* Compiles for the CPU. */
static inline ds_rc compile_for_cpu(ds_graph *g, const ds_compile *c, ds_err *e)
{
	ds_compile with = *c;
	with.traits = &ds_backend_cpu()->traits;
	return ds_graph_compile(g, &with, e);
}

#endif
