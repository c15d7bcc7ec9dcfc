/*
 * cpu_impl.h - what the files in cpu/ share
 */
#ifndef DS_GRAPH_CPU_IMPL_H
#define DS_GRAPH_CPU_IMPL_H

#include "graph/backend.h"

#define KERNEL(name) extern const ds_kernel ds_cpu_##name;
#include "graph/cpu/kernels.def"
#undef KERNEL

#endif
